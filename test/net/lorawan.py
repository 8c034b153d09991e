"""LoRaWAN devices of 1.0.x and 1.1 written apart from the C code: AES from libcrypto through ctypes, everything else from the
specification's words. What the tests send and expect is made here, so that no encoder of ours talks to a decoder of ours."""
import ctypes
import ctypes.util
import struct

_crypto = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")


def _aes(key, block, encrypt=True):
    schedule = ctypes.create_string_buffer(512)
    out = ctypes.create_string_buffer(16)
    if encrypt:
        _crypto.AES_set_encrypt_key(key, 128, schedule)
        _crypto.AES_encrypt(block, out, schedule)
    else:
        _crypto.AES_set_decrypt_key(key, 128, schedule)
        _crypto.AES_decrypt(block, out, schedule)
    return out.raw


def aes_encrypt(key, data):
    return b"".join(_aes(key, data[i:i + 16]) for i in range(0, len(data), 16))


def aes_decrypt(key, data):
    return b"".join(_aes(key, data[i:i + 16], False) for i in range(0, len(data), 16))


def _double(block):
    n = int.from_bytes(block, "big") << 1
    if n >> 128:
        n = (n & ((1 << 128) - 1)) ^ 0x87
    return n.to_bytes(16, "big")


def _xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def cmac(key, message):
    """RFC 4493."""
    k1 = _double(_aes(key, bytes(16)))
    k2 = _double(k1)
    blocks = [message[i:i + 16] for i in range(0, len(message), 16)] or [b""]
    if len(blocks[-1]) == 16:
        last = _xor(blocks[-1], k1)
    else:
        last = _xor((blocks[-1] + b"\x80").ljust(16, b"\0"), k2)
    x = bytes(16)
    for block in blocks[:-1]:
        x = _aes(key, _xor(x, block))
    return _aes(key, _xor(x, last))


