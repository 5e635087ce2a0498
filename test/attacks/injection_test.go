package attacks

import (
	"encoding/csv"
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// assertPrintableAll looks at every text within a JSON answer.
func assertPrintableAll(t *testing.T, what string, v any) {
	t.Helper()
	switch v := v.(type) {
	case string:
		assertPrintable(t, what, v)
	case []any:
		for _, e := range v {
			assertPrintableAll(t, what, e)
		}
	case map[string]any:
		for name, e := range v {
			assertPrintableAll(t, what+"."+name, name)
			assertPrintableAll(t, what+"."+name, e)
		}
	}
}

// assertPrintableLines looks at what a command printed.
func assertPrintableLines(t *testing.T, n *testkit.Node, args ...string) string {
	t.Helper()
	out, errs, _ := sallyport(n, args...)
	for line := range strings.Lines(out + errs) {
		assertPrintable(t, strings.Join(args, " "), strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", " "))
	}
	return out
}

// What people type for people, contacts, reasons and flags ends up on the
// screens of others: what could play tricks there is refused, or escaped.
func TestControlCharactersInRecords(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	ann := testkit.Call[model.Contact](n, "POST", "/contacts",
		map[string]string{"account": "alice", "name": "Ann", "email": "ann@a.example"})
	fp := ssh.FingerprintSHA256(key.PublicKey())
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(testkit.NewKey(t).PublicKey())))
	for i, evil := range []string{forgery, "x\r\ntime=2020 level=INFO msg=forged", "\u202Etxt.exe", "a\u2028b", "\x9b31m",
		"\x00"} {
		for _, c := range []struct {
			method, path string
			body         map[string]any
		}{
			{"POST", "/accounts", map[string]any{"id": fmt.Sprint("a", i), "name": evil}},
			{"POST", "/accounts", map[string]any{"id": fmt.Sprint("b", i), "name": "x", "region": evil}},
			{"PATCH", "/accounts/alice", map[string]any{"region": evil}},
			{"PATCH", "/accounts/alice", map[string]any{"allow_ips": []string{evil}}},
			{"POST", "/vendors", map[string]any{"short": fmt.Sprint("v", i), "name": evil}},
			{"POST", "/contacts", map[string]any{"account": "alice", "name": evil, "email": "e@a.example"}},
			{"POST", "/contacts", map[string]any{"account": "alice", "name": "x", "email": "e@a.example" + evil}},
			{"POST", "/contacts", map[string]any{"account": "alice", "name": "x", "email": fmt.Sprintf("%q@a.example", evil)}},
			{"POST", "/contacts", map[string]any{"account": "alice", "name": "x", "email": "f@a.example", "phone": evil}},
			{"POST", "/contacts", map[string]any{"account": "alice", "name": "x", "email": "g@a.example",
				"roles": []string{evil}}},
			{"POST", "/contacts", map[string]any{"account": evil, "name": "x", "email": "h@a.example"}},
			{"PATCH", "/contacts/" + ann.ID, map[string]any{"verified": evil}},
			{"PATCH", "/contacts/" + ann.ID, map[string]any{"email": evil}},
			{"POST", "/users/alice/keys", map[string]any{"text": line, "holder": evil}},
			{"POST", "/users/alice/keys", map[string]any{"text": line, "confirmed_by": evil}},
			{"POST", "/users/alice/keys", map[string]any{"text": line, "replaces": evil}},
			{"POST", "/users/alice/keys", map[string]any{"text": evil}},
			{"PATCH", "/users/alice/keys", map[string]any{"fingerprint": fp, "flag": evil}},
			{"PATCH", "/users/alice/keys", map[string]any{"fingerprint": fp, "holder": evil}},
			{"POST", "/keys/freeze", map[string]any{"fingerprint": fp, "by": evil}},
			{"POST", "/keys/freeze", map[string]any{"fingerprint": evil, "by": ann.ID}},
			{"POST", "/keys/revoke", map[string]any{"fingerprint": fp, "reason": evil}},
			{"POST", "/keys/revoke", map[string]any{"fingerprint": "SHA256:" + evil, "reason": "x", "burn": true}},
			{"POST", "/keys/exposed", map[string]any{"user": evil,
				"files": []any{map[string]any{"format": evil, "proven": false}}}},
			{"POST", "/users/alice/keys/approve", map[string]any{"fingerprint": evil}},
		} {
			v, err := attempt[any](n, c.method, c.path, c.body)
			if fault.Is(err, fault.Internal) {
				t.Errorf("%s %s %q: %v", c.method, c.path, c.body, err)
			}
			what := fmt.Sprintf("%s %s %q", c.method, c.path, c.body)
			assertPrintableAll(t, what, v)
			if err != nil {
				assertPrintable(t, what, fault.PublicText(err)+fault.HintIn(err))
			}
		}
	}
	for _, path := range []string{"/accounts", "/vendors", "/contacts", "/users/alice/keys", "/keys/burned", "/notices",
		"/links"} {
		assertPrintableAll(t, path, testkit.Call[any](n, "GET", path, nil))
	}
	for _, args := range [][]string{{"account", "list"}, {"contact", "list"}, {"key", "list", "alice"}, {"key", "burned"},
		{"notice", "list"}, {"guide", "alice"}} {
		assertPrintableLines(t, n, args...)
	}
	assertCleanLog(t, n)
}

