package console

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/model"
)

// handPage makes a key pair for a user and hands it over: the key file to one contact, the passphrase to another.
type handPage struct {
	page.Frame
	Done           string
	Mistakes       fault.Mistakes
	User           model.User
	Path           string
	Contacts       []contactLine
	Homes          []option // whose a new contact is: the account's or the vendor's
	Roles          []option
	Kinds          []option // types of keys
	Replaces       []option // keys that the new one may replace
	Replaced       string
	KeyTo          *contactLine // nil: not chosen
	PassphraseTo   *contactLine
	Ready          bool // both are chosen, and may get it
	Kind, Sheet    string
	Words          words  // of the command that does the same
	Mails          bool   // the server mails links
	Web            string // address of the pages; "": nobody could open a link
	Keygen         *page.Keygen
	Typed          map[string]string
	MayGive, MayBe bool // make links; add contacts
}

// words are the arguments of a command, as a shell reads them.
type words struct{ User, KeyTo, PassphraseTo, Kind, Replaced string }

// contactLine is a contact to choose.
type contactLine struct {
	ID, Name, Email, Of string
	Verified            bool
	Key, Passphrase     bool // who gets which half
}

// Unverified reports whether there is an address that nobody has verified.
func (p *handPage) Unverified() bool {
	return slices.ContainsFunc(p.Contacts, func(c contactLine) bool { return !c.Verified })
}

// handOver shows the form. Whom the halves go to is in its address, so that it works without the script.
func (s *server) handOver(w http.ResponseWriter, r *http.Request) error { return s.showHand(w, r, nil) }

// showHand shows the form, with what is wrong with one that was sent.
func (s *server) showHand(w http.ResponseWriter, r *http.Request, wrong error) error {
	name := r.PathValue("user")
	sheet, err := s.api.ShowKeySheet(r.Context(), name)
	if err != nil {
		return err
	}
	u, err := s.api.ShowUser(r.Context(), name)
	if err != nil {
		return err
	}
	p := &handPage{Frame: s.frame(r, "Give a key to "+u.Name, "/console/give"), Done: doneText(r), User: u,
		Path: userPath(u.Name), Sheet: sheet.Text, Keygen: s.Keygen(), Typed: typed(r), MayGive: s.may(r, "make-link"),
		MayBe: s.may(r, "add-contact")}
	p.Width = "wide"
	var status int
	status, p.Mistakes = outcome(wrong)
	server, err := s.api.ShowServer(r.Context())
	if err != nil {
		return err
	}
	p.Web, p.Mails = strings.TrimSuffix(server.Web, "/"), server.Mail && server.Web != ""
	for _, of := range []string{u.Account, u.Vendor} {
		if of != "" {
			p.Homes = append(p.Homes, option{Value: of, Label: of, Chosen: len(p.Homes) == 0})
		}
	}
	p.Roles = roles(model.RoleTechnical)
	if err := s.replaceable(r, p); err != nil {
		return err
	}
	contacts, err := s.contactsOf(r, u)
	if err != nil {
		return err
	}
	if err := p.choose(r.URL.Query(), contacts); err != nil && wrong == nil {
		status, p.Mistakes = http.StatusUnprocessableEntity, mistakes(err, "key_to")
	}
	s.Show(w, status, "hand.html", p)
	return nil
}

// choose completes the form with whom its address names.
func (p *handPage) choose(q url.Values, contacts []model.Contact) error {
	p.Kind = q.Get("kind")
	if !slices.Contains(keys.IssuedTypes, p.Kind) {
		p.Kind = keys.IssuedTypes[0]
	}
	for _, kind := range keys.IssuedTypes {
		p.Kinds = append(p.Kinds, option{Value: kind, Label: kind, Chosen: kind == p.Kind})
	}
	keyTo, passphraseTo := q.Get("key_to"), q.Get("passphrase_to")
	if keyTo == "" && passphraseTo == "" {
		keyTo, passphraseTo = proposed(contacts)
	}
	for _, c := range contacts {
		p.Contacts = append(p.Contacts, contactLine{ID: c.ID, Name: c.Name, Email: c.Email, Of: c.Of(),
			Verified: c.VerifiedAt != nil, Key: keyTo == c.ID, Passphrase: passphraseTo == c.ID})
	}
	for i := range p.Contacts {
		if p.Contacts[i].Key {
			p.KeyTo = &p.Contacts[i]
		}
		if p.Contacts[i].Passphrase {
			p.PassphraseTo = &p.Contacts[i]
		}
	}
	p.Words = words{User: quoted(p.User.Name), Replaced: quoted(p.Replaced)}
	if p.KeyTo == nil || p.PassphraseTo == nil {
		return nil
	}
	p.Words.KeyTo, p.Words.PassphraseTo = quoted(p.KeyTo.Email), quoted(p.PassphraseTo.Email)
	if p.Kind != keys.IssuedTypes[0] {
		p.Words.Kind = p.Kind
	}
	for _, c := range []*contactLine{p.KeyTo, p.PassphraseTo} {
		if !c.Verified {
			return fault.E("console.choose", fault.Conflict,
				"The address %s is not verified yet, so nothing secret goes there. Verify it below.", c.Email).WithField("verify")
		}
	}
	if strings.EqualFold(p.KeyTo.Email, p.PassphraseTo.Email) {
		return fault.E("console.choose", fault.Denied, "Key file and passphrase go to two different people.").
			WithField("passphrase_to")
	}
	p.Ready = true
	return nil
}

