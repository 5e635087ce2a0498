package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

func itoa(n int) string { return strconv.Itoa(n) }

// webhookMessage returns the message for an event and one receiver.
func (r *Service) webhookMessage(w model.Webhook, e model.Event) (model.Message, error) {
	sent := e
	sent.ID = "" // it is sent in a header and is stored with the message
	body, err := json.Marshal(sent)
	return model.Message{ID: r.o.IDs.New(), Channel: model.ChannelWebhook, Target: w.Name, EventID: e.ID, Kind: e.Type,
		Body: string(body), State: model.MessageNew, CreatedAt: r.now()}, err
}

// operatorEvents maps the events that are mailed to the operator to their templates.
var operatorEvents = map[string]string{
	model.EventMissed:    "expectation",
	model.EventMet:       "expectation",
	model.EventGap:       "gap",
	model.EventRetention: "retention",
	model.EventLeft:      "left",
	model.EventLimit:     "limit",
	model.EventAlarm:     "alarm",
}

// keyWords describes changes of keys for mails. Other changes of keys are not mailed.
var keyWords = map[string]string{
	"key.add":     "A key was added to %s.",
	"key.rotate":  "A new key was added to %s; the old one goes on working for a while.",
	"key.revoke":  "A key of %s was revoked: it does not work any more.",
	"key.burn":    "A key of %s was reported as exposed and blocked for ever.",
	"key.freeze":  "A key of %s was paused at the request of one of its people.",
	"key.approve": "A key that was waiting was approved for %s.",
}

// accountReopened is the event of a closed account that was opened again.
const accountReopened = "account.reopened"

// mails writes the mails for an event.
func (r *Service) mails(tx *store.Tx, e model.Event) error {
	if r.o.Mailer == nil {
		return nil
	}
	if kind := operatorEvents[e.Type]; kind != "" {
		text := e.Text("text")
		for _, to := range r.o.Operators {
			if err := r.Mail(tx, Letter{Kind: kind, To: to, Account: e.Account, User: e.User, Text: text},
				Mailing{Event: e}); err != nil {
				return err
			}
		}
		return r.partnerMails(tx, e)
	}
	if run := e.Text("called_off"); e.Type == accountReopened && run != "" {
		_, err := r.MailPeople(tx, Letter{Kind: "reopened", Account: e.Account, Text: "The account " + e.Account +
			" is no longer closed. Its files are not removed, as we had announced: they stay. There is nothing to do."}, run)
		return err
	}
	if e.Type == model.EventUserRenamed {
		return r.userMails(tx, e, Letter{Kind: "renamed", Text: "The username " + e.Text("from") + " is " + e.Text("to") +
			" now, and the old name no longer works. Please change it in your SFTP program. All else stays as it is: the " +
			"server, your key and its passphrase, the folders and the files."}, model.RoleTechnical)
	}
	// the people of an exposed key get a notice instead
	if words := keyWords[e.Type]; words != "" && e.User != "" && e.Text("sent_for") == "" {
		return r.keyMails(tx, e, words)
	}
	return nil
}

// keyMails mails the technical and security contacts of a user about its key.
func (r *Service) keyMails(tx *store.Tx, e model.Event, words string) error {
	text := fmt.Sprintf(words, e.User)
	if fp := e.Text("fingerprint"); fp != "" {
		text += " Its fingerprint is " + fp + "."
	}
	text += "\n\nIf you did not expect this, please tell us at once."
	return r.userMails(tx, e, Letter{Kind: "key", Text: text}, model.RoleTechnical, model.RoleSecurity)
}

// partnerMails mails an event's partner text, if it has one, to the user's technical contacts.
func (r *Service) partnerMails(tx *store.Tx, e model.Event) error {
	text := e.Text("partner_text")
	if text == "" {
		return nil
	}
	return r.userMails(tx, e, Letter{Kind: operatorEvents[e.Type], Text: text}, model.RoleTechnical)
}

// userMails writes a letter to each contact of an event's user who has one of the roles.
func (r *Service) userMails(tx *store.Tx, e model.Event, l Letter, roles ...string) error {
	u, err := tx.User(e.User)
	if fault.Is(err, fault.NotFound) { // perhaps it was renamed since
		if was, werr := tx.FormerName(e.User); werr == nil {
			u, err = tx.UserByID(was.UserID)
		}
	}
	if err != nil {
		return unlessGone(err)
	}
	return r.contactMails(tx, u, Mailing{Event: e}, l, roles...)
}

// unlessGone returns nil for NotFound, since a removed user has nobody to notify. It passes
// other errors.
func unlessGone(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// contactMails writes a letter to each contact of a user who has one of the roles.
func (r *Service) contactMails(tx *store.Tx, u model.User, about Mailing, l Letter, roles ...string) error {
	people, err := tx.Contacts(u.Account, u.Vendor)
	if err != nil {
		return err
	}
	l.Account, l.User = u.Account, u.Name
	for _, c := range Reachable(people, roles...) {
		l.To, about.Contact = c.Email, c.ID
		if err := r.Mail(tx, l, about); err != nil {
			return err
		}
	}
	return nil
}

// Reachable returns the present contacts with one of the roles, one per address.
func Reachable(people []model.Contact, roles ...string) (out []model.Contact) {
	for _, c := range people {
		fits := slices.ContainsFunc(c.Roles, func(have string) bool { return slices.Contains(roles, have) })
		same := func(o model.Contact) bool { return strings.EqualFold(o.Email, c.Email) }
		if c.LeftAt == nil && fits && !slices.ContainsFunc(out, same) {
			out = append(out, c)
		}
	}
	return out
}

// Mailing links a mail to its event, its contact and its notice.
type Mailing struct {
	Event   model.Event
	Contact string // id
	Ref     string // a notice's id
}

// Mail renders and queues a mail. It is sent once the transaction is committed. It does nothing
// if no mail server is configured.
func (r *Service) Mail(tx *store.Tx, l Letter, about Mailing) error {
	if r.o.Mailer == nil {
		return nil
	}
	l.ID = r.o.IDs.New()
	if l.Help == "" && r.o.Help != nil {
		l.Help = r.o.Help(context.Background(), l.Account)
	}
	subject, text, html, err := r.o.Mailer.Render(l)
	if err != nil {
		return err
	}
	return tx.AddMessage(model.Message{ID: l.ID, Channel: model.ChannelMail, Target: l.To, EventID: about.Event.ID,
		Kind: l.Kind, Ref: about.Ref, ContactID: about.Contact, Subject: subject, Body: text, HTML: html, CreatedAt: r.now()})
}
