// IEEE 754 with typed arrays, which newer codecs use: DataView, Uint8Array and Int8Array.
function decodeUplink(input) {
	var view = new DataView(new ArrayBuffer(8));
	for (var i = 0; i < 8; i++) {
		view.setUint8(i, input.bytes[i]);
	}
	var low = new Int8Array(new Uint8Array(input.bytes).buffer, 4);
	return { data: { first: view.getFloat32(0), second: view.getFloat32(4, true), low: low[2], word: view.getInt16(0) } };
}

function encodeDownlink(input) {
	var view = new DataView(new ArrayBuffer(4));
	view.setFloat32(0, input.data.setpoint);
	return { bytes: Array.prototype.slice.call(new Uint8Array(view.buffer)), fPort: 9 };
}
