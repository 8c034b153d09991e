"""The messages of The Things Stack's Application Server as their API describes them (release 3.36): for each object its members in the
order of their numbers in the API, with types. Written from that description and not from what this project sends.

In their JSON a member that is zero, false or empty is left out; 64-bit numbers are texts; octets are base64 with padding; times are
RFC 3339 in UTC with 0, 3, 6 or 9 digits of a second, and durations likewise."""
import base64
import re

FRACTION = r"(\.(?!000)\d{3}|\.\d{3}(?!000)\d{3}|\.\d{6}(?!000)\d{3})?"
TIME = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d" + FRACTION + "Z")
DURATION = re.compile(r"(0|[1-9]\d*)" + FRACTION + "s")
MESSAGE_TOPIC = re.compile(r"v3/[a-z0-9@-]+/devices/([^/]+)/(join|up(?:/normalized)?|down/(?:queued|sent|ack|nack|failed)|service/data|location/solved)")


class Wrong(AssertionError):
    pass


def demand(condition, where, value):
    if not condition:
        raise Wrong("%s: %r" % (where, value))


def uint(most):
    def check(v, where):
        demand(type(v) is int and 0 < v <= most, where, v)
    return check


def sint(v, where):
    demand(type(v) is int and v != 0 and -2**31 <= v < 2**31, where, v)


def number(least, most):
    def check(v, where):
        demand(type(v) in (int, float) and v != 0 and least <= v <= most, where, v)
    return check


def digits(pattern):
    def check(v, where):
        demand(type(v) is str and re.fullmatch(pattern, v), where, v)
    return check


def true(v, where):
    demand(v is True, where, v)


def text(v, where):
    demand(type(v) is str and v, where, v)


def octets(n=None):
    def check(v, where):
        demand(type(v) is str and v, where, v)
        raw = base64.b64decode(v, validate=True)
        demand(base64.b64encode(raw).decode() == v and n in (None, len(raw)), where, v)
    return check


def of_words(*words):
    """An enumeration; the first word is zero."""
    def check(v, where):
        demand(v in words[1:], where, v)
    return check


def times(v, where):
    demand(type(v) is str and TIME.fullmatch(v), where, v)


def duration(v, where):
    demand(type(v) is str and DURATION.fullmatch(v) and v != "0s", where, v)


def any_object(v, where):
    demand(type(v) is dict, where, v)


def list_of(check_one, least=1, most=10000):
    def check(v, where):
        demand(type(v) is list and least <= len(v) <= most, where, v)
        for n, one in enumerate(v):
            check_one(one, "%s[%d]" % (where, n))
    check.below = {"[]": check_one}
    return check


def map_of(check_one):
    def check(v, where):
        demand(type(v) is dict and v, where, v)
        for name, one in v.items():
            check_one(one, where + "." + name)
    check.below = {".*": check_one}
    return check


def members(*table, one_of=(), may_be_empty=False):
    """An object. table: (name, check); a name with `!` must be there; of one_of exactly one is."""
    names = [name.rstrip("!") for name, _ in table]
    checks = dict(zip(names, (check for _, check in table)))
    needed = [name.rstrip("!") for name, _ in table if name.endswith("!")]

    def check(v, where):
        demand(type(v) is dict and (v or may_be_empty), where, v)
        demand(list(v) == [name for name in names if name in v], where + " (members, order)", list(v))
        demand(all(name in v for name in needed), where + " (needed)", list(v))
        demand(not one_of or sum(name in v for name in one_of) == 1, where + " (one of)", list(v))
        for name, value in v.items():
            checks[name](value, where + "." + name)
    check.below = {"." + name: one for name, one in checks.items()}
    return check


def paths(check_one, prefix=""):
    """Every member that the description has, below one."""
    for step, below in getattr(check_one, "below", {}).items():
        yield prefix + step
        yield from paths(below, prefix + step)


def paths_of(check_one, value, prefix=""):
    """Those that a message has."""
    for step, below in getattr(check_one, "below", {}).items():
        values = value if step == "[]" else value.values() if step == ".*" else [value[step[1:]]] if step[1:] in value else []
        for one in values:
            yield prefix + step
            yield from paths_of(below, one, prefix + step)


eui = digits("[0-9A-F]{16}")
uint32 = uint(2**32 - 1)
correlation_ids = list_of(lambda v, where: demand(type(v) is str and 0 < len(v) <= 100, where, v), most=64)
application_ids = members(("application_id!", digits("[a-z0-9](?:-?[a-z0-9]){2,}")))
# A device that is not known goes by the name that it was called.
end_device_ids = members(("device_id!", text), ("application_ids!", application_ids), ("dev_eui", eui), ("join_eui", eui),
                         ("dev_addr", digits("[0-9A-F]{8}")))