// A key's comment is whatever its sender wrote.
func TestKeyComments(t *testing.T) {
	n := start(t)
	n.User("alice")
	for _, comment := range []string{"x\x1b[2J\u202E", "=cmd|' /C calc'!A0", "<script>alert(1)</script>",
		strings.Repeat("x", 10_000), "\xff\xfe", "a\u2028b"} {
		line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(testkit.NewKey(t).PublicKey())))
		v, err := attempt[any](n, "POST", "/users/alice/keys", map[string]string{"text": line + " " + comment})
		if err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Busy) {
			t.Errorf("%.40q: %v", comment, err)
		}
		assertPrintableAll(t, "the enrolled key", v)
	}
	assertPrintableLines(t, n, "key", "list", "alice")
	assertCleanLog(t, n)
}

// Whatever a stranger calls itself, its name, its command and its paths come
// to the operator's screen as one line of printable text.
func TestExplainPrintsStrangersTextEscaped(t *testing.T) {
	n := start(t, guarded, func(c *config.Config) { c.Access.BanAfter = 0 })
	key := n.User("alice")
	evil := strings.ReplaceAll(forgery, "\x00", "")
	for _, user := range []string{forgery, "alice\ntime=2020 level=INFO msg=forged", "\xff\xfe",
		"<script>alert(1)</script>", "=cmd()", "alice"} {
		c := overConn(dialAs(t, n, "203.0.113.9"))
		if err := c.hello("SSH-2.0-" + evil + "\xff\x9b"); err != nil {
			t.Fatal(err)
		}
		if err := c.exchange(); err != nil {
			t.Fatal(err)
		}
		_ = c.send(byte(msgServiceRequest), "ssh-userauth")
		if got, err := c.query(user, testkit.NewKey(t).PublicKey()); got != msgAuthFailure {
			t.Fatalf("%q: %d, %v", user, got, err)
		}
		_ = c.conn.Close()
	}
	for _, first := range []string{evil + "\r\n\r\n", "GET /" + forgery + " HTTP/1.1\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n"} {
		conn := dialAs(t, n, "203.0.113.9")
		entered(t, conn)
		_, _ = io.WriteString(conn, first)
		ends(t, conn, 5*time.Second)
	}
	cl := n.SSH("alice", key)
	ch := channel(t, cl)
	_, _ = ch.SendRequest("exec", true, pack(forgery))
	_ = cl.Close()
	s := sftpOf(t, n, "alice", key)
	s.refused("a file in /download", s.call(3, "/download/"+evil, flagWrite|flagCreate, uint32(0)))
	_ = s.client.Close()
	testkit.Eventually(t, "nine strangers and two sessions are on record", func() bool {
		return len(outcomes(n, "203.0.113.9")) == 9 && len(outcomes(n, "127.0.0.1")) == 2 &&
			!contains(outcomes(n, "127.0.0.1"), model.ReasonOK)
	})
	for _, about := range []string{"203.0.113.9", "127.0.0.1", "alice", forgery, "\xff\xfe", "nobody\x1b[2J"} {
		assertPrintableLines(t, n, "explain", about)
	}
	assertPrintableLines(t, n, "--json", "explain", "203.0.113.9")
	assertPrintableAll(t, "explain", testkit.Call[any](n, "GET", "/explain?about=203.0.113.9", nil))
	assertCleanLog(t, n)
}

