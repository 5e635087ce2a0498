package console

import (
	"net/http"
	"net/url"
	"time"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/model"
)

// userPage says what became of the access that a user was given.
type userPage struct {
	page.Frame
	Done     string
	Mistakes fault.Mistakes
	Path     string
	User     model.User
	Account  model.Account
	Findings []model.Finding
	Use      []fact
	Request  *row // through which it came; nil: none
	Keys     []keyLine
	Links    []linkLine
	Folders  []model.Folder
	Feeds    []model.FeedLine
	Programs []page.Program
	More     bool // there are more links than are shown
	MayGive  bool
	Revoked  bool // a key was revoked just now
}

// keyLine is a key of the user.
type keyLine struct {
	Fingerprint, Type, State, About string
	Tone                            tone
	Added, Used                     *stamp
	From                            string
	RevokePath, AgainPath           string // "": not possible, or not by this role
	Why                             string // why it was revoked
}

// linkLine is a one-time link.
type linkLine struct {
	ID, What, Contact, State string
	Tone                     tone
	Detail                   string
	At, Until                *stamp
	MayRevoke                bool
	Mail                     *mail
	MailID                   string // of a mail that can be sent again
}

// linksShown is how many of a user's links are shown.
const linksShown = 20

// user shows a user's access.
func (s *server) user(w http.ResponseWriter, r *http.Request) error { return s.showUser(w, r, nil) }

// showUser shows a user's access. wrong is why a form that was sent was not carried out.
func (s *server) showUser(w http.ResponseWriter, r *http.Request, wrong error) error {
	v, err := s.api.ShowUserPage(r.Context(), r.PathValue("user"))
	if err != nil {
		return err
	}
	p := &userPage{Frame: s.frame(r, "Access of "+v.User.Name, "/console/give"), Done: doneText(r),
		Path: userPath(v.User.Name), User: v.User, Account: v.Account, Findings: v.Findings, Folders: v.Folders,
		Feeds: v.Feeds, MayGive: s.may(r, "make-link"), Revoked: r.URL.Query().Get("done") == "key"}
	for _, k := range v.Keys {
		p.Keys = append(p.Keys, s.keyLine(r, p.Path, k))
	}
	if err := s.links(r, p); err != nil {
		return err
	}
	if err := s.use(r, p, v); err != nil {
		return err
	}
	if err := s.sites(r, p); err != nil {
		return err
	}
	var status int
	status, p.Mistakes = outcome(wrong)
	s.Show(w, status, "user.html", p)
	return nil
}

// keyTones are the colours of keys' states.
var keyTones = map[model.KeyState]tone{model.KeyActive: good, model.KeyRetiring: warn, model.KeyFrozen: bad,
	model.KeyExpired: bad, model.KeyBurned: bad}

func (s *server) keyLine(r *http.Request, path string, k model.Key) keyLine {
	out := keyLine{Fingerprint: k.Fingerprint, Type: k.Type + ", " + valid.Count(k.Bits, "bit"),
		State: model.Word(k.State), Tone: keyTones[k.State], About: keyAbout(k), Added: s.at(&k.CreatedAt),
		Used: s.at(k.LastUsedAt), From: k.LastAddress, Why: k.RevokedWhy}
	q := "?" + url.Values{"fingerprint": {k.Fingerprint}}.Encode()
	over := k.State == model.KeyRevoked || k.State == model.KeyBurned
	if !over && s.may(r, "revoke-key") {
		out.RevokePath = path + "/revoke-key" + q
	}
	if !over && k.Origin == model.OriginIssued && k.LastUsedAt == nil && s.may(r, "make-link") {
		out.AgainPath = path + "/give?" + url.Values{"replaces": {k.Fingerprint}}.Encode()
	}
	return out
}

// linkWhat says what a link hands over.
var linkWhat = map[model.LinkKind]string{model.LinkKey: "Key file", model.LinkPassphrase: "Passphrase",
	model.LinkVerify: "Proof of the address"}

