package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"syscall"

	gomail "github.com/wneessen/go-mail"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// failure says why a mail was not sent, and what to do. A permanent refusal of the address is
// Denied; other failures are Unavailable.
func (m *Mailer) failure(err error, to string) error {
	const op = "mail.Send"
	if err == nil {
		return nil
	}
	var refused *gomail.SendError
	if errors.As(err, &refused) && refused.ErrorCode() >= 400 {
		return m.refusal(refused, to)
	}
	why, hint := m.cause(err)
	e := &fault.Error{Op: op, Kind: fault.Unavailable, Err: err,
		Public: fmt.Sprintf("The mail server %s, port %d, %s.", m.cfg.Host, m.cfg.Port, why)}
	if hint != "" {
		return e.WithHint("%s", hint)
	}
	return e
}

// refusal says what the server answered. A refused sender is our mistake, and not the address's.
func (m *Mailer) refusal(refused *gomail.SendError, to string) error {
	const op = "mail.Send"
	answer := serverAnswer(refused.Error())
	e := &fault.Error{Op: op, Kind: fault.Unavailable, Err: refused}
	switch {
	case refused.Reason == gomail.ErrSMTPMailFrom:
		e.Public = fmt.Sprintf("The mail server %s takes no mail from %s: %s.", m.cfg.Host, m.cfg.From, answer)
		return e.WithHint("set mail.from, or mail.bounces, to an address that this server may send for")
	case refused.IsTemp() || refused.ErrorCode() < 500:
		e.Public = fmt.Sprintf("The mail server %s does not take mail to %s now: %s.", m.cfg.Host, valid.Printable(to),
			answer)
		return e
	}
	e.Kind, e.Public = fault.Denied, fmt.Sprintf("The mail server %s refused the address %s for good: %s.", m.cfg.Host,
		valid.Printable(to), answer)
	return e
}

// answers matches what a server said in the library's error.
var answers = regexp.MustCompile(`\b([45][0-9]{2} .*?)(?:, affected (?:recipient|message)|$)`)

func serverAnswer(text string) string {
	if found := answers.FindStringSubmatch(text); found != nil {
		text = found[1]
	}
	return strings.TrimRight(valid.Printable(strings.ReplaceAll(text, `"`, "")), ". ")
}

// cause says why the server was not reached or did not go on, and what to look at.
func (m *Mailer) cause(err error) (why, hint string) {
	var (
		name      *net.DNSError
		unknown   x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		notTLS    tls.RecordHeaderError
		timed     net.Error
		text      = err.Error()
		connected = "look at mail.host and mail.port, and whether a firewall lets this machine out to it"
	)
	switch {
	case errors.As(err, &name):
		return "was not found: no address is known for that name", "look at mail.host, and at this machine's name servers"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused the connection: nothing listens there", connected
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "cannot be reached from this machine", connected
	case errors.As(err, &unknown):
		return "has a certificate that this machine does not trust",
			"name the certificate's issuer in mail.ca, if it is your own"
	case errors.As(err, &hostname):
		return "has a certificate for another name", "set mail.host to a name in the certificate"
	case errors.As(err, &invalid):
		return "has a certificate that is not valid: " + valid.Printable(invalid.Error()),
			"the mail server needs a new certificate"
	case errors.As(err, &notTLS), strings.Contains(text, "first record does not look like a TLS handshake"):
		return "does not speak TLS from the first byte", "set mail.tls to starttls (port 587), or mail.port to 465"
	case strings.Contains(text, "does not support STARTTLS"):
		return "offers no STARTTLS", "set mail.tls to tls (port 465); none is for a server on this machine alone"
	case strings.Contains(text, "AUTH failed") || strings.Contains(text, " 535 ") || strings.Contains(text, ": 535"):
		return "refused user and password: " + serverAnswer(text), "look at mail.user and mail.password"
	case strings.Contains(text, "SMTP AUTH"), strings.Contains(text, "doesn't support AUTH"):
		return "offers no log-in that we know, and mail.user is set", "leave mail.user out, if the server wants no log-in"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timed) && timed.Timeout():
		return "did not answer in time", connected
	case errors.Is(err, net.ErrClosed), strings.Contains(text, "EOF"), errors.Is(err, syscall.ECONNRESET):
		return "ended the connection", "look at mail.port and mail.tls, and at the mail server's log"
	}
	return "did not take the mail: " + strings.TrimRight(valid.Printable(text), ". "), "look at the mail server's log"
}
