package mail_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mime"

	"github.com/emersion/go-smtp"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/notify"
	"github.com/sallyport-sftp/sallyport/internal/notify/mail"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// server is a mail server with TLS of its own CA. It keeps the mails that it gets.
type server struct {
	port int
	ca   string // file
	mu   sync.Mutex
	got  []string
	tls  bool // the last mail came over TLS
	err  error
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{ca: filepath.Join(t.TempDir(), "ca.pem")}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	testkit.Must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	testkit.Must(t, err)
	testkit.Must(t, os.WriteFile(s.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	testkit.Must(t, err)
	s.port = l.Addr().(*net.TCPAddr).Port
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{s, c}, nil }))
	srv.Domain, srv.ErrorLog = "localhost", slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return s
}

type session struct {
	server *server
	conn   *smtp.Conn
}

func (*session) Reset()                                 {}
func (*session) Logout() error                          { return nil }
func (*session) Mail(string, *smtp.MailOptions) error   { return nil }
func (s *session) Rcpt(string, *smtp.RcptOptions) error { return s.server.err }
func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	_, s.server.tls = s.conn.TLSConnectionState()
	s.server.got = append(s.server.got, string(b))
	return err
}

func (s *server) mailer(t *testing.T, change ...func(*mail.Config)) *mail.Mailer {
	t.Helper()
	c := mail.Config{Host: "127.0.0.1", Port: s.port, TLS: mail.TLSStart, CA: s.ca, From: "Files <files@example.com>",
		ReplyTo: "help@example.com", Name: "Files"}
	for _, f := range change {
		f(&c)
	}
	m, err := mail.New(c)
	testkit.Must(t, err)
	return m
}

const hostile = `<script>alert("x")</script>&.csv`

var letter = notify.Letter{Kind: "expiring", To: "a@example.com", ID: "01X", Account: "acme", User: "acme",
	Text: "First " + hostile + "\n\nSecond.", Head: []string{"File"}, Rows: [][]string{{hostile}}, More: 3,
	Help: "help@example.com", Attached: "— signed " + hostile}

// TestAMailGoesOverTLSWithTextAndHTML: the server's certificate is from the operator's CA.
func TestAMailGoesOverTLSWithTextAndHTML(t *testing.T) {
	s := newServer(t)
	m := s.mailer(t)
	subject, text, html, err := m.Render(letter)
	testkit.Must(t, err)
	testkit.Must(t, m.Send(context.Background(),
		model.Message{ID: "01X", Target: "a@example.com", Subject: subject, Body: text, HTML: html}))
	if len(s.got) != 1 || !s.tls {
		t.Fatalf("%d mails came, over TLS: %v", len(s.got), s.tls)
	}
	got, err := netmail.ReadMessage(strings.NewReader(s.got[0]))
	testkit.Must(t, err)
	for name, want := range map[string]string{"To": "<a@example.com>", "Reply-To": "<help@example.com>",
		"Auto-Submitted": "auto-generated", "Message-Id": "<01x@example.com>"} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), want)
		}
	}
	_, params, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
	testkit.Must(t, err)
	parts := map[string]string{}
	for r := multipart.NewReader(got.Body, params["boundary"]); ; {
		part, err := r.NextRawPart()
		if err != nil {
			break
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		testkit.Must(t, err)
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		parts[kind] = strings.ReplaceAll(string(body), "\r\n", "\n")
	}
	if !strings.Contains(parts["text/plain"], "Second.") || !strings.Contains(parts["text/plain"], hostile) ||
		!strings.Contains(parts["text/html"], "Second.</p>") {
		t.Errorf("its parts are %q", parts)
	}
}

// TestNoNameBecomesMarkup: names are escaped in every kind of letter and every field.
func TestNoNameBecomesMarkup(t *testing.T) {
	m := newServer(t).mailer(t)
	for _, kind := range mail.Kinds() {
		l := letter
		l.Kind, l.Account, l.User, l.Help, l.Head = kind, hostile, hostile, hostile, []string{hostile}
		subject, text, html, err := m.Render(l)
		testkit.Must(t, err)
		if strings.Contains(html, "<script") || strings.Contains(html, `alert("x")`) ||
			!strings.Contains(html, "&lt;script&gt;") {
			t.Errorf("%s: %s", kind, html)
		}
		if strings.ContainsAny(subject, "\r\n") || text == "" {
			t.Errorf("%s: subject %q, text %q", kind, subject, text)
		}
	}
}

