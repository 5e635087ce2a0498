package keys_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

func TestLines(t *testing.T) {
	_, public := pair(t)
	bare := strings.TrimSpace(public)
	for how, data := range map[string]string{
		"plain": public, "no newline": bare, "CRLF": bare + "\r\n", "a BOM": "\xef\xbb\xbf" + public,
		"blank lines":    "\n\n" + public + "\n\n",
		"a comment line": "# my key\n" + public, "spaces around": "   " + bare + "   ", "a comment": bare + " me@example.com",
		"tabs":               strings.ReplaceAll(bare, " ", "\t"),
		"two times the same": public + public, "bare base64": strings.Fields(bare)[1],
		"bare base64, broken": folded(strings.Fields(bare)[1], 20),
		"quoted":              `"` + bare + `"`, "a fence of a chat program": "```\n" + public + "```\n",
		"quoted in a mail": "> " + public, "quoted twice": ">> " + public,
		"a soft hyphen and joiners": strings.ReplaceAll(bare, "A", "\u00adA\u200b"),
		"no-break spaces":           strings.ReplaceAll(bare, " ", "\u00a0"),
	} {
		if p, err := one(data); err != nil || p.Line != bare {
			t.Errorf("%s: %+v, %v", how, p, err)
		}
	}
	for how, data := range map[string]string{
		"cut short": bare[:40], "empty": "", "blank": " \n\t\r\n", "a comment alone": "# nothing",
		"one byte lost": bare[:50] + bare[51:],
		"a fingerprint": "SHA256:abc", "noise": string([]byte{0xff, 0xfe, 0, 1, 2}),
		"too large":             public + strings.Repeat("#\n", 64<<10),
		"a letter that is none": strings.Replace(bare, "AAAA", "AA!A", 1),
		"another type's name":   strings.Replace(bare, "ssh-ed25519", "ssh-rsa", 1),
		"something after it":    public + "and regards", "something before it": "here it is:\n" + public,
		"a damaged one after it":  public + bare[:60],
		"a damaged one before it": bare[:60] + "\n" + public, "a NUL": bare + " x\x00y",
		"UTF-16 of noise": wide("\U0001f600", false), "only a BOM": "\xef\xbb\xbf",
	} {
		if p, err := keys.Read([]byte(data)); !fault.Is(err, fault.Invalid) || len(p) != 0 {
			t.Errorf("%s: %+v, %v", how, p, err)
		}
	}
}

// Options before a key have no effect here, but are shown when the key is enrolled.
func TestOptionsAreSaid(t *testing.T) {
	_, public := pair(t)
	for options, want := range map[string]string{`command="id"`: "", `from="*"`: "",
		`no-pty,command="a b \"c\"",from="10.0.0.0/8"`: "", "restrict": "", "command=\u201cid\u201d": `command="id"`,
		"tunnel=\"x\x1b[2J\"":               `tunnel="x\x1b[2J"`,
		"pty" + strings.Repeat(",pty", 100): "pty" + strings.Repeat(",pty", 100)[:197]} {
		if want == "" {
			want = options
		}
		p, err := one(options + " " + strings.TrimSpace(public) + " me")
		if err != nil || p.Options != want || p.Line+"\n" != public || p.Comment != "me" {
			t.Errorf("%q: %+v, %v", options, p, err)
		}
	}
}

func TestComments(t *testing.T) {
	_, public := pair(t)
	bare := strings.TrimSpace(public)
	for _, comment := range []string{"\x1b[2J\u202E", strings.Repeat("\u00e9", 300), strings.Repeat("x", 199) + "\u00e9",
		"=cmd()", "\a\b\x7f\u0085", "a\u2028b\x1b]0;title\a"} {
		for how, data := range map[string]string{"a line": bare + " " + strings.ReplaceAll(comment, "\u2028", " "),
			"RFC 4716": block(public, "Comment: "+strings.ReplaceAll(comment, "\u2028", " "))} {
			p, err := one(data)
			if err != nil || p.Comment == "" || len(p.Comment) > 200 || valid.Printable(p.Comment) != p.Comment ||
				!utf8.ValidString(p.Comment) {
				t.Errorf("the comment %.20q in %s: %q, %v", comment, how, p.Comment, err)
			}
		}
	}
	// Regression: was refused as "not a text file".
	if p, err := one(bare + " Ren\xe9@b\xfcro"); err != nil || p.Line != bare || p.Comment != "Ren\u00e9@b\u00fcro" {
		t.Errorf("a comment of an old program: %+v, %v", p, err)
	}
	for comment, want := range map[string]string{
		"me@example.com": "", "Jane Doe, office": "", "me, \u201cthe boss\u201d": `me, "the boss"`,
		"Paula <p@example.com>":      "", // was read as a <p> tag, and lost
		"<code-review@example.com>":  "",
		"1 < 2 && 3 > 2 &amp; so on": "",
	} {
		if want == "" {
			want = comment
		}
		if p, err := one(bare + " " + comment); err != nil || p.Comment != want {
			t.Errorf("the comment %q: %q, %v", comment, p.Comment, err)
		}
	}
}

