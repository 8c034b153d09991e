// normalizeUplink gives what decodeUplink found the names and units that every device shares.
function decodeUplink(input) {
	var data = { t: (input.bytes[0] << 24 >> 16 | input.bytes[1]) / 10, rh: input.bytes[2], mv: input.bytes[3] * 16 };
	if (input.bytes.length > 4) {
		data.soil = input.bytes[4];
	}
	return { data: data, warnings: data.mv < 2400 ? ["battery is low"] : [] };
}

function normalizeUplink(input) {
	var all = [{ air: { temperature: input.data.t, relativeHumidity: input.data.rh }, battery: input.data.mv / 1000 }];
	if (input.data.soil !== undefined) {
		all.push({ soil: { moisture: input.data.soil } });
	}
	return { data: all.length > 1 ? all : all[0], warnings: [] };
}
