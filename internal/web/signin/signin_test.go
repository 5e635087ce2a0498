package signin_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/sallyport-sftp/sallyport/internal/httpd"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/operator"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/internal/web/signin"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	site  = "https://files.example.com"
	words = "correct horse battery staple"
)

// world is the pages of a sign-in, with one page behind them that says who asks.
type world struct {
	*testkit.World
	s       *operator.Service
	handler http.Handler
	codes   string // what the member's app makes codes from
}

type whoKey struct{}

func begin(w *world, t testing.TB) *world {
	w.Begin(t)
	vault, err := keys.NewVault(make([]byte, keys.VaultKeySize))
	w.Must(err)
	log := slog.New(slog.DiscardHandler)
	w.s = operator.New(operator.Options{Store: w.Store, Clock: w.Clock, IDs: w.IDs, Vault: vault, Log: log, URL: site,
		Policy: operator.Policy{After: 5, Within: time.Minute, For: 10 * time.Minute, Idle: 30 * time.Minute,
			Longest: 12 * time.Hour, Password: true, Passkeys: true}})
	pages := signin.New(signin.Options{Pages: page.NewSite(page.Options{Log: log}), Operators: w.s, URL: site,
		Zone: time.UTC, Log: log,
		Nav: func(model.Role, string) []page.Place { return nil }, Address: func(r *http.Request) netip.Addr {
			return httpd.Address(r, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")})
		}, With: func(ctx context.Context, who model.Identity) context.Context {
			return context.WithValue(ctx, whoKey{}, who)
		}})
	mux := http.NewServeMux()
	for _, path := range signin.Paths() {
		mux.Handle(path, pages)
	}
	mux.Handle("/console/", pages.Guard(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		who, _ := r.Context().Value(whoKey{}).(model.Identity)
		_, _ = io.WriteString(rw, r.Method+" by "+who.Name)
	})))
	w.handler = mux
	return w
}

// browser keeps cookies as a browser does.
type browser struct {
	*world
	cookies map[string]string
	from    string // "" for one address
	origin  string // of what it posts; "": the site's
}

func (w *world) browser() *browser { return &browser{world: w, cookies: map[string]string{}} }

// send sends a request, and keeps the cookies of the answer.
func (b *browser) send(method, path string, form url.Values, header ...string) *httptest.ResponseRecorder {
	b.Helper()
	r := httptest.NewRequest(method, site+path, strings.NewReader(form.Encode()))
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", site)
		if b.origin != "" {
			r.Header.Set("Origin", b.origin)
		}
	}
	r.RemoteAddr = "198.51.100.7:1234"
	if b.from != "" {
		r.RemoteAddr = b.from
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Domain != "" || c.Path != "/" ||
			!strings.HasPrefix(c.Name, "__Host-") {
			b.Errorf("the cookie %v can be stolen", c)
		}
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return rec
}

// leads checks that an answer leads to a path.
func (b *browser) leads(rec *httptest.ResponseRecorder, to string) {
	b.Helper()
	if rec.Code != http.StatusSeeOther || rec.Header().Get("Location") != to {
		b.Errorf("%d to %q, want %q: %.300s", rec.Code, rec.Header().Get("Location"), to, rec.Body)
	}
}

// says checks what a page says.
func (b *browser) says(rec *httptest.ResponseRecorder, status int, text string) {
	b.Helper()
	if rec.Code != status || !strings.Contains(rec.Body.String(), text) {
		b.Errorf("%d, want %d with %q: %.2000s", rec.Code, status, text, rec.Body)
	}
}

var secretOnPage = regexp.MustCompile(`<code>([A-Z2-7 ]{39})</code>`)

func (w *world) code() string {
	w.Helper()
	code, err := totp.GenerateCode(w.codes, w.Clock())
	w.Must(err)
	return code
}

// invites makes a link to join.
func (w *world) invites(email string) (path string) {
	w.Helper()
	o, err := w.s.AddOperator(context.Background(), "local:root", model.NewOperator{Email: email, Name: "Kim Hill",
		Role: model.RoleSupport})
	w.Must(err)
	return strings.TrimPrefix(o.Link, site)
}

// joins goes through the page of a link.
func (b *browser) joins(path string) {
	b.Helper()
	rec := b.send("GET", path, nil)
	b.says(rec, http.StatusOK, "Set up your sign-in")
	b.codes = strings.ReplaceAll(secretOnPage.FindStringSubmatch(rec.Body.String())[1], " ", "")
	b.leads(b.send("POST", path, url.Values{"password": {words}, "code": {b.code()}}), "/console/")
}

func (b *browser) signsIn(form url.Values) *httptest.ResponseRecorder {
	b.Helper()
	all := url.Values{"email": {"kim@example.net"}, "password": {words}, "code": {b.code()}}
	for name, v := range form {
		all[name] = v
	}
	return b.send("POST", "/sign-in", all)
}

