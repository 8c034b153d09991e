// A tracker: latitude and longitude in 0.0001 degrees (24 bits, signed), altitude in metres, and whether there is a fix.
function i24(b, at) {
	return (b[at] << 24 | b[at + 1] << 16 | b[at + 2] << 8) >> 8;
}

function decodeUplink(input) {
	var b = input.bytes;
	if (!(b[0] & 1)) {
		return { data: { fix: false }, warnings: ["no fix"] };
	}
	return {
		data: {
			fix: true,
			latitude: i24(b, 1) / 10000,
			longitude: i24(b, 4) / 10000,
			altitude: b[7] << 8 | b[8]
		}
	};
}
