// Bit fields: a door sensor whose first octet is flags, and that packs two values of 12 bits into three octets.
function decodeUplink(input) {
	var b = input.bytes;
	var flags = b[0];
	return {
		data: {
			open: (flags & 0x01) !== 0,
			tamper: (flags & 0x02) !== 0,
			low_battery: (flags & 0x80) !== 0,
			kind: ["door", "window", "gate", "lid"][(flags >> 4) & 0x03],
			opened: (b[1] << 4) | (b[2] >> 4),
			minutes: ((b[2] & 0x0f) << 8) | b[3]
		}
	};
}
