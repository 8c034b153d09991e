// Signed numbers, least significant octet first, of an industrial probe with two channels.
function i16le(b, at) {
	var v = b[at] | (b[at + 1] << 8);
	return v > 0x7fff ? v - 0x10000 : v;
}

function i32le(b, at) {
	return b[at] | (b[at + 1] << 8) | (b[at + 2] << 16) | (b[at + 3] << 24);
}

function decodeUplink(input) {
	var b = input.bytes;
	return { data: { probe: [{ value: i16le(b, 0) / 100 }, { value: i16le(b, 2) / 100 }], pulses: i32le(b, 4) } };
}

function encodeDownlink(input) {
	var v = Math.round(input.data.threshold * 100);
	return { bytes: [v & 0xff, (v >> 8) & 0xff], fPort: 4 };
}
