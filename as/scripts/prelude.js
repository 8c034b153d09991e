/* What runs before every script of a payload formatter, in any engine (engine.h): ECMAScript 5.1 only. It evaluates to an object of
 * three functions. What it uses of the language it keeps to itself, since the script may overwrite what is global; a script that breaks
 * it all the same breaks its own call, and no other: each begins with fresh globals.
 *
 * An answer is eleven lines, each empty where there is nothing to say (answer.c reads them):
 *   outcome, line, message, data, warnings, has_normalizer, normalized, normalized warnings, normalized error, bytes in hex, fPort */
(function (global) {
	"use strict";
	var parse = JSON.parse, stringify = JSON.stringify, isArray = Array.isArray, TheDate = Date, TheString = String;
	var isFiniteNumber = isFinite, floor = Math.floor, keysOf = Object.keys, define = Object.defineProperty, create = Object.create;
	var TheError = Error, TheRangeError = RangeError;

	/* ---- answers ---- */

	/* Without a prototype, of which a script may have made something else. */
	function answerOf(outcome, message) {
		var a = create(null);
		a.outcome = outcome;
		a.message = message;
		return a;
	}

	function lines(a) {
		return a.outcome + "\n" + (a.line || "") + "\n" + (a.message === undefined ? "" : stringify(a.message)) + "\n" +
			(a.data || "") + "\n" + (a.warnings || "") + "\n" + (a.has_normalizer ? "1" : "") + "\n" + (a.normalized || "") + "\n" +
			(a.normalized_warnings || "") + "\n" + (a.normalized_error === undefined ? "" : stringify(a.normalized_error)) + "\n" +
			(a.bytes || "") + "\n" + (a.f_port === undefined ? "" : a.f_port);
	}

	/* Anything may be thrown, and may throw again when it is looked at. */
	function words(e) {
		var name, text;
		try {
			if (e !== null && typeof e === "object") {
				name = e.name, text = e.message;
				if (text !== undefined && text !== null && text !== "")
					text = (name ? TheString(name) + ": " : "") + TheString(text);
				else
					text = e instanceof TheError ? TheString(name) : stringify(e);
			} else
				text = TheString(e);
		} catch (again) {
			text = "something that cannot be shown";
		}
		return typeof text === "string" ? short(text) : "something that cannot be shown";
	}

	function short(text) {
		return text.length > 500 ? text.substring(0, 500) + "..." : text;
	}

	function lineOf(e) {
		var found, line;
		try {
			found = /formatter\.js:(\d+)/.exec(TheString(e.stack));
			line = found ? +found[1] : 0;
			return line >= 1 && line < 1e6 ? line | 0 : 0; /* a stack can be overwritten */
		} catch (again) {
			return 0;
		}
	}

	function ranOut(e) {
		try {
			return (e instanceof TheRangeError || e.name === "InternalError") && /stack|recursion/.test(e.message);
		} catch (again) {
			return false;
		}
	}

	function failed(e, where) {
		var line = lineOf(e);
		var a = answerOf(ranOut(e) ? "stack" : "threw", (where ? where + ": " : "") + (line ? "line " + line + ": " : "") + words(e));
		a.line = line;
		return lines(a);
	}

	function bad(where, what) {
		return lines(answerOf("bad_result", where + ": " + what));
	}

	/* ---- what functions return ---- */

	/* The Things Stack wants arrays of strings; one string is understood too. */
	function list(v) {
		var out = [], i;
		if (v === undefined || v === null || v === "")
			return out;
		if (!isArray(v))
			v = [v];
		for (i = 0; i < v.length && i < 100; i++)
			out[i] = typeof v[i] === "string" ? short(v[i]) : words(v[i]);
		return out;
	}

	function joined(where, errors) {
		var text = where + ": ", i;
		for (i = 0; i < errors.length; i++)
			text += (i ? ", " : "") + errors[i];
		return short(text);
	}

	function some(warnings) {
		return warnings.length ? stringify(warnings) : "";
	}

	function kind(v) {
		return v === null ? "null" : v === undefined ? "nothing" : isArray(v) ? "an array" : typeof v === "object" ? "an object" : "a " + typeof v;
	}

	/* Either an answer that ends it, or undefined: then `out` is an object without errors. */
	function refused(where, out) {
		var errors;
		if (out === null || typeof out !== "object" || isArray(out))
			return bad(where, "it returned " + kind(out) + ", not an object");
		errors = list(out.errors);
		if (errors.length) {
			errors = answerOf("errors", joined(where, errors));
			errors.warnings = some(list(out.warnings));
			return lines(errors);
		}
	}

	function object(v) {
		var text = v !== null && typeof v === "object" && !isArray(v) ? stringify(v) : "";
		return text && text.charAt(0) === "{" ? text : "";
	}

	function normalize(answer, data) {
		var out, errors, text, where = "normalizeUplink";
		if (typeof normalizeUplink !== "function") {
			answer.normalized = "[" + answer.data + "]";
			return;
		}
		answer.has_normalizer = true;
		try {
			out = normalizeUplink({ data: data });
			if (out === undefined || out === null)
				return;
			errors = list(out.errors);
			answer.normalized_warnings = some(list(out.warnings));
			if (errors.length)
				answer.normalized_error = joined(where, errors);
			else if (out.data !== undefined && out.data !== null) {
				text = stringify(out.data);
				if (isArray(out.data))
					answer.normalized = text;
				else if (object(out.data))
					answer.normalized = "[" + text + "]";
				else
					answer.normalized_error = where + ": data is " + kind(out.data) + ", not an object or an array of objects";
			}
		} catch (e) {
			answer.normalized_error = where + ": " + (lineOf(e) ? "line " + lineOf(e) + ": " : "") + words(e);
		}
	}

	function decoded(where, out, normalizes) {
		var answer = answerOf("ok"), warnings, no = refused(where, out);
		if (no)
			return no;
		warnings = list(out.warnings);
		answer.warnings = some(warnings);
		if (out.data === undefined || out.data === null) {
			if (!warnings.length && !("data" in out))
				return bad(where, "what it returned has neither data nor errors");
			return lines(answer);
		}
		answer.data = object(out.data);
		if (!answer.data)
			return bad(where, "data " + (kind(out.data) === "an object" ? "becomes no object of JSON" : "is " + kind(out.data) + ", not an object"));
		if (normalizes)
			normalize(answer, out.data);
		return lines(answer);
	}

	/* As in The Things Stack a fraction is cut off; what is no number of one octet is refused there by nobody, and here with words. */
	function hex(where, v, answer) {
		var digits = "0123456789abcdef", text = "", i, b; /* charAt may be anything by now */
		if (v === null || typeof v !== "object")
			return bad(where, "bytes is " + kind(v) + ", not an array");
		if (typeof ArrayBuffer === "function" && v instanceof ArrayBuffer)
			v = new Uint8Array(v);
		if (typeof v.length !== "number" || !(v.length >= 0))
			return bad(where, "bytes is " + kind(v) + ", not an array");
		if (v.length > 255)
			return bad(where, "bytes has " + v.length + " of them, more than 255");
		for (i = 0; i < v.length; i++) {
			b = v[i];
			if (typeof b !== "number" || !isFiniteNumber(b) || b <= -1 || b >= 256)
				return bad(where, "bytes[" + i + "] is " + (typeof b === "number" ? b : typeof b === "string" ? stringify(short(b)) : kind(b)) +
					", not a number from 0 to 255");
			b = b < 0 ? 0 : floor(b);
			text += digits[b >> 4] + digits[b & 15];
		}
		answer.bytes = text;
	}

	function encoded(where, out) {
		var answer = answerOf("ok"), no = refused(where, out);
		if (no)
			return no;
		answer.warnings = some(list(out.warnings));
		no = hex(where, out.bytes, answer);
		if (no)
			return no;
		if (out.fPort !== undefined && out.fPort !== null) {
			if (typeof out.fPort !== "number" || floor(out.fPort) !== out.fPort || out.fPort < 1 || out.fPort > 255)
				return bad(where, "fPort is " + (typeof out.fPort === "number" ? out.fPort : kind(out.fPort)) + ", not a whole number from 1 to 255");
			answer.f_port = out.fPort;
		}
		return lines(answer);
	}

	/* ---- calls ---- */

	/* The current function, that of The Things Network's second version, that of ChirpStack's third. */
	function decodeUp(r) {
		if (typeof decodeUplink === "function")
			return ["decodeUplink", function () {
				return decodeUplink({ bytes: r.bytes, fPort: r.fPort, recvTime: r.time ? new TheDate(r.time) : new TheDate(), variables: {} });
			}];
		if (typeof Decoder === "function")
			return ["Decoder", function () { return { data: Decoder(r.bytes, r.fPort) }; }];
		if (typeof Decode === "function")
			return ["Decode", function () { return { data: Decode(r.fPort, r.bytes, {}) }; }];
	}

	function encodeDown(r) {
		if (typeof encodeDownlink === "function")
			return ["encodeDownlink", function () { return encodeDownlink({ data: r.data, fPort: r.fPort, variables: {} }); }];
		if (typeof Encoder === "function")
			return ["Encoder", function () { return { bytes: Encoder(r.data, r.fPort) }; }];
		if (typeof Encode === "function")
			return ["Encode", function () { return { bytes: Encode(r.fPort, r.data, {}) }; }];
	}

	function decodeDown(r) {
		if (typeof decodeDownlink === "function")
			return ["decodeDownlink", function () { return decodeDownlink({ bytes: r.bytes, fPort: r.fPort, variables: {} }); }];
	}

	function run(request) {
		var r = parse(request), f, where;
		f = r.call === "decodeUplink" ? decodeUp(r) : r.call === "encodeDownlink" ? encodeDown(r) : decodeDown(r);
		if (!f)
			return lines(answerOf("no_function", "the script has no function " + r.call));
		where = f[0];
		try {
			return r.call === "encodeDownlink" ? encoded(where, f[1]()) : decoded(where, f[1](), r.call === "decodeUplink");
		} catch (e) {
			return failed(e, where);
		}
	}

	/* ---- library functions that the engine may lack ---- */

	function count(v) {
		v = +v;
		return v > 0 ? floor(v) : 0;
	}
	/* A relative index as slice and fill understand it. */
	function at(v, n, otherwise) {
		if (v === undefined)
			return otherwise;
		v = v < 0 ? -floor(-v) : floor(+v || 0);
		return v < 0 ? (n + v > 0 ? n + v : 0) : v < n ? v : n;
	}
	function same(a, b) {
		return a === b || (a !== a && b !== b);
	}
	function find(a, f, self, from, step) {
		for (var i = from; i >= 0 && i < a.length; i += step)
			if (f.call(self, a[i], i, a))
				return i;
		return -1;
	}
	function flat(a, depth, out) {
		for (var i = 0; i < a.length; i++)
			if (isArray(a[i]) && depth > 0)
				flat(a[i], depth - 1, out);
			else if (i in a)
				out.push(a[i]);
		return out;
	}
	function pad(text, n, fill, atStart) {
		var more = "";
		text = TheString(text);
		n = count(n) - text.length;
		fill = fill === undefined ? " " : TheString(fill);
		if (n <= 0 || fill === "")
			return text;
		while (more.length < n)
			more += fill;
		more = more.substring(0, n);
		return atStart ? more + text : text + more;
	}

	var arrays = {
		includes: function (v, from) {
			for (var i = at(from, this.length, 0); i < this.length; i++)
				if (same(this[i], v))
					return true;
			return false;
		},
		find: function (f, self) {
			return this[find(this, f, self, 0, 1)];
		},
		findIndex: function (f, self) {
			return find(this, f, self, 0, 1);
		},
		findLast: function (f, self) {
			return this[find(this, f, self, this.length - 1, -1)];
		},
		findLastIndex: function (f, self) {
			return find(this, f, self, this.length - 1, -1);
		},
		fill: function (v, from, to) {
			var n = this.length;
			from = at(from, n, 0), to = at(to, n, n);
			for (; from < to; from++)
				this[from] = v;
			return this;
		},
		at: function (i) {
			i = i < 0 ? this.length - floor(-i) : floor(+i || 0);
			return this[i];
		}
	};
	var realArrays = {
		flat: function (depth) {
			return flat(this, depth === undefined ? 1 : depth, []);
		},
		flatMap: function (f, self) {
			return flat(this.map(f, self), 1, []);
		}
	};
	var strings = {
		padStart: function (n, fill) {
			return pad(this, n, fill, true);
		},
		padEnd: function (n, fill) {
			return pad(this, n, fill, false);
		},
		includes: function (s, from) {
			return TheString(this).indexOf(s, from) >= 0;
		},
		startsWith: function (s, from) {
			from = count(from), s = TheString(s);
			return TheString(this).substring(from, from + s.length) === s;
		},
		endsWith: function (s, to) {
			var text = TheString(this);
			s = TheString(s);
			to = to === undefined || to > text.length ? text.length : count(to);
			return to >= s.length && text.substring(to - s.length, to) === s;
		},
		repeat: function (n) {
			var out = "", text = TheString(this);
			if (n < 0 || n === Infinity)
				throw new TheRangeError("invalid count");
			for (n = count(n); n > 0; n--)
				out += text;
			return out;
		},
		trimStart: function () {
			return TheString(this).replace(/^\s+/, "");
		},
		trimEnd: function () {
			return TheString(this).replace(/\s+$/, "");
		},
		at: arrays.at,
		replaceAll: function (what, by) {
			return what instanceof RegExp ? TheString(this).replace(what, by) :
				typeof by === "function" ? TheString(this).split(what).reduce(function (a, b) { return a + by(what) + b; }) :
				TheString(this).split(what).join(by);
		}
	};
	strings.trimLeft = strings.trimStart;
	strings.trimRight = strings.trimEnd;

	var ofArray = {
		from: function (v, f, self) {
			var out = [], i;
			for (i = 0; i < count(v.length); i++)
				out[i] = f ? f.call(self, v[i], i) : typeof v === "string" ? v.charAt(i) : v[i];
			return out;
		},
		of: function () {
			var out = [], i;
			for (i = 0; i < arguments.length; i++)
				out[i] = arguments[i];
			return out;
		}
	};
	var ofObject = {
		assign: function (to) {
			for (var i = 1; i < arguments.length; i++)
				if (arguments[i] !== undefined && arguments[i] !== null)
					keysOf(Object(arguments[i])).forEach(function (k) { to[k] = this[k]; }, arguments[i]);
			return to;
		},
		entries: function (o) {
			return keysOf(o).map(function (k) { return [k, o[k]]; });
		},
		values: function (o) {
			return keysOf(o).map(function (k) { return o[k]; });
		},
		fromEntries: function (pairs) {
			var o = {};
			pairs.forEach(function (p) { o[p[0]] = p[1]; });
			return o;
		}
	};
	var ofNumber = {
		isInteger: function (v) {
			return typeof v === "number" && isFiniteNumber(v) && floor(v) === v;
		},
		isSafeInteger: function (v) {
			return typeof v === "number" && floor(v) === v && v >= -9007199254740991 && v <= 9007199254740991;
		},
		isFinite: function (v) {
			return typeof v === "number" && isFiniteNumber(v);
		},
		isNaN: function (v) {
			return typeof v === "number" && v !== v;
		},
		parseFloat: parseFloat,
		parseInt: parseInt,
		EPSILON: 2.220446049250313e-16,
		MAX_SAFE_INTEGER: 9007199254740991,
		MIN_SAFE_INTEGER: -9007199254740991
	};
	var exp = Math.exp, log = Math.log, sqrt = Math.sqrt, abs = Math.abs, pow = Math.pow;
	var ofMath = {
		trunc: function (v) {
			return v < 0 ? -floor(-v) : floor(v);
		},
		sign: function (v) {
			v = +v;
			return v > 0 ? 1 : v < 0 ? -1 : v;
		},
		log2: function (v) {
			return log(v) / Math.LN2;
		},
		log10: function (v) {
			return log(v) / Math.LN10;
		},
		log1p: function (v) {
			v = +v;
			var u = 1 + v;
			return u === 1 || !isFiniteNumber(u) ? v : log(u) * (v / (u - 1));
		},
		expm1: function (v) {
			v = +v;
			return abs(v) < 1e-5 ? v + v * v / 2 : exp(v) - 1;
		},
		cbrt: function (v) {
			return v < 0 ? -pow(-v, 1 / 3) : pow(v, 1 / 3);
		},
		hypot: function () {
			for (var sum = 0, i = 0; i < arguments.length; i++)
				sum += arguments[i] * arguments[i];
			return sqrt(sum);
		},
		sinh: function (v) {
			return (exp(v) - exp(-v)) / 2;
		},
		cosh: function (v) {
			return (exp(v) + exp(-v)) / 2;
		},
		tanh: function (v) {
			return v > 20 ? 1 : v < -20 ? -1 : (exp(2 * v) - 1) / (exp(2 * v) + 1);
		},
		fround: function (v) {
			return new Float32Array([v])[0];
		}
	};
	var alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	var globals = {
		atob: function (text) {
			var out = "", bits = 0, n = 0, i, v;
			text = TheString(text).replace(/[\t\n\f\r ]/g, "").replace(/={1,2}$/, "");
			for (i = 0; i < text.length; i++) {
				v = alphabet.indexOf(text.charAt(i));
				if (v < 0 || text.length % 4 === 1)
					throw new TheError("atob: this is not base64");
				bits = (bits << 6 | v) & 0xffff, n += 6;
				if (n >= 8)
					out += TheString.fromCharCode(bits >> (n -= 8) & 255);
			}
			return out;
		},
		btoa: function (text) {
			var out = "", i, a, b, c;
			text = TheString(text);
			for (i = 0; i < text.length; i += 3) {
				a = text.charCodeAt(i), b = text.charCodeAt(i + 1), c = text.charCodeAt(i + 2);
				if (a > 255 || b > 255 || c > 255)
					throw new TheError("btoa: a character is beyond U+00FF");
				out += alphabet.charAt(a >> 2) + alphabet.charAt((a & 3) << 4 | b >> 4) +
					(b === b ? alphabet.charAt((b & 15) << 2 | c >> 6) : "=") + (c === c ? alphabet.charAt(c & 63) : "=");
			}
			return out;
		},
		console: { log: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing, trace: nothing },
		globalThis: global
	};
	function nothing() { }

	function supply(to, functions, text) {
		keysOf(functions).forEach(function (name) {
			if (to && text.indexOf(name) >= 0 && !(name in to))
				define(to, name, { value: functions[name], writable: true, configurable: true, enumerable: false });
		});
	}

	/* Most of Array.prototype works on anything that has a length; three make an array of their own kind. */
	function supplyTyped(Kind, text) {
		var borrowed = {}, generic = Array.prototype, typed = Kind.prototype;
		["join", "reverse", "forEach", "reduce", "reduceRight", "indexOf", "lastIndexOf", "every", "some"].forEach(function (name) {
			borrowed[name] = generic[name];
		});
		["slice", "map", "filter"].forEach(function (name) {
			borrowed[name] = function (a, b) {
				return new Kind(generic[name].call(this, a, b));
			};
		});
		supply(typed, borrowed, text);
		supply(typed, arrays, text);
		supply(Kind, {
			from: function (v, f, self) { return new Kind(ofArray.from(v, f, self)); },
			of: function () { return new Kind(generic.slice.call(arguments)); }
		}, text);
	}

	function prepare(text) {
		supply(Array.prototype, arrays, text);
		supply(Array.prototype, realArrays, text);
		supply(String.prototype, strings, text);
		supply(Array, ofArray, text);
		supply(Object, ofObject, text);
		supply(Number, ofNumber, text);
		supply(Math, ofMath, text);
		supply(global, globals, text);
		["Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array", "Float32Array",
			"Float64Array"].forEach(function (name) {
			if (text.indexOf(name) >= 0 && typeof global[name] === "function")
				supplyTyped(global[name], text);
		});
	}

	return { prepare: prepare, run: run, failed: failed };
})(this)
