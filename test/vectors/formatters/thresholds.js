// A long configuration: arrays, nesting and defaults in a downlink.
function encodeDownlink(input) {
	var bytes = [0x10], limits = input.data.limits || [];
	limits.forEach(function (limit, channel) {
		var low = Math.round(limit.low * 10), high = Math.round(limit.high * 10);
		bytes.push(channel, low >> 8 & 0xff, low & 0xff, high >> 8 & 0xff, high & 0xff);
	});
	if (!limits.length) {
		throw new RangeError("limits are missing");
	}
	return { bytes: bytes, fPort: input.fPort || 85 };
}