func contains(list []string, word string) bool {
	return strings.Contains("\n"+strings.Join(list, "\n")+"\n", "\n"+word+"\n")
}

// The key activity report is opened in spreadsheets.
func TestFormulasInTheActivityReport(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	s := sftpOf(t, n, "alice", key)
	for _, name := range []string{"=cmd|' C calc'!A0", "+1", "@SUM(1)", "-1", "\t=1", "\r=1", "a\"b,c\nd"} {
		s.put("/upload/"+name, []byte("x"))
		s.want("RENAME", s.call(18, "/upload/"+name, "/upload/2"+name), statusOK)
		s.want("MKDIR", s.call(14, name, uint32(0)), 3) // relative to "/", which is not hers to change
	}
	_ = s.client.Close()
	out, errs, code := sallyport(n, "key", "activity", ssh.FingerprintSHA256(key.PublicKey()), "--format", "csv")
	if code != 0 {
		t.Fatal(errs)
	}
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) < 15 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			assertPrintable(t, "a cell", cell)
			if cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
				t.Errorf("the cell %q is a formula", cell)
			}
		}
	}
}

// Names of companies come into pages, mails and files that programs import.
func TestMarkupInNames(t *testing.T) {
	n := start(t, func(c *config.Config) { c.Endpoint.Host = "files.example.com" })
	name := `<script>alert(1)</script> & "Sons" 'Ltd' ]]> %h ; $(id)`
	testkit.Call[model.Account](n, "POST", "/accounts", map[string]string{"id": "acme", "name": name})
	testkit.Call[model.User](n, "POST", "/users", map[string]string{"account": "acme"})
	n.Enrol("acme", testkit.NewKey(t))
	html, errs, code := sallyport(n, "guide", "acme", "--format", "html")
	if code != 0 || strings.Contains(html, "<script>alert(1)") || !strings.Contains(html, "&lt;script&gt;alert(1)") {
		t.Errorf("the guide: %d %s; it has the name as it is: %v", code, errs, strings.Contains(html, "<script>alert(1)"))
	}
	for _, program := range []string{"filezilla", "winscp", "openssh", "rclone"} {
		for _, f := range testkit.List[site](n, "/users/acme/sites?for="+program) {
			text := f.Content
			if text == "" {
				t.Fatalf("the file for %s is empty: %+v", program, f)
			}
			if program == "filezilla" {
				assertWellFormed(t, text)
			}
			if strings.Contains(text, "<script>") && program != "openssh" && program != "rclone" {
				t.Errorf("the file for %s has the name as it is:\n%s", program, text)
			}
		}
	}
}

func TestFolderNamesDoNotBecomeSettings(t *testing.T) {
	n := start(t)
	n.User("acme")
	evil := url.QueryEscape("/home/x\n  ProxyCommand touch /tmp/owned\n#\x1b[2J")
	for _, program := range []string{"filezilla", "winscp", "openssh", "rclone"} {
		list, err := attempt[[]site](n, "GET", "/users/acme/sites?for="+program+"&key_dir="+evil, nil)
		if fault.Is(err, fault.Internal) {
			t.Error(err)
		}
		for _, f := range list {
			for line := range strings.Lines(f.Content) {
				if strings.HasPrefix(strings.TrimSpace(line), "ProxyCommand") {
					t.Errorf("the file for %s:\n%s", program, f.Content)
				}
			}
		}
	}
}

// site is a file that a program imports.
type site struct{ Name, Content string }

func assertWellFormed(t *testing.T, text string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "script" {
			t.Errorf("a name became an element:\n%s", text)
		}
	}
}
