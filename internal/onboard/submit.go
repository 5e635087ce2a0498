package onboard

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Lengths of what is filled in, in bytes.
const (
	maxText   = 2000 // messages, questions, answers, reasons
	maxNumber = 64
	maxWishes = 50 // feeds or types
)

// Submit takes a request from a form. from is the network address of the sender. All mistakes come at once,
// as fault.Mistakes. The answer is the same whether or not the account, the address or an earlier request exists.
func (s *Service) Submit(ctx context.Context, n model.NewRequest, from string) (model.Submitted, error) {
	if err := s.Closed(); err != nil {
		return model.Submitted{}, err
	}
	if err := s.takes(s.reads, from); err != nil {
		return model.Submitted{}, err
	}
	r, err := s.read(ctx, n, "form")
	if err != nil {
		return model.Submitted{}, err
	}
	if err := s.takes(s.pace, from); err != nil { // a form with mistakes is no request yet
		return model.Submitted{}, err
	}
	r.Channel, r.From = model.ChannelForm, from
	s.enter(&r, model.RequestUnverified)
	kept, err := store.Change(ctx, s.o.Store, func(tx *store.Tx) (bool, error) { return s.take(tx, r) })
	if err == nil && !kept {
		s.o.Log.Warn("a request was not kept, because its address has as many as are allowed", "reference", r.Reference)
	}
	return model.Submitted{Reference: r.Reference, Email: r.Email, VerifyBy: *r.Due}, err
}

// Closed returns why no request can be sent by form, in words for whoever wants to; nil if it can.
func (s *Service) Closed() error {
	const op = "onboard.Closed"
	switch {
	case !s.policy.Load().Open:
		return fault.E(op, fault.Denied, "Requests are not taken here. %s", s.ask())
	case s.o.Accounts.KeysMadeBy() == model.KeysByOperator:
		return fault.E(op, fault.Denied, "Keys are made by us here, so there is no form. %s", s.ask())
	case s.o.Mail == nil:
		return fault.E(op, fault.Unavailable, "Requests can't be taken now, since this server sends no mail. %s", s.ask())
	}
	return nil
}

// readsPerRequest is how many texts an address may have read as keys, or forms with mistakes, for each request that
// it may send.
const readsPerRequest = 30

// takes refuses what comes from a network address that sent much, before it is read.
func (s *Service) takes(p *pace, from string) error {
	if !p.allow(from, s.now()) {
		return fault.E("onboard.takes", fault.Busy,
			"Many requests came from your network address. Please try again in an hour. %s",
			s.ask())
	}
	return nil
}

// ask says whom to ask instead.
func (s *Service) ask() string {
	help := s.policy.Load().Help
	if help == "" {
		return "Please ask your contact at our company."
	}
	return "Please ask us: " + help + "."
}

// take stores a request and mails the link that confirms its address. It keeps nothing if the address has too
// many requests already, which the sender is not told: it would learn that there are some.
func (s *Service) take(tx *store.Tx, r model.Request) (kept bool, err error) {
	now, p := s.now(), s.policy.Load()
	load, err := tx.RequestLoad(r.Email, now.Add(-24*time.Hour), now.Add(-time.Hour))
	switch {
	case err != nil:
		return false, err
	case load.Unverified >= p.Unverified || load.Sent >= p.PerHour:
		return false, fault.E("onboard.Submit", fault.Busy, "Very many requests wait here now. Please try again later. %s",
			s.ask())
	case load.Waiting >= p.PerEmail || load.SentAddress >= p.PerEmail:
		return false, nil
	}
	if err := tx.AddRequest(r); err != nil {
		return false, err
	}
	if err := s.mailVerify(tx, r); err != nil {
		return false, err
	}
	return true, s.record(tx, r, step{actor: requester(r), action: model.StepSubmit, detail: map[string]string{
		"email": r.Email, "account_number": r.AccountNumber, "company": r.Company, "fingerprint": r.Key.Fingerprint,
		"address": r.From}})
}

// read checks every field of a request. sent says where it came from, for the record of an exposed key.
func (s *Service) read(ctx context.Context, n model.NewRequest, sent string) (r model.Request, err error) {
	var m fault.Mistakes
	r = model.Request{ID: s.o.IDs.New(), Reference: fault.NewReference(), CreatedAt: s.now(),
		Feeds: []string{}, Types: []string{}}
	for _, f := range []struct {
		field, what, in string
		to              *string
		optional        bool
	}{{"first_name", "first name", n.FirstName, &r.FirstName, false},
		{"last_name", "last name", n.LastName, &r.LastName, false},
		{"phone", "phone number", n.Phone, &r.Phone, true},
		{"company", "company", n.Company, &r.Company, false},
		{"account_number", "account number", n.AccountNumber, &r.AccountNumber, true}} {
		*f.to = strings.TrimSpace(f.in)
		if *f.to != "" || !f.optional {
			m.Add(f.field, checkLine(f.what, *f.to, f.field == "account_number"))
		}
	}
	r.Email, err = valid.CheckEmail(n.Email)
	m.Add("email", err)
	if r.Username = strings.TrimSpace(n.Username); r.Username != "" {
		m.Add("username", valid.CheckUserName("username", r.Username))
	}
	r.Message, err = cleanText("message", n.Message)
	m.Add("message", err)
	if r.Language = n.Language; r.Language != "" {
		m.Add("language", valid.CheckLanguage(r.Language))
	}
	if err := s.wishes(ctx, n, &r, &m); err != nil {
		return r, err
	}
	key, err := s.readKey(ctx, n.Key, sent)
	if err != nil && !fault.Is(err, fault.Invalid) {
		return r, err
	}
	m.Add("key", err)
	if r.Key = key; len(m) > 0 {
		return r, m
	}
	return r, nil
}