// block formats a key line as an RFC 4716 file.
func block(public string, headers ...string) string {
	_, text, _ := strings.Cut(public, " ")
	text, _, _ = strings.Cut(strings.TrimSpace(text), " ")
	var b strings.Builder
	b.WriteString("---- BEGIN SSH2 PUBLIC KEY ----\n")
	for _, h := range headers {
		b.WriteString(h + "\n")
	}
	return b.String() + folded(text, 70) + "---- END SSH2 PUBLIC KEY ----\n"
}

func TestRFC4716(t *testing.T) {
	_, public := pair(t)
	bare := strings.TrimSpace(public)
	for how, f := range map[string]struct{ data, comment string }{
		"no header":        {block(public), ""},
		"a quoted comment": {block(public, `Comment: "my key"`), "my key"},
		"a plain comment":  {block(public, "Comment: my key"), "my key"},
		"a continued header": {block(public, `Comment: "a long com\`, `ment over \`, `lines"`),
			"a long comment over lines"},
		"a private header":                   {block(public, "x-thing: one \\", "two: three", "COMMENT: c"), "c"},
		"a header with a colon that goes on": {block(public, "Subject: me", "Comment: a: b"), "a: b"},
	} {
		for ending, data := range map[string]string{"LF": f.data, "CRLF": strings.ReplaceAll(f.data, "\n", "\r\n"),
			"CR": strings.ReplaceAll(f.data, "\n", "\r"), "BOM": "\xef\xbb\xbf" + f.data,
			"blank lines":               "\n\n" + f.data + "\n\n",
			"no newline at the end":     strings.TrimSpace(f.data),
			"a word processor's dashes": strings.ReplaceAll(f.data, "----", "\u2014\u2014"),
			"two times the same":        f.data + "\n" + f.data} {
			if p, err := one(data); err != nil || p.Line != bare || p.Comment != f.comment {
				t.Errorf("%s, %s: %+v, %v", how, ending, p, err)
			}
		}
	}
	whole := block(public)
	for how, data := range map[string]string{
		"no last line": strings.Split(whole, "---- END")[0], "a line after it": whole + public,
		"damaged base64": strings.Replace(whole, "A", "!", 1), "a line before it": public + whole,
		"no body":                        "---- BEGIN SSH2 PUBLIC KEY ----\n---- END SSH2 PUBLIC KEY ----",
		"a header without end":           block("x "+strings.Repeat("A", 40), `Comment: \`),
		"a second one without last line": whole + strings.Split(whole, "---- END")[0], "cut short": block(bare[:60]),
	} {
		if p, err := keys.Read([]byte(data)); !fault.Is(err, fault.Invalid) || len(p) != 0 {
			t.Errorf("%s: %+v, %v", how, p, err)
		}
	}
}

func TestSeveralKeys(t *testing.T) {
	var lines, blocks, all, want []string
	for i := range 25 {
		_, public := pair(t)
		lines, blocks = append(lines, strings.TrimSpace(public)+fmt.Sprintf(" key %d\n", i)),
			append(blocks, block(public, fmt.Sprintf("Comment: key %d", i)))
		want = append(want, strings.TrimSpace(public))
	}
	all = append(append(append(all, lines[:20]...), lines[:20]...), lines[10:20]...) // 50 lines, 20 keys
	for how, f := range map[string]struct {
		data string
		n    int
	}{
		"two lines":             {lines[0] + lines[1], 2},
		"twenty lines":          {strings.Join(lines[:20], ""), 20},
		"with comments between": {"# all of them\n\n" + strings.Join(lines[:3], "\n# next\n\n"), 3},
		"twenty blocks":         {strings.Join(blocks[:20], "\n"), 20},
		"folded lines":          {folded(strings.Join(lines[:5], ""), 76), 5},
		"in a web page": {"<ul><li><code>" + strings.Join(lines[:4], "</code></li><li><code>") +
			"</code></li></ul>", 4},
		"many lines, few keys":    {strings.Join(all, ""), 20},
		"keys behind the repeats": {strings.Repeat(lines[0], 60) + lines[1] + lines[2], 3},
	} {
		found, err := keys.Read([]byte(f.data))
		if err != nil || len(found) != f.n {
			t.Errorf("%s: %d keys, %v", how, len(found), err)
			continue
		}
		for i, p := range found {
			if p.Line != want[i] || p.Comment != fmt.Sprintf("key %d", i) {
				t.Errorf("%s: key %d is %+v", how, i, p)
			}
		}
	}
	for how, data := range map[string]string{"lines": strings.Join(lines, ""), "blocks": strings.Join(blocks, "")} {
		found, err := keys.Read([]byte(data))
		if !fault.Is(err, fault.Invalid) || len(found) != 0 || !strings.Contains(fault.PublicText(err), "25") {
			t.Errorf("25 %s: %d keys, %v", how, len(found), err)
		}
	}
	// Lines are counted as in the sender's editor, including blank lines.
	_, err := keys.Read([]byte("\n\n" + lines[0] + "\n# next\nnonsense here\n" + lines[1]))
	if !strings.Contains(fault.PublicText(err), "Line 6 ") {
		t.Errorf("nonsense in line 6: %v", err)
	}
}

// Input that is far too large is refused before it is searched for keys.
func TestTenMegabytesAreRefusedFast(t *testing.T) {
	_, public := pair(t)
	const size = 10 << 20
	for how, data := range map[string]string{
		"letters": strings.Repeat("A", size), "a key and blanks": public + strings.Repeat(" ", size),
		"keys":  strings.Repeat(public, size/len(public)),
		"bytes": strings.Repeat("\xff\xfe\x00", size/3), "tags": strings.Repeat("<p>", size/3),
		"DER":               "\x30\x84\x00\xa0\x00\x00\x02\x84\x00\x9f\x00\x00" + strings.Repeat("\x7f", size),
		"marks, nearly":     strings.Repeat("PRIVATE KEY-xxxx", size/16),
		"base64 of letters": base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x30\x01", size/2))),
	} {
		began := time.Now()
		_, err := keys.Read([]byte(data))
		if took := time.Since(began); !strings.Contains(fault.PublicText(err), "too large") || took > 5*time.Second {
			t.Errorf("%s: %v, in %v", how, err, took)
		}
		if found := keys.Examine([]byte(data)); len(found) != 0 {
			t.Errorf("%s: %+v", how, found)
		}
	}
}

// Input within the size limit that is made to take long.
func TestWorstInputsTakeNoLongerThanAKey(t *testing.T) {
	number := "\x02\x82\x3e\x80\x7f" + strings.Repeat("\xff", 15999) // an INTEGER of 128000 bits
	der := "\x02\x01\x00" + number + "\x02\x03\x01\x00\x01" + number + number + number
	der = fmt.Sprintf("\x30\x82%c%c%s", len(der)>>8, len(der)&255, der)
	text := base64.StdEncoding.EncodeToString([]byte(der[:48<<10]))
	for how, data := range map[string]string{
		"a key in pieces of one letter": "ssh-rsa A\n" + strings.Repeat("A\n", 32000), "tags": strings.Repeat("<p ", 20000),
		"lines":          strings.Repeat("ssh-rsa A\n", 6000),
		"a huge RSA key": der[:60000], "the same as base64": text,
		"the same as PEM":   "-----BEGIN RSA PRIVATE KEY-----\n" + folded(text, 64) + "-----END RSA PRIVATE KEY-----\n",
		"continued headers": "---- BEGIN SSH2 PUBLIC KEY ----\nComment: " + strings.Repeat("a\\\n", 20000),
		"comments":          strings.Repeat("<!--", 16000), "heads": strings.Repeat("<head>", 10000),
		"beginnings":         strings.Repeat("-----BEGIN PUBLIC KEY-----\n", 2400),
		"private beginnings": strings.Repeat("-----BEGIN PRIVATE KEY-----\n", 2300),
		"PuTTY":              strings.Repeat("PuTTY-User-Key-File-3: \n", 2500),
	} {
		began := time.Now()
		_, err := keys.Read([]byte(data))
		if took := time.Since(began); !fault.Is(err, fault.Invalid) || took > 5*time.Second {
			t.Errorf("%s: read in %v, %v", how, took, err)
		}
		began = time.Now()
		found := keys.Examine([]byte(data))
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: examined in %v", how, took)
		}
		for _, e := range found {
			if e.Proven || e.Key.Fingerprint != "" {
				t.Errorf("%s: %+v", how, e)
			}
		}
	}
}

func TestKeysThatAreNobodysOwnAreRefused(t *testing.T) {
	_, public := pair(t)
	for what, data := range map[string]struct{ line, says string }{
		"a line of known_hosts": {"sftp.example.com " + public, "known_hosts"},
		"one with a port":       {"[sftp.example.com]:3333 " + public, "known_hosts"},
		"one with a hashed name": {"|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= " + public,
			"known_hosts"},
		"one with several names":       {"sftp.example.com,192.0.2.1 " + public, "known_hosts"},
		"an authority of certificates": {"cert-authority " + public, "authority"},
	} {
		if p, err := keys.Read([]byte(data.line)); !fault.Is(err, fault.Invalid) ||
			!strings.Contains(fault.PublicText(err), data.says) {
			t.Errorf("%s: %+v, %v", what, p, err)
		}
	}
}
