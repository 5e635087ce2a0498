package signin

import (
	"cmp"
	"encoding/json"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/operator"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
)

// joinPage is the page of a link to join.
type joinPage struct {
	page.Frame
	wrong
	First       bool
	Role, Until string
	Path        string
	Person      operator.Person
	Password    bool // may be used here
	Passkeys    bool
	QR          template.HTML
	Secret      string // the code's, in groups of four
}

func (s *Server) lookJoin(w http.ResponseWriter, r *http.Request) {
	s.showJoin(w, r, http.StatusOK, &joinPage{}, operator.Code{})
}

// showJoin completes the page of a link, and shows it. code is what the app was set up with before; without
// one, there is a new one.
func (s *Server) showJoin(w http.ResponseWriter, r *http.Request, status int, p *joinPage, code operator.Code) {
	j, err := s.o.Operators.Joining(r.Context(), r.PathValue("secret"))
	if err == nil && code.Ticket == "" {
		code, err = s.o.Operators.JoinCode(r.Context(), r.PathValue("secret"))
	}
	if err != nil {
		s.dead(w, err)
		return
	}
	s.setCookie(w, "code", code.Ticket, ticketLives)
	p.Frame = page.Frame{Title: "Set up your sign-in", Width: "wide", Script: true}
	p.First, p.Role, p.Path = j.First, string(j.Role), operator.JoinPath+url.PathEscape(r.PathValue("secret"))
	p.Until = s.when(*j.LinkUntil)
	if !j.First {
		p.Person = operator.Person{Email: j.Email, Name: j.Name}
	}
	offers := s.o.Operators.Offers()
	p.Password, p.Passkeys = offers.Password, offers.Passkeys
	p.QR = page.DrawQR(code.URI, "The code for your authenticator app, to be scanned")
	p.Secret = grouped(code.Secret)
	s.Show(w, status, "join.html", p)
}

// grouped is a secret in groups of four, as people type it.
func grouped(secret string) string {
	var b strings.Builder
	for i, c := range secret {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// person is what the first administrator says of itself.
func person(r *http.Request) operator.Person {
	get := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	return operator.Person{Email: get("email"), Name: get("name")}
}

// join takes a password and a code.
func (s *Server) join(w http.ResponseWriter, r *http.Request) {
	session, again, err := s.o.Operators.Join(r.Context(), r.PathValue("secret"), person(r), operator.Passwords{
		Ticket: s.ticket(w, r, "code"), New: r.PostFormValue("password"), Code: r.PostFormValue("code")}, s.visitor(r))
	if err == nil {
		s.enter(w, session)
		http.Redirect(w, r, Home, http.StatusSeeOther)
		return
	}
	p := &joinPage{Person: person(r)}
	status, ok := p.tell(err)
	if fault.Is(err, fault.NotFound) || !ok {
		s.dead(w, err)
		return
	}
	s.showJoin(w, r, status, p, again)
}

// dead says that a link does not work.
func (s *Server) dead(w http.ResponseWriter, err error) {
	if !fault.Is(err, fault.NotFound) {
		s.unavailable(w, err)
		return
	}
	s.Say(w, http.StatusNotFound, "This link does not work", "It may have been used already, or its time is over.",
		"If it was you who used it, sign in. An administrator can give you a new link.")
}

// joinKey begins to make a passkey. The script asks.
func (s *Server) joinKey(w http.ResponseWriter, r *http.Request) {
	ticket, options, err := s.o.Operators.JoinKey(r.Context(), r.PathValue("secret"), person(r))
	s.begun(w, ticket, options, err)
}

func (s *Server) joinedKey(w http.ResponseWriter, r *http.Request) {
	answer, ok := s.answer(w, r)
	if !ok {
		return
	}
	session, err := s.o.Operators.JoinedKey(r.Context(), r.PathValue("secret"), s.ticket(w, r, "ticket"), keyName(r),
		answer, s.visitor(r))
	if err == nil {
		s.enter(w, session)
	}
	s.finished(w, Home, err)
}

// keyName names a new passkey after the browser in which it is made.
func keyName(r *http.Request) string { return cmp.Or(browser(r.UserAgent()), "Passkey") }

// browser names a browser for people, from how it names itself; "" if it is none of the usual ones.
func browser(agent string) string {
	for _, known := range []struct{ mark, name string }{{"Edg/", "Edge"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"},
		{"Safari/", "Safari"}} {
		if !strings.Contains(agent, known.mark) {
			continue
		}
		for _, system := range []struct{ mark, name string }{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"},
			{"Windows", "Windows"}, {"Mac OS", "macOS"}, {"Linux", "Linux"}} {
			if strings.Contains(agent, system.mark) {
				return known.name + " on " + system.name
			}
		}
		return known.name
	}
	return ""
}

// begun answers the script with what the browser's authenticator needs.
func (s *Server) begun(w http.ResponseWriter, ticket string, options any, err error) {
	if err != nil {
		s.finished(w, "", err)
		return
	}
	s.setCookie(w, "ticket", ticket, ticketLives)
	s.json(w, http.StatusOK, map[string]any{"options": options})
}

// finished answers the script: where to go next, or what is wrong.
func (s *Server) finished(w http.ResponseWriter, next string, err error) {
	if err == nil {
		s.json(w, http.StatusOK, map[string]any{"next": next})
		return
	}
	var p wrong
	status, ok := p.tell(err)
	if !ok {
		s.o.Log.Error("a passkey could not be handled", "err", err)
		status, p.Problem = http.StatusServiceUnavailable, "The server cannot answer now. Try again in a few minutes."
	}
	if len(p.Mistakes) > 0 {
		p.Problem = p.Mistakes.Error()
	}
	s.json(w, status, map[string]any{"error": strings.TrimSpace(p.Problem + " " + p.Hint)})
}

func (s *Server) json(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

// answer reads what a browser's authenticator has made or signed.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	b, err := io.ReadAll(r.Body) // bounded by page.Headers
	if err != nil {
		s.json(w, http.StatusRequestEntityTooLarge, map[string]any{"error": "The answer could not be read."})
	}
	return b, err == nil
}
