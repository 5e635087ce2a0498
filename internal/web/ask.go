package web

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/model"
)

// askPage is the page on which people ask for access.
type askPage struct {
	page.Frame
	Steps    []step
	Within   string // "within 2 days"; "" if nothing is promised
	Values   model.NewRequest
	Mistakes fault.Mistakes
	Key      *keyAnswer // what the key is; nil: none was given
	Offers   []choice
	Types    []choice
	Keygen   *page.Keygen  // nil: browsers can't make keys here
	Short    string        // this page's address, to be typed
	QR       template.HTML // the same, to be scanned
}

// choice is a box to tick.
type choice struct {
	Value, Title string
	Checked      bool
}

// keyAnswer is what is said of a key.
type keyAnswer struct {
	model.ReadKey
	Name    string // "an RSA key of 2048 bits"
	Private bool   // it is a private key, and was sent
	Next    string // what to do about the problem
	Help    string
}

// step is a step on the way to a working log-in.
type step struct {
	Name       string
	Done, Here bool
}

// way are the steps from the key to the log-in.
var way = []string{"Your key", "About you", "Confirm your e\u2011mail", "We check it", "Ready"}

// stepsAt returns the way, with the step that is to be done now. Steps before it are done.
func stepsAt(here int) []step {
	out := make([]step, len(way))
	for i, name := range way {
		out[i] = step{name, i < here, i == here}
	}
	return out
}

// ask adds the pages on which people ask for access.
func (s *server) ask(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.form)
	mux.HandleFunc("POST /{$}", s.submit)
	mux.HandleFunc("POST /read-key", s.readKey)
	mux.HandleFunc("GET /keys", s.keyGuide)
	mux.HandleFunc("GET /sent/{reference}", s.sent)
}

// nav returns the pages that anybody may open.
func (s *server) nav(here string) []page.Place {
	places := []page.Place{{Name: "Ask for access", Path: "/"}, {Name: "Make a key", Path: "/keys"}}
	for i := range places {
		places[i].Here = places[i].Path == here
	}
	return places
}

// form shows the empty form.
func (s *server) form(w http.ResponseWriter, r *http.Request) {
	if err := s.o.Requests.Closed(); err != nil {
		s.Message(w, http.StatusOK, &page.Message{Frame: page.Frame{Title: "File access", Nav: s.nav("")},
			Lines: []string{fault.PublicText(err)}})
		return
	}
	s.showForm(w, r, http.StatusOK, &askPage{})
}

// showForm completes the form's page and shows it.
func (s *server) showForm(w http.ResponseWriter, r *http.Request, status int, p *askPage) {
	offers, err := s.o.Requests.Offers(r.Context())
	if err != nil {
		s.unavailable(w, err)
		return
	}
	p.Frame = page.Frame{Title: "Ask for file access", Nav: s.nav("/"), Width: "wide", Script: true}
	p.Steps, p.Within = stepsAt(0), s.o.Within
	p.Short, p.QR = s.short, s.qr
	p.Keygen = s.Keygen()
	var types []string
	for _, o := range offers {
		p.Offers = append(p.Offers, choice{o.Name, o.Title, slices.Contains(p.Values.Feeds, o.Name)})
		for _, t := range o.Types {
			if !slices.Contains(types, t) {
				types = append(types, t)
			}
		}
	}
	for _, t := range types {
		p.Types = append(p.Types, choice{t, strings.ToUpper(t), slices.Contains(p.Values.Types, t)})
	}
	if p.Key != nil && p.Key.Private {
		p.Values.Key = "" // nothing of it goes back, either
	}
	s.Show(w, status, "ask.html", p)
}

// short returns the form's address, to be typed and to be scanned.
func short(address string) (string, template.HTML) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", ""
	}
	return u.Host + strings.TrimSuffix(u.Path, "/"), page.DrawQR(address, "The address of this page, to be scanned")
}

// keyFile is the field of the key's file. The script leaves it empty.
const keyFile = "key_file"

// submit takes what was filled in.
func (s *server) submit(w http.ResponseWriter, r *http.Request) {
	if err := page.ParseForm(r); err != nil {
		s.tooMuch(w, err)
		return
	}
	in, err := filled(r)
	if err != nil {
		s.tooMuch(w, err)
		return
	}
	p := &askPage{Values: in}
	if r.PostForm.Has("look") { // only the key is to be read
		p.Key = s.answer(r, in.Key)
		s.showForm(w, r, http.StatusOK, p)
		return
	}
	sent, err := s.o.Requests.Submit(r.Context(), in, s.address(r))
	if err == nil {
		s.remember(w, sent)
		http.Redirect(w, r, "/sent/"+url.PathEscape(sent.Reference), http.StatusSeeOther)
		return
	}
	s.refuse(w, r, p, err)
}

// refuse shows the form again, with what is wrong. What was typed is kept.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, p *askPage, err error) {
	switch {
	case errors.As(err, &p.Mistakes):
		switch {
		case keys.LooksPrivate([]byte(p.Values.Key)): // Submit has dealt with it: to read it again would block it twice
			p.Key = &keyAnswer{Private: true, Help: s.o.Help}
		case p.Values.Key != "":
			p.Key = s.answer(r, p.Values.Key)
		}
		s.showForm(w, r, http.StatusUnprocessableEntity, p)
	case fault.Is(err, fault.Busy), fault.Is(err, fault.Denied), fault.Is(err, fault.Unavailable):
		p.Mistakes = fault.Mistakes{{Field: "main", Text: fault.PublicText(err)}}
		s.showForm(w, r, fault.KindIn(err).HTTPStatus(), p)
	default:
		s.unavailable(w, err)
	}
}

