// Several kinds of messages, told apart by fPort.
var messages = {
	1: function (b) { return { kind: "measurement", temperature: (b[0] << 24 >> 16 | b[1]) / 10 }; },
	2: function (b) { return { kind: "alarm", reason: b[0] === 1 ? "tilt" : b[0] === 2 ? "shock" : "unknown" }; },
	10: function (b) { return { kind: "configuration", interval: b[0] << 8 | b[1], firmware: b[2] + "." + b[3] }; }
};

function decodeUplink(input) {
	var message = messages[input.fPort];
	return message ? { data: message(input.bytes) } : { errors: ["unknown FPort " + input.fPort] };
}

function encodeDownlink(input) {
	if (input.data.interval !== undefined) {
		return { bytes: [input.data.interval >> 8, input.data.interval & 0xff], fPort: 10 };
	}
	if (input.data.reboot) {
		return { bytes: [0xff], fPort: 11, warnings: ["the device joins again"] };
	}
	return { errors: ["neither interval nor reboot"] };
}
