// Package mail renders letters from templates, which an operator may replace, and sends them to
// an SMTP server.
package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	texttemplate "text/template"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/notify"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

//go:embed templates
var embedded embed.FS

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
	Bounces              string // address for delivery reports, used with a tag of each mail; "": From
	Templates            string // folder of templates that replace built-in ones; "": none
	Name                 string // name of the service in mails
	Log                  *slog.Logger
}

const timeout = 30 * time.Second

// Mailer renders and sends mails. It is safe for concurrent use.
type Mailer struct {
	cfg  Config
	pool *x509.CertPool
	text *texttemplate.Template
	html *htmltemplate.Template
	// builtin renders letters for which the operator's own templates fail. nil if there are none.
	builtin *Mailer
}

// Kinds lists the kinds of letter that have templates.
func Kinds() []string {
	entries, _ := embedded.ReadDir("templates") // cannot fail: it is embedded
	var out []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".txt"); ok && name != "layout" {
			out = append(out, name)
		}
	}
	return out
}

// Templates returns the built-in templates, as a start for own ones.
func Templates() fs.FS {
	sub, err := fs.Sub(embedded, "templates")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}

// New parses the templates. It returns Invalid, with the line, if one of the operator's cannot
// be used.
func New(c Config) (*Mailer, error) {
	const op = "mail.New"
	m := &Mailer{cfg: c, text: texttemplate.New("").Option("missingkey=error"),
		html: htmltemplate.New("").Option("missingkey=error")}
	known, err := fs.Glob(Templates(), "*.*")
	if err != nil {
		return nil, fault.Wrap(op, fault.Internal, err)
	}
	if c.Templates != "" {
		own, err := os.ReadDir(c.Templates)
		if err != nil {
			return nil, fault.E(op, fault.Invalid, "mail.templates: the folder cannot be read: %v.", err)
		}
		for _, e := range own {
			if !slices.Contains(known, e.Name()) {
				return nil, fault.E(op, fault.Invalid, "mail.templates: there is no template %q.", valid.Printable(e.Name())).
					WithHint("templates are %s", strings.Join(known, ", "))
			}
		}
	}
	for _, name := range known {
		source, err := fs.ReadFile(Templates(), name)
		if err != nil {
			return nil, fault.Wrap(op, fault.Internal, err)
		}
		if c.Templates != "" {
			if own, err := os.ReadFile(filepath.Join(c.Templates, name)); err == nil {
				source = own
			} else if !errors.Is(err, fs.ErrNotExist) {
				return nil, fault.E(op, fault.Invalid, "mail.templates: %v.", err)
			}
		}
		if strings.HasSuffix(name, ".html") {
			_, err = m.html.New(name).Parse(string(source))
		} else {
			_, err = m.text.New(name).Parse(string(source))
		}
		if err != nil {
			return nil, fault.E(op, fault.Invalid, "A mail template cannot be used: %v.", err)
		}
	}
	for _, kind := range Kinds() { // each must render now, not only when it is needed
		sample := notify.Letter{Kind: kind, To: "someone@example.com", ID: "0", Account: "acme", User: "acme", Text: "Text.",
			Title: "Title",
			Head:  []string{"File"}, Rows: [][]string{{"a.csv"}}, More: 1, Help: "help@example.com", Attached: "signed"}
		if _, _, _, err := m.render(sample); err != nil {
			return nil, fault.E(op, fault.Invalid, "%s", fault.PublicText(err))
		}
	}
	if c.Templates != "" {
		c.Templates, c.CA = "", "" // the built-in mailer only renders
		if m.builtin, err = New(c); err != nil {
			return nil, err
		}
	}
	return m, m.loadCA()
}

