/* The codecs of test/vectors/formatters in node's own engine. One JSON object per line in: {file, call, port, hex or data}; per line
 * out what the codec's function returned, or {threw: WORDS}. */
const fs = require("fs");
const vm = require("vm");
const received = Date.parse("2026-03-02T10:20:00.534Z");

const calls = {
	up: (q) => `typeof decodeUplink === "function" ? decodeUplink({ bytes: bytes, fPort: ${q.port}, recvTime: new Date(${received}), variables: {} })
		: { data: typeof Decoder === "function" ? Decoder(bytes, ${q.port}) : Decode(${q.port}, bytes, {}) }`,
	down: (q) => `typeof encodeDownlink === "function" ? encodeDownlink({ data: ${JSON.stringify(q.data)}, fPort: ${q.port}, variables: {} })
		: { bytes: typeof Encoder === "function" ? Encoder(${JSON.stringify(q.data)}, ${q.port}) : Encode(${q.port}, ${JSON.stringify(q.data)}, {}) }`,
	back: (q) => `decodeDownlink({ bytes: bytes, fPort: ${q.port} })`,
};

function run(q) {
	const context = vm.createContext({});
	const bytes = JSON.stringify([...Buffer.from(q.hex || "", "hex")]);
	try {
		vm.runInContext(fs.readFileSync(q.file, "utf8"), context);
		const text = vm.runInContext(`var bytes = ${bytes}, result = ${calls[q.call](q)};
			if (result.data && !(result.errors && result.errors.length) && typeof normalizeUplink === "function")
				result.normalized = normalizeUplink({ data: JSON.parse(JSON.stringify(result.data)) });
			JSON.stringify(result)`, context);
		return JSON.parse(text);
	} catch (e) {
		return { threw: e.message };
	}
}

for (const line of fs.readFileSync(0, "utf8").split("\n"))
	if (line) console.log(JSON.stringify(run(JSON.parse(line))));
