package signin

import (
	"cmp"
	"html/template"
	"net/http"

	"github.com/sallyport-sftp/sallyport/internal/operator"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
)

// own adds the pages of an operator's own sign-in. They are behind Guard.
func (s *Server) own(mux *http.ServeMux) {
	mux.HandleFunc("GET "+OwnPath, s.lookOwn)
	mux.HandleFunc("POST "+OwnPath+"/sessions/end-others", s.endOthers)
	mux.HandleFunc("POST "+OwnPath+"/sessions/{id}/end", s.endSession)
	mux.HandleFunc("POST "+OwnPath+"/passkeys/new", s.newKey)
	mux.HandleFunc("POST "+OwnPath+"/passkeys/made", s.keyMade)
	mux.HandleFunc("POST "+OwnPath+"/passkeys/{id}/remove", s.removeKey)
	mux.HandleFunc("GET "+OwnPath+"/password", s.lookPassword)
	mux.HandleFunc("POST "+OwnPath+"/password", s.setPassword)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { s.Nothing(w) })
}

// session returns the session that Guard has found.
func session(r *http.Request) operator.Session {
	v, _ := r.Context().Value(sessionKey{}).(operator.Session)
	return v
}

// frame is the frame of a page for whoever is signed in.
func (s *Server) frame(r *http.Request, title string) page.Frame {
	who := session(r).Who
	return page.Frame{Title: title, Width: "full", Script: true, Who: who.Email + ", " + string(who.Role),
		Nav: s.o.Nav(who.Role, OwnPath)}
}

// mePage is an operator's own sign-in.
type mePage struct {
	page.Frame
	wrong
	Email, Name, Role string
	Offers            operator.Offers
	Password          bool // there is one
	SSO               bool
	Keys              []keyRow
	Sessions          []sessionRow
	Done              string
}

type keyRow struct{ ID, Name, Since, Used string }

type sessionRow struct {
	ID, Agent, Address, Since, Seen string
	Here                            bool
}

// done are the sentences after something was done, by the word in the address.
var done = map[string]string{"password": "Your password was changed, and your other sessions have ended.",
	"passkey": "The passkey was added.", "removed": "The passkey was removed.", "ended": "The session has ended."}

func (s *Server) lookOwn(w http.ResponseWriter, r *http.Request) {
	s.showOwn(w, r, http.StatusOK, &mePage{Done: done[r.URL.Query().Get("done")]})
}

func (s *Server) showOwn(w http.ResponseWriter, r *http.Request, status int, p *mePage) {
	own, err := s.o.Operators.Own(r.Context(), session(r))
	if err != nil {
		s.unavailable(w, err)
		return
	}
	p.Frame, p.Email, p.Name, p.Role = s.frame(r, "My sign-in"), own.Email, own.Name, string(own.Role)
	p.Offers, p.Password, p.SSO = s.o.Operators.Offers(), own.Password != "", own.Subject != ""
	for _, k := range own.Keys {
		used := "never"
		if k.LastUsedAt != nil {
			used = s.when(*k.LastUsedAt)
		}
		p.Keys = append(p.Keys, keyRow{k.ID, k.Name, s.when(k.CreatedAt), used})
	}
	for _, v := range own.Sessions {
		p.Sessions = append(p.Sessions, sessionRow{v.ID, cmp.Or(browser(v.Agent), v.Agent), v.Address, s.when(v.CreatedAt),
			s.when(v.SeenAt), v.ID == session(r).ID})
	}
	s.Show(w, status, "me.html", p)
}

// back goes back to the page, or shows there what is wrong.
func (s *Server) back(w http.ResponseWriter, r *http.Request, word string, err error) {
	if err == nil {
		http.Redirect(w, r, OwnPath+"?done="+word, http.StatusSeeOther)
		return
	}
	p := &mePage{}
	status, ok := p.tell(err)
	if !ok {
		s.unavailable(w, err)
		return
	}
	s.showOwn(w, r, status, p)
}

func (s *Server) endOthers(w http.ResponseWriter, r *http.Request) {
	s.back(w, r, "ended", s.o.Operators.EndOthers(r.Context(), session(r)))
}

func (s *Server) endSession(w http.ResponseWriter, r *http.Request) {
	s.back(w, r, "ended", s.o.Operators.EndOwn(r.Context(), session(r), r.PathValue("id")))
}

func (s *Server) removeKey(w http.ResponseWriter, r *http.Request) {
	s.back(w, r, "removed", s.o.Operators.RemoveKey(r.Context(), session(r), r.PathValue("id")))
}

// newKey begins to make a passkey. The script asks.
func (s *Server) newKey(w http.ResponseWriter, r *http.Request) {
	ticket, options, err := s.o.Operators.NewKey(r.Context(), session(r))
	s.begun(w, ticket, options, err)
}

func (s *Server) keyMade(w http.ResponseWriter, r *http.Request) {
	answer, ok := s.answer(w, r)
	if !ok {
		return
	}
	err := s.o.Operators.AddKey(r.Context(), session(r), s.ticket(w, r, "ticket"), keyName(r), answer)
	s.finished(w, OwnPath+"?done=passkey", err)
}

// passwordPage sets a password and an authenticator app up.
type passwordPage struct {
	page.Frame
	wrong
	Has    bool // there is a password, which is asked for
	Email  string
	QR     template.HTML
	Secret string
}

func (s *Server) lookPassword(w http.ResponseWriter, r *http.Request) {
	code, err := s.o.Operators.NewCode(r.Context(), session(r))
	if err != nil {
		s.unavailable(w, err)
		return
	}
	s.showPassword(w, r, http.StatusOK, &passwordPage{}, code)
}

func (s *Server) showPassword(w http.ResponseWriter, r *http.Request, status int, p *passwordPage, code operator.Code) {
	own, err := s.o.Operators.Own(r.Context(), session(r))
	if err != nil {
		s.unavailable(w, err)
		return
	}
	p.Frame, p.Has, p.Email = s.frame(r, "Password and authenticator app"), own.Password != "", own.Email
	p.QR, p.Secret = page.DrawQR(code.URI, "The code for your authenticator app, to be scanned"), grouped(code.Secret)
	s.setCookie(w, "code", code.Ticket, ticketLives)
	s.Show(w, status, "password.html", p)
}

func (s *Server) setPassword(w http.ResponseWriter, r *http.Request) {
	again, err := s.o.Operators.SetPassword(r.Context(), session(r), operator.Passwords{Ticket: s.ticket(w, r, "code"),
		Old: r.PostFormValue("old"), New: r.PostFormValue("password"), Code: r.PostFormValue("code")})
	if err == nil || again.Ticket == "" {
		s.back(w, r, "password", err)
		return
	}
	p := &passwordPage{}
	status, _ := p.tell(err)
	s.showPassword(w, r, status, p, again)
}