// links lists the user's one-time links, the newest first, with the mails that carried them.
func (s *server) links(r *http.Request, p *userPage) error {
	list, err := s.api.ListLinks(r.Context(), model.OfUserFilter{User: p.User.Name,
		Paging: model.Paging{Limit: linksShown}})
	if err != nil {
		return err
	}
	p.More = list.Next != ""
	letters := map[string][]model.Message{}
	for _, l := range list.Items {
		one := linkLine{ID: l.ID, What: linkWhat[l.Kind], Contact: l.Contact, State: model.Word(l.State)}
		switch l.State {
		case model.LinkWaiting:
			one.Tone, one.Until, one.MayRevoke = warn, s.at(&l.ExpiresAt), s.may(r, "revoke-link")
		case model.LinkOpened:
			one.Tone, one.At = good, s.at(l.EndedAt)
			if l.OpenedFrom != "" {
				one.Detail = "from " + l.OpenedFrom
			}
		default:
			one.At = s.at(l.EndedAt)
			if one.At == nil {
				one.At = s.at(&l.ExpiresAt)
			}
		}
		if err := s.carried(r, l, &one, letters); err != nil {
			return err
		}
		p.Links = append(p.Links, one)
	}
	return nil
}

// carried finds the mail that carried a link. letters are those to each address, so that each is asked for once.
func (s *server) carried(r *http.Request, l model.Link, one *linkLine, letters map[string][]model.Message) error {
	list, known := letters[l.Contact]
	if !known {
		part, err := s.api.ListMessages(r.Context(), model.MessageFilter{Channel: model.ChannelMail, Target: l.Contact,
			Paging: model.Paging{Limit: linksShown * 2}})
		if err != nil && !fault.Is(err, fault.NotFound) { // not found: nothing was ever mailed there
			return err
		}
		list = part.Items
		letters[l.Contact] = list
	}
	for i := len(list) - 1; i >= 0; i-- { // the first one after the link was made
		m := list[i]
		if m.Kind != "link-"+string(l.Kind) || m.CreatedAt.Before(l.CreatedAt) {
			continue
		}
		if m.CreatedAt.Sub(l.CreatedAt) > time.Hour { // of a later link
			return nil
		}
		one.Mail = new(s.mailOf(m))
		if l.State == model.LinkWaiting && m.State == model.MessageDead && s.may(r, "replay-message") {
			one.MailID = m.ID
		}
		return nil
	}
	return nil
}

// use says whether and when somebody has used the access.
func (s *server) use(r *http.Request, p *userPage, v model.UserPage) error {
	list, err := s.api.ListRequests(r.Context(), model.RequestFilter{Number: v.User.Account,
		Paging: model.Paging{Limit: perPage}})
	if err != nil {
		return err
	}
	for _, one := range list.Items {
		if one.User != v.User.Name {
			continue
		}
		p.Request = new(s.row(one, ""))
		break
	}
	last := "nobody has logged in yet"
	if v.LastLogin != nil {
		last = s.at(&v.LastLogin.At).Text
	}
	for _, first := range []struct {
		name, none string
		at         *time.Time
	}{{"First log-in", "not yet, as far as it is on record", v.FirstLogin}, {"First file", "none yet", v.FirstFile}} {
		value := first.none
		if first.at != nil {
			value = s.at(first.at).Text
		}
		p.Use = append(p.Use, fact{Name: first.name, Value: value})
	}
	p.Use = append(p.Use, fact{Name: "Last log-in", Value: last})
	if v.LastLogin != nil {
		p.Use = append(p.Use, fact{Name: "Program", Value: v.LastLogin.Client, Soft: "from " + v.LastLogin.Address})
	}
	if len(v.Failures) > 0 {
		f := v.Failures[0]
		p.Use = append(p.Use, fact{Name: "Last failure", Value: s.at(&f.At).Text, Soft: model.Word(f.Outcome)})
	}
	return nil
}

// sites lists the files that programs import.
func (s *server) sites(r *http.Request, p *userPage) error {
	for _, program := range page.Programs {
		list, err := client.All(r.Context(), s.api.ShowSites, model.SitesFilter{User: p.User.Name, For: program.ID})
		if fault.Is(err, fault.Conflict) || fault.Is(err, fault.Invalid) || fault.Is(err, fault.NotFound) {
			return nil // the server's address is not configured
		} else if err != nil {
			return err
		}
		one := page.Program{Name: program.Name}
		for _, f := range list {
			one.Files = append(one.Files, page.Place{Name: f.Name,
				Path: p.Path + "/site/" + program.ID + "/" + url.PathEscape(f.Name)})
		}
		p.Programs = append(p.Programs, one)
	}
	return nil
}

