// Downlinks both ways: what encodeDownlink makes, decodeDownlink reads again.
var modes = ["off", "on", "toggle"];

function encodeDownlink(input) {
	var mode = modes.indexOf(input.data.mode);
	if (mode < 0) {
		return { errors: ["mode is one of " + modes.join(", ")] };
	}
	return { bytes: [mode, input.data.seconds >> 8 & 0xff, input.data.seconds & 0xff], fPort: 20 };
}

function decodeDownlink(input) {
	return { data: { mode: modes[input.bytes[0]], seconds: input.bytes[1] << 8 | input.bytes[2] } };
}

function decodeUplink(input) {
	return { data: { mode: modes[input.bytes[0]] } };
}
