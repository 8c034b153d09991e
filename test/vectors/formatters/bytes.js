// Byte fields: a climate sensor that sends whole octets and 16 bit words, most significant octet first.
function decodeUplink(input) {
	var b = input.bytes;
	if (b.length !== 6) {
		return { errors: ["six octets expected, got " + b.length] };
	}
	return {
		data: {
			battery: b[0] * 0.01 + 1.5,
			temperature: ((b[1] << 8) | b[2]) / 10,
			humidity: b[3] / 2,
			light: b[4] * 256 + b[5]
		}
	};
}
