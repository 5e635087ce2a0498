package keys_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Examine must find the same key as ssh-keygen in every format, proven if the private half was
// readable.
func areExamined(t *testing.T, files map[string]privateFile) {
	_, public := pair(t)
	for name, file := range files {
		want := file.fingerprint
		if file.encrypted && !file.told {
			want = ""
		}
		for how, d := range disguises(string(file.data), public) {
			if strings.HasSuffix(name, "RSA") && !strings.HasPrefix(name, "ssh.com") && how != "as it is" && how != "UTF-16" {
				continue // slow, and the other types have these formats
			}
			found := keys.Examine([]byte(d.data))
			checkPrintable(t, found)
			if !d.readable || file.encrypted && !file.told {
				for _, e := range found { // nothing can be found, and nothing may be invented
					if e.Proven && (file.encrypted || e.Key.Fingerprint != file.fingerprint) || e.Key.Fingerprint != "" &&
						e.Key.Fingerprint != file.fingerprint {
						t.Errorf("%s, %s: %+v", name, how, e)
					}
				}
				continue
			}
			if len(found) != 1 || found[0].Key.Fingerprint != want || found[0].Proven == file.encrypted {
				t.Errorf("%s, %s: want %q, proven %v: %+v", name, how, want, !file.encrypted, found)
			}
		}
	}
}

// checkPrintable fails if a result of Examine is not printable.
func checkPrintable(t testing.TB, found []keys.Exposed) {
	t.Helper()
	for _, e := range found {
		for _, s := range []string{e.Format, e.Key.Type, e.Key.Fingerprint, e.Key.MD5, e.Key.Line, e.Key.Comment,
			e.Key.Options, e.Key.Format} {
			if valid.Printable(s) != s {
				t.Errorf("%q is not fit to show", s)
			}
		}
		if e.Format == "" || e.Proven && e.Key.Fingerprint == "" {
			t.Errorf("%+v", e)
		}
	}
}

func areExaminedAsDER(t *testing.T, files map[string]privateFile) {
	for name, der := range derFiles(t, files) {
		for how, data := range map[string][]byte{"bytes": der.data,
			"bytes and a newline":   append(der.data[:len(der.data):len(der.data)], '\n'),
			"base64":                []byte(base64.StdEncoding.EncodeToString(der.data)),
			"base64 in short lines": []byte(folded(base64.StdEncoding.EncodeToString(der.data), 10)),
			"base64 with CRLF": []byte(strings.ReplaceAll(folded(base64.StdEncoding.EncodeToString(der.data), 64), "\n",
				"\r\n"))} {
			found := keys.Examine(data)
			switch {
			case der.encrypted && !der.told || der.fingerprint == "":
				if len(found) > 0 && (found[0].Proven || found[0].Key.Fingerprint != "") {
					t.Errorf("%s, %s: %+v", name, how, found)
				}
			case len(found) != 1 || found[0].Key.Fingerprint != der.fingerprint || found[0].Proven == der.encrypted:
				t.Errorf("%s, %s: %+v", name, how, found)
			}
		}
	}
}

// The answer has the usual name of the format.
func haveNames(t *testing.T, files map[string]privateFile) {
	for name, want := range map[string]string{"OpenSSH Ed25519": "OpenSSH", "OpenSSH encrypted, passphrase RSA": "OpenSSH",
		"PEM RSA": "PKCS#1", "PEM, passphrase RSA": "PKCS#1", "PEM ECDSA": "SEC1", "PKCS#8 RSA": "PKCS#8",
		"PKCS#8, passphrase ECDSA": "PKCS#8, encrypted", "PPK 2 RSA": "PuTTY (PPK 2)",
		"PPK encrypted 3 Ed25519": "PuTTY (PPK 3)", "ssh.com RSA": "ssh.com", "ssh.com encrypted RSA": "ssh.com",
		"DSA": "PEM"} {
		if found := keys.Examine(files[name].data); len(found) != 1 || found[0].Format != want {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

// Every file in one input is found, whatever its format.
func areAllFound(t *testing.T, files map[string]privateFile) {
	var text strings.Builder
	want := map[string]bool{}
	for _, name := range []string{"OpenSSH Ed25519", "PPK 3 RSA", "PKCS#8 ECDSA", "PPK encrypted 2 P-521",
		"openssl's Ed25519", "ssh.com RSA", "OpenSSH Ed25519"} {
		text.Write(files[name].data)
		want[files[name].fingerprint] = !files[name].encrypted
	}
	found := keys.Examine([]byte(text.String()))
	for _, e := range found {
		if proven, known := want[e.Key.Fingerprint]; !known || proven != e.Proven {
			t.Errorf("%+v", e)
		}
	}
	if len(found) != len(want) {
		t.Errorf("%d of %d: %+v", len(found), len(want), found)
	}
}

// Examine finds nothing in files without a private key.
func TestExamineOfPublicFiles(t *testing.T) {
	_, public := pair(t)
	for _, data := range []string{"", public, block(public), strings.Fields(public)[1],
		"-----BEGIN OPENSSH PRIVATE KEY-----", "openssh-key-v1", "0", "\x30\x82", "\xff\xfe", "PuTTY"} {
		if found := keys.Examine([]byte(data)); len(found) > 0 {
			t.Errorf("%q: %+v", data, found)
		}
	}
}

// mismatched are PuTTY files with wrong line counts, and files whose halves and type belong to
// different kinds of key.
func mismatched(t testing.TB) map[string][]byte {
	files := map[string][]byte{}
	for _, n := range []string{"9223372036854775807", "9223372036854775806", "18446744073709551616", "2147483648", "-1",
		"-9223372036854775808", "1e9", "+3", ""} {
		for _, block := range []string{"Public", "Private"} {
			files[block+"-Lines: "+n] = []byte("PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nComment: x\n" + block +
				"-Lines: " + n + "\nAAAA\n")
		}
	}
	kinds := []string{"ed25519", "ecdsa", "rsa"}
	for _, says := range []string{"ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp521", "ecdsa-sha2-",
		"sk-ssh-ed25519@openssh.com", "ssh-dss", ""} {
		for _, public := range kinds {
			for _, private := range kinds {
				whole := string(ppkFile(3, blobOf(t, known(t, public, "victim")), privateNumbers(known(t, private, "forger"))))
				_, rest, _ := strings.Cut(whole, "\n")
				files[says+" with the halves of "+public+" and "+private] = []byte("PuTTY-User-Key-File-3: " + says + "\n" + rest)
			}
		}
	}
	return files
}

// Regression test: a line count that overflowed, and an ECDSA file with an Ed25519 public half,
// made the command line and the API panic.
func TestFilesThatDoNotFitThemselvesAreRefused(t *testing.T) {
	for how, file := range mismatched(t) {
		if _, err := keys.Read(file); fault.PublicText(err) != keys.PrivateKeyAdvice {
			t.Errorf("%s: %v", how, err)
		}
		checkPrintable(t, keys.ExamineUnguarded(file))
	}
}

// A panic in a parser loses only the file that it read.
func TestAParserThatPanics(t *testing.T) {
	e := keys.Guarded("PuTTY", func() keys.Exposed { panic("index out of range") })
	if e.Format != "PuTTY" || e.Proven || e.Key.Fingerprint != "" {
		t.Errorf("%+v", e)
	}
}
