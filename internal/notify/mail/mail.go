// Package mail renders letters from templates, which an operator may replace, and sends them to
// an SMTP server. writer.go chooses the template, words.go turns its output into text and HTML,
// failure.go says why a mail could not be sent.
package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/telemetry"
	"github.com/sallyport-sftp/sallyport/model"
)

// Values of Config.TLS.
const (
	TLSStart = "starttls" // STARTTLS is required; the default, on port 587 or 25
	TLSWhole = "tls"      // TLS from the first byte; port 465
	TLSNone  = "none"     // no TLS, for a server on this machine
)

// Config configures the mailer.
type Config struct {
	Host, User, Password string
	Port                 int
	TLS                  string
	CA                   string // file with additional trusted certificates
	From, ReplyTo        string
	Bounces              string         // address for delivery reports, used with a tag of each mail; "": From
	Writer               func() *Writer // has the logo that letters show; nil: none does
}

const timeout = 30 * time.Second

// Mailer sends mails. It is safe for concurrent use.
type Mailer struct {
	cfg  Config
	pool *x509.CertPool
}

// New makes a mailer.
func New(c Config) (*Mailer, error) {
	m := &Mailer{cfg: c}
	return m, m.loadCA()
}

func (m *Mailer) loadCA() error {
	if m.cfg.CA == "" {
		return nil
	}
	const op = "mail.New"
	pem, err := os.ReadFile(m.cfg.CA)
	if err != nil {
		return fault.E(op, fault.Invalid, "mail.ca: %v.", fault.InWords(err))
	}
	if m.pool, err = x509.SystemCertPool(); err != nil {
		m.pool = x509.NewCertPool()
	}
	if !m.pool.AppendCertsFromPEM(pem) {
		return fault.E(op, fault.Invalid, "mail.ca: %s has no certificate.", m.cfg.CA)
	}
	return nil
}

// Send sends one mail to the mail server. A permanent refusal is Denied; other failures are
// Unavailable.
func (m *Mailer) Send(ctx context.Context, msg model.Message) (err error) {
	const op = "mail.Send"
	ctx, end := telemetry.Call(ctx, "send mail", telemetry.Kind.String(msg.Kind), telemetry.Message.String(msg.ID))
	defer func() { end(err) }()
	out := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := errors.Join(m.setFrom(out), out.To(msg.Target)); err != nil {
		return fault.E(op, fault.Denied, "The address cannot be written to: %v.", err)
	}
	if m.cfg.ReplyTo != "" {
		if err := out.ReplyTo(m.cfg.ReplyTo); err != nil {
			return fault.E(op, fault.Invalid, "mail.reply_to: %v.", err)
		}
	}
	if local, domain, ok := strings.Cut(m.cfg.Bounces, "@"); ok {
		if err := out.EnvelopeFrom(local + "+" + strings.ToLower(msg.ID) + "@" + domain); err != nil {
			return fault.E(op, fault.Invalid, "mail.bounces: %v.", err)
		}
	}
	out.Subject(msg.Subject)
	out.SetMessageIDWithValue(strings.ToLower(msg.ID) + "@" + m.domain())
	out.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: prevents automatic replies
	out.SetDate()
	out.SetBodyString(gomail.TypeTextPlain, msg.Body)
	if msg.HTML != "" {
		out.AddAlternativeString(gomail.TypeTextHTML, msg.HTML)
	}
	for _, f := range msg.Files {
		out.AttachReadSeeker(f.Name, bytes.NewReader(f.Content), gomail.WithFileContentType(gomail.ContentType(f.Type)))
	}
	m.embedLogo(out, msg.HTML)
	c, err := m.client()
	if err != nil {
		return fault.E(op, fault.Invalid, "mail: %v.", err)
	}
	return m.failure(c.DialAndSendWithContext(ctx, out), msg.Target)
}

// setFrom sets the sender: mail.from, with the operator's name if it has one.
func (m *Mailer) setFrom(out *gomail.Msg) error {
	if m.cfg.Writer == nil || strings.Contains(m.cfg.From, "<") {
		return out.From(m.cfg.From)
	}
	name := m.cfg.Writer().cfg.Operator
	if name == "" {
		return out.From(m.cfg.From)
	}
	return out.FromFormat(name, m.cfg.From)
}

// embedLogo adds the logo to a mail whose HTML shows it.
func (m *Mailer) embedLogo(out *gomail.Msg, html string) {
	if m.cfg.Writer == nil {
		return
	}
	l := m.cfg.Writer().logo
	if at := string(l.cid()); at != "" && strings.Contains(html, at) {
		out.EmbedReadSeeker(l.name, bytes.NewReader(l.content), gomail.WithFileContentType(gomail.ContentType(l.kind)))
	}
}

func (m *Mailer) domain() string {
	_, domain, ok := strings.Cut(strings.TrimSuffix(m.cfg.From, ">"), "@")
	if !ok {
		return "localhost"
	}
	return domain
}

// Check connects to the mail server, authenticates, and sends nothing.
func (m *Mailer) Check(ctx context.Context) error {
	c, err := m.client()
	if err != nil {
		return err
	}
	if err := c.DialWithContext(ctx); err != nil {
		return err
	}
	return c.Close()
}

func (m *Mailer) client() (*gomail.Client, error) {
	options := []gomail.Option{gomail.WithTimeout(timeout), gomail.WithPort(m.cfg.Port),
		gomail.WithTLSConfig(&tls.Config{ServerName: m.cfg.Host, RootCAs: m.pool, MinVersion: tls.VersionTLS12})}
	switch m.cfg.TLS {
	case TLSWhole:
		options = append(options, gomail.WithSSL())
	case TLSNone:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if m.cfg.User != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(m.cfg.User),
			gomail.WithPassword(m.cfg.Password))
	}
	return gomail.NewClient(m.cfg.Host, options...)
}