// guide sends the guide of a user, as the partner gets it.
func (s *server) guide(w http.ResponseWriter, r *http.Request) error {
	format := r.URL.Query().Get("format")
	d, err := s.api.ShowGuide(r.Context(), model.GuideQuery{User: r.PathValue("user"), Format: format})
	if err != nil {
		return err
	}
	name := r.PathValue("user") + "." + map[string]string{"html": "html", "md": "md"}[d.Format]
	if d.Format == "text" { // read here
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(d.Text)) // the client may be gone
		return nil
	}
	page.Attach(w, r, name, d.Text)
	return nil
}

// siteFile sends a file that a program imports.
func (s *server) siteFile(w http.ResponseWriter, r *http.Request) error {
	list, err := client.All(r.Context(), s.api.ShowSites, model.SitesFilter{User: r.PathValue("user"),
		For: r.PathValue("program")})
	if err != nil {
		return err
	}
	for _, f := range list {
		if f.Name == r.PathValue("file") {
			page.Attach(w, r, f.Name, f.Content)
			return nil
		}
	}
	return fault.E("console.siteFile", fault.NotFound, "There is no such file.")
}

// backToUser goes back to the user's page after a step, or says there what was wrong.
func (s *server) backToUser(w http.ResponseWriter, r *http.Request, operation, said string, err error) error {
	return s.after(w, r, operation, userPath(r.PathValue("user"))+"?done="+said, err, s.showUser)
}

func (s *server) revokeLink(w http.ResponseWriter, r *http.Request) error {
	_, err := s.api.RevokeLink(r.Context(), value(r, "link"))
	return s.backToUser(w, r, "revoke-link", "link", err)
}

func (s *server) mailAgain(w http.ResponseWriter, r *http.Request) error {
	err := s.api.ReplayMessage(r.Context(), value(r, "message"))
	return s.backToUser(w, r, "replay-message", "mailed", err)
}

// revokePage asks before a key is revoked.
type revokePage struct {
	page.Frame
	Mistakes fault.Mistakes
	Path     string
	User     string
	Key      keyLine
	Last     bool // no other key of the user works
	Others   []string
	MayGive  bool
	Typed    map[string]string
}

// confirmRevoke asks whether a key is to be revoked, and says what follows.
func (s *server) confirmRevoke(w http.ResponseWriter, r *http.Request) error {
	return s.showRevoke(w, r, r.URL.Query().Get("fingerprint"), nil)
}

func (s *server) showRevoke(w http.ResponseWriter, r *http.Request, fingerprint string, wrong error) error {
	name := r.PathValue("user")
	list, err := client.All(r.Context(), s.api.ListKeys, model.UserKeyFilter{User: name})
	if err != nil {
		return err
	}
	p := &revokePage{Frame: s.frame(r, "Revoke a key of "+name, ""), Path: userPath(name), User: name, Last: true,
		MayGive: s.may(r, "make-link"), Typed: typed(r)}
	p.Width = "wide"
	for _, k := range list {
		works := k.State == model.KeyActive || k.State == model.KeyRetiring
		if k.Fingerprint == fingerprint {
			p.Key = s.keyLine(r, p.Path, k)
		} else if works {
			p.Last = false
		}
	}
	if p.Key.Fingerprint == "" {
		return fault.E("console.revoke", fault.NotFound, "The user %s has no such key.", name)
	}
	all, err := s.api.ShowKey(r.Context(), model.FingerprintFilter{Fingerprint: fingerprint})
	if err != nil {
		return err
	}
	for _, k := range all.Items {
		if k.User != name {
			p.Others = append(p.Others, k.User)
		}
	}
	var status int
	status, p.Mistakes = outcome(wrong)
	s.Show(w, status, "revoke.html", p)
	return nil
}

// revokeKey revokes a key, and blocks it for ever if that was ticked.
func (s *server) revokeKey(w http.ResponseWriter, r *http.Request) error {
	fingerprint := value(r, "fingerprint")
	if fingerprint == "" && s.may(r, "revoke-key") {
		return fault.E("console.revokeKey", fault.Invalid, "The form names no key.")
	}
	_, err := s.api.RevokeKey(r.Context(), model.RevokeKey{Fingerprint: fingerprint, Reason: value(r, "reason"),
		Burn: value(r, "burn") != ""})
	if err != nil && s.correctable(r, "revoke-key", err) {
		return s.showRevoke(w, r, fingerprint, err)
	}
	return s.backToUser(w, r, "revoke-key", "key", err)
}