// filled returns what was filled in. A file stands for the key's text, unless that is given, too.
func filled(r *http.Request) (model.NewRequest, error) {
	get := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	in := model.NewRequest{FirstName: get("first_name"), LastName: get("last_name"), Email: get("email"),
		Phone:   get("phone"),
		Company: get("company"), AccountNumber: get("account_number"), Username: get("username"), Key: get("key"),
		Feeds: r.PostForm["feeds"], Types: r.PostForm["types"], Message: get("message")}
	if in.Key != "" {
		return in, nil
	}
	var err error
	in.Key, err = page.FileOf(r, keyFile)
	return in, err
}

// readKey says what a key is, as a part of a page. The script asks.
func (s *server) readKey(w http.ResponseWriter, r *http.Request) {
	if err := page.ParseForm(r); err != nil {
		s.tooMuch(w, err)
		return
	}
	k := s.answer(r, r.PostFormValue("key"))
	status := http.StatusOK
	if !k.Accepted {
		status = http.StatusUnprocessableEntity
	}
	s.Part(w, status, "ask.html", "key", k)
}

// answer says what a key is.
func (s *server) answer(r *http.Request, text string) *keyAnswer {
	k, err := s.o.Requests.ReadKey(r.Context(), text, s.address(r))
	out := &keyAnswer{ReadKey: k, Help: s.o.Help, Private: keys.LooksPrivate([]byte(text))}
	if err != nil {
		out.Problem, out.Next = fault.PublicText(err), fault.HintIn(err)
		return out
	}
	out.Name = keyName(k.RequestKey)
	return out
}

// keyName says what a key is in words: "an RSA key of 2048 bits".
func keyName(k model.RequestKey) string {
	switch {
	case strings.Contains(k.Type, "ed25519"):
		return "an Ed25519 key"
	case strings.Contains(k.Type, "ecdsa"):
		return "an ECDSA key of " + strconv.Itoa(k.Bits) + " bits"
	default:
		return "an RSA key of " + strconv.Itoa(k.Bits) + " bits"
	}
}

// sentPage says that a mail is on its way.
type sentPage struct {
	page.Frame
	Steps                   []step
	Reference, Email, Until string
}

// sentCookie has the address to which a mail is on its way, for the page that says so. In the page's
// own address it would be in the logs of proxies.
const sentCookie = "sent"

// remember sets the cookie for the page that says that a mail is on its way.
func (s *server) remember(w http.ResponseWriter, sent model.Submitted) {
	http.SetCookie(w, &http.Cookie{Name: sentCookie, Path: "/sent/", MaxAge: 600, HttpOnly: true, Secure: s.secure(),
		SameSite: http.SameSiteLaxMode, Value: url.QueryEscape(sent.Email + " " + s.when(sent.VerifyBy, nil))})
}

// sent says that a mail is on its way. It looks nothing up: whoever makes up a reference learns nothing.
func (s *server) sent(w http.ResponseWriter, r *http.Request) {
	p := &sentPage{Frame: page.Frame{Title: "One more step", Nav: s.nav("")}, Steps: stepsAt(2),
		Reference: r.PathValue("reference")}
	if !fault.LooksLikeReference(p.Reference) {
		s.Nothing(w)
		return
	}
	if c, err := r.Cookie(sentCookie); err == nil {
		if value, err := url.QueryUnescape(c.Value); err == nil {
			p.Email, p.Until, _ = strings.Cut(value, " ")
		}
	}
	s.Show(w, http.StatusOK, "sent.html", p)
}

// secure reports whether pages are reached over TLS, so that cookies never travel in clear.
func (s *server) secure() bool { return strings.HasPrefix(s.o.URL, "https:") }

// when formats a time for people; a nil zone is the operator's.
func (s *server) when(t time.Time, zone *time.Location) string {
	if zone == nil {
		zone = s.o.Zone
	}
	return page.When(t, zone)
}

// keyPage says how a pair is made.
type keyPage struct {
	page.Frame
	Maker bool // the form can make a pair
	Short string
	QR    template.HTML
}

func (s *server) keyGuide(w http.ResponseWriter, _ *http.Request) {
	p := &keyPage{Frame: page.Frame{Title: "Make a key pair", Nav: s.nav("/keys"), Width: "wide", Script: true}}
	p.Maker, p.Short, p.QR = s.Keygen() != nil, s.short, s.qr
	s.Show(w, http.StatusOK, "keys.html", p)
}

// tooMuch refuses a form that can't be read.
func (s *server) tooMuch(w http.ResponseWriter, err error) {
	s.o.Log.Debug("a form was refused", "err", err)
	s.Say(w, http.StatusRequestEntityTooLarge, "This is too much",
		"The form could not be read: it is larger than a form can be. "+
			"A public key is a small file. Please go back, and choose that one.")
}

// unavailable says that the server can't do it now.
func (s *server) unavailable(w http.ResponseWriter, err error) {
	s.o.Log.Error("a request for access could not be handled", "err", err)
	s.Say(w, http.StatusServiceUnavailable, "Please try again",
		"The server cannot answer now. Nothing was lost: go back, "+
			"and send it again in a few minutes.")
}
