package keys_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"html"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
)

// publicFile is a public key as a tool wrote it, and what the same tool says about it.
type publicFile struct {
	text, format, comment string
	line, sha256, md5     string // from ssh-keygen
	bits                  int
}

// publicFiles returns public keys in every format that tools write, by name.
func publicFiles(t testing.TB) map[string]publicFile {
	t.Helper()
	b := newBench(t)
	files := map[string]publicFile{}
	for name, args := range map[string][]string{
		"Ed25519": {"-t", "ed25519"}, "RSA 2048": {"-t", "rsa", "-b", "2048"}, "RSA 3072": {"-t", "rsa", "-b", "3072"},
		"P-256": {"-t", "ecdsa", "-b", "256"}, "P-384": {"-t", "ecdsa", "-b", "384"}, "P-521": {"-t", "ecdsa", "-b", "521"},
	} {
		path := b.keygen(strings.ReplaceAll(name, " ", ""), args...)
		f := publicFile{text: string(b.read(strings.ReplaceAll(name, " ", "") + ".pub")), format: "OpenSSH",
			comment: "me@example.com"}
		f.line = strings.Join(strings.Fields(f.text)[:2], " ")
		fmt.Sscanf(string(run(t, "ssh-keygen", "-lf", path)), "%d %s", &f.bits, &f.sha256)
		fmt.Sscanf(string(run(t, "ssh-keygen", "-E", "md5", "-lf", path)), "%d MD5:%s", &f.bits, &f.md5)
		files[name+", ssh-keygen"] = f
		add := func(tool, text, format, comment string) {
			g := f
			g.text, g.format, g.comment = text, format, comment
			files[name+", "+tool] = g
		}
		add("puttygen -O public-openssh", string(run(t, "puttygen", path, "-O", "public-openssh")), "OpenSSH", f.comment)
		add("puttygen -O public", string(run(t, "puttygen", path, "-O", "public")), "RFC 4716", f.comment)
		_, text, _ := strings.Cut(f.line, " ")
		add("the base64 alone", text, "base64", "")
		exported := string(run(t, "ssh-keygen", "-e", "-m", "RFC4716", "-f", path))
		_, comment, _ := strings.Cut(exported, `Comment: "`)
		comment, _, _ = strings.Cut(comment, `"`)
		add("ssh-keygen -e -m RFC4716", exported, "RFC 4716", comment)
		if name == "Ed25519" { // ssh-keygen does not write it as PEM
			der, err := x509.MarshalPKIXPublicKey(opensshPublic(t, f.line))
			if err != nil {
				t.Fatal(err)
			}
			in := b.write("pkix.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
			add("openssl pkey -pubout", string(run(t, "openssl", "pkey", "-pubin", "-in", in, "-pubout")), "PEM (PKIX)", "")
			continue
		}
		pkix := string(run(t, "ssh-keygen", "-e", "-m", "PKCS8", "-f", path))
		add("ssh-keygen -e -m PKCS8", pkix, "PEM (PKIX)", "")
		in := b.write("pkix.pem", []byte(pkix))
		add("openssl pkey -pubout", string(run(t, "openssl", "pkey", "-pubin", "-in", in, "-pubout")), "PEM (PKIX)", "")
		format := "PEM (PKIX)"
		if strings.HasPrefix(name, "RSA") {
			format = "PEM (PKCS#1)"
			add("openssl rsa -RSAPublicKey_out", string(run(t, "openssl", "rsa", "-pubin", "-in", in, "-RSAPublicKey_out")),
				format, "")
		}
		add("ssh-keygen -e -m PEM", string(run(t, "ssh-keygen", "-e", "-m", "PEM", "-f", path)), format, "")
	}
	return files
}

// Every public key file of every tool is read, unchanged and after the changes that mail
// programs, editors and browsers make to text. The result must be the key that the tool
// reports.
func TestWhatToolsWriteIsRead(t *testing.T) {
	for name, f := range publicFiles(t) {
		text := f.text
		disguises := map[string]string{
			"as it is": text, "CRLF": strings.ReplaceAll(text, "\n", "\r\n"),
			"old Macintosh": strings.ReplaceAll(text, "\n", "\r"), "a BOM": "\xef\xbb\xbf" + text,
			"UTF-16": wide(text, false), "UTF-16, big-endian": wide(text, true),
			"UTF-16, CRLF":           wide(strings.ReplaceAll(text, "\n", "\r\n"), false),
			"UTF-16 and an odd byte": wide(text, false) + "\n",
			"no last newline":        strings.TrimSpace(text), "blank lines around": "\n \n" + text + "\n\t\n",
			"indented":            "  " + strings.ReplaceAll(text, "\n", "\n  "),
			"quoted in a mail":    "> " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n> ") + "\n",
			"smart quotes around": "\u201c" + strings.TrimSpace(text) + "\u201d",
			"German quotes":       "\u201e" + strings.TrimSpace(text) + "\u201c\n",
			"single quotes":       "\u2018" + strings.TrimSpace(text) + "\u2019",
			"a mail's <div>":      `<div dir="ltr">` + strings.ReplaceAll(html.EscapeString(text), "\n", "<br>\n") + "</div>",
			"a <pre>":             "<pre>" + html.EscapeString(text) + "</pre>",
			"Outlook":             outlook(text),
		}
		if f.format == "OpenSSH" {
			disguises["broken at 76 columns"] = folded(text, 76)
			disguises["broken at 72 columns, CRLF"] = strings.ReplaceAll(folded(text, 72), "\n", "\r\n")
			disguises["broken at words"] = strings.Replace(strings.Replace(text, " ", "\n", 1), " ", "\n", 1)
			disguises["broken at 76 columns, indented"] = strings.ReplaceAll(folded(text, 76), "\n", "\n    ")
			disguises["broken and quoted"] = "> " + strings.ReplaceAll(strings.TrimSpace(folded(text, 76)), "\n", "\n> ")
			disguises["broken in smart quotes"] = "\u201c" + strings.TrimSpace(folded(text, 76)) + "\u201d"
			disguises["broken in smart quotes, no comment"] = "\u201c" + strings.TrimSpace(folded(f.line, 76)) + "\u201d"
			disguises["broken by <br>"] = "<p>" + strings.ReplaceAll(folded(text, 60), "\n", "<br>\n") + "</p>"
			disguises["broken, a blank line after"] = folded(text, 76) + "\n"
		}
		for how, data := range disguises {
			p, err := one(data)
			if err != nil || p.Line != f.line || p.Fingerprint != f.sha256 || p.MD5 != f.md5 || p.Bits != f.bits ||
				p.Format != f.format {
				t.Errorf("%s, %s: %+v, %v", name, how, p, err)
			} else if spaceless(p.Comment) != spaceless(f.comment) && !strings.HasSuffix(how, "no comment") {
				t.Errorf("%s, %s: the comment is %q", name, how, p.Comment)
			}
		}
	}
}

// spaceless removes the spaces of a comment. If it was broken within a word, its original
// spacing is lost.
func spaceless(s string) string { return strings.ReplaceAll(s, " ", "") }

// outlook formats text as Outlook writes a message.
func outlook(text string) string {
	var b strings.Builder
	b.WriteString("<html xmlns:o=\"urn:schemas-microsoft-com:office:office\">\r\n<head>\r\n<meta " +
		"http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\">\r\n" +
		"<title>AW: key</title>\r\n<style><!--\r\n/* Font Definitions " +
		"*/\r\n@font-face\r\n\t{font-family:Calibri;}\r\np.MsoNormal > a\r\n\t{margin:0cm;}\r\n--></style>\r\n" +
		"<!--[if gte mso 9]><xml><o:shapedefaults v:ext=\"edit\" /></xml><![endif]-->\r\n</head>\r\n<body " +
		"lang=\"DE\">\r\n<div class=\"WordSection1\">\r\n")
	for l := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		b.WriteString("<p class=\"MsoNormal\"><span style=\"font-family:&quot;Courier New&quot;\">" +
			strings.ReplaceAll(html.EscapeString(l), " ", "&nbsp;") + "<o:p></o:p></span></p>\r\n")
	}
	return b.String() + "<p class=\"MsoNormal\"><o:p>&nbsp;</o:p></p>\r\n</div>\r\n</body>\r\n</html>\r\n"
}

