// The part of an interpreter session that runs inside, for JavaScript. It takes code from
// descriptor 3, in lines of JSON, and sends back the results in the same form. This is the
// body of a function of "require" and "source", which is this text itself.
//
// The main thread runs the code. A worker reads the descriptor, so that an interrupt is
// heard while the code is in a loop.
'use strict';
const fs = require('fs');
const inspector = require('inspector');
const net = require('net');
const threads = require('worker_threads');
const CONTROL = 3;

const NONE = 0; // no code runs
const HEARD = 1; // the main thread answers interrupts itself
const at = { run: 0, heard: 1, never: 2 }; // indexes in the memory that both threads share

if (!threads.isMainThread) {
	listen();
	return;
}

// listen is the worker's part.
function listen() {
	const shared = threads.workerData;
	let parts = [];
	// A blocking read would hold up the end of the process.
	const control = new net.Socket({ fd: CONTROL, readable: true, writable: false });
	control.on('end', () => threads.parentPort.postMessage({ end: true }));
	control.on('data', (rest) => {
		for (let i; (i = rest.indexOf(10)) >= 0; rest = rest.subarray(i + 1)) {
			parts.push(rest.subarray(0, i));
			const message = JSON.parse(Buffer.concat(parts).toString());
			parts = [];
			if (message.interrupt === undefined) {
				threads.parentPort.postMessage(message);
			} else {
				interrupt(message);
			}
		}
		if (rest.length > 0) parts.push(rest);
	});
	function interrupt(message) {
		// Code that awaits leaves the main thread free to stop it.
		Atomics.store(shared, at.heard, 0);
		threads.parentPort.postMessage(message);
		Atomics.wait(shared, at.heard, 0, 100);
		if (Atomics.load(shared, at.heard) === 0 && Atomics.load(shared, at.run) === message.interrupt) {
			const main = new inspector.Session();
			main.connectToMainThread();
			main.post('Runtime.terminateExecution');
			// A session that stays would terminate later code as well.
			main.disconnect();
		}
	}
}

const util = require('util');
const path = require('path');
const { createRequire } = require('module');

const TEXT = 1 << 20; // characters of a form or a stack
const FRAMES = 100;
const shared = new Int32Array(new SharedArrayBuffer(12));
const write = [process.stdout.write.bind(process.stdout), process.stderr.write.bind(process.stderr)];
let mark = '';
let current = null; // the run under way, with the function that stops it

const { parse, stringify } = JSON; // code may replace them
function send(message) {
	const data = Buffer.from(stringify(message) + '\n');
	for (let sent = 0; sent < data.length; ) {
		try {
			sent += fs.writeSync(CONTROL, data, sent);
		} catch (e) {
			if (e.code !== 'EAGAIN') throw e;
			Atomics.wait(shared, at.never, 0, 1); // a moment: the host reads all the time
		}
	}
}

const cut = (text) => (text.length > TEXT ? text.slice(0, TEXT) + `... ${text.length - TEXT} characters left out` : text);
const named = (text) => text.replace(/drydock-cell-(\d+)/g, '<cell $1>');

// Values are described as the code runs, so that an interrupt reaches that, too.
const look = Symbol.for('drydock');
Object.defineProperty(globalThis, look, {
	value: {
		value(v) {
			if (v === undefined) return {};
			const forms = { 'text/plain': cut(util.inspect(v, { maxStringLength: TEXT })) };
			const proto = v !== null && typeof v === 'object' ? Object.getPrototypeOf(v) : null;
			if (typeof v !== 'function' && (typeof v !== 'object' || v === null || proto === null || proto === Object.prototype || Array.isArray(v))) {
				try {
					const json = JSON.stringify(v);
					if (json !== undefined && json.length <= TEXT) forms['application/json'] = json;
				} catch {} // a bigint, a circle
			}
			return forms;
		},
		error(e) {
			if (util.types.isNativeError(e) || e instanceof Error) {
				return { name: String(e.name), value: cut(String(e.message)), text: cut(String(e.stack)) };
			}
			return { name: 'Uncaught', value: cut(util.inspect(e)), text: 'Uncaught ' + cut(util.inspect(e)) };
		},
	},
});

const session = new inspector.Session();
session.connect();
const post = (method, params) =>
	new Promise((resolve) => session.post(method, params, (failed, result) => resolve(failed ? { failed } : result)));