location = members(("latitude", number(-90, 90)), ("longitude", number(-180, 180)), ("altitude", sint), ("accuracy", sint),
                   ("source", of_words("SOURCE_UNKNOWN", "SOURCE_GPS", "SOURCE_REGISTRY", "SOURCE_IP_GEOLOCATION", "SOURCE_WIFI_RSSI_GEOLOCATION",
                                       "SOURCE_BT_RSSI_GEOLOCATION", "SOURCE_LORA_RSSI_GEOLOCATION", "SOURCE_LORA_TDOA_GEOLOCATION",
                                       "SOURCE_COMBINED_GEOLOCATION")))
version_ids = members(("brand_id", text), ("model_id", text), ("hardware_version", text), ("firmware_version", text), ("band_id", text))
network_ids = members(("net_id!", digits("[0-9A-F]{6}")), ("ns_id", eui), ("tenant_id", text), ("cluster_id", text), ("cluster_address", text),
                      ("tenant_address", text))
battery = members(("f_cnt", uint32), ("value", number(0, 100)), ("received_at!", times))
about = (("locations", map_of(location)), ("version_ids", version_ids), ("network_ids", network_ids))
attributes = ("attributes", map_of(text))

gateway_ids = members(("gateway_id", text), ("eui", eui))
rx_metadata = members(
    ("gateway_ids!", gateway_ids), ("antenna_index", uint32), ("time", times), ("timestamp", uint32), ("fine_timestamp", digits("[1-9][0-9]*")),
    ("encrypted_fine_timestamp", octets()), ("encrypted_fine_timestamp_key_id", text), ("rssi", number(-200, 100)),
    ("signal_rssi", number(-200, 100)), ("channel_rssi", number(-200, 100)), ("rssi_standard_deviation", number(0, 100)),
    ("snr", number(-100, 100)), ("frequency_offset", digits("-?[1-9][0-9]*")), ("location", location),
    ("downlink_path_constraint", of_words("DOWNLINK_PATH_CONSTRAINT_NONE", "DOWNLINK_PATH_CONSTRAINT_PREFER_OTHER", "DOWNLINK_PATH_CONSTRAINT_NEVER")),
    ("uplink_token", octets()), ("channel_index", uint32), ("hopping_width", uint32), ("frequency_drift", sint), ("gps_time", times),
    ("received_at", times))
coding_rate = digits("[1-9]/[1-9]|4/[5-8]LI")
data_rate = members(
    ("lora", members(("bandwidth!", uint32), ("spreading_factor!", uint(12)), ("coding_rate", coding_rate))),
    ("fsk", members(("bit_rate!", uint32))),
    ("lrfhss", members(("modulation_type", uint32), ("operating_channel_width", uint32), ("coding_rate", coding_rate))),
    one_of=("lora", "fsk", "lrfhss"))
# data_rate_index, coding_rate and the two channel indices stand where their documentation of 3.0 has them.
settings = members(
    ("data_rate", data_rate), ("data_rate_index", uint(15)), ("coding_rate", coding_rate), ("frequency", digits("[1-9][0-9]*")),
    ("gateway_channel_index", uint32), ("device_channel_index", uint32), ("enable_crc", true), ("timestamp", uint32), ("time", times),
    may_be_empty=True)

uplink_message = members(
    ("session_key_id", octets(16)), ("f_port", uint(255)), ("f_cnt", uint32), ("frm_payload", octets()), ("decoded_payload", any_object),
    ("decoded_payload_warnings", list_of(text)), ("normalized_payload", list_of(any_object)), ("normalized_payload_warnings", list_of(text)),
    ("rx_metadata", list_of(rx_metadata, 0, 50)), ("settings", settings), ("received_at!", times),
    ("confirmed", true), ("consumed_airtime", duration), ("packet_error_rate", number(0, 1)), *about, ("last_battery_percentage", battery), attributes)
uplink_normalized = members(
    ("session_key_id", octets(16)), ("f_port!", uint(255)), ("f_cnt", uint32), ("normalized_payload!", any_object),
    ("normalized_payload_warnings", list_of(text)), ("rx_metadata", list_of(rx_metadata, 0, 50)), ("settings", settings), ("received_at!", times),
    ("confirmed", true), ("consumed_airtime", duration), *about, attributes)
join_accept = members(("session_key_id!", octets(16)), ("received_at!", times), *about, attributes)
class_b_c = members(
    ("gateways", list_of(members(("gateway_ids!", gateway_ids), ("antenna_index", uint32), ("group_index", uint32)))), ("absolute_time", times),
    may_be_empty=True)
