// Binary coded decimals, least significant octet first, as meters send them; F in the first digit is a minus.
function decodeUplink(input) {
	var digits = "", negative = false;
	for (var i = 5; i >= 2; i--) {
		digits += (input.bytes[i] < 16 ? "0" : "") + input.bytes[i].toString(16).toUpperCase();
	}
	if (digits.charAt(0) === "F") {
		negative = true;
		digits = digits.substring(1);
	}
	if (!/^[0-9]+$/.test(digits)) {
		return { errors: ["not decimal: " + digits] };
	}
	var status = input.bytes[0] | input.bytes[1] << 8;
	return { data: { volume: (negative ? -1 : 1) * parseInt(digits, 10) / 1000, unit: "m³", status: status } };
}