async function describe(how, { objectId, value, unserializableValue }) {
	const r = await post('Runtime.callFunctionOn', {
		functionDeclaration: `function (v) { return JSON.stringify(globalThis[Symbol.for('drydock')].${how}(v)); }`,
		objectId: (await post('Runtime.evaluate', { expression: 'globalThis' })).result.objectId,
		arguments: [objectId ? { objectId } : unserializableValue ? { unserializableValue } : { value }],
		returnByValue: true,
	});
	if (r.failed) return { interrupted: true };
	if (r.exceptionDetails) return { failed: r.exceptionDetails };
	return parse(r.result.value);
}

const interrupted = { name: 'Interrupted', value: 'the code was interrupted', text: 'Interrupted: the code was interrupted', traceback: [] };

function exceptionOf(e) {
	if (e.interrupted) return interrupted;
	if (e.failed) {
		const text = String(e.failed.exception?.description ?? e.failed.text);
		e = { name: 'Error', value: text.split('\n')[0], text };
	}
	if (e.text.includes('ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING')) {
		e.value += ' Use require(), or write a file that ends in .mjs and run it with node.';
	}
	const lines = named(e.text).split('\n');
	const own = lines.findIndex((line) => /^\s+at Session\.post \(node:inspector/.test(line));
	if (own >= 0) lines.length = own;
	const frames = [];
	for (const line of lines) {
		const m = /^\s+at (?:(.*) \()?(.*?):(\d+)(?::\d+)?\)?$/.exec(line);
		if (m && frames.length < FRAMES) frames.unshift({ file: m[2], line: Number(m[3]), function: m[1] ?? '', text: '' });
	}
	return { name: e.name, value: e.value, text: lines.join('\n'), traceback: frames };
}

async function execute(code, count) {
	const r = await post('Runtime.evaluate', {
		expression: `${code}\n//# sourceURL=drydock-cell-${count}`,
		replMode: true, // let and const can be declared again, and await stand outside functions
		awaitPromise: true,
	});
	if (r.failed) return interrupted;
	if (r.exceptionDetails) {
		const thrown = r.exceptionDetails.exception ?? r.result;
		const e = await describe('error', thrown);
		if (thrown.className === 'SyntaxError' && e.text && !/<cell|drydock-cell/.test(e.text)) {
			const line = r.exceptionDetails.lineNumber + 1;
			e.text = e.text.replace('\n', `\n    at drydock-cell-${count}:${line}\n`);
		}
		return exceptionOf(e);
	}
	const forms = await describe('value', r.result);
	if (forms.interrupted || forms.failed) return exceptionOf(forms);
	if (forms['text/plain'] !== undefined) {
		const display = {};
		for (const [kind, text] of Object.entries(forms)) display[kind] = Buffer.from(text).toString('base64');
		send({ display, value: true });
	}
	return null;
}

let count = 0;
async function run({ run: id, code }) {
	const before = process.cpuUsage();
	count++;
	const stopped = new Promise((resolve) => (current = { id, stop: () => resolve(interrupted) }));
	Atomics.store(shared, at.run, id);
	const exception = await Promise.race([execute(code, count), stopped]);
	Atomics.store(shared, at.run, NONE);
	current = null;
	const used = process.cpuUsage(before);
	for (const w of write) {
		try {
			w(`${mark}${id.toString(16).padStart(8, '0')};`);
		} catch {} // the code closed it
	}
	const report = { done: id, exit: exception ? 1 : 0, user: used.user / 1e6, system: used.system / 1e6 };
	if (exception) report.exception = exception;
	send(report);
}

process.on('exit', () => session.disconnect());
process.on('SIGINT', () => {}); // for the child processes; a message interrupts the code
for (const event of ['uncaughtException', 'unhandledRejection']) {
	process.on(event, (e) => console.error('Uncaught', named(util.inspect(e))));
}
Object.assign(globalThis, { require: createRequire(path.join(process.cwd(), 'cell.js')), module: { exports: {} } });
globalThis.exports = globalThis.module.exports;

const listener = new threads.Worker(`(new Function('require', 'source', ${JSON.stringify(source)}))(require, '')`, { eval: true, workerData: shared });
listener.on('message', (m) => {
	if (m.end) process.exit(0);
	if (m.interrupt !== undefined) {
		Atomics.store(shared, at.heard, HEARD);
		Atomics.notify(shared, at.heard);
		if (current?.id === m.interrupt) current.stop();
		return;
	}
	if (m.mark !== undefined) {
		mark = m.mark;
		send({ ready: `Node.js ${process.version}` });
		return;
	}
	// If the code has broken what this needs, an end is better than no answer.
	run(m).catch((e) => {
		fs.writeSync(2, `the interpreter was broken: ${e}\n`);
		process.exit(70);
	});
});
