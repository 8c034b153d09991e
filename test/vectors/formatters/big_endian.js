// Signed numbers of 8, 16, 24 and 32 bits, most significant octet first.
function signed(bytes, at, n) {
	var value = bytes[at] & 0x80 ? -1 : 0;
	for (var i = 0; i < n; i++) {
		value = (value << 8) | bytes[at + i];
	}
	return value;
}

function decodeUplink(input) {
	var b = input.bytes;
	return { data: { i8: signed(b, 0, 1), i16: signed(b, 1, 2), i24: signed(b, 3, 3), i32: signed(b, 6, 4), u32: signed(b, 6, 4) >>> 0 } };
}
