// The one script of the pages. Every form works without it. With it, a private key is stopped in the
// browser, a public one is read at once, and texts are copied by a button.
"use strict";
(() => {
	// What begins or names a private key, in each format that there is.
	const marks = [
		/PRIVATE KEY/i, // PEM of every kind, ssh.com
		/PuTTY-User-Key-File-/i, /Private-(Lines|MAC|Hash):/i,
		/b3BlbnNzaC1rZXkt/, // "openssh-key-" in base64: the middle of an OpenSSH file
		/SSH PRIVATE KEY FILE FORMAT/i, /AGE-SECRET-KEY-/i,
		/"d"\s*:\s*"/, // JSON Web Key
	];

	// texts returns how bytes may be read: as UTF-8, as UTF-16 of both orders, and without NULs.
	function texts(bytes) {
		const as = (name) => new TextDecoder(name).decode(bytes);
		const read = bytes[0] === 0xff && bytes[1] === 0xfe ? as("utf-16le") : bytes[0] === 0xfe && bytes[1] === 0xff ? as("utf-16be") : as("utf-8");
		return [read, as("latin1").replaceAll("\0", "")];
	}

	// DER of a private key begins with a sequence whose first member is a small version number.
	function privateDER(b) {
		if (b[0] !== 0x30) return false;
		const at = b[1] < 0x80 ? 2 : 2 + (b[1] & 0x7f);
		return b[at] === 0x02 && b[at + 1] === 0x01 && b[at + 2] <= 1;
	}

	const isPrivate = (text) => marks.some((m) => m.test(text.replace(/[\u200b\ufeff]/g, "")));

	// field sets up the field of a public key.
	function field(root) {
		const area = root.querySelector("textarea"), file = root.querySelector("input[type=file]");
		const answer = root.querySelector("[role=status]"), drop = root.querySelector("[data-drop]") || area;
		let asked = 0;
		const button = root.querySelector("[name=look]");
		if (button) button.hidden = true; // it is read without being asked
		const say = (id) => { answer.replaceChildren(document.getElementById(id).content.cloneNode(true)); };

		async function look() {
			const turn = ++asked;
			const text = area.value.trim();
			if (isPrivate(text)) {
				area.value = "";
				say("private-key");
				return;
			}
			if (!text) {
				answer.replaceChildren();
				return;
			}
			try {
				const r = await fetch(root.dataset.read, {method: "POST", body: new URLSearchParams({key: text})});
				const html = await r.text();
				if (turn === asked && (r.ok || r.status === 422)) answer.innerHTML = html; // our own, escaped page
			} catch {
				if (turn === asked) answer.replaceChildren(); // it is read when the form is sent
			}
		}

		async function take(chosen) {
			if (!chosen) return;
			if (chosen.size > 65536) return say("large-key");
			const bytes = new Uint8Array(await chosen.arrayBuffer());
			if (privateDER(bytes) || texts(bytes).some(isPrivate)) {
				area.value = "";
				asked++;
				return say("private-key");
			}
			area.value = texts(bytes)[0].trim();
			look();
		}

		file.addEventListener("change", () => {
			const chosen = file.files[0];
			file.value = ""; // the form never sends a file: what is in it is looked at first
			take(chosen);
		});
		for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (e) => { e.preventDefault(); root.classList.add("over"); });
		for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => root.classList.remove("over"));
		drop.addEventListener("drop", (e) => {
			if (!e.dataTransfer.files.length) return;
			e.preventDefault();
			take(e.dataTransfer.files[0]);
		});
		let wait;
		area.addEventListener("input", () => {
			clearTimeout(wait);
			if (isPrivate(area.value)) look(); else wait = setTimeout(look, 300);
		});
		root.closest("form").addEventListener("submit", (e) => {
			const typed = [...e.target.querySelectorAll("textarea, input:not([type=file])")].find((i) => isPrivate(i.value));
			if (!typed) return;
			e.preventDefault();
			typed.value = "";
			say("private-key");
			answer.scrollIntoView({block: "center"});
		}, true);
		if (area.value.trim() && !answer.children.length) look();
	}

	for (const root of document.querySelectorAll("[data-read]")) field(root);

	// keygen sets up the part of the form that makes a key pair. What is private stays in this page: the
	// worker gets the passphrase, and gives back a file to be saved.
	function keygen(root) {
		if (!window.Worker || !window.WebAssembly) return;
		root.hidden = false;
		root.open = location.hash === "#keygen";
		document.getElementById("keyless").hidden = true;
		const area = document.getElementById("key"), answer = document.getElementById("keygen-answer");
		const own = document.getElementById("passphrase"), button = root.querySelector("button");
		const say = (id) => { answer.replaceChildren(document.getElementById(id).content.cloneNode(true)); };
		const chosen = () => root.querySelector("#own").checked;
		for (const i of root.querySelectorAll("input[type=radio]")) {
			i.addEventListener("change", () => { document.getElementById("own-words").hidden = !chosen(); });
		}
		const form = root.closest("form");
		let worker, url, made = false, saved = true;
		const leaving = (e) => { if (!saved) e.preventDefault(); };
		window.addEventListener("beforeunload", leaving);

		// The pair is in this page alone: until its files are saved, and while a field is missing, the page stays.
		form.addEventListener("submit", (e) => {
			if (!made || e.defaultPrevented) return;
			if (!saved) {
				e.preventDefault();
				answer.querySelector("[data-unsaved]").hidden = false;
				answer.querySelector("a").focus();
			} else if (!form.reportValidity()) {
				e.preventDefault();
			}
		});

		// keep shows how a pair is saved that was just made. Another one takes a button of its own.
		function keep(data) {
			say("keygen-done");
			[made, saved, button.hidden] = [true, false, true];
			URL.revokeObjectURL(url);
			url = URL.createObjectURL(new Blob([data.zip], {type: "application/zip"}));
			const link = answer.querySelector("a");
			link.href = url;
			link.addEventListener("click", () => {
				saved = true;
				answer.querySelector("[data-unsaved]").hidden = true;
			});
			const words = answer.querySelectorAll("[data-words]");
			if (chosen()) words.forEach((w) => w.remove()); else words[1].textContent = data.passphrase;
			own.value = "";
			area.value = data.public;
			area.dispatchEvent(new Event("input"));
			answer.querySelector("[data-another]").addEventListener("click", () => {
				[made, saved, button.hidden] = [false, true, false];
				answer.replaceChildren();
				area.value = "";
				area.dispatchEvent(new Event("input"));
				button.focus();
			});
		}

		button.addEventListener("click", () => {
			if (chosen() && own.value.length < 12) return say("keygen-short");
			say("keygen-busy");
			button.disabled = true;
			worker ??= new Worker(root.dataset.worker);
			worker.onerror = () => { button.disabled = false; say("keygen-failed"); };
			worker.onmessage = ({data}) => {
				button.disabled = false;
				if (data.error) return say("keygen-failed");
				keep(data);
			};
			worker.postMessage({runtime: root.dataset.runtime, program: root.dataset.program, kind: "ed25519",
				comment: "made in a browser", passphrase: chosen() ? own.value : ""});
		});
	}

	const maker = document.querySelector("[data-worker]:not([data-issue])");
	if (maker) keygen(maker);

	// Bytes travel in base64url.
	const bytesOf = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
	const textOf = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

	// passkey sets up the button that makes a passkey, or signs in with one.
	function passkey(root) {
		root.hidden = false;
		const button = root.querySelector("button"), status = root.querySelector("[role=status]");
		const say = (text) => {
			const p = document.createElement("p");
			p.className = "note bad";
			p.textContent = text;
			status.replaceChildren(p);
		};
		async function ask(path, body) {
			const r = await fetch(path, {method: "POST", body});
			const answer = await r.json();
			if (!r.ok) throw new Error(answer.error);
			return answer;
		}
		async function run() {
			const form = root.closest("form");
			const about = form && new URLSearchParams([...new FormData(form)].filter(([name]) => name !== "password" && name !== "code"));
			const {options} = await ask(root.dataset.begin, about);
			options.challenge = bytesOf(options.challenge);
			if (options.user) options.user.id = bytesOf(options.user.id);
			for (const list of ["excludeCredentials", "allowCredentials"]) for (const c of options[list] || []) c.id = bytesOf(c.id);
			let made;
			try {
				made = await navigator.credentials[root.dataset.passkey]({publicKey: options});
			} catch (err) {
				throw new Error(err.name === "InvalidStateError" ? "This device has a passkey for you already." : "No passkey was used. Try again, or choose another way.");
			}
			const response = {};
			for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) if (made.response[part]) response[part] = textOf(made.response[part]);
			const {next} = await ask(root.dataset.finish, JSON.stringify({id: made.id, rawId: textOf(made.rawId), type: made.type, response}));
			location.assign(next);
		}
		button.addEventListener("click", () => {
			button.disabled = true;
			status.replaceChildren();
			run().catch((err) => { button.disabled = false; say(err.message); });
		});
	}

	if (window.PublicKeyCredential) for (const root of document.querySelectorAll("[data-passkey]")) passkey(root);

	// copies sets up the buttons that copy texts.
	function copies(root) {
		for (const b of root.querySelectorAll("[data-copy]")) {
			if (!navigator.clipboard) continue;
			b.hidden = false;
			b.addEventListener("click", async () => {
				await navigator.clipboard.writeText(document.getElementById(b.dataset.copy).textContent.trim());
				const was = b.textContent;
				b.textContent = b.dataset.done;
				setTimeout(() => { b.textContent = was; }, 2000);
			});
		}
	}
	copies(document);

	// issuing sets up the form that makes a pair for a partner. The worker seals the key file and the passphrase; this
	// page gets two packages, and a link's secret for each. Secrets are sent only if the server is to mail the links.
	function issuing(form) {
		if (!window.Worker || !window.WebAssembly) return;
		form.hidden = false;
		const answer = document.getElementById("issued"), button = form.querySelector("button");
		const say = (id) => { answer.replaceChildren(document.getElementById(id).content.cloneNode(true)); };
		const fail = () => { button.disabled = false; say("issue-failed"); };
		let worker;
		async function send(made) {
			const mails = form.querySelector("[data-mails]"), body = new URLSearchParams(new FormData(form));
			body.set("public", made.public);
			for (const half of ["key", "passphrase"]) {
				body.set(half + "_token", made[half].token);
				body.set(half + "_sealed", made[half].sealed);
				if (mails && mails.checked) body.set(half + "_secret", made[half].secret);
			}
			const r = await fetch(form.action, {method: "POST", body});
			if (r.headers.get("Sallyport-Part") !== "given") return fail();
			answer.innerHTML = await r.text(); // our own, escaped page
			button.disabled = false;
			if (!r.ok) return;
			form.remove(); // the same pair is not made twice by a second click
			for (const step of document.querySelectorAll("[data-before]")) step.remove();
			answer.focus();
			for (const at of answer.querySelectorAll("[data-link]")) {
				at.textContent = form.dataset.base + made[at.dataset.link].secret;
			}
			copies(answer);
		}
		form.addEventListener("submit", (e) => {
			e.preventDefault();
			say("issue-busy");
			button.disabled = true;
			worker ??= new Worker(form.dataset.worker);
			worker.onerror = fail;
			worker.onmessage = ({data}) => { if (data.error) fail(); else send(data).catch(fail); };
			worker.postMessage({runtime: form.dataset.runtime, program: form.dataset.program, issue: true,
				kind: form.dataset.kind, user: form.dataset.user, sheet: document.getElementById("sheet").content.textContent});
		});
	}

	const issuer = document.querySelector("[data-issue]");
	if (issuer) issuing(issuer);

	// A one-time link works once: after its file is saved, its button can't be pressed again.
	for (const form of document.querySelectorAll("[data-saves]")) {
		form.addEventListener("submit", () => setTimeout(() => {
			const button = form.querySelector("button");
			button.disabled = true;
			button.textContent = form.dataset.saves;
		}));
	}

	const wrong = document.querySelector("[data-mistakes]");
	if (wrong) wrong.focus();
})();
