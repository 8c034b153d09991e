// The functions of ChirpStack 4; input.variables are a device's variables there and empty here.
function decodeUplink(input) {
	var scale = input.variables.scale ? parseFloat(input.variables.scale) : 1;
	return { data: { level: (input.bytes[0] << 8 | input.bytes[1]) * scale, channel: input.fPort } };
}

function encodeDownlink(input) {
	return { bytes: [input.fPort & 0xff, input.data.valve === "open" ? 1 : 0] };
}
