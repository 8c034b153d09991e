// Text: a device that sends "T=21.5;H=40;S=ok".
function decodeUplink(input) {
	var data = {}, text = String.fromCharCode.apply(null, input.bytes);
	text.split(";").forEach(function (field) {
		var parts = /^([A-Z])=(.*)$/.exec(field);
		if (!parts) {
			throw new Error("no field: " + JSON.stringify(field));
		}
		data[{ T: "temperature", H: "humidity", S: "state" }[parts[1]] || parts[1]] = isNaN(+parts[2]) ? parts[2] : parseFloat(parts[2]);
	});
	return { data: data };
}

function encodeDownlink(input) {
	return {
		bytes: ("SET " + input.data.name + "=" + input.data.value).split("").map(function (c) { return c.charCodeAt(0); }),
		fPort: 1
	};
}
