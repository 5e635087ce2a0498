//go:build js && wasm

// Command keygen makes key pairs in a browser: the keys package as WebAssembly, in a worker. It sends nothing. What a
// partner makes, the page saves, and fills the public half into a form. What an operator makes for a partner leaves
// this program sealed, for one-time links.
package main

import (
	"encoding/base64"
	"strings"
	"syscall/js"

	"github.com/sallyport-sftp/sallyport/internal/keys"
)

func main() {
	js.Global().Set("makeKeyPair", js.FuncOf(func(_ js.Value, args []js.Value) any {
		return answer(args[0].String(), args[1].String(), args[2].String())
	}))
	js.Global().Set("issueKeyPair", js.FuncOf(func(_ js.Value, args []js.Value) any {
		out, err := issue(args[0].String(), args[1].String(), args[2].String())
		if err != nil {
			return map[string]any{"error": err.Error()}
		}
		return out
	}))
	js.Global().Call("ready")
	select {}
}

// answer makes a pair. An empty passphrase means seven random words. The result has "error", or "zip", "public",
// "fingerprint" and "passphrase".
func answer(kind, comment, passphrase string) map[string]any {
	out, err := pair(kind, comment, passphrase)
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	return out
}

func pair(kind, comment, passphrase string) (map[string]any, error) {
	if passphrase == "" {
		words, err := keys.Passphrase()
		if err != nil {
			return nil, err
		}
		passphrase = words
	}
	p, err := keys.Issue(kind, comment, passphrase, 3)
	if err != nil {
		return nil, err
	}
	zip, err := keys.Zip([]keys.File{{Name: "sftp-key", Content: p.OpenSSH}, {Name: "sftp-key.ppk", Content: p.PPK},
		{Name: "sftp-key.pub", Content: p.PubFile}, {Name: "READ-ME.txt", Content: []byte(note(p.Public.Fingerprint))}})
	if err != nil {
		return nil, err
	}
	bytes := js.Global().Get("Uint8Array").New(len(zip))
	js.CopyBytesToJS(bytes, zip)
	return map[string]any{"zip": bytes, "public": strings.TrimSpace(string(p.PubFile)),
		"fingerprint": p.Public.Fingerprint, "passphrase": passphrase}, nil
}

// issue makes a pair for a partner and seals its two halves, each for a one-time link. The passphrase leaves this
// program in its package alone. sheet is the text that lies beside the key files.
func issue(kind, user, sheet string) (map[string]any, error) {
	words, err := keys.Passphrase()
	if err != nil {
		return nil, err
	}
	p, err := keys.Issue(kind, user, words, 3)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"public": string(p.PubFile), "fingerprint": p.Public.Fingerprint}
	halves := map[string][]keys.File{"key": p.Files(user, sheet), "passphrase": keys.PassphraseFiles(words)}
	for half, files := range halves {
		sealed, err := keys.Seal(files)
		if err != nil {
			return nil, err
		}
		out[half] = map[string]any{"secret": sealed.Secret, "token": base64.StdEncoding.EncodeToString(sealed.Token),
			"sealed": base64.StdEncoding.EncodeToString(sealed.Sealed)}
	}
	return out, nil
}

// note is what lies beside the files. The passphrase is not in it.
func note(fingerprint string) string {
	return strings.ReplaceAll(`Your key pair, made in your browser. Nobody else has the private half.

sftp-key      the private key, for OpenSSH, Cyberduck, rclone, curl
sftp-key.ppk  the same private key, for WinSCP, FileZilla, PuTTY
sftp-key.pub  the public key: this is what you send

Fingerprint: `+fingerprint+`

Keep the two private files where only you can read them, with a copy in a safe
place. Their passphrase was shown once, in the browser. Nobody can reset it: if
it is lost, make a new pair. Give the private files to nobody. We will never
ask for them.
`, "\n", "\r\n") // Notepad of old Windows shows lines only so
}
