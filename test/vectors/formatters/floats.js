// IEEE 754 from octets, by hand: devices that send what their compiler has in memory. No typed array is needed.
function ieee(bytes, at, n, isLittle) {
	var mantissaBits = n === 4 ? 23 : 52, exponentMax = n === 4 ? 255 : 2047, bias = n === 4 ? 127 : 1023;
	var ordered = [];
	for (var i = 0; i < n; i++) {
		ordered.push(bytes[at + (isLittle ? n - 1 - i : i)]);
	}
	var sign = ordered[0] & 0x80 ? -1 : 1;
	var bitsInSecond = n === 4 ? 7 : 4;
	var exponent = ((ordered[0] & 0x7f) << (8 - bitsInSecond)) | (ordered[1] >> bitsInSecond);
	var mantissa = ordered[1] & ((1 << bitsInSecond) - 1);
	for (i = 2; i < n; i++) {
		mantissa = mantissa * 256 + ordered[i];
	}
	if (exponent === exponentMax) {
		return mantissa ? NaN : sign * Infinity;
	}
	if (exponent === 0) {
		return sign * mantissa * Math.pow(2, 1 - bias - mantissaBits);
	}
	return sign * (1 + mantissa * Math.pow(2, -mantissaBits)) * Math.pow(2, exponent - bias);
}

function decodeUplink(input) {
	var b = input.bytes;
	switch (input.fPort) {
	case 1:
		return { data: { value: ieee(b, 0, 4, false) } };
	case 2:
		return { data: { value: ieee(b, 0, 4, true) } };
	case 3:
		return { data: { value: ieee(b, 0, 8, false) } };
	default:
		return { data: { value: ieee(b, 0, 8, true) } };
	}
}
