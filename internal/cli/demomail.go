//go:build linux

package cli

import (
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// demoMail is the mail server of the demo: it delivers nothing, and prints to whom each mail would go,
// with its subject and its links.
type demoMail struct {
	out    io.Writer
	server *smtp.Server
	port   int

	mu sync.Mutex // one mail is printed at a time
}

// openDemoMail opens the mail server, on this machine alone.
func openDemoMail(out io.Writer) (*demoMail, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fault.Wrap("cli.openDemoMail", fault.Unavailable, err)
	}
	m := &demoMail{out: out, port: l.Addr().(*net.TCPAddr).Port}
	m.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &demoDelivery{mail: m}, nil
	}))
	m.server.Domain, m.server.ReadTimeout, m.server.WriteTimeout = "localhost", time.Minute, time.Minute
	m.server.MaxMessageBytes = 1 << 20
	go func() { _ = m.server.Serve(l) }() // Close ends it
	return m, nil
}

func (m *demoMail) Close() { _ = m.server.Close() }

// demoDelivery is one mail on its way.
type demoDelivery struct {
	mail *demoMail
	to   string
}

func (d *demoDelivery) Reset()                                    { d.to = "" }
func (d *demoDelivery) Logout() error                             { return nil }
func (d *demoDelivery) Mail(string, *smtp.MailOptions) error      { return nil }
func (d *demoDelivery) Rcpt(to string, _ *smtp.RcptOptions) error { d.to = to; return nil }

var demoLink = regexp.MustCompile(`https?://[^\s<>"]+`)

// Data prints a mail.
func (d *demoDelivery) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(m.Body)
	if err != nil {
		return err
	}
	if plain, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(string(text)))); err == nil {
		text = plain
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		subject = m.Header.Get("Subject")
	}
	d.mail.mu.Lock()
	defer d.mail.mu.Unlock()
	fmt.Fprintf(d.mail.out, "A mail to %s: %s\n", valid.Printable(d.to), valid.Printable(subject))
	seen := map[string]bool{}
	for _, link := range demoLink.FindAllString(string(text), -1) {
		if link = strings.TrimRight(link, ".,)"); !seen[link] {
			seen[link] = true
			fmt.Fprintf(d.mail.out, "  %s\n", valid.Printable(link))
		}
	}
	return nil
}