func TestPagesOnSQLite(t *testing.T) {
	testkit.Tell(t, &world{World: testkit.NewWorld(t, "")}, begin, stories)
}

func TestPagesOnPostgres(t *testing.T) {
	testkit.Tell(t, &world{World: testkit.NewWorld(t, testkit.Postgres(t).Database(t))}, begin, stories)
}

var stories = testkit.Stories[*world]{
	"nobody gets past without a session, whatever it sends": func(_ *testing.T, w *world) {
		b := w.browser()
		b.leads(b.send("GET", "/console/requests?state=new", nil), "/sign-in?next=%2Fconsole%2Frequests%3Fstate%3Dnew")
		b.leads(b.send("POST", "/console/requests/1/approve", nil), "/sign-in?undone=1")
		for _, value := range []string{"", "x", strings.Repeat("A", 43), strings.Repeat("A", 10_000), "' OR 1=1 --"} {
			b.cookies["__Host-session"] = value
			b.leads(b.send("GET", "/console/", nil), "/sign-in?next=%2Fconsole%2F")
		}
		b.says(b.send("GET", "/sign-in?undone=1", nil), http.StatusOK, "was not done")
		b.cookies = map[string]string{}
		member := w.browser()
		member.joins(w.invites("kim@example.net"))
		member.says(member.send("GET", "/console/x", nil), http.StatusOK, "GET by operator:kim@example.net")
		plain := w.browser() // a name without the prefix is a cookie that another host of the domain could set
		plain.cookies["session"] = member.cookies["__Host-session"]
		plain.leads(plain.send("GET", "/console/x", nil), "/sign-in?next=%2Fconsole%2Fx")
		bearer := w.browser()
		bearer.leads(bearer.send("GET", "/console/x", nil, "Authorization", "Bearer "+member.cookies["__Host-session"]),
			"/sign-in?next=%2Fconsole%2Fx")
	},
	"a link that is looked at a hundred times is not used up, and shows nothing afterwards": func(_ *testing.T, w *world) {
		path, b := w.invites("kim@example.net"), w.browser()
		for range 50 {
			b.says(b.send("GET", path, nil), http.StatusOK, "Set up your sign-in")
			b.says(b.send("HEAD", path, nil), http.StatusOK, "")
		}
		b.says(b.send("POST", path, url.Values{"password": {"short"}, "code": {"12"}}), http.StatusUnprocessableEntity,
			"2 things need another look.")
		b.joins(path)
		for _, method := range []string{"GET", "POST"} {
			rec := w.browser().send(method, path, url.Values{"password": {words}, "code": {w.code()}})
			b.says(rec, http.StatusNotFound, "This link does not work")
			if strings.Contains(rec.Body.String(), w.codes[:4]) {
				w.Error("the page of a used link shows what codes are made from")
			}
		}
		for _, wrong := range []string{path + "x", path[:len(path)-1], "/join/", "/join/%00",
			"/join/" + strings.Repeat("A", 9000)} {
			if rec := b.send("GET", wrong, nil); rec.Code != http.StatusNotFound {
				w.Errorf("%.40s: %d", wrong, rec.Code)
			}
		}
	},
	"a session that somebody planted is not the one that is signed in": func(_ *testing.T, w *world) {
		w.browser().joins(w.invites("kim@example.net"))
		w.Pass(time.Minute)
		b := w.browser()
		planted := strings.Repeat("A", 43)
		b.cookies["__Host-session"] = planted
		b.leads(b.signsIn(nil), "/console/")
		if b.cookies["__Host-session"] == planted {
			w.Fatal("the planted session is signed in")
		}
		other := w.browser()
		other.cookies["__Host-session"] = planted
		other.leads(other.send("GET", "/console/", nil), "/sign-in?next=%2Fconsole%2F")
	},
	"a sign-in leads nowhere else": func(_ *testing.T, w *world) {
		b := w.browser()
		b.joins(w.invites("kim@example.net"))
		for next, want := range map[string]string{
			"/console/requests?state=new&x=%2F%2F": "/console/requests?state=new&x=%2F%2F", "/console/": "/console/",
			"": "/console/", "//evil.example/console/": "/console/", "https://evil.example/console/": "/console/",
			`/\evil.example/console/`: "/console/", "/console/../sign-out": "/console/",
			"/console/..//evil.example": "/console/",
			"/console//evil.example":    "/console/", "javascript:alert(1)//console/": "/console/", "/sign-out": "/console/",
			"/console/\r\nSet-Cookie: a=b": "/console/", "/api/v1/accounts": "/console/", "/consolex": "/console/",
		} {
			b.leads(b.send("GET", "/sign-in?"+url.Values{"next": {next}}.Encode(), nil), want)
			w.Pass(time.Minute)
			b.leads(b.signsIn(url.Values{"next": {next}}), want)
		}
	},
	"another site can't sign in, sign out or act": func(_ *testing.T, w *world) {
		b := w.browser()
		b.joins(w.invites("kim@example.net"))
		w.Pass(time.Minute)
		b.origin = "https://evil.example"
		for _, path := range []string{"/sign-in", "/sign-out", "/console/me/password", "/console/me/sessions/end-others",
			"/console/me/passkeys/new", "/sign-in/passkey"} {
			if rec := b.signsInAt(path); rec.Code != http.StatusForbidden {
				w.Errorf("%s: %d", path, rec.Code)
			}
		}
		b.says(b.send("GET", "/console/x", nil), http.StatusOK, "by operator:kim")
		if rec := b.send("GET", "/sign-out", nil); rec.Code == http.StatusSeeOther {
			w.Error("a picture of another site signs people out")
		}
	},
	"signing out ends the session, not only the cookie": func(_ *testing.T, w *world) {
		b := w.browser()
		b.joins(w.invites("kim@example.net"))
		stolen := b.cookies["__Host-session"]
		b.leads(b.send("POST", "/sign-out", nil), "/sign-in?out=1")
		if len(b.cookies) != 0 {
			w.Errorf("cookies are left: %v", b.cookies)
		}
		b.cookies["__Host-session"] = stolen
		b.leads(b.send("GET", "/console/", nil), "/sign-in?next=%2Fconsole%2F")
	},
	"an address that a client makes up does not spare it": func(_ *testing.T, w *world) {
		w.browser().joins(w.invites("kim@example.net"))
		b := w.browser()
		for i := range 5 {
			b.says(b.signsIn(url.Values{"password": {"no"}}), http.StatusForbidden, "That is not right.")
			b.cookies = map[string]string{"X": string(rune('a' + i))}
		}
		b.says(b.send("POST", "/sign-in", url.Values{"email": {"kim@example.net"}}, "X-Forwarded-For", "203.0.113.5"),
			http.StatusTooManyRequests, "Too many sign-ins went wrong.")
		b.from = "192.0.2.80:99" // a proxy that is trusted
		b.says(b.send("POST", "/sign-in", url.Values{"email": {"kim@example.net"}}, "X-Forwarded-For", "203.0.113.5"),
			http.StatusForbidden, "That is not right.")
	},
	"what is typed is kept but for secrets, and nothing of it becomes a page": func(_ *testing.T, w *world) {
		b := w.browser()
		const evil = `"><script>alert(1)</script>`
		rec := b.send("POST", "/sign-in", url.Values{"email": {evil}, "password": {"my secret words"}, "next": {evil}})
		b.says(rec, http.StatusForbidden, "That is not right.")
		if body := rec.Body.String(); strings.Contains(body, "<script>alert") || strings.Contains(body, "my secret words") {
			w.Errorf("the page has it: %s", body)
		}
		many := url.Values{}
		for i := range 10_000 {
			many.Set("field"+string(rune('a'+i%26))+strings.Repeat("x", i%7), "1")
		}
		b.says(b.send("POST", "/sign-in", many), http.StatusForbidden, "That is not right.")
		big := url.Values{"email": {strings.Repeat("a", 1<<20)}, "password": {strings.Repeat("a", 1<<20)}}
		if rec := b.send("POST", "/sign-in", big); rec.Code < 400 || rec.Code > 499 {
			w.Errorf("a body that is too large: %d", rec.Code)
		}
	},
	"a passkey's ticket is one browser's": func(_ *testing.T, w *world) {
		b := w.browser()
		rec := b.send("POST", "/sign-in/passkey", nil)
		var answer struct {
			Options struct{ Challenge, RPID string }
		}
		w.Must(json.Unmarshal(rec.Body.Bytes(), &answer))
		if answer.Options.Challenge == "" || answer.Options.RPID != "files.example.com" || b.cookies["__Host-ticket"] == "" {
			w.Errorf("it begins with %s", rec.Body)
		}
		b.says(w.browser().send("POST", "/sign-in/passkey/signed", nil), http.StatusForbidden, "begin again")
		for range 80 {
			rec = b.send("POST", "/sign-in/passkey", nil)
		}
		b.says(rec, http.StatusTooManyRequests, "Too many sign-ins were begun")
	},
}

// signsInAt posts a sign-in to a path.
func (b *browser) signsInAt(path string) *httptest.ResponseRecorder {
	b.Helper()
	return b.send("POST", path, url.Values{"email": {"kim@example.net"}, "password": {words}, "code": {b.code()}})
}
