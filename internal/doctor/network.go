package doctor

import (
	"context"
	"net"
	"net/url"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	within     = 10 * time.Second    // for one server to answer
	expiring   = 14 * 24 * time.Hour // before a certificate ends
	mostChecks = 50                  // receivers of webhooks
)

// mail looks whether the mail server takes what we send.
func (p *patient) mail() {
	if p.Mail == nil {
		p.say("mail", Odd, "mail: {host: smtp.example.com, from: files@example.com}",
			"No mail server is configured: partners and operators are told nothing by mail.")
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	if err := p.Mail(ctx); err != nil {
		p.say("mail", Broken, "check mail.host, mail.port, mail.tls and the password",
			"The mail server %s does not take mails: %s", p.Config.Mail.Host, fault.InWords(err))
		return
	}
	p.well("mail", "The mail server %s answers. sallyport mail test ADDRESS sends one.", p.Config.Mail.Host)
}

// webhooks looks whether receivers of events can be reached.
func (p *patient) webhooks() {
	if !p.opened("webhooks") {
		return
	}
	list, err := p.Store.Read(p.ctx).Webhooks(model.Paging{Limit: mostChecks})
	if err != nil {
		p.fails("webhooks", err, "see database")
		return
	}
	good := 0
	for _, w := range list {
		if !w.Enabled {
			if w.Note != "" {
				p.say("webhook "+w.Name, Broken, "mend the receiver, then: sallyport webhook set "+w.Name+" --enable",
					"It was switched off: %s", w.Note)
			}
			continue
		}
		if err := reach(p.ctx, w.URL); err != nil {
			p.say("webhook "+w.Name, Broken, "check the receiver, DNS and the firewall; then: sallyport webhook test "+w.Name,
				"%s cannot be reached: %s", w.URL, fault.InWords(err))
			continue
		}
		good++
	}
	if good > 0 {
		p.well("webhooks", "%d receivers can be reached.", good)
	}
}

// reach connects to the host of an address.
func reach(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80"}[u.Scheme]
	}
	if port == "" {
		port = "443"
	}
	d := net.Dialer{Timeout: within}
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return err
	}
	return c.Close()
}

// certificate looks when the certificate of the pages expires.
func (p *patient) certificate() {
	if p.Certificate == nil {
		return
	}
	until, err := p.Certificate(p.ctx)
	left := until.Sub(p.Clock())
	switch day := until.Format("2006-01-02"); {
	case err != nil:
		p.say("certificate", Broken, "check web.tls_cert and web.tls_key, or web.acme; the server's log says more",
			"That of the pages cannot be read: %s", fault.InWords(err))
	case left <= 0:
		p.say("certificate", Broken, "renew it", "That of the pages expired on %s.", day)
	case left < expiring:
		p.say("certificate", Odd, "renew it", "That of the pages expires on %s.", day)
	default:
		p.well("certificate", "That of the pages is good until %s.", day)
	}
}
