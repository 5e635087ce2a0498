package keys_test

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
)

// privateFile is a private key as a tool wrote it.
type privateFile struct {
	data        []byte
	fingerprint string // from ssh-keygen; "" if the type can't be enrolled
	encrypted   bool
	told        bool // encrypted, but the public half is readable
}

// privateFiles returns private keys in every format that tools write, by name.
func privateFiles(t testing.TB) map[string]privateFile {
	t.Helper()
	b := newBench(t)
	files := map[string]privateFile{}
	pass := strings.TrimSpace(string(b.read("secret")))
	for name, args := range map[string][]string{"Ed25519": {"-t", "ed25519"}, "RSA": {"-t", "rsa", "-b", "2048"},
		"ECDSA": {"-t", "ecdsa", "-b", "256"}, "P-521": {"-t", "ecdsa", "-b", "521"}} {
		from := b.keygen(name, args...)
		var bits int
		f := privateFile{}
		fmt.Sscanf(string(run(t, "ssh-keygen", "-lf", from)), "%d %s", &bits, &f.fingerprint)
		add := func(format string, data []byte, encrypted, told bool) {
			g := f
			g.data, g.encrypted, g.told = data, encrypted, told
			files[format+" "+name] = g
		}
		add("OpenSSH", b.read(name), false, true)
		for _, form := range []struct{ name, ssh string }{{"PEM", "PEM"}, {"PKCS#8", "PKCS8"},
			{"OpenSSH encrypted", "RFC4716"}} {
			if name == "Ed25519" && form.name != "OpenSSH encrypted" { // ssh-keygen does not write these
				continue
			}
			for how, word := range map[string]string{form.name: "", form.name + ", passphrase": pass} {
				b.write("copy", b.read(name))
				run(t, "ssh-keygen", "-q", "-p", "-P", "", "-N", word, "-m", form.ssh, "-f", b.path("copy"))
				add(how, b.read("copy"), word != "", form.ssh == "RFC4716")
			}
		}
		for _, v := range []string{"2", "3"} {
			add("PPK "+v, b.convert("ppk", from, "-O", "private", "--ppk-param", "version="+v, "--new-passphrase",
				b.path("none")), false, true)
			add("PPK encrypted "+v, b.convert("ppk", from, "-O", "private", "--ppk-param", "version="+v, "--new-passphrase",
				b.path("secret")), true, true)
		}
		ppk := b.write("plain.ppk", files["PPK 2 "+name].data)
		add("PuTTY's OpenSSH", b.convert("putty", ppk, "-O", "private-openssh", "--new-passphrase", b.path("none")), false,
			true)
		add("PuTTY's new OpenSSH", b.convert("putty", ppk, "-O", "private-openssh-new", "--new-passphrase", b.path("none")),
			false, true)
		if name == "RSA" {
			add("ssh.com", b.convert("com", ppk, "-O", "private-sshcom", "--new-passphrase", b.path("none")), false, true)
			add("ssh.com encrypted", b.convert("com", ppk, "-O", "private-sshcom", "--new-passphrase", b.path("secret")), true,
				false)
		}
	}
	opensslFiles(t, b, files)
	own, public := pair(t)
	data, err := keys.MarshalPPK(own, "comment", "", 3)
	if err != nil {
		t.Fatal(err)
	}
	files["PPK of our own"] = privateFile{data: data, fingerprint: fingerprint(t, opensshPublic(t, public))}
	return files
}

// opensslFiles adds the formats of openssl, and key types that cannot be enrolled.
func opensslFiles(t testing.TB, b bench, files map[string]privateFile) {
	t.Helper()
	run(t, "openssl", "genpkey", "-algorithm", "ed25519", "-out", b.path("ed8"))
	block, _ := pem.Decode(run(t, "openssl", "pkey", "-in", b.path("ed8"), "-pubout"))
	sum := fingerprint(t, pkixKey(t, block.Bytes))
	files["openssl's Ed25519"] = privateFile{data: b.read("ed8"), fingerprint: sum}
	files["openssl's Ed25519, passphrase"] = privateFile{
		data: run(t, "openssl", "pkey", "-in", b.path("ed8"), "-aes256", "-passout", "pass:secret"), encrypted: true}
	files["openssl's PKCS#8 with 3DES"] = privateFile{data: run(t, "openssl", "pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES",
		"-in", b.path("ed8"), "-passout", "pass:secret"), encrypted: true}
	rsa := files["PEM RSA"]
	b.write("rsa", rsa.data)
	files["openssl's PKCS#1"] = privateFile{data: run(t, "openssl", "rsa", "-in", b.path("rsa"), "-traditional"),
		fingerprint: rsa.fingerprint}
	files["openssl's PKCS#1, AES-256"] = privateFile{data: run(t, "openssl", "rsa", "-in", b.path("rsa"), "-traditional",
		"-aes256", "-passout", "pass:secret"), encrypted: true}
	b.write("ec", files["PEM ECDSA"].data)
	files["openssl's SEC1 with parameters"] = privateFile{
		data: append([]byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"),
			run(t, "openssl", "ec", "-in", b.path("ec"))...), fingerprint: files["PEM ECDSA"].fingerprint}
	files["DSA"] = privateFile{data: dsaFile(b), encrypted: true}
	files["an OpenPGP key"] = privateFile{
		data: []byte("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlIYEZcAAABYJKwYBBAHaRw8BAQdA\n=abcd\n-----END PGP PRIVATE " +
			"KEY BLOCK-----\n"), encrypted: true}
}