// Two PEM files in one input, and other text beside a key.
func TestPEM(t *testing.T) {
	b := newBench(t)
	first := string(run(t, "ssh-keygen", "-e", "-m", "PKCS8", "-f", b.keygen("a", "-t", "ecdsa")))
	second := string(run(t, "ssh-keygen", "-e", "-m", "PKCS8", "-f", b.keygen("b", "-t", "ecdsa")))
	_, public := pair(t)
	if found, err := keys.Read([]byte(first + "\n" + second + first)); err != nil || len(found) != 2 {
		t.Errorf("two keys: %+v, %v", found, err)
	}
	damaged := strings.Replace(second, "M", "!", 1)
	for how, data := range map[string]string{
		"cut short": first[:100], "damaged": damaged, "a damaged one first": damaged + first,
		"a damaged one last":  first + damaged,
		"another type inside": strings.ReplaceAll(first, "PUBLIC KEY", "RSA PUBLIC KEY"),
		"no last line":        strings.Split(first, "-----END")[0], "a line after it": first + public,
		"a line before it": public + first, "an RFC 4716 block after it": first + block(public),
		"an RFC 4716 block before it": block(public) + first,
		"a signature":                 strings.ReplaceAll(first, "PUBLIC KEY", "SSH SIGNATURE"),
		"X25519":                      string(x25519(t, b)),
		"RSA 1024":                    string(rsaPKIX(t, b, "1024")),
		"DSA":                         "-----BEGIN PUBLIC KEY-----\nMIIBtjCCASsGByqGSM44BAEwggEe\n-----END PUBLIC KEY-----\n",
		"an empty block":              "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
	} {
		found, err := keys.Read([]byte(data))
		if text := fault.PublicText(err); !fault.Is(err, fault.Invalid) || len(found) != 0 || text == keys.PrivateKeyAdvice {
			t.Errorf("%s: %+v, %v", how, found, err)
		} else if how == "RSA 1024" && !strings.Contains(text, "1024") {
			t.Errorf("%s: %q does not say why", how, text)
		}
	}
}