// proposed returns a technical contact for the key file and another person, a security contact, for the passphrase, if
// both addresses are verified. Without both, nobody is proposed.
func proposed(contacts []model.Contact) (keyTo, passphraseTo string) {
	verified := func(role, not string) (id, email string) {
		for _, c := range contacts {
			if c.VerifiedAt != nil && slices.Contains(c.Roles, role) && !strings.EqualFold(c.Email, not) {
				return c.ID, c.Email
			}
		}
		return "", ""
	}
	passphraseTo, email := verified(model.RoleSecurity, "")
	keyTo, _ = verified(model.RoleTechnical, email)
	if keyTo == "" || passphraseTo == "" {
		return "", ""
	}
	return keyTo, passphraseTo
}

// quoted is a word as a shell reads it.
func quoted(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@:/+=-") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// replaceable lists the keys that a new one may replace.
func (s *server) replaceable(r *http.Request, p *handPage) error {
	list, err := s.api.ListKeys(r.Context(), model.UserKeyFilter{User: p.User.Name})
	if err != nil {
		return err
	}
	asked := r.URL.Query().Get("replaces")
	for _, k := range list.Items {
		if k.State == model.KeyActive || k.State == model.KeyRetiring {
			one := option{Value: k.Fingerprint, Label: k.Fingerprint, Hint: keyAbout(k), Chosen: k.Fingerprint == asked}
			p.Replaces = append(p.Replaces, one)
			if one.Chosen {
				p.Replaced = k.Fingerprint
			}
		}
	}
	return nil
}

// keyAbout says which key it is, to somebody who does not know fingerprints.
func keyAbout(k model.Key) string {
	about := "sent by its holder"
	if k.Origin == model.OriginIssued {
		about = "made for them"
	}
	if k.Holder != "" {
		about += ", held by " + k.Holder
	}
	if k.LastUsedAt == nil {
		about += ", never used"
	}
	return about
}

// givenPart says what became of a handing over.
type givenPart struct {
	Mistakes    fault.Mistakes
	UserPath    string
	Fingerprint string
	Until       *stamp
	Halves      []half
	ByHand      bool // at least one link has to be handed over
}

// half is one of the two links. The page has its secret, and this server does not, unless it mails the link.
type half struct {
	Kind, What, Contact string
	Sent                bool
	Why                 string // why it was not mailed, if it was to be
	link                model.Link
	secret              string
}

// handedOver takes a pair that was made in the operator's browser: the public half, and two packages that this server
// can't open. It is called by the script. The order is that of the command line: links, then the key, then mails; if a
// step fails, the links are revoked.
func (s *server) handedOver(w http.ResponseWriter, r *http.Request) error {
	p, err := s.handOverTo(r)
	w.Header().Set(partHeader, "given")
	switch {
	case err == nil:
		s.Part(w, http.StatusOK, "hand.html", "given", p)
		return nil
	case s.correctable(r, "make-link", err):
		s.Part(w, formStatus(err), "hand.html", "given", &givenPart{Mistakes: mistakes(err, "hand")})
		return nil
	}
	w.Header().Del(partHeader)
	return err
}

// partHeader tells the script that the answer is a part of a page.
const partHeader = "Sallyport-Part"

func (s *server) handOverTo(r *http.Request) (p *givenPart, err error) {
	const op = "console.handOver"
	ctx, user := r.Context(), r.PathValue("user")
	if !s.may(r, "make-link") {
		_, err := s.api.MakeLink(ctx, model.NewLink{}) // the API says why not
		return nil, err
	}
	server, err := s.api.ShowServer(ctx)
	if err != nil {
		return nil, err
	}
	if server.Web == "" {
		return nil, fault.E(op, fault.Conflict, "This server has no web address, so nobody could open a link.").
			WithHint("set web.listen and web.url in the configuration")
	}
	found, err := keys.Read([]byte(value(r, "public")))
	if err != nil || len(found) != 1 {
		return nil, fault.E(op, fault.Invalid, "The pair was not made, so nothing was handed over.")
	}
	p = &givenPart{UserPath: userPath(user), Fingerprint: found[0].Fingerprint}
	defer func() {
		if err != nil {
			s.undo(ctx, p)
		}
	}()
	for _, h := range []half{{Kind: "key", What: "Key file", Contact: value(r, "key_to")},
		{Kind: "passphrase", What: "Passphrase", Contact: value(r, "passphrase_to")}} {
		in := model.NewLink{Kind: model.LinkKind(h.Kind), User: user, Contact: h.Contact, Fingerprint: p.Fingerprint,
			Token: bytesOf(r, h.Kind+"_token"), Sealed: bytesOf(r, h.Kind+"_sealed")}
		if h.link, err = s.api.MakeLink(ctx, in); err != nil {
			return p, err
		}
		h.Contact, h.secret = h.link.Contact, value(r, h.Kind+"_secret")
		p.Until = s.at(&h.link.ExpiresAt)
		p.Halves = append(p.Halves, h)
	}
	if _, err = s.api.AddKeys(ctx, user, model.NewKey{Text: value(r, "public"), Origin: model.OriginIssued,
		Holder: value(r, "key_to"), Replaces: value(r, "replaces")}); err != nil {
		return p, err
	}
	s.endEarlier(ctx, r, p)
	for i := range p.Halves { // only now: a mail cannot be taken back
		h := &p.Halves[i]
		if h.secret != "" && server.Mail {
			_, failed := s.api.MailLink(ctx, h.link.ID, model.MailLink{Secret: h.secret})
			if h.Sent = failed == nil; !h.Sent {
				h.Why = fault.PublicText(failed)
			}
		}
		p.ByHand = p.ByHand || !h.Sent
	}
	return p, nil
}

// bytesOf returns a field that has bytes in base64. What is damaged is refused by the API.
func bytesOf(r *http.Request, field string) []byte {
	b, err := base64.StdEncoding.DecodeString(value(r, field))
	if err != nil {
		return nil
	}
	return b
}

// undo revokes the links of a handing over that failed. One that can't be revoked expires by itself.
func (s *server) undo(ctx context.Context, p *givenPart) {
	for _, h := range p.Halves {
		if _, err := s.api.RevokeLink(context.WithoutCancel(ctx), h.link.ID); err != nil {
			s.o.Log.Warn("a link of a failed handing over was not revoked", "link", h.link.ID, "err", err)
		}
	}
}

// endEarlier revokes the links to the key that is replaced, and that nobody has opened: its file is of no use.
func (s *server) endEarlier(ctx context.Context, r *http.Request, p *givenPart) {
	replaced := value(r, "replaces")
	if replaced == "" {
		return
	}
	list, err := s.api.ListLinks(ctx, model.OfUserFilter{User: r.PathValue("user")})
	for _, l := range list.Items {
		if l.State == model.LinkWaiting && l.Fingerprint == replaced && l.Fingerprint != p.Fingerprint {
			if _, failed := s.api.RevokeLink(ctx, l.ID); failed != nil {
				err = failed
			}
		}
	}
	if err != nil {
		s.o.Log.Warn("links to a replaced key were not revoked", "user", r.PathValue("user"), "err", err)
	}
}

// addContact adds a contact to a user's account or vendor.
func (s *server) addContact(w http.ResponseWriter, r *http.Request) error {
	u, err := s.api.ShowUser(r.Context(), r.PathValue("user"))
	if err != nil {
		return err
	}
	in := model.NewContact{Name: value(r, "name"), Email: value(r, "email"), Phone: value(r, "phone"),
		Roles: r.PostForm["roles"]}
	if of := value(r, "of"); u.Vendor != "" && of == u.Vendor {
		in.Vendor = u.Vendor
	} else {
		in.Account = u.Account
	}
	_, err = s.api.AddContact(r.Context(), in)
	return s.backToHand(w, r, "add-contact", "contact", err)
}

// verifyContact records an operator's word on how an address was verified.
func (s *server) verifyContact(w http.ResponseWriter, r *http.Request) error {
	_, err := s.api.EditContact(r.Context(), value(r, "contact"), model.EditContact{Verified: new(value(r, "how"))})
	return s.backToHand(w, r, "edit-contact", "verified", renamed(err, "verified", "how"))
}

// backToHand goes back to the form after a step, or shows it with what was wrong.
func (s *server) backToHand(w http.ResponseWriter, r *http.Request, operation, said string, err error) error {
	q := url.Values{"done": {said}}
	for _, name := range []string{"key_to", "passphrase_to", "kind", "replaces"} {
		if v := r.URL.Query().Get(name); v != "" {
			q.Set(name, v)
		}
	}
	return s.after(w, r, operation, userPath(r.PathValue("user"))+"/give?"+q.Encode(), err, s.showHand)
}
