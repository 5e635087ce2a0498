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

// webhookMessage is an event on its way to one receiver.
func (r *Service) webhookMessage(w model.Webhook, e model.Event) (model.Message, error) {
	sent := e
	sent.ID = "" // it travels in a header, and names the message too
	body, err := json.Marshal(sent)
	return model.Message{ID: r.o.IDs.New(), Channel: model.ChannelWebhook, Target: w.Name, EventID: e.ID, Kind: e.Type,
		Body: string(body), State: model.MessageNew, CreatedAt: r.now()}, err
}

// operatorEvents are mailed to the operator's own people.
var operatorEvents = map[string]string{
	model.EventMissed:    "expectation",
	model.EventMet:       "expectation",
	model.EventGap:       "gap",
	model.EventRetention: "retention",
	model.EventLeft:      "left",
	model.EventLimit:     "limit",
	model.EventAlarm:     "alarm",
}

// keyWords say in words what happened to a key; other acts on keys are not
// mailed.
var keyWords = map[string]string{
	"key.add":     "A key was added to %s.",
	"key.rotate":  "A new key was added to %s; the old one goes on working for a while.",
	"key.revoke":  "A key of %s was revoked: it does not work any more.",
	"key.burn":    "A key of %s was reported as exposed and blocked for ever.",
	"key.freeze":  "A key of %s was paused at the request of one of its people.",
	"key.approve": "A key that was waiting was approved for %s.",
}

// mails writes the mails that an event asks for.
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
	// an exposed key's people have a notice
	if words := keyWords[e.Type]; words != "" && e.User != "" && e.Text("sent_for") == "" {
		return r.keyMails(tx, e, words)
	}
	return nil
}

// keyMails tells the technical and security contacts of a user about its key.
func (r *Service) keyMails(tx *store.Tx, e model.Event, words string) error {
	text := fmt.Sprintf(words, e.User)
	if fp := e.Text("fingerprint"); fp != "" {
		text += " Its fingerprint is " + fp + "."
	}
	text += "\n\nIf you did not expect this, please tell us at once."
	return r.userMails(tx, e, Letter{Kind: "key", Text: text}, model.RoleTechnical, model.RoleSecurity)
}

// partnerMails tells the technical contacts of a user what an event has to say
// to them, if anything.
func (r *Service) partnerMails(tx *store.Tx, e model.Event) error {
	text := e.Text("partner_text")
	if text == "" {
		return nil
	}
	return r.userMails(tx, e, Letter{Kind: operatorEvents[e.Type], Text: text}, model.RoleTechnical)
}

// userMails writes a letter to each contact of an event's user with one of the
// roles.
func (r *Service) userMails(tx *store.Tx, e model.Event, l Letter, roles ...string) error {
	u, err := tx.User(e.User)
	if err != nil {
		return unlessGone(err)
	}
	return r.contactMails(tx, u, Mailing{Event: e}, l, roles...)
}

// unlessGone passes every error but that there is no such user any more: then
// nobody is to be told.
func unlessGone(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// contactMails writes a letter to each contact of a user with one of the roles.
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

// Reachable are the contacts still there with one of the roles, each address
// once.
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

// Mailing says what a mail belongs to.
type Mailing struct {
	Event   model.Event
	Contact string // id
	Ref     string // a notice's id
}

// Mail writes a mail, to be sent once the transaction stands.
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
