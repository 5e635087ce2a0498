package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

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

// operatorLetter returns the letter to the operator about an event; false if there is none.
func operatorLetter(e model.Event) (Letter, bool) {
	switch d := e.Data.(type) {
	case model.ExpectationChanged:
		kind := map[string]string{model.EventMissed: "missed", model.EventMet: "met",
			model.EventLarger: "larger"}[e.Type]
		zone, err := time.LoadLocation(d.Zone)
		if err != nil {
			zone = nil // it was checked when it was set; this machine has lost it
		}
		return Letter{Kind: kind, Zone: zone, Facts: ExpectedFacts{Expectation: d.Expectation, Feed: d.Feed,
			Pattern: d.Pattern,
			AtLeast: d.AtLeast, Came: d.Came, Due: d.Due, TooSmall: d.TooSmall, Again: d.Again, File: d.File, Size: d.Size,
			Most: d.Most}}, kind != ""
	case model.FeedGap:
		return Letter{Kind: "gap", Facts: GapFacts{Feed: d.Feed, File: d.Name, First: number(d.From), Final: number(d.To),
			Last: number(d.Last), Period: d.Period, Odd: d.Number != nil}}, true
	case model.RunToConfirm:
		return Letter{Kind: "retention", Facts: ConfirmFacts{Run: d.Run, Reason: d.Why, Due: d.Due,
			Total: int(d.Files)}}, true
	case model.FileLeft:
		return Letter{Kind: "left", Facts: LeftFacts{Path: d.Path, Feed: d.Feed, Reason: d.Why, Stored: d.Stored,
			Size: d.Size}}, true
	case model.LimitNear:
		return Letter{Kind: "limit", Facts: LimitFacts{KeptBytes: d.KeptBytes, KeepBytes: d.KeepBytes,
			KeptItems: d.KeptItems, KeepItems: d.KeepItems, Percent: d.Percent}}, true
	case model.NeedChanged:
		return Letter{Kind: "need", Facts: TextFacts{Paragraphs: paragraphs(d.Words)}}, mailed(e.Type, d)
	case model.Alarm:
		return Letter{Kind: "alarm", Facts: TextFacts{Paragraphs: paragraphs(d.Words)}}, true
	}
	return Letter{}, false
}

// mailed reports whether operators get a mail of a need. They do if it cannot wait, and if no other mail tells of it.
func mailed(kind string, d model.NeedChanged) bool {
	own := []string{"audit", "retention", "expectations_missed", "gaps"}
	return kind == model.EventNeed && d.Urgency == model.UrgencyNow && !slices.Contains(own, d.Topic)
}