// checkLine accepts one line of text for people.
func checkLine(what, s string, short bool) error {
	if s == "" {
		return fault.E("onboard.checkLine", fault.Invalid, "Please fill in the %s.", what)
	}
	if short && len(s) > maxNumber {
		return fault.E("onboard.checkLine", fault.Invalid, "The %s is longer than %d characters.", what, maxNumber)
	}
	return valid.CheckLabel(what, s)
}

// cleanText accepts text of several lines for people.
func cleanText(what, s string) (string, error) {
	const op = "onboard.cleanText"
	if len(s) > 2*maxText || !utf8.ValidString(s) {
		return "", fault.E(op, fault.Invalid, "The %s is too long, or no text.", what)
	}
	s = strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n"))
	if len(s) > maxText {
		return "", fault.E(op, fault.Invalid, "The %s is longer than %d bytes.", what, maxText)
	}
	for line := range strings.SplitSeq(s, "\n") {
		if valid.Printable(line) != line {
			return "", fault.E(op, fault.Invalid, "The %s has control characters.", what)
		}
	}
	return s, nil
}

// wishes checks the feeds and types that are wished for.
func (s *Service) wishes(ctx context.Context, n model.NewRequest, r *model.Request, m *fault.Mistakes) error {
	const op = "onboard.wishes"
	if len(n.Feeds) > maxWishes || len(n.Types) > maxWishes {
		m.Add("feeds", fault.E(op, fault.Invalid, "Please choose at most %d.", maxWishes))
		return nil
	}
	if len(n.Feeds) > 0 {
		offers, err := s.Offers(ctx)
		if err != nil {
			return err
		}
		for _, name := range n.Feeds {
			if !slices.ContainsFunc(offers, func(o model.Offer) bool { return o.Name == name }) {
				m.Add("feeds", fault.E(op, fault.Invalid, "%q can't be asked for here.", valid.Printable(name)))
				break
			}
			if !slices.Contains(r.Feeds, name) {
				r.Feeds = append(r.Feeds, name)
			}
		}
	}
	for _, t := range n.Types {
		t = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(t), "."))
		if t == "" || len(t) > 16 || strings.Trim(t, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			m.Add("types", fault.E(op, fault.Invalid, "%q is not a file type, such as csv or pdf.", valid.Printable(t)))
			break
		}
		if !slices.Contains(r.Types, t) {
			r.Types = append(r.Types, t)
		}
	}
	return nil
}

// readKey reads the one public key of a request. A private key is refused, and its key blocked.
func (s *Service) readKey(ctx context.Context, text, sent string) (k model.RequestKey, err error) {
	const op = "onboard.readKey"
	if strings.TrimSpace(text) == "" {
		return k, fault.E(op, fault.Invalid, "Please give your public key.")
	}
	if keys.LooksPrivate([]byte(text)) {
		return k, s.o.Accounts.PrivateKeySent(ctx, "system:requests", sent, []byte(text))
	}
	found, err := keys.Read([]byte(text))
	if err != nil {
		return k, err
	}
	if len(found) != 1 {
		return k, fault.E(op, fault.Invalid, "There are %d keys in this text. Please send one.", len(found))
	}
	p := found[0]
	k = model.RequestKey{Type: p.Type, Bits: p.Bits, Fingerprint: p.Fingerprint, MD5: p.MD5,
		Comment: valid.CutName(p.Comment, valid.MaxName), Format: p.Format, Public: p.Line}
	return k, s.o.Accounts.Accepts(p)
}

// ReadKey says what a text is as a key, before anything is sent. A private key that was sent is blocked.
func (s *Service) ReadKey(ctx context.Context, text, from string) (model.ReadKey, error) {
	if err := s.Closed(); err != nil {
		return model.ReadKey{}, err
	}
	if err := s.takes(s.reads, from); err != nil {
		return model.ReadKey{}, err
	}
	k, err := s.readKey(ctx, text, "form")
	if fault.Is(err, fault.Invalid) {
		return model.ReadKey{RequestKey: k, Problem: fault.PublicText(err)}, nil
	}
	return model.ReadKey{RequestKey: k, Accepted: err == nil}, err
}

// Offers lists the feeds that may be asked for. A feed that is for certain accounts alone is offered only if it
// is named.
func (s *Service) Offers(ctx context.Context) ([]model.Offer, error) {
	out := []model.Offer{}
	if len(s.policy.Load().Feeds) == 0 {
		return out, nil
	}
	list, err := s.o.Store.Read(ctx).Feeds(model.Paging{})
	for _, f := range list {
		if !s.offered(f) {
			continue
		}
		title := f.Title
		if title == "" {
			title = f.Name
		}
		out = append(out, model.Offer{Name: f.Name, Title: title, Kind: f.Kind, Types: f.Types})
	}
	return out, err
}

// offered reports whether a feed may be asked for.
func (s *Service) offered(f model.Feed) bool {
	return slices.Contains(s.policy.Load().Feeds, f.Name) ||
		slices.Contains(s.policy.Load().Feeds, "*") && len(f.Recipients) == 0
}