// disguise is a change that mail programs, editors or people make to a file.
type disguise struct {
	data     string
	readable bool // Examine can still read it
	bare     bool // the first and last lines are lost
}

func disguises(text, public string) map[string]disguise {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	armoured := strings.HasPrefix(text, "-----")
	return map[string]disguise{
		"as it is":                       {text, true, false},
		"CRLF":                           {strings.ReplaceAll(text, "\n", "\r\n"), true, false},
		"old Macintosh":                  {strings.ReplaceAll(text, "\n", "\r"), true, false},
		"with a BOM":                     {"\xef\xbb\xbf" + text, true, false},
		"indented":                       {"  " + strings.ReplaceAll(text, "\n", "\n  "), true, false},
		"behind the public key":          {public + text, true, false},
		"before the public key":          {text + public, true, false},
		"behind an RFC 4716 block":       {block(public) + text, true, false},
		"in a web page":                  {"<pre>" + text + "</pre>", true, false},
		"in Outlook's mail":              {outlook(text), true, false},
		"on one line":                    {strings.Join(lines, " "), armoured, false},
		"quoted in a mail":               {"> " + strings.ReplaceAll(text, "\n", "\n> "), true, false},
		"without its last line":          {strings.Join(lines[:len(lines)-1], "\n"), true, false},
		"without its header":             {strings.Join(lines[1:], "\n"), armoured, false},
		"without its header, as UTF-16":  {wide(strings.Join(lines[1:], "\n"), false), armoured, false},
		"without first and last line":    {strings.Join(lines[1:len(lines)-1], "\n"), armoured, true},
		"that, quoted in a mail":         {"> " + strings.Join(lines[1:len(lines)-1], "\n> "), armoured, true},
		"the upper half, without header": {strings.Join(lines[1:1+len(lines)/2], "\n"), false, true},
		"UTF-16":                         {wide(text, false), true, false},
		"UTF-16, big-endian":             {wide(text, true), true, false},
		"UTF-16, CRLF":                   {wide(strings.ReplaceAll(text, "\n", "\r\n"), false), true, false},
		"UTF-16 and an odd byte":         {wide(text, false) + "\n", true, false},
		"UTF-16 without a BOM":           {wide(text, false)[2:], true, false},
		"very long":                      {text + strings.Repeat("\n", 100<<10), true, false},
		"in upper case":                  {strings.ToUpper(text), false, false},
		"a word processor's dashes":      {strings.ReplaceAll(text, "--", "\u2014"), strings.HasPrefix(text, "PuTTY"), false},
		"in a web page's comment":        {"<p>" + public + "</p><!-- " + text + " -->", false, false},
		"far behind the public key":      {public + strings.Repeat("#\n", 1<<20) + text, false, false},
		"tags in the marks": {"<p>" + strings.NewReplacer("PRIVATE KEY", "PRI<b>VATE</b>&#32;KEY", "PuTTY-User",
			"PuTTY<wbr>-User").Replace(text) + "</p>", true, false},
		"as a JSON string": {`{"key": "` + strings.ReplaceAll(text, "\n", `\n`) + `"}`, false, false},
	}
}

// Private key files of real tools: Read refuses each, and Examine returns its key.
func TestPrivateFilesOfEveryTool(t *testing.T) {
	files := privateFiles(t)
	for _, story := range []struct {
		name string
		test func(*testing.T, map[string]privateFile)
	}{
		{"are refused", areRefused}, {"are refused as DER", areRefusedAsDER},
		{"are refused in a wrapping", areRefusedInAWrapping}, {"are examined", areExamined},
		{"are examined as DER", areExaminedAsDER}, {"have names", haveNames}, {"are found in one file", areAllFound},
	} {
		t.Run(story.name, func(t *testing.T) { story.test(t, files) })
	}
}

