/* Downlinks and keys from the test, read by somebody else's decoder: https://www.npmjs.com/package/lora-packet
 * One JSON object per line in; per line out what lora-packet makes of it. */
const lp = require("lora-packet");
const crypto = require(require("path").join(require("path").dirname(require.resolve("lora-packet")), "lib", "crypto.js"));
const hex = (h) => Buffer.from(h, "hex");

function downlink(q) {
	const p = lp.fromWire(hex(q.phy));
	const high = Buffer.from([q.f_cnt >> 16 & 255, q.f_cnt >> 24 & 255]);
	const conf = Buffer.alloc(2);
	conf.writeUInt16LE(q.conf || 0, 0);
	const port = p.getFPort();
	const plain = p.FRMPayload ? lp.decrypt(p, hex(q.app), hex(q.e), high).toString("hex") : "";
	return { mic: lp.verifyMIC(p, hex(q.f), hex(q.s), high, conf), port, plain,
		f_opts: p.FOpts && p.FOpts.length ? crypto.decryptFOpts(p, hex(q.e), high).toString("hex") : "" };
}

function keys(q) {
	const k = lp.generateSessionKeys11(hex(q.app_key), hex(q.nwk_key), hex(q.join_eui), hex(q.join_nonce), hex(q.nonce));
	const js = lp.generateJSKeys(hex(q.nwk_key), hex(q.dev_eui));
	return { f: k.FNwkSIntKey.toString("hex"), s: k.SNwkSIntKey.toString("hex"), e: k.NwkSEncKey.toString("hex"), app: k.AppSKey.toString("hex"),
		js_int: js.JSIntKey.toString("hex"), js_enc: js.JSEncKey.toString("hex") };
}

for (const line of require("fs").readFileSync(0, "utf8").split("\n")) {
	if (!line) continue;
	const q = JSON.parse(line);
	console.log(JSON.stringify(q.phy ? downlink(q) : keys(q)));
}
