// The functions of version 2 of The Things Network.
function Decoder(bytes, port) {
	var decoded = {};
	if (port === 1) {
		decoded.led = bytes[0] === 1;
		decoded.count = bytes[1] * 256 + bytes[2];
	}
	return decoded;
}

function Encoder(object, port) {
	var bytes = [];
	if (port === 1) {
		bytes.push(object.led ? 1 : 0);
	}
	return bytes;
}
