"""paho's MQTT client, made in the same way whether its first version is installed (Debian 12) or its second."""
import paho.mqtt.client as paho

CALLBACKS = [paho.CallbackAPIVersion.VERSION1] if hasattr(paho, "CallbackAPIVersion") else []


def client(*args, **named):
    """As paho.Client of the first version: its arguments, and its callbacks' arguments."""
    return paho.Client(*CALLBACKS, *args, **named)