// TestAnOwnTemplateReplacesTheBuiltIn: an own template is used. One that cannot be used is
// refused at the start, with its line.
func TestAnOwnTemplateReplacesTheBuiltIn(t *testing.T) {
	s := newServer(t)
	for _, c := range []struct{ name, text, fault string }{
		{"test.txt", "Subject: Ours\n\nHello {{.To}}\n", ""},
		{"test.html", "<b>{{.To}}</b>", ""},
		{"test.txt", "Subject: x\n\n{{.Text}\n", "test.txt:3"},
		{"test.txt", "Subject: x\n\n{{.Nothing}}\n", "test.txt:3"},
		{"key.html", "<p>\n{{range .Rows}}", "key.html:2"},
		{"test.txt", "Hello\n", "does not begin with a line"},
		{"nothing.txt", "Subject: x\n", "there is no template"},
	} {
		dir := t.TempDir()
		testkit.Must(t, os.WriteFile(filepath.Join(dir, c.name), []byte(c.text), 0o600))
		m, err := mail.New(mail.Config{Host: "127.0.0.1", Port: s.port, From: "files@example.com", Templates: dir})
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s %q: %v", c.name, c.text, err)
			}
			continue
		}
		testkit.Must(t, err)
		subject, text, html, err := m.Render(notify.Letter{Kind: "test", To: "a@example.com"})
		testkit.Must(t, err)
		if c.name == "test.txt" && (subject != "Ours" || text != "Hello a@example.com\n") || c.name == "test.html" &&
			!strings.Contains(html, "<b>a@example.com</b>") {
			t.Errorf("%s: %q %q %q", c.name, subject, text, html)
		}
	}
}

// TestAnOwnTemplateThatFailsLaterStopsNoMail: the built-in template is used if an own one fails
// on a real letter.
func TestAnOwnTemplateThatFailsLaterStopsNoMail(t *testing.T) {
	dir := t.TempDir()
	testkit.Must(t, os.WriteFile(filepath.Join(dir, "key.txt"), []byte("Subject: Ours\n\n{{index .Rows 0}}\n"), 0o600))
	var log testkit.Log
	m, err := mail.New(mail.Config{Host: "127.0.0.1", Port: 25, From: "files@example.com", Templates: dir,
		Log: slog.New(slog.NewTextHandler(&log, nil))})
	testkit.Must(t, err)
	_, text, _, err := m.Render(notify.Letter{Kind: "key", To: "a@example.com", Text: "A key was added."})
	testkit.Must(t, err)
	if !strings.Contains(text, "A key was added.") || !strings.Contains(log.String(), "kind=key") {
		t.Errorf("it says %q, and the log %q", text, log.String())
	}
}

// TestARefusalIsForGoodOrForNow: a permanent refusal is Denied, a temporary one can be retried.
func TestARefusalIsForGoodOrForNow(t *testing.T) {
	s := newServer(t)
	for code, kind := range map[int]fault.Kind{550: fault.Denied, 451: fault.Unavailable} {
		s.err = &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: "no"}
		testkit.WantKind(t, s.mailer(t).Send(context.Background(),
			model.Message{ID: "1", Target: "a@example.com", Subject: "x", Body: "x"}), kind)
	}
	s.err = nil
	for name, change := range map[string]func(
		*mail.Config){"a certificate of a stranger": func(c *mail.Config) { c.CA = "" },
		"nobody there": func(c *mail.Config) { c.Port = 1 },
		"TLS from the first byte, where there is none": func(c *mail.Config) { c.TLS = mail.TLSWhole }} {
		err := s.mailer(t, change).Send(context.Background(),
			model.Message{ID: "1", Target: "a@example.com", Subject: "x", Body: "x"})
		if !fault.Is(err, fault.Unavailable) || len(s.got) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