func (m *Mailer) loadCA() error {
	if m.cfg.CA == "" {
		return nil
	}
	const op = "mail.New"
	pem, err := os.ReadFile(m.cfg.CA)
	if err != nil {
		return fault.E(op, fault.Invalid, "mail.ca: %v.", err)
	}
	if m.pool, err = x509.SystemCertPool(); err != nil {
		m.pool = x509.NewCertPool()
	}
	if !m.pool.AppendCertsFromPEM(pem) {
		return fault.E(op, fault.Invalid, "mail.ca: %s has no certificate.", m.cfg.CA)
	}
	return nil
}

// page is the data that templates get.
type page struct {
	notify.Letter
	Service    string
	Paragraphs []string
	Subject    string
	Inner      htmltemplate.HTML // for the layout: output of the kind's own template
}

// Render renders a letter as text and as HTML. The subject is the first line of the text
// template. If an own template fails, it uses the built-in one.
func (m *Mailer) Render(l notify.Letter) (subject, text, html string, err error) {
	subject, text, html, err = m.render(l)
	if err == nil || m.builtin == nil {
		return subject, text, html, err
	}
	if m.cfg.Log != nil {
		m.cfg.Log.Error("an own mail template failed, and the built-in one was used", "kind", l.Kind, "err", err)
	}
	return m.builtin.render(l)
}

func (m *Mailer) render(l notify.Letter) (subject, text, html string, err error) {
	const op = "mail.Render"
	p := page{Letter: l, Service: m.cfg.Name, Paragraphs: strings.Split(strings.TrimSpace(l.Text), "\n\n")}
	var b bytes.Buffer
	if err := m.text.ExecuteTemplate(&b, l.Kind+".txt", p); err != nil {
		return "", "", "", fault.E(op, fault.Internal, "A mail template failed: %v.", err)
	}
	head, body, _ := strings.Cut(b.String(), "\n")
	subject, ok := strings.CutPrefix(head, "Subject: ")
	if !ok || strings.TrimSpace(subject) == "" {
		return "", "", "", fault.E(op, fault.Invalid, "The mail template %s.txt does not begin with a line \"Subject: …\".",
			l.Kind)
	}
	p.Subject = valid.Printable(strings.TrimSpace(subject))
	b.Reset()
	if err := m.html.ExecuteTemplate(&b, l.Kind+".html", p); err != nil {
		return "", "", "", fault.E(op, fault.Internal, "A mail template failed: %v.", err)
	}
	p.Inner = htmltemplate.HTML(b.String()) // escaped by the template that made it
	var whole bytes.Buffer
	if err := m.html.ExecuteTemplate(&whole, "layout.html", p); err != nil {
		return "", "", "", fault.E(op, fault.Internal, "A mail template failed: %v.", err)
	}
	return p.Subject, strings.TrimLeft(body, "\n"), whole.String(), nil
}

// Send sends one mail to the mail server. A permanent refusal is Denied; other failures are
// Unavailable.
func (m *Mailer) Send(ctx context.Context, msg model.Message) error {
	const op = "mail.Send"
	out := gomail.NewMsg()
	if err := errors.Join(out.From(m.cfg.From), out.To(msg.Target)); err != nil {
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
	c, err := m.client()
	if err != nil {
		return fault.E(op, fault.Invalid, "mail: %v.", err)
	}
	err = c.DialAndSendWithContext(ctx, out)
	var refused *gomail.SendError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && !refused.IsTemp() && refused.ErrorCode() >= 500:
		return &fault.Error{Op: op, Kind: fault.Denied,
			Public: fmt.Sprintf("The mail server refused it for good: %s", valid.Printable(err.Error())), Err: err}
	}
	return &fault.Error{Op: op, Kind: fault.Unavailable,
		Public: fmt.Sprintf("The mail server did not take it: %s", valid.Printable(err.Error())), Err: err}
}

func (m *Mailer) domain() string {
	_, domain, ok := strings.Cut(strings.TrimSuffix(m.cfg.From, ">"), "@")
	if !ok {
		return "localhost"
	}
	return domain
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
