// Package signin has the pages with which operators join, sign in and look after their own sign-in. It
// guards the pages behind them.
package signin

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/operator"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/model"
)

//go:embed *.html
var templates embed.FS

// Home is the page that people get to when they have signed in.
const Home = "/console/"

// OwnPath is the page of an operator's own sign-in.
const OwnPath = "/console/me"

// Paths are the patterns of what a Server handles.
func Paths() []string {
	return []string{operator.JoinPath, "/sign-in", "/sign-in/", "/sign-out", OwnPath, OwnPath + "/"}
}

// Options are the dependencies and settings of the pages.
type Options struct {
	Pages     *page.Site
	Operators *operator.Service
	With      func(context.Context, model.Identity) context.Context // tells services who asks
	Address   func(*http.Request) netip.Addr                        // of a client, which may be behind a proxy
	URL       string                                                // of the pages, as operators reach them
	Zone      *time.Location
	Nav       func(role model.Role, here string) []page.Place // the other pages for operators
	Log       *slog.Logger
}

// Server has the pages. It is a handler of JoinPath, /sign-in and OwnPath.
type Server struct {
	http.Handler
	*page.Set
	o Options
}

// New returns the pages.
func New(o Options) *Server {
	s := &Server{o: o, Set: o.Pages.Set(templates, "join.html", "signin.html", "me.html", "password.html")}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+operator.JoinPath+"{secret}", s.lookJoin)
	mux.HandleFunc("POST "+operator.JoinPath+"{secret}", s.join)
	mux.HandleFunc("POST "+operator.JoinPath+"{secret}/passkey", s.joinKey)
	mux.HandleFunc("POST "+operator.JoinPath+"{secret}/passkey/made", s.joinedKey)
	mux.HandleFunc("GET /sign-in", s.lookSignIn)
	mux.HandleFunc("POST /sign-in", s.signIn)
	mux.HandleFunc("POST /sign-in/passkey", s.passkey)
	mux.HandleFunc("POST /sign-in/passkey/signed", s.passkeySigned)
	mux.HandleFunc("GET /sign-in/sso", s.leave)
	mux.HandleFunc("GET "+operator.CallbackPath, s.callback)
	mux.HandleFunc("POST /sign-out", s.signOut)
	own := http.NewServeMux()
	s.own(own)
	mux.Handle(OwnPath, s.Guard(own))
	mux.Handle(OwnPath+"/", s.Guard(own))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { s.Nothing(w) })
	s.Handler = page.Headers(http.NewCrossOriginProtection().Handler(mux))
	return s
}

// sessionKey is the context key of the session that a request belongs to.
type sessionKey struct{}

// Guard lets requests of a live session through, and sends others to sign in.
func (s *Server) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The body is here before the session is looked at: it could be withheld until the session has ended.
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, page.MaxBody))
		if err != nil {
			s.Say(w, http.StatusRequestEntityTooLarge, "This is too much", "What was sent is larger than a form can be.")
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		session, err := s.Session(r)
		switch {
		case err == nil:
			ctx := context.WithValue(s.o.With(r.Context(), session.Identity()), sessionKey{}, session)
			next.ServeHTTP(w, r.WithContext(ctx))
		case fault.Is(err, fault.Unauthenticated):
			q := url.Values{}
			if r.Method == http.MethodGet || r.Method == http.MethodHead {
				q.Set("next", r.URL.RequestURI())
			} else {
				q.Set("undone", "1")
			}
			http.Redirect(w, r, "/sign-in?"+q.Encode(), http.StatusSeeOther)
		default:
			s.unavailable(w, err)
		}
	})
}

// Session returns the session that a request's cookie is of.
func (s *Server) Session(r *http.Request) (operator.Session, error) {
	value := ""
	if c, err := r.Cookie(s.cookie("session")); err == nil {
		value = c.Value
	}
	return s.o.Operators.BySession(r.Context(), value)
}

// Identity returns who a browser is signed in as; false if it sends no session.
func (s *Server) Identity(r *http.Request) (who model.Identity, sent bool, err error) {
	if _, err := r.Cookie(s.cookie("session")); err != nil {
		return who, false, nil
	}
	v, err := s.Session(r)
	if err != nil {
		return who, true, err
	}
	return v.Identity(), true, nil
}

// secure reports whether pages are reached over TLS.
func (s *Server) secure() bool { return strings.HasPrefix(s.o.URL, "https:") }

// cookie returns the name of a cookie. With __Host-, browsers take it over TLS alone, and from no other
// host or path.
func (s *Server) cookie(name string) string {
	if s.secure() {
		return "__Host-" + name
	}
	return name
}

// setCookie sets a cookie for a while; an empty value removes it. Lax lets the single sign-on send people
// back with theirs.
func (s *Server) setCookie(w http.ResponseWriter, name, value string, lives time.Duration) {
	c := &http.Cookie{Name: s.cookie(name), Value: value, Path: "/", HttpOnly: true, Secure: s.secure(),
		SameSite: http.SameSiteLaxMode, MaxAge: int(lives / time.Second)}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// ticket returns the ticket of what a browser has begun, and removes it. name is the cookie's: codes that are
// being set up have one of their own, since the same page may begin to make a passkey.
func (s *Server) ticket(w http.ResponseWriter, r *http.Request, name string) string {
	c, err := r.Cookie(s.cookie(name))
	if err != nil {
		return ""
	}
	s.setCookie(w, name, "", 0)
	return c.Value
}

// ticketLives is how long a browser keeps a ticket.
const ticketLives = 10 * time.Minute

func (s *Server) visitor(r *http.Request) operator.Visitor {
	return operator.Visitor{Address: s.o.Address(r), Agent: r.UserAgent()}
}

// enter gives a browser its session.
func (s *Server) enter(w http.ResponseWriter, v operator.Session) {
	s.setCookie(w, "code", "", 0) // of a link's page, if a passkey was made there
	s.setCookie(w, "session", v.Cookie, v.EndsAt.Sub(v.CreatedAt))
}

// inside returns a path within the pages for operators; Home for any other text, so that no link leads
// elsewhere after a sign-in.
func inside(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.ContainsAny(next, "\\\r\n\t") ||
		path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/") || !strings.HasPrefix(u.Path, Home) {
		return Home
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String()
}

// wrong is what is said about a form that could not be accepted.
type wrong struct {
	Mistakes fault.Mistakes
	Problem  string // without a field
	Hint     string
}

// tell completes what is wrong from an error. It reports whether the error is one for the person; others
// are the server's.
func (p *wrong) tell(err error) (status int, ok bool) {
	var list fault.Mistakes
	if errors.As(err, &list) {
		p.Mistakes = list
		return http.StatusUnprocessableEntity, true
	}
	switch k := fault.KindIn(err); k {
	case fault.Internal, fault.Unavailable:
		return 0, false
	default:
		p.Problem, p.Hint = fault.PublicText(err), page.Sentence(fault.HintIn(err))
		return k.HTTPStatus(), true
	}
}

func (s *Server) unavailable(w http.ResponseWriter, err error) {
	s.o.Log.Error("a sign-in could not be handled", "err", err)
	s.Say(w, http.StatusServiceUnavailable, "Please try again",
		"The server cannot answer now. Nothing was lost: go back, and try again in a few minutes.")
}

// when formats a time for people.
func (s *Server) when(t time.Time) string { return page.When(t, s.o.Zone) }
