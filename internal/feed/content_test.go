package feed_test

import (
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const pdf = "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj"

// utf16 encodes text as old spreadsheets save it: with a byte order mark, low byte first.
func utf16(text string) string {
	var b strings.Builder
	b.WriteString("\xff\xfe")
	for _, c := range []byte(text) {
		b.WriteByte(c)
		b.WriteByte(0)
	}
	return b.String()
}

var contents = []struct {
	what, name, text string
	refusal          string // part of the error text; "" if the file is accepted
	flag             string // part of the flag; "" if it is not flagged
}{
	{"plain csv", "a.csv", "a;b\r\n1;2\n", "", ""},
	{"csv in Latin-1", "a.csv", "name;town\nJos\xe9;M\xfcnchen\n", "", ""},
	{"csv in UTF-8", "a.csv", "José;München\n", "", ""},
	{"csv in UTF-16", "a.csv", utf16("a;b\r\n1;2\r\n"), "", ""},
	{"csv in UTF-16, high byte first", "a.csv", "\xfe\xff\x00a\x00;\x00b", "", ""},
	{"csv in UTF-16 without a mark", "a.csv", utf16("a;b\r\n1;2\r\n")[2:], "", "UTF-16 without"},
	{"csv with the old end of file", "a.csv", "a;b\n\x1a", "", ""},
	{"empty csv", "a.csv", "", "", ""},
	{"csv with NUL", "a.csv", "a;b\n1;\x00\n", "", "control characters"},
	{"csv with NUL far behind", "a.csv", strings.Repeat("a;b\n", 50_000) + "\x00", "", "control characters"},
	{"csv with an escape in a cell", "a.csv", "a;\x1b[31m\n", "", "control characters"},
	{"csv with control characters in many cells", "a.csv", strings.Repeat("first;second;third\x1fpart;last\n", 500), "",
		"control characters"},
	{"no csv at all", "a.csv", strings.Repeat("\x00\x01\x02\x03\x9a\xfe\x07\x11", 50), "no text has", ""},
	{"pdf called csv", "a.csv", pdf, "that of a pdf", ""},
	{"pdf called CSV", "A.CSV", pdf, "that of a pdf", ""},
	{"zip called csv", "a.csv", "PK\x03\x04 without more", "that of a zip", ""},
	{"plain pdf", "a.pdf", pdf, "", ""},
	{"pdf in capitals", "A.PDF", pdf, "", ""},
	{"pdf after a byte order mark", "a.pdf", "\xef\xbb\xbf" + pdf, "", ""},
	{"pdf after a newline", "a.pdf", "\r\n" + pdf, "", ""},
	{"pdf after lines of a printer", "a.pdf", "\x1b%-12345X@PJL ENTER LANGUAGE=PDF\r\n" + pdf, "", ""},
	{"pdf at the last place that readers look at", "a.pdf", strings.Repeat("\n", 1024) + pdf, "", ""},
	{"pdf behind that", "a.pdf", strings.Repeat("\n", 1025) + pdf, "does not begin like one", ""},
	{"csv called pdf", "a.pdf", "a;b\n1;2\n", "does not begin like one", ""},
	{"short csv called pdf", "a.pdf", "%PD", "does not begin like one", ""},
	{"empty pdf", "a.pdf", "", "it is empty", ""},
	{"zip", "a.zip", "PK\x03\x04....", "", ""},
	{"empty zip", "a.zip", "PK\x05\x06\x00\x00", "", ""},
	{"spreadsheet", "a.xlsx", "PK\x03\x04....", "", ""},
	{"spreadsheet with a password", "a.xlsx", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "", ""},
	{"document with a password", "a.docx", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "", ""},
	{"text called gz", "a.gz", "a;b", "does not begin like one", ""},
	{"binary call records", "a.dat", "\x00\x01\x02\x9f\x8f\x07\x03\x05", "", ""},
	{"EDI whose separators are control characters", "a.edi", "ISA\x1d00\x1d\x1c", "", ""},
	{"what nobody knows", "a.cdr", "\x00\x01\x02", "", ""},
	{"no ending", "README", "\x00\x01\x02", "", ""},
}

// acme creates a feed "data" with one subscriber.
func (w *world) acme() model.User {
	u := w.Customer("acme")
	w.feed("data")
	w.subscribe("data", "acme")
	return u
}

func contentIsOfItsType(t *testing.T, w *world) {
	u := w.acme()
	for _, c := range contents {
		p := to("data", "acme", c.name, c.text)
		if c.refusal != "" {
			w.refused(p, fault.Invalid, c.refusal)
			continue
		}
		out, err := w.service.Publish(ctx, "test", p)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if (c.flag == "") != (out.Flag == "") || !strings.Contains(out.Flag, c.flag) {
			t.Errorf("%s: flagged %q, want %q", c.what, out.Flag, c.flag)
		}
		w.wantFile(u, "/download/data/"+c.name, c.text)
	}
}

func contentMayTrickle(t *testing.T, w *world) {
	w.acme()
	p := to("data", "acme", "a.pdf", "")
	p.Body = iotest.OneByteReader(strings.NewReader(pdf))
	_, err := w.service.Publish(ctx, "test", p)
	testkit.Must(t, err)
	p = to("data", "acme", "b.pdf", "")
	p.Body = iotest.OneByteReader(strings.NewReader("a;b\nc;d\n"))
	w.refused(p, fault.Invalid, "does not begin like one")
}

func utf16MayTrickle(t *testing.T, w *world) {
	w.acme()
	p := to("data", "acme", "a.csv", "")
	p.Body = iotest.OneByteReader(strings.NewReader(utf16("a;b\n")))
	_, err := w.service.Publish(ctx, "test", p)
	testkit.Must(t, err)
}
