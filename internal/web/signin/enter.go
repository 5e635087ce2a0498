package signin

import (
	"net/http"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/operator"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
)

// signInPage is the page on which operators sign in.
type signInPage struct {
	page.Frame
	wrong
	operator.Offers
	Email  string
	Next   string
	Undone bool // what was sent last was not done, since the session had ended
	Out    bool // somebody has just signed out
}

func (s *Server) lookSignIn(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	next := inside(q.Get("next"))
	if _, err := s.Session(r); err == nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	s.showSignIn(w, http.StatusOK, &signInPage{Next: next, Undone: q.Has("undone"), Out: q.Has("out")})
}

func (s *Server) showSignIn(w http.ResponseWriter, status int, p *signInPage) {
	p.Frame = page.Frame{Title: "Sign in", Script: true}
	p.Offers = s.o.Operators.Offers()
	s.Show(w, status, "signin.html", p)
}

// signIn takes address, password and code.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	p := &signInPage{Email: strings.TrimSpace(r.PostFormValue("email")), Next: inside(r.PostFormValue("next"))}
	session, err := s.o.Operators.SignIn(r.Context(), p.Email, r.PostFormValue("password"), r.PostFormValue("code"),
		s.visitor(r))
	if err == nil {
		s.enter(w, session)
		http.Redirect(w, r, p.Next, http.StatusSeeOther)
		return
	}
	s.refused(w, p, err)
}

// refused shows the page again, with what is wrong.
func (s *Server) refused(w http.ResponseWriter, p *signInPage, err error) {
	status, ok := p.tell(err)
	if !ok {
		if fault.Is(err, fault.Unavailable) {
			p.Problem = fault.PublicText(err)
			s.o.Log.Error("a sign-in could not be handled", "err", err)
			s.showSignIn(w, http.StatusServiceUnavailable, p)
			return
		}
		s.unavailable(w, err)
		return
	}
	s.showSignIn(w, status, p)
}

// passkey begins a sign-in with a passkey. The script asks.
func (s *Server) passkey(w http.ResponseWriter, r *http.Request) {
	ticket, options, err := s.o.Operators.PasskeyOptions(r.Context(), s.visitor(r))
	s.begun(w, ticket, options, err)
}

func (s *Server) passkeySigned(w http.ResponseWriter, r *http.Request) {
	answer, ok := s.answer(w, r)
	if !ok {
		return
	}
	session, err := s.o.Operators.SignInWithPasskey(r.Context(), s.ticket(w, r, "ticket"), answer, s.visitor(r))
	if err == nil {
		s.enter(w, session)
	}
	s.finished(w, inside(r.URL.Query().Get("next")), err)
}

// leave sends a browser to the single sign-on. It is a link, because pages let no form lead to another
// site.
func (s *Server) leave(w http.ResponseWriter, r *http.Request) {
	p := &signInPage{Next: inside(r.URL.Query().Get("next"))}
	ticket, address, err := s.o.Operators.SSOAddress(r.Context(), p.Next, s.visitor(r))
	if err != nil {
		s.refused(w, p, err)
		return
	}
	s.setCookie(w, "ticket", ticket, ticketLives)
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// callback is where the single sign-on sends a browser back to.
func (s *Server) callback(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p := &signInPage{Next: Home}
	if q.Get("error") != "" {
		if s.ticket(w, r, "ticket") != "" { // others have not been there
			s.o.Log.Warn("the single sign-on refused", "error", valid.Excerpt(q.Get("error"), 60), "why",
				valid.Excerpt(q.Get("error_description"), 200))
		}
		s.refused(w, p, fault.E("signin.callback", fault.Denied, "The single sign-on did not let you in."))
		return
	}
	session, next, err := s.o.Operators.SignInWithSSO(r.Context(), s.ticket(w, r, "ticket"), q.Get("state"), q.Get("code"),
		s.visitor(r))
	if err != nil {
		s.refused(w, p, err)
		return
	}
	s.enter(w, session)
	http.Redirect(w, r, inside(next), http.StatusSeeOther)
}

// signOut ends the session.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	session, err := s.Session(r)
	if err == nil {
		err = s.o.Operators.SignOut(r.Context(), session)
	}
	if err != nil && !fault.Is(err, fault.Unauthenticated) && !fault.Is(err, fault.NotFound) {
		s.unavailable(w, err)
		return
	}
	s.setCookie(w, "session", "", 0)
	http.Redirect(w, r, "/sign-in?out=1", http.StatusSeeOther)
}
