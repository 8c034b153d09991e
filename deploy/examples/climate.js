// A codec to begin with: a climate sensor with a valve.
// Uplink on FPort 1, four octets: temperature [0.1 °C, signed, high octet first], humidity [%], battery [20 mV].
// Downlink on FPort 2, three octets: valve (0 or 1), seconds [high octet first].

function decodeUplink(input) {
	var b = input.bytes;
	if (input.fPort !== 1) {
		return { errors: ["unknown FPort " + input.fPort] };
	}
	if (b.length !== 4) {
		return { errors: ["four octets expected, got " + b.length] };
	}
	var data = {
		temperature: ((b[0] << 24 >> 16) | b[1]) / 10,
		humidity: b[2],
		battery: b[3] * 20 / 1000
	};
	return { data: data, warnings: data.battery < 2.4 ? ["battery is low"] : [] };
}

function normalizeUplink(input) {
	return {
		data: {
			air: { temperature: input.data.temperature, relativeHumidity: input.data.humidity },
			battery: input.data.battery
		}
	};
}

function encodeDownlink(input) {
	if (input.data.valve !== "open" && input.data.valve !== "closed") {
		return { errors: ["valve must be open or closed"] };
	}
	var seconds = input.data.seconds || 0;
	return { bytes: [input.data.valve === "open" ? 1 : 0, seconds >> 8 & 0xff, seconds & 0xff], fPort: 2 };
}

function decodeDownlink(input) {
	return { data: { valve: input.bytes[0] ? "open" : "closed", seconds: input.bytes[1] << 8 | input.bytes[2] } };
}
