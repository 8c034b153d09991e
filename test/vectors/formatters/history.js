// Several measurements in one message, each so many minutes older than the one before; recvTime says when that was.
function decodeUplink(input) {
	var minutes = input.bytes[0], values = [];
	for (var i = 0; 2 * i + 2 < input.bytes.length; i++) {
		var raw = input.bytes[2 * i + 1] << 8 | input.bytes[2 * i + 2];
		values.push({
			time: new Date(input.recvTime.getTime() - i * minutes * 60000).toISOString(),
			level: raw / 1000
		});
	}
	return { data: { values: values } };
}
