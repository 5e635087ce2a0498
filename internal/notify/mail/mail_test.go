package mail_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
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
	tls  bool  // the last mail came over TLS
	err  error // of each receiver
	from error // of each sender
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
func (s *session) Mail(string, *smtp.MailOptions) error { return s.server.from }
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
	words := writer(t)
	c := mail.Config{Host: "127.0.0.1", Port: s.port, TLS: mail.TLSStart, CA: s.ca, From: "Files <files@example.com>",
		ReplyTo: "help@example.com", Writer: func() *mail.Writer { return words }}
	for _, f := range change {
		f(&c)
	}
	m, err := mail.New(c)
	testkit.Must(t, err)
	return m
}

// writer makes a writer of the built-in templates. change may set more.
func writer(t *testing.T, change ...func(*mail.WriterConfig)) *mail.Writer {
	t.Helper()
	c := mail.WriterConfig{Operator: "Files"}
	for _, f := range change {
		f(&c)
	}
	w, err := mail.NewWriter(c)
	testkit.Must(t, err)
	return w
}

const hostile = "<script>alert(\"x\")</script>&|`[a](https://evil.example)\n\n# .csv"

var letter = notify.Letter{Kind: "fresh", To: "a@example.com", ID: "01X", Account: "acme", User: "acme",
	Facts: notify.FilesFacts{Files: []notify.FileFacts{{Name: "INV-1.pdf", Feed: "invoices", Size: 48_213_004,
		At: time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)}}, Total: 4, More: 3}, Help: "help@example.com"}

// TestAMailGoesOverTLSWithTextAndHTML: the server's certificate is from the operator's CA.
func TestAMailGoesOverTLSWithTextAndHTML(t *testing.T) {
	s := newServer(t)
	m := s.mailer(t)
	l, err := writer(t).Write(letter)
	testkit.Must(t, err)
	testkit.Must(t, m.Send(context.Background(), model.Message{ID: "01X", Target: "a@example.com", Subject: l.Subject,
		Body: l.Text, HTML: l.HTML, Files: []model.MessageFile{{Name: "acme.guide.html", Type: "text/html",
			Content: []byte("<p>the guide</p>")}}}))
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
	parts := map[string]string{}
	readParts(t, got.Header.Get("Content-Type"), got.Body, parts)
	if !strings.Contains(parts["text/plain"], "4 files came") || !strings.Contains(parts["text/plain"], "INV-1.pdf") ||
		!strings.Contains(parts["text/html"], "4 files came") || parts["acme.guide.html"] != "<p>the guide</p>" {
		t.Errorf("its parts are %q", parts)
	}
}

