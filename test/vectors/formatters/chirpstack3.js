// The functions of ChirpStack 3.
function Decode(fPort, bytes, variables) {
	var offset = Number(variables.offset || 0);
	return { port: fPort, pressure: (bytes[0] << 8 | bytes[1]) / 10 + offset };
}

function Encode(fPort, obj, variables) {
	return [fPort, obj.relay ? 1 : 0];
}