func number(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

func paragraphs(text string) []string { return strings.Split(strings.TrimSpace(text), "\n\n") }

// keyLetters maps changes of keys to their kinds of letter. Of other changes there is a notice, or
// nothing.
var keyLetters = map[string]string{
	"key.add":    "key-added",
	"key.rotate": "key-replaced",
	"key.revoke": "key-revoked",
	"key.burn":   "key-blocked",
	"key.thaw":   "key-resumed",
}

// accountReopened is the event of a closed account that was opened again.
const accountReopened = "account.reopened"

// mails writes the mails for an event.
func (r *Service) mails(tx *store.Tx, e model.Event) error {
	if !r.Mails() {
		return nil
	}
	if l, ok := operatorLetter(e); ok {
		l.Account, l.User = e.Account, e.User
		for _, l.To = range r.o.Operators {
			if err := r.Mail(tx, l, Mailing{Event: e}); err != nil {
				return err
			}
		}
		return r.partnerMails(tx, e, l)
	}
	if d, ok := e.Data.(model.FileReceived); ok {
		return r.receivedMails(tx, e, d)
	}
	if run := e.Text("called_off"); e.Type == accountReopened && run != "" {
		_, err := r.MailPeople(tx, Letter{Kind: "reopened", Account: e.Account, Facts: TextFacts{}}, run)
		return err
	}
	if e.Type == model.EventUserRenamed {
		return r.renamedMails(tx, e)
	}
	// the people of an exposed key get a notice instead
	if kind := keyLetters[e.Type]; kind != "" && e.User != "" && e.Text("sent_for") == "" {
		return r.keyMails(tx, e, kind)
	}
	return nil
}

// renamedMails tells a user's people its new name.
func (r *Service) renamedMails(tx *store.Tx, e model.Event) error {
	u, err := tx.User(e.User)
	if err != nil {
		return unlessGone(err)
	}
	return r.contactMails(tx, u, Mailing{Event: e}, Letter{Kind: "renamed", Facts: RenamedFacts{Old: e.Text("from"),
		New: e.Text("to")}}, model.RoleTechnical)
}

// keyMails mails a user's people about its key. Those of a first key are welcomed.
func (r *Service) keyMails(tx *store.Tx, e model.Event, kind string) error {
	u, err := tx.User(e.User)
	if fault.Is(err, fault.NotFound) { // perhaps it was renamed since
		if was, werr := tx.FormerName(e.User); werr == nil {
			u, err = tx.UserByID(was.UserID)
		}
	}
	if err != nil {
		return unlessGone(err)
	}
	fingerprint := e.Text("fingerprint")
	k, first, err := keyOf(tx, u, fingerprint)
	if err != nil {
		return err
	}
	if e.Type == "key.add" && first && u.Kind != model.KindService {
		if done, err := r.welcome(tx, e, u); done || err != nil {
			return err
		}
	}
	return r.contactMails(tx, u, Mailing{Event: e}, Letter{Kind: kind, Facts: KeyFacts{Fingerprint: fingerprint,
		Type: k.Type, Holder: k.Holder, Reason: e.Text("reason"), Replaces: e.Text("replaces"), At: e.At,
		Since: k.CreatedAt}}, model.RoleTechnical, model.RoleSecurity)
}

// keyOf finds a user's record of a key, and says whether it is the first key that the user ever had.
func keyOf(tx *store.Tx, u model.User, fingerprint string) (found model.Key, first bool, err error) {
	list, err := tx.Keys(u.ID)
	first = true
	for _, k := range list {
		if k.Fingerprint == fingerprint {
			found = k
		}
	}
	for _, k := range list {
		first = first && cmp.Or(found.CreatedAt.Compare(k.CreatedAt), strings.Compare(found.ID, k.ID)) <= 0
	}
	return found, first && found.ID != "", err
}

// welcome mails a user's technical contacts how to connect. Of a vendor's user, the vendor's people
// get that, and the account holder's a copy without the files. done is false if nobody can be
// welcomed: their people hear of the key in plain words.
func (r *Service) welcome(tx *store.Tx, e model.Event, u model.User) (done bool, err error) {
	if r.o.Welcome == nil {
		return false, nil
	}
	facts, files, err := r.o.Welcome(context.Background(), u.Name)
	if err != nil {
		if fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Internal) {
			return false, err // it is tried again
		}
		r.o.Log.Warn("nobody is welcomed, because no guide can be written", "user", u.Name, "err", err)
		return false, nil
	}
	facts.Files = len(files) > 0
	own, holders, err := r.bothSides(tx, u)
	if err != nil || len(own)+len(holders) == 0 {
		return true, err
	}
	full := Letter{Kind: "welcome", Facts: facts, Files: files}
	if len(own) == 0 {
		own, holders = holders, nil // nobody else can pass it on
	}
	if err := r.peopleMails(tx, u, Mailing{Event: e}, full, own); err != nil {
		return true, err
	}
	return true, r.peopleMails(tx, u, Mailing{Event: e}, Letter{Kind: "welcome-copy", Facts: facts}, holders)
}

// bothSides returns the technical contacts who use a user's log-in, and of a vendor's user those of
// the account holder.
func (r *Service) bothSides(tx *store.Tx, u model.User) (own, holders []model.Contact, err error) {
	if u.Vendor == "" {
		own, err = tx.Contacts(u.Account, "")
		return Reachable(own, model.RoleTechnical), nil, err
	}
	if own, err = tx.Contacts("", u.Vendor); err == nil {
		holders, err = tx.Contacts(u.Account, "")
	}
	return Reachable(own, model.RoleTechnical), Reachable(holders, model.RoleTechnical), err
}

