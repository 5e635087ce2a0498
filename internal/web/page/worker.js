// Makes key pairs, away from the page, and seals those that are for partners. The page says where the runtime and the program are.
"use strict";
let started;
self.ready = () => started();
onmessage = async (e) => {
	const {runtime, program, kind, comment, passphrase, issue, user, sheet} = e.data;
	try {
		if (!self.makeKeyPair) {
			importScripts(runtime);
			const up = new Promise((done) => { started = done; });
			const go = new Go();
			const {instance} = await WebAssembly.instantiateStreaming(fetch(program), go.importObject);
			go.run(instance);
			await up;
		}
		postMessage(issue ? self.issueKeyPair(kind, user, sheet) : self.makeKeyPair(kind, comment, passphrase));
	} catch (err) {
		postMessage({error: String(err)});
	}
};