// Private keys are detected in every format and disguise, and the refusal contains no part of
// them.
func areRefused(t *testing.T, files map[string]privateFile) {
	_, public := pair(t)
	for name, file := range files {
		lines := strings.Split(strings.TrimSpace(string(file.data)), "\n")
		for how, d := range disguises(string(file.data), public) {
			if strings.HasPrefix(name, "PPK") && strings.HasPrefix(how, "the upper half") {
				continue // this is the public key file
			}
			p, err := keys.Read([]byte(d.data))
			if !fault.Is(err, fault.Invalid) || fault.PublicText(err) != keys.PrivateKeyAdvice {
				t.Errorf("%s, %s: %+v, %v", name, how, p, err)
				continue
			}
			for _, l := range lines[1:] {
				if len(l) > 20 && strings.Contains(err.Error()+fault.HintIn(err), l[:20]) {
					t.Errorf("%s, %s: the refusal repeats the key", name, how)
				}
			}
		}
	}
}

// The bytes inside PEM, and their bare base64.
func areRefusedAsDER(t *testing.T, files map[string]privateFile) {
	b := newBench(t)
	for name, der := range derFiles(t, files) {
		for how, data := range map[string][]byte{"bytes": der.data,
			"bytes and a newline": append(der.data[:len(der.data):len(der.data)], '\n'),
			"the upper half":      der.data[:len(der.data)/2], "base64": []byte(base64.StdEncoding.EncodeToString(der.data)),
			"base64 in short lines": []byte(folded(base64.StdEncoding.EncodeToString(der.data), 10)),
			"base64 with CRLF": []byte(strings.ReplaceAll(folded(base64.StdEncoding.EncodeToString(der.data), 64), "\n",
				"\r\n"))} {
			if p, err := keys.Read(data); fault.PublicText(err) != keys.PrivateKeyAdvice {
				t.Errorf("%s, %s: %+v, %v", name, how, p, err)
			}
		}
	}
	run(t, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=me",
		"-keyout", b.path("k.pem"), "-out", b.path("c.pem"))
	pfx := run(t, "openssl", "pkcs12", "-export", "-inkey", b.path("k.pem"), "-in", b.path("c.pem"), "-passout",
		"pass:secret")
	for how, data := range map[string]string{"a .pfx file": string(pfx),
		"a .pfx file as base64": base64.StdEncoding.EncodeToString(pfx),
		"a JSON Web Key": `{"crv":"Ed25519", "d" : "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "kty":"OKP","x":` +
			`"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`} {
		if p, err := keys.Read([]byte(data)); fault.PublicText(err) != keys.PrivateKeyAdvice {
			t.Errorf("%s: %+v, %v", how, p, err)
		}
	}
}

// derFiles returns the bytes inside the PEM files. Files that PEM encrypts are left out, since
// their bytes cannot be recognized.
func derFiles(t testing.TB, files map[string]privateFile) map[string]privateFile {
	t.Helper()
	out := map[string]privateFile{}
	for name, f := range files {
		for rest := f.data; ; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			if block.Headers["DEK-Info"] == "" && strings.HasSuffix(block.Type, "PRIVATE KEY") {
				f.data = block.Bytes
				out[name] = f
			}
		}
	}
	if len(out) < 12 {
		t.Fatalf("only %d files of PEM", len(out))
	}
	return out
}

// One word of a private key file does not make a public key a private one.
func TestPublicKeysAreNotTakenForPrivateOnes(t *testing.T) {
	_, public := pair(t)
	bare := strings.TrimSpace(public)
	for _, data := range []string{bare + " my private key", bare + " private key - laptop",
		"# private key: none here\n" + public, block(public, "Comment: private key, office"),
		block(public, "x-private-use: 1"), bare + " PuTTY user key file"} {
		if p, err := one(data); err != nil || p.Line != bare {
			t.Errorf("%q: %+v, %v", data, p, err)
		}
	}
	signer, _, _, _, err := ssh.ParseAuthorizedKey([]byte(public))
	if err != nil || keys.LooksPrivate([]byte(ssh.FingerprintSHA256(signer))) || keys.LooksPrivate(nil) ||
		keys.LooksPrivate([]byte("0")) {
		t.Errorf("a fingerprint, or nothing, looks private: %v", err)
	}
}
