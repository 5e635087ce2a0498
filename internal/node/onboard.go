package node

import (
	"context"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/notify"
	"github.com/sallyport-sftp/sallyport/internal/onboard"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// buildOnboard builds the service of requests for access.
func (n *Node) buildOnboard() *onboard.Service {
	o := onboard.Options{Store: n.store, Clock: n.clock, IDs: n.ids, Log: n.log, Accounts: n.accounts, Feeds: n.feeds,
		Explain: n.hinders, Policy: onboardPolicy(&n.cfg)}
	if n.tell.Mails() && n.cfg.Web.URL != "" { // a link needs a page
		o.Mail = n.mailRequest
	}
	return onboard.New(o)
}

// hinders returns why a user's log-ins failed last; "" if none did.
func (n *Node) hinders(ctx context.Context, user string) (string, error) {
	v, err := n.records.Explain(ctx, user)
	if err != nil {
		return "", err
	}
	for _, e := range v.Explanations {
		if e.Since != "" { // it should work now
			return e.Since, nil
		}
		if e.Advice != "" {
			return e.Advice, nil
		}
	}
	return "", nil
}

// mailRequest queues a letter about a request.
func (n *Node) mailRequest(tx *store.Tx, l onboard.Letter) error {
	r := l.Request
	f := notify.RequestFacts{Reference: r.Reference, Who: r.Name(), Company: r.Company, Number: r.AccountNumber,
		Email: r.Email, Phone: r.Phone, Username: r.Username, Key: r.Key.Type, Fingerprint: r.Key.Fingerprint,
		Feeds: r.Feeds, Expires: l.Expires, Since: r.Since, Text: l.Text, By: r.Approver,
		Again: r.State == model.RequestApproved}
	if r.Due != nil {
		f.Due = *r.Due
	}
	if r.User != "" {
		f.Username = r.User
	}
	if l.Path != "" {
		f.URL = strings.TrimSuffix(n.cfg.Web.URL, "/") + l.Path + notify.LinkPlaceholder
	}
	for _, d := range l.Findings {
		to := map[model.Weight]*[]string{model.WeightStop: &f.Stops, model.WeightWarn: &f.Warns,
			model.WeightGood: &f.Goods}[d.Weight]
		*to = append(*to, d.Text)
	}
	letter := notify.Letter{Kind: l.Kind, To: r.Email, Name: r.Name(), Account: r.Account, User: r.User,
		Language: r.Language, Facts: f, Secret: l.Secret}
	switch {
	case l.Contact != nil:
		a, err := tx.Account(l.Contact.Account)
		if err != nil {
			return err
		}
		letter.Account = a.ID
		return n.tell.MailContact(tx, l.Contact.ID, letter, r.ID)
	case l.Operators:
		for _, letter.To = range n.cfg.Mail.Operators {
			letter.Name, letter.Language = "", ""
			if err := n.tell.Mail(tx, letter, notify.Mailing{Ref: r.ID}); err != nil {
				return err
			}
		}
		return nil
	}
	return n.tell.Mail(tx, letter, notify.Mailing{Ref: r.ID})
}