// readParts reads the parts of a mail, by media type, or by name if they are attached.
func readParts(t *testing.T, kind string, body io.Reader, parts map[string]string) {
	t.Helper()
	_, params, err := mime.ParseMediaType(kind)
	testkit.Must(t, err)
	for r := multipart.NewReader(body, params["boundary"]); ; {
		part, err := r.NextRawPart()
		if err != nil {
			return
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if strings.HasPrefix(kind, "multipart/") {
			readParts(t, part.Header.Get("Content-Type"), part, parts)
			continue
		}
		var in io.Reader = quotedprintable.NewReader(part)
		if part.Header.Get("Content-Transfer-Encoding") == "base64" {
			in = base64.NewDecoder(base64.StdEncoding, part)
		}
		text, err := io.ReadAll(in)
		testkit.Must(t, err)
		if part.FileName() != "" {
			kind = part.FileName()
		}
		parts[kind] = strings.ReplaceAll(string(text), "\r\n", "\n")
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
}

// TestAMailServerThatCannotBeUsedIsExplained: the operator reads what is wrong and what to set, and no
// words of the library.
func TestAMailServerThatCannotBeUsedIsExplained(t *testing.T) {
	s := newServer(t)
	for _, c := range []struct {
		change     func(*mail.Config)
		says, hint string
	}{
		{func(c *mail.Config) { c.CA = "" }, "has a certificate that this machine does not trust", "mail.ca"},
		{func(c *mail.Config) { c.Port = 1 }, "port 1, refused the connection", "mail.port"},
		{func(c *mail.Config) { c.TLS = mail.TLSWhole }, "does not speak TLS from the first byte", "starttls"},
		{func(c *mail.Config) { c.Host = "localhost" }, "has a certificate for another name", "mail.host"},
		{func(c *mail.Config) { c.Host = "nobody.invalid" }, "was not found", "name servers"},
		{func(c *mail.Config) { c.User, c.Password = "jo", "x" }, "offers no log-in", "mail.user"},
	} {
		err := s.mailer(t, c.change).Send(context.Background(),
			model.Message{ID: "1", Target: "a@example.com", Subject: "x", Body: "x"})
		text := fault.PublicText(err)
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(text, c.says) ||
			!strings.Contains(fault.HintIn(err), c.hint) || strings.Contains(text, "dial tcp") || len(s.got) > 0 {
			t.Errorf("%q, hint %q; want %q, %q", text, fault.HintIn(err), c.says, c.hint)
		}
	}
}

// TestARefusedSenderIsNotTheReceiversFault: nobody's address bounced, and the hint is about ours.
func TestARefusedSenderIsNotTheReceiversFault(t *testing.T) {
	s := newServer(t)
	s.from = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "not your address"}
	err := s.mailer(t).Send(context.Background(), model.Message{ID: "1", Target: "a@example.com", Subject: "x", Body: "x"})
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.PublicText(err), "takes no mail from") ||
		!strings.Contains(fault.HintIn(err), "mail.from") {
		t.Errorf("%v, hint %q", err, fault.HintIn(err))
	}
}

// TestTheSenderHasTheOperatorsName: unless mail.from has a name of its own.
func TestTheSenderHasTheOperatorsName(t *testing.T) {
	s := newServer(t)
	for from, want := range map[string]string{"files@example.com": `"Süd, Exchange" <files@example.com>`,
		"Desk <files@example.com>": `"Desk" <files@example.com>`} {
		w := writer(t, func(c *mail.WriterConfig) { c.Operator = "Süd, Exchange" })
		m := s.mailer(t, func(c *mail.Config) { c.From, c.Writer = from, func() *mail.Writer { return w } })
		testkit.Must(t, m.Send(context.Background(),
			model.Message{ID: "1", Target: "a@example.com", Subject: "x", Body: "x"}))
		got, err := netmail.ReadMessage(strings.NewReader(s.got[len(s.got)-1]))
		testkit.Must(t, err)
		list, err := got.Header.AddressList("From")
		wanted, _ := netmail.ParseAddressList(want)
		if err != nil || len(list) != 1 || *list[0] != *wanted[0] {
			t.Errorf("%q: from %v, want %s (%v)", from, list, want, err)
		}
	}
}

// TestALogoIsPartOfTheMail: mail programs show it without asking a server.
func TestALogoIsPartOfTheMail(t *testing.T) {
	s := newServer(t)
	file := filepath.Join(t.TempDir(), "logo.png")
	testkit.Must(t, os.WriteFile(file, []byte("\x89PNG\r\n\x1a\n"), 0o600))
	w := writer(t, func(c *mail.WriterConfig) { c.Logo = file })
	l, err := w.Write(letter)
	testkit.Must(t, err)
	m := s.mailer(t, func(c *mail.Config) { c.Writer = func() *mail.Writer { return w } })
	testkit.Must(t, m.Send(context.Background(),
		model.Message{ID: "1", Target: "a@example.com", Subject: "x", Body: l.Text, HTML: l.HTML}))
	if !strings.Contains(l.HTML, `src="cid:logo.png"`) || !strings.Contains(s.got[0], "Content-ID: <logo.png>") &&
		!strings.Contains(s.got[0], "Content-Id: <logo.png>") {
		t.Errorf("%s", s.got[0])
	}
	if !strings.Contains(w.Preview(l.HTML), `src="data:image/png;base64,`) {
		t.Error("a browser would not show it")
	}
}