func x25519(t testing.TB, b bench) []byte {
	t.Helper()
	run(t, "openssl", "genpkey", "-algorithm", "X25519", "-out", b.path("x"))
	return run(t, "openssl", "pkey", "-in", b.path("x"), "-pubout")
}

func rsaPKIX(t testing.TB, b bench, bits string) []byte {
	t.Helper()
	run(t, "openssl", "genrsa", "-out", b.path("r"), bits)
	return run(t, "openssl", "rsa", "-in", b.path("r"), "-pubout")
}

// A certificate contains a public key but is refused. The sender is told which file to send.
func TestCertificatesAreRefusedAndSaidSo(t *testing.T) {
	b := newBench(t)
	ca := b.keygen("ca", "-t", "ed25519")
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		path := b.keygen(kind, "-t", kind)
		run(t, "ssh-keygen", "-q", "-s", ca, "-I", "id", "-n", "me", path+".pub")
		line := string(b.read(kind + "-cert.pub"))
		run(t, "ssh-keygen", "-q", "-p", "-P", "", "-N", "", "-m", "PEM", "-f", path)
		files := map[string]string{"a line": line, "folded": folded(line, 76), "RFC 4716": block(line),
			"bare": strings.Fields(line)[1], "behind the key": string(b.read(kind+".pub")) + line}
		for how, text := range files {
			if found, err := keys.Read([]byte(text)); !fault.Is(err, fault.Invalid) || len(found) != 0 ||
				!strings.Contains(fault.PublicText(err), "SSH certificate") {
				t.Errorf("%s, %s: %+v, %v", kind, how, found, err)
			}
		}
	}
	run(t, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=me",
		"-keyout", b.path("k.pem"), "-out", b.path("c.pem"))
	cert := string(b.read("c.pem"))
	trusted := string(run(t, "openssl", "x509", "-in", b.path("c.pem"), "-trustout"))
	for how, text := range map[string]string{"PEM": cert,
		"described": string(run(t, "openssl", "x509", "-in", b.path("c.pem"), "-text")), "trusted": trusted,
		"behind a key": string(run(t, "openssl", "x509", "-in", b.path("c.pem"), "-noout", "-pubkey")) + cert,
		"UTF-16":       wide(cert, false), "in a mail": outlook(cert)} {
		if found, err := keys.Read([]byte(text)); !fault.Is(err, fault.Invalid) || len(found) != 0 ||
			!strings.Contains(fault.PublicText(err), "X.509 certificate") {
			t.Errorf("X.509, %s: %+v, %v", how, found, err)
		}
	}
	if _, err := keys.Read([]byte(cert + string(b.read("k.pem")))); fault.PublicText(err) != keys.PrivateKeyAdvice {
		t.Errorf("a certificate with its private key: %v", err)
	}
}
