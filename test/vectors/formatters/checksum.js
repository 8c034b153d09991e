// A check octet (exclusive or), a 64 bit counter that no number holds, and a name in UTF-8.
function utf8(bytes) {
	return decodeURIComponent(bytes.map(function (o) { return "%" + ("0" + o.toString(16)).slice(-2); }).join(""));
}

function decodeUplink(input) {
	var b = input.bytes, sum = b.reduce(function (a, o) { return a ^ o; }, 0);
	if (sum !== 0) {
		return { errors: ["check octet is wrong", "payload thrown away"] };
	}
	var hex = b.slice(0, 8).map(function (o) { return ("0" + o.toString(16)).slice(-2); }).join("");
	return { data: { counter: "0x" + hex, name: utf8(b.slice(8, b.length - 1)) } };
}
