// Cayenne LPP by a script: channel, type, value. What FORMATTER_CAYENNELPP does, for those who must add types of their own.
var types = {
	0: ["digital_in", 1, 1, false], 1: ["digital_out", 1, 1, false], 2: ["analog_in", 2, 100, true], 3: ["analog_out", 2, 100, true],
	101: ["luminosity", 2, 1, false], 102: ["presence", 1, 1, false], 103: ["temperature", 2, 10, true],
	104: ["relative_humidity", 1, 2, false], 115: ["barometric_pressure", 2, 10, false]
};

function decodeUplink(input) {
	var b = input.bytes, data = {};
	for (var at = 0; at < b.length;) {
		var channel = b[at], type = types[b[at + 1]];
		if (!type) {
			throw new Error("no type " + b[at + 1] + " at octet " + (at + 1));
		}
		var value = type[3] && b[at + 2] & 0x80 ? -1 : 0;
		for (var i = 0; i < type[1]; i++) {
			value = value * 256 + b[at + 2 + i];
		}
		data[type[0] + "_" + channel] = value / type[2];
		at += 2 + type[1];
	}
	return { data: data };
}