downlink_members = (
    ("session_key_id", octets(16)), ("f_port", uint(255)), ("f_cnt", uint32), ("frm_payload", octets()), ("decoded_payload", any_object),
    ("decoded_payload_warnings", list_of(text)), ("confirmed", true), ("class_b_c", class_b_c),
    ("priority", of_words("LOWEST", "LOW", "BELOW_NORMAL", "NORMAL", "ABOVE_NORMAL", "HIGH", "HIGHEST")), ("correlation_ids!", correlation_ids),
    ("confirmed_retry", members(("attempt", uint32), ("max_attempts", uint(100)))))
downlink = members(*downlink_members, *about, attributes)

# google.golang.org/grpc/codes, by what went wrong.
CODES = {
    "invalid_json": 3, "no_f_port": 3, "invalid_f_port": 3, "no_payload": 3, "invalid_payload": 3, "payload_too_long": 3, "invalid_priority": 3,
    "invalid_correlation_ids": 3, "invalid_confirmed_retry": 3, "invalid_class_b_c": 3, "no_encoder": 9, "invalid_decoded_payload": 3, "encoder_failed": 3,
    "formatter_busy": 8, "device_not_found": 5,
    "no_device_session": 9, "queue_full": 8, "downlink_expired": 9, "application_downlink_too_long": 3, "no_downlink_path": 5,
    "gateway_not_found": 5, "confirmed_multicast_downlink": 3, "duty_cycle": 8, "transmission": 2, "max_retries_reached": 10, "more_refused": 8,
    "store_unavailable": 14}


error_members = members(("namespace!", digits("pkg/(networkserver|applicationserver)")), ("name!", digits("[a-z_]+")), ("message_format!", text),
                        ("attributes", any_object), ("correlation_id!", digits("[0-9a-f]{32}")), ("cause", any_object), ("code!", uint(16)),
                        ("details", list_of(any_object)))


def error(v, where):
    error_members(v, where)
    demand(CODES.get(v["name"]) == v["code"], where + " (code)", v)
    wanted = set(re.findall(r"\{(\w+)\}", v["message_format"]))
    demand(wanted <= set(v.get("attributes", {})), where + " (attributes of the format)", v)


error.below = error_members.below
downlink_failed = members(("downlink", members(*downlink_members)), ("error!", error), *about, attributes)
service_data = members(("service!", text), ("data", any_object), *about, attributes)
location_solved = members(("service!", text), ("location!", location), ("attributes", map_of(text)))
PAYLOADS = (
    ("uplink_message", uplink_message), ("uplink_normalized", uplink_normalized), ("join_accept", join_accept), ("downlink_ack", downlink), ("downlink_nack", downlink),
    ("downlink_sent", downlink), ("downlink_failed", downlink_failed), ("downlink_queued", downlink), ("location_solved", location_solved),
    ("service_data", service_data))
message = members(
    ("end_device_ids!", end_device_ids), ("correlation_ids!", correlation_ids), ("received_at!", times), *PAYLOADS, ("simulated", true),
    one_of=[name for name, _ in PAYLOADS])
OF_TOPIC = {"join": "join_accept", "up": "uplink_message", "up/normalized": "uplink_normalized", "service/data": "service_data", "location/solved": "location_solved",
            **{"down/" + word: "downlink_" + word for word in ("queued", "sent", "ack", "nack", "failed")}}


def check(topic, value):
    """Is this a message as they send it? Wrong says what is not. Other topics are not looked at."""
    found = MESSAGE_TOPIC.fullmatch(topic)
    if not found:
        return
    message(value, topic)
    demand(OF_TOPIC[found.group(2)] in value, topic + " (payload)", list(value))
    demand(value["end_device_ids"]["device_id"] == found.group(1), topic + " (device)", value["end_device_ids"])
    name = OF_TOPIC[found.group(2)]
    item = value[name]
    demand(name == "downlink_failed" or not name.startswith("downlink_") or set(item["correlation_ids"]) <= set(value["correlation_ids"]), topic + " (ids)", value)
    if not {"dev_eui", "dev_addr"} & set(value["end_device_ids"]):
        return  # it speaks IP: neither session nor radio
    demand(name != "uplink_message" or "settings" in item, topic + " (settings)", item)
    if name in ("downlink_sent", "downlink_ack", "downlink_nack"):
        demand("session_key_id" in item, topic + " (session)", item)
    if name == "downlink_queued":
        demand("session_key_id" not in item and "f_cnt" not in item, topic + " (neither session nor counter)", item)
    if name.startswith("downlink_") and name != "downlink_failed":
        demand(("confirmed_retry" in item) == ("confirmed" in item), topic + " (retries)", item)
    if name == "uplink_message" and "simulated" not in value:
        demand(all(member in item for member in ("session_key_id", "consumed_airtime", "rx_metadata")), topic + " (of the radio)", item)