// partnerMails mails the operator's news to the user's technical contacts, if it was asked for.
func (r *Service) partnerMails(tx *store.Tx, e model.Event, l Letter) error {
	if e.Text("partner_text") == "" {
		return nil
	}
	u, err := tx.User(e.User)
	if err != nil {
		return unlessGone(err)
	}
	l.Kind = "expected-" + l.Kind
	return r.contactMails(tx, u, Mailing{Event: e}, l, model.RoleTechnical)
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
	return r.peopleMails(tx, u, about, l, Reachable(people, roles...))
}

// peopleMails writes a letter about a user to each of the contacts, in their language.
func (r *Service) peopleMails(tx *store.Tx, u model.User, about Mailing, l Letter, people []model.Contact) error {
	l.Account, l.User = u.Account, u.Name
	sender, err := vendorName(&tx.Q, u.Vendor)
	if err != nil {
		return err
	}
	for _, c := range people {
		if l.Sender = ""; c.Vendor == "" {
			l.Sender = sender
		}
		if err := r.personMail(tx, c, about, l); err != nil {
			return err
		}
	}
	return nil
}

// vendorName returns what a vendor is called; "" for none, or one that is gone.
func vendorName(q *store.Q, short string) (string, error) {
	if short == "" {
		return "", nil
	}
	v, err := q.Vendor(short)
	return cmp.Or(v.Name, short), unlessGone(err)
}

// uploaderMails writes a letter to the technical contacts of whoever has the user: those of its vendor,
// or of its account. If a vendor has none, the account's are told.
func (r *Service) uploaderMails(tx *store.Tx, u model.User, l Letter) error {
	people, err := tx.Contacts(u.Account, u.Vendor)
	if err != nil {
		return err
	}
	people = Reachable(people, model.RoleTechnical)
	own := slices.DeleteFunc(slices.Clone(people), func(c model.Contact) bool { return c.Vendor == "" })
	if len(own) > 0 {
		people = own
	}
	return r.peopleMails(tx, u, Mailing{}, l, people)
}

// personMail writes a letter to one contact, in its language or its account's.
func (r *Service) personMail(tx *store.Tx, c model.Contact, about Mailing, l Letter) error {
	l.To, l.Name, l.Language, about.Contact = c.Email, c.Name, c.Language, c.ID
	if l.Language == "" && c.Account != "" {
		a, err := tx.Account(c.Account)
		if err != nil {
			return unlessGone(err)
		}
		l.Language = a.Language
	}
	return r.Mail(tx, l, about)
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

// MailContact is Mail to a contact, in its language. ref is what the mail belongs to; it may be "".
func (r *Service) MailContact(tx *store.Tx, id string, l Letter, ref string) error {
	c, err := tx.Contact(id)
	if err != nil {
		return unlessGone(err)
	}
	return r.personMail(tx, c, Mailing{Ref: ref}, l)
}

// Mail renders and queues a mail. It is sent once the transaction is committed. It does nothing
// if no mail server is configured.
func (r *Service) Mail(tx *store.Tx, l Letter, about Mailing) error {
	if !r.Mails() {
		return nil
	}
	l.ID = r.o.IDs.New()
	if err := r.complete(&tx.Q, &l, about.Contact != ""); err != nil {
		return err
	}
	w, err := r.o.Writer.Write(l)
	if err != nil {
		return err
	}
	m := model.Message{ID: l.ID, Channel: model.ChannelMail, Target: l.To, EventID: about.Event.ID, Kind: l.Kind,
		Ref: about.Ref, ContactID: about.Contact, Subject: w.Subject, Body: w.Text, HTML: w.HTML, CreatedAt: r.now(),
		Files: l.Files}
	if l.Secret != "" {
		m.Secret = r.o.Vault.Seal(l.Secret, secretOf(m.ID))
	}
	return tx.AddMessage(m)
}

// complete sets the account's name, the help line and, if people of the account read it, the zone of a
// letter.
func (r *Service) complete(q *store.Q, l *Letter, theirs bool) error {
	if l.Help == "" && r.o.Help != nil {
		l.Help = r.o.Help(context.Background(), l.Account)
	}
	if l.Account == "" {
		return nil
	}
	a, err := q.Account(l.Account)
	if err != nil {
		return unlessGone(err)
	}
	l.AccountName = cmp.Or(l.AccountName, a.Name)
	if theirs && l.Zone == nil {
		l.Zone = r.o.Zones.Of(a)
	}
	return nil
}
