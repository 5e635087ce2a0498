package notify

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// linkKinds begins the kinds of letter that hand over a one-time link.
const linkKinds = "link-"

// secretsLast is how long the secret of a mail that was not sent is kept: as long as a link works.
const secretsLast = 72 * time.Hour

// requestKinds begins the kinds of letter about a request for access.
const requestKinds = "request-"

// linkless are the kinds about a request whose letters have no link.
var linkless = []string{"request-contacts", "request-new", "request-late"}

// handsOver reports whether letters of a kind have a link whose end is not kept.
func handsOver(kind string) bool {
	return strings.HasPrefix(kind, linkKinds) || strings.HasPrefix(kind, requestKinds) && !slices.Contains(linkless, kind)
}

// secretOf names a message's secret for the vault.
func secretOf(message string) string { return "message " + message }

// MailLink queues a mail with a one-time link to its contact. base is the link's address without its
// secret, which is stored encrypted and erased once the mail is sent. It returns Invalid if no mail
// server is configured.
func (r *Service) MailLink(tx *store.Tx, l model.Link, c model.Contact, base, secret string) error {
	if !r.Mails() {
		return fault.E("notify.MailLink", fault.Invalid, "No mail server is configured, so the link can't be mailed.").
			WithHint("set mail.host and mail.from in the configuration, or hand the link over yourself")
	}
	letter := Letter{Kind: linkKinds + string(l.Kind), Account: c.Account, User: l.User, Secret: secret,
		Facts: LinkFacts{URL: base + LinkPlaceholder, Expires: l.ExpiresAt}}
	if l.User != "" {
		u, err := tx.User(l.User)
		if err != nil {
			return err
		}
		letter.Account = u.Account
	} else if c.Vendor != "" {
		v, err := tx.Vendor(c.Vendor)
		if err != nil {
			return err
		}
		letter.AccountName = v.Name
	}
	return r.personMail(tx, c, Mailing{Ref: l.ID}, letter)
}

// sendMail sends a mail with what belongs to it.
func (r *Service) sendMail(ctx context.Context, m model.Message) error {
	const op = "notify.sendMail"
	if r.o.Mailer == nil {
		return fault.E(op, fault.Unavailable, "No mail server is configured any more.")
	}
	files, sealed, err := r.o.Store.Read(ctx).Enclosed(m.ID)
	if err != nil {
		return err
	}
	m.Files = files
	if handsOver(m.Kind) {
		if sealed == "" {
			return fault.E(op, fault.Invalid, "The link expired before the mail could be sent.")
		}
		secret, err := r.o.Vault.Open(sealed, secretOf(m.ID))
		if err != nil {
			return fault.E(op, fault.Invalid, "The link was sealed under another secrets.key.").WithHint("make a new link")
		}
		m.Body = strings.ReplaceAll(m.Body, LinkPlaceholder, secret)
		m.HTML = strings.ReplaceAll(m.HTML, LinkPlaceholder, secret)
	}
	return r.o.Mailer.Send(ctx, m)
}
