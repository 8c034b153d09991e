// Tag, length, value: unknown tags are stepped over with a warning, a value that is cut short is an error.
var tags = {
	1: { name: "temperature", read: function (v) { return ((v[0] << 24) >> 16 | v[1]) / 100; } },
	2: { name: "humidity", read: function (v) { return v[0]; } },
	3: { name: "serial", read: function (v) { return v.map(function (o) { return ("0" + o.toString(16)).slice(-2); }).join(""); } }
};

function decodeUplink(input) {
	var result = { data: {}, warnings: [], errors: [] };
	for (var at = 0; at < input.bytes.length;) {
		var tag = input.bytes[at], n = input.bytes[at + 1];
		var value = input.bytes.slice(at + 2, at + 2 + n);
		if (n === undefined || value.length < n) {
			result.errors.push("tag " + tag + " is cut short");
			break;
		}
		if (tags.hasOwnProperty(tag)) {
			result.data[tags[tag].name] = tags[tag].read(value);
		} else {
			result.warnings.push("unknown tag " + tag);
		}
		at += 2 + n;
	}
	return result;
}