def crypt_payload(key, direction, dev_addr, f_cnt, payload):
    """FRMPayload under AppSKey or NwkSKey; the same both ways."""
    out = b""
    for i in range(0, len(payload), 16):
        a = struct.pack("<BIBIIBB", 1, 0, direction, dev_addr, f_cnt, 0, i // 16 + 1)
        out += _xor(payload[i:i + 16], _aes(key, a))
    return out


def data_mic(key, direction, dev_addr, f_cnt, message):
    b0 = struct.pack("<BIBIIBB", 0x49, 0, direction, dev_addr, f_cnt, 0, len(message))
    return cmac(key, b0 + message)[:4]


class Downlink:
    """A data downlink as the device understands it."""

    def __init__(self, **members):
        self.__dict__.update(members)

    def __repr__(self):
        return "Downlink(%r)" % self.__dict__


class Device:
    """State and frames of one class A device."""

    def __init__(self, dev_eui=None, join_eui=None, app_key=None, dev_addr=None, nwk_s_key=None, app_s_key=None, dev_nonce=0):
        self.dev_eui, self.join_eui, self.app_key = dev_eui, join_eui, app_key
        self.dev_addr, self.nwk_s_key, self.app_s_key = dev_addr, nwk_s_key, app_s_key
        self.dev_nonce = dev_nonce
        self.f_cnt_up = 0
        self.f_cnt_down_seen = []
        self.rx_delay = 1

    def join_request(self):
        body = b"\0" + struct.pack("<QQH", self.join_eui, self.dev_eui, self.dev_nonce)
        return body + cmac(self.app_key, body)[:4]

    def accept(self, phy):
        """Take a join-accept; True if it is for the last join-request."""
        plain = aes_encrypt(self.app_key, phy[1:])
        if phy[0] != 0x20 or cmac(self.app_key, phy[:1] + plain[:-4])[:4] != plain[-4:]:
            return False
        join_nonce, net_id = plain[0:3], plain[3:6]
        self.join_nonce = int.from_bytes(join_nonce, "little")
        self.dev_addr, self.dl_settings, rx_delay = struct.unpack("<IBB", plain[6:12])
        self.rx_delay = rx_delay & 15 or 1
        self.cf_list = plain[12:28] if len(plain) == 32 else None
        tail = join_nonce + net_id + struct.pack("<H", self.dev_nonce) + bytes(7)
        self.nwk_s_key = _aes(self.app_key, b"\1" + tail)
        self.app_s_key = _aes(self.app_key, b"\2" + tail)
        self.f_cnt_up, self.f_cnt_down_seen = 0, []
        self.dev_nonce += 1
        return True

    def uplink(self, f_port=None, payload=b"", confirmed=False, ack=False, adr=False, f_opts=b"", f_cnt=None):
        """The next frame; f_cnt sends an old or far one instead, without moving the counter."""
        cnt = self.f_cnt_up if f_cnt is None else f_cnt
        if f_cnt is None:
            self.f_cnt_up += 1
        ctrl = (0x80 if adr else 0) | (0x20 if ack else 0) | len(f_opts)
        message = struct.pack("<BIBH", 0x80 if confirmed else 0x40, self.dev_addr, ctrl, cnt & 0xffff) + f_opts
        if f_port is not None:
            key = self.app_s_key if f_port else self.nwk_s_key
            message += bytes([f_port]) + crypt_payload(key, 0, self.dev_addr, cnt, payload)
        return message + data_mic(self.nwk_s_key, 0, self.dev_addr, cnt, message)

    def downlink(self, phy, f_cnt_high=0):
        """Check and decrypt a data downlink; raises ValueError when the device would refuse it."""
        if len(phy) < 12 or phy[0] >> 5 not in (3, 5):
            raise ValueError("not a data downlink: " + phy.hex())
        dev_addr, ctrl, cnt = struct.unpack("<IBH", phy[1:8])
        cnt |= f_cnt_high << 16
        if dev_addr != self.dev_addr:
            raise ValueError("for %08x" % dev_addr)
        if data_mic(self.nwk_s_key, 1, dev_addr, cnt, phy[:-4]) != phy[-4:]:
            raise ValueError("bad MIC")
        opts_end = 8 + (ctrl & 15)
        rest = phy[opts_end:-4]
        port, payload = None, b""
        if rest:
            port = rest[0]
            key = self.app_s_key if port else self.nwk_s_key
            payload = crypt_payload(key, 1, dev_addr, cnt, rest[1:])
        self.f_cnt_down_seen.append(cnt)
        return Downlink(confirmed=phy[0] >> 5 == 5, ack=bool(ctrl & 0x20), pending=bool(ctrl & 0x10), adr=bool(ctrl & 0x80), f_cnt=cnt,
                        f_opts=phy[8:opts_end], f_port=port, payload=payload)


class Device11(Device):
    """A device of 1.1: root keys NwkKey and AppKey; three network keys, two downlink counters, FOpts encrypted; rejoins. As soon as a
    join-accept says OptNeg 0 it is one of 1.0 whose root key is the NwkKey."""

    def __init__(self, dev_eui=None, join_eui=None, app_key=None, nwk_key=None, dev_addr=None, keys=(None,) * 4, dev_nonce=0):
        super().__init__(dev_eui, join_eui, app_key, dev_addr, keys[0], keys[3], dev_nonce)
        self.nwk_key, self.is_v11 = nwk_key, True
        self.f_key, self.s_key, self.e_key, _ = keys
        self.rj_count0 = self.rj_count1 = 0
        self.net_id = 0
        self.dr, self.ch = 5, 0
        self._begin()
        if nwk_key:
            eui = struct.pack("<Q", dev_eui)
            self.js_int, self.js_enc = _aes(nwk_key, b"\6" + eui + bytes(7)), _aes(nwk_key, b"\5" + eui + bytes(7))

    def _begin(self):
        self.f_cnt_up = self.conf_up = self.conf_down = 0
        self.f_cnt_down_seen, self.a_f_cnt_down_seen = [], []

    def join_request(self):
        self.asked, self.asked_nonce = 0xff, self.dev_nonce
        body = b"\0" + struct.pack("<QQH", self.join_eui, self.dev_eui, self.dev_nonce)
        return body + cmac(self.nwk_key, body)[:4]

    def rejoin_request(self, kind, count=None):
        """Type 0, 1 or 2; count sends an old one without moving the counter."""
        now = self.rj_count1 if kind == 1 else self.rj_count0
        self.asked, self.asked_nonce = kind, now if count is None else count
        who = struct.pack("<Q", self.join_eui) if kind == 1 else struct.pack("<I", self.net_id)[:3]
        body = b"\xc0" + bytes([kind]) + who + struct.pack("<QH", self.dev_eui, self.asked_nonce)
        if count is None and kind == 1:
            self.rj_count1 += 1
        elif count is None:
            self.rj_count0 += 1
        return body + cmac(self.js_int if kind == 1 else self.s_key, body)[:4]

    def accept(self, phy):
        plain = aes_encrypt(self.nwk_key if self.asked == 0xff else self.js_enc, phy[1:])
        body, mic = phy[:1] + plain[:-4], plain[-4:]
        self.is_v11 = bool(plain[10] & 0x80)
        asked = bytes([self.asked]) + struct.pack("<QH", self.join_eui, self.asked_nonce) if self.is_v11 else b""
        if phy[0] != 0x20 or cmac(self.js_int if self.is_v11 else self.nwk_key, asked + body)[:4] != mic:
            return False
        join_nonce, nonce = plain[0:3], struct.pack("<H", self.asked_nonce)
        self.join_nonce, self.net_id = int.from_bytes(join_nonce, "little"), int.from_bytes(plain[3:6], "little")
        self.dev_addr, self.dl_settings, rx_delay = struct.unpack("<IBB", plain[6:12])
        self.cf_list = plain[12:28] if len(plain) == 32 else None
        self.rx_delay = rx_delay & 15 or 1
        tail = join_nonce + (struct.pack("<Q", self.join_eui) + nonce + bytes(2) if self.is_v11 else plain[3:6] + nonce + bytes(7))
        self.f_key = self.nwk_s_key = _aes(self.nwk_key, b"\1" + tail)
        self.s_key = _aes(self.nwk_key, b"\3" + tail) if self.is_v11 else self.f_key
        self.e_key = _aes(self.nwk_key, b"\4" + tail) if self.is_v11 else self.f_key
        self.app_s_key = _aes(self.app_key if self.is_v11 else self.nwk_key, b"\2" + tail)
        if self.asked == 0xff:
            self.dev_nonce += 1
        self.rj_count0 = 0
        self._begin()
        return True

    def session(self):
        """All of the present session, to go back to it."""
        return {k: v for k, v in self.__dict__.items() if k not in ("dev_nonce", "rj_count1")}

    def _crypt_f_opts(self, direction, f_cnt, which, octets):
        a = struct.pack("<BBBBBBIIBB", 1, 0, 0, 0, which, direction, self.dev_addr, f_cnt, 0, 1)
        return _xor(octets, _aes(self.e_key, a))

    def uplink(self, f_port=None, payload=b"", confirmed=False, ack=False, adr=False, f_opts=b"", f_cnt=None, conf=None):
        """conf: acknowledge another counter than the last confirmed downlink's."""
        if not self.is_v11:
            return super().uplink(f_port, payload, confirmed, ack, adr, f_opts, f_cnt)
        cnt = self.f_cnt_up if f_cnt is None else f_cnt
        if f_cnt is None:
            self.f_cnt_up += 1
        if confirmed:
            self.conf_up = cnt
        ctrl = (0x80 if adr else 0) | (0x20 if ack else 0) | len(f_opts)
        message = struct.pack("<BIBH", 0x80 if confirmed else 0x40, self.dev_addr, ctrl, cnt & 0xffff)
        message += self._crypt_f_opts(0, cnt, 1, f_opts)
        if f_port is not None:
            message += bytes([f_port]) + crypt_payload(self.app_s_key if f_port else self.e_key, 0, self.dev_addr, cnt, payload)
        acknowledged = (self.conf_down if conf is None else conf) & 0xffff if ack else 0
        b1 = struct.pack("<BHBBBIIBB", 0x49, acknowledged, self.dr, self.ch, 0, self.dev_addr, cnt, 0, len(message))
        return message + cmac(self.s_key, b1 + message)[:2] + data_mic(self.f_key, 0, self.dev_addr, cnt, message)[:2]

    def downlink(self, phy, f_cnt_high=0):
        if not self.is_v11:
            return super().downlink(phy, f_cnt_high)
        if len(phy) < 12 or phy[0] >> 5 not in (3, 5):
            raise ValueError("not a data downlink: " + phy.hex())
        dev_addr, ctrl, cnt = struct.unpack("<IBH", phy[1:8])
        cnt |= f_cnt_high << 16
        conf = self.conf_up & 0xffff if ctrl & 0x20 else 0
        b0 = struct.pack("<BHHBIIBB", 0x49, conf, 0, 1, dev_addr, cnt, 0, len(phy) - 4)
        if dev_addr != self.dev_addr or cmac(self.s_key, b0 + phy[:-4])[:4] != phy[-4:]:
            raise ValueError("for %08x, or bad MIC" % dev_addr)
        opts_end = 8 + (ctrl & 15)
        rest = phy[opts_end:-4]
        port = rest[0] if rest else None
        payload = crypt_payload(self.app_s_key if port else self.e_key, 1, dev_addr, cnt, rest[1:]) if rest else b""
        (self.a_f_cnt_down_seen if port else self.f_cnt_down_seen).append(cnt)
        if phy[0] >> 5 == 5:
            self.conf_down = cnt
        return Downlink(confirmed=phy[0] >> 5 == 5, ack=bool(ctrl & 0x20), pending=bool(ctrl & 0x10), adr=bool(ctrl & 0x80), f_cnt=cnt,
                        f_opts=self._crypt_f_opts(1, cnt, 2 if port else 1, phy[8:opts_end]), f_port=port, payload=payload)
