package keys_test

import (
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// FuzzRead: for any input the answer is either keys that can be read again, or a refusal for
// people. It never repeats parts of a private key.
func FuzzRead(f *testing.F) {
	public := line(f, known(f, "ed25519", "victim").Public())
	rsa := line(f, known(f, "rsa", "victim").Public())
	for _, seed := range []string{
		public, block(public, `Comment: "a\`, `b"`), rsaLine(f, 2048), "-----BEGIN OPENSSH PRIVATE KEY-----\n",
		"---- BEGIN SSH2 PUBLIC KEY ----\nComment: \\\n---- END SSH2 PUBLIC KEY ----", "\xef\xbb\xbf\r\n#",
		`from="*",command="a \"b\"" ` + strings.TrimSpace(public) + " me@example.com\n" + rsa, folded(rsa, 76),
		folded(rsa, 76) + "me@example.com", outlook(public),
		wide(public, true), wide(block(rsa, "Comment: c"), false), "> " + strings.ReplaceAll(folded(rsa, 60), "\n", "\n> "),
		"\u201c" + strings.TrimSpace(public) + "\u201d",
		strings.Fields(public)[1],
		"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC " +
			"KEY-----\n", "<p>" + public + "&lt;p&gt;</p>", "MIIB", "0\x82\x02\x01",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := keys.Read(data)
		if private := keys.LooksPrivate(data); private != (fault.PublicText(err) == keys.PrivateKeyAdvice) {
			t.Fatalf("private: %v, but %v", private, err)
		}
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%v", err)
			}
			if text := fault.PublicText(err); valid.Printable(text) != text || found != nil {
				t.Fatalf("%q, %+v", text, found)
			}
			return
		}
		had := map[string]bool{}
		for _, p := range found {
			again, err := one(p.Line)
			if err != nil || again.Line != p.Line || again.Fingerprint != p.Fingerprint || again.Bits != p.Bits {
				t.Fatalf("%+v reads back as %+v, %v", p, again, err)
			}
			for _, s := range []string{p.Comment, p.Options, p.Line, p.Format} {
				if valid.Printable(s) != s || strings.ContainsAny(s, "\r\n") {
					t.Fatalf("%+v is not fit to show", p)
				}
			}
			if len(p.Comment) > 200 || len(p.Options) > 200 || had[p.Fingerprint] || p.Format == "" {
				t.Fatalf("%+v", p)
			}
			had[p.Fingerprint] = true
			// The comment is written to files after the key. It must not change the key when read again.
			if again, err := one(p.Line + " " + p.Comment); err == nil && again.Line != p.Line {
				t.Fatalf("%+v reads back as %+v", p, again)
			}
		}
		if len(found) == 0 || len(found) > 20 {
			t.Fatalf("%d keys", len(found))
		}
	})
}

// FuzzExamine: for any input, nothing is proven for the victim, whose private half is in no
// seed; results are printable; and Read refuses whatever is found. The input is either a file,
// or the inner bytes of a format, since almost no mutation of a file would get past the base64.
func FuzzExamine(f *testing.F) {
	victims, blobs := map[string]bool{}, map[byte][]byte{}
	for i, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		victim, forger := known(f, kind, "victim"), known(f, kind, "forger")
		victims[fingerprint(f, victim.Public())] = true
		blobs[byte(i)] = blobOf(f, victim)
		for _, forge := range forgeries(kind) {
			for _, file := range [][]byte{forge(f, victim, forger), forge(f, forger, forger)} {
				f.Add(file, byte(asFile))
				if block, _ := pem.Decode(file); block != nil {
					f.Add(block.Bytes, byte(slices.Index(wrappings, block.Type)))
				}
			}
		}
		f.Add(privateNumbers(forger), byte(asPPK+i))
		plain := string(ppkFile(3, blobs[byte(i)], privateNumbers(forger)))
		f.Add([]byte(wide(plain, false)), byte(asFile))
		f.Add([]byte(strings.Replace(plain, "Encryption: none", "Encryption: aes256-cbc", 1)), byte(asFile))
		f.Add([]byte("> "+strings.ReplaceAll(plain, "\n", "\n> ")), byte(asFile))
		text := string(opensshFile(blobs[byte(i)], opensshPrivate(f, victim, forger)))
		f.Add([]byte(outlook(text)), byte(asFile))
		f.Add([]byte(strings.Join(strings.Split(text, "\n")[1:], "")), byte(asFile))
		f.Add([]byte(text+plain), byte(asFile))
	}
	for _, file := range wrapped(f,
		opensshFile(blobs[0], opensshPrivate(f, known(f, "ed25519", "forger"), known(f, "ed25519", "forger")))) {
		f.Add(file, byte(asFile))
	}
	for _, file := range mismatched(f) {
		f.Add(file, byte(asFile))
	}
	f.Fuzz(func(t *testing.T, data []byte, as byte) {
		switch {
		case as >= asPPK && as < asPPK+3:
			data = ppkFile(3, blobs[as-asPPK], data)
		case int(as) < len(wrappings) && as > asFile:
			data = armour(wrappings[as], data)
		}
		found := keys.ExamineUnguarded(data)
		checkPrintable(t, found)
		for _, e := range found {
			if e.Proven && victims[e.Key.Fingerprint] {
				t.Fatalf("proven for the victim: %+v", e)
			}
		}
		if len(found) > 0 && !keys.LooksPrivate(data) {
			t.Fatalf("found, but not known for private: %+v", found)
		}
	})
}

// How FuzzExamine turns its input into a file: unchanged, as PEM of a type, or, from asPPK on,
// as the private half of a PuTTY file of the victim.
const (
	asFile = 0
	asPPK  = 10
)

var wrappings = []string{"", "OPENSSH PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY"}
