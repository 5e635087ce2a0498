package attacks

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pquerna/otp/totp"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// entrance is a node with its pages and API, and people and programs of every role.
type entrance struct {
	*testkit.Node
	t    *testing.T
	db   *sql.DB
	url  string
	http *http.Client
}

func openEntrance(t *testing.T) *entrance {
	database := testkit.Postgres(t).Database(t)
	db, err := sql.Open("pgx", database)
	testkit.Must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	web := "127.0.0.1:" + testkit.FreePort(t)
	e := &entrance{t: t, db: db, url: "http://" + web, http: &http.Client{CheckRedirect: func(*http.Request,
		[]*http.Request) error {
		return http.ErrUseLastResponse
	}}}
	e.Node = testkit.Start(t, func(c *config.Config) {
		c.Database.URL, c.Web.Listen, c.Web.URL = database, web, e.url
		c.Limits.TokenRequests = 1_000_000
	})
	return e
}

// credential is what a request carries: a cookie, or a header.
type credential struct{ name, cookie, token string }

// session signs an operator of a role in, and returns its cookie.
func (e *entrance) session(name string, role model.Role) credential {
	e.t.Helper()
	o, err := e.API.AddOperator(context.Background(), model.NewOperator{Email: name + "@example.net", Role: role})
	testkit.Must(e.t, err)
	resp, err := e.http.Get(o.Link)
	testkit.Must(e.t, err)
	page := make([]byte, 64<<10)
	n := 0
	for {
		m, err := resp.Body.Read(page[n:])
		n += m
		if err != nil {
			break
		}
	}
	_ = resp.Body.Close()
	secret := regexp.MustCompile(`<code>([A-Z2-7 ]{39})</code>`).FindSubmatch(page[:n])
	code, err := totp.GenerateCode(strings.ReplaceAll(string(secret[1]), " ", ""), time.Now())
	testkit.Must(e.t, err)
	form := url.Values{"password": {"correct horse battery staple"}, "code": {code}}
	r, err := http.NewRequest(http.MethodPost, o.Link, strings.NewReader(form.Encode()))
	testkit.Must(e.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range resp.Cookies() {
		r.AddCookie(c)
	}
	resp, err = e.http.Do(r)
	testkit.Must(e.t, err)
	_ = resp.Body.Close()
	for _, c := range resp.Cookies() {
		if c.Name == "session" {
			return credential{name: name, cookie: c.Value}
		}
	}
	e.t.Fatalf("%s is not signed in: %s", name, resp.Status)
	return credential{}
}

// token makes a token of a role.
func (e *entrance) token(name string, role model.Role) credential {
	e.t.Helper()
	v, err := e.API.AddToken(context.Background(), model.NewToken{Name: name, Role: role})
	testkit.Must(e.t, err)
	return credential{name: "token " + name, token: v.Secret}
}

// ask sends a request, and returns its status and where it leads.
func (e *entrance) ask(c credential, method, path string) (int, string) {
	e.t.Helper()
	var body *strings.Reader
	if body = strings.NewReader(""); strings.HasPrefix(path, "/api") && method != "GET" {
		body = strings.NewReader("{}")
	}
	r, err := http.NewRequest(method, e.url+path, body)
	testkit.Must(e.t, err)
	if method != "GET" {
		r.Header.Set("Origin", e.url)
		r.Header.Set("Content-Type", "application/json")
		if !strings.HasPrefix(path, "/api") {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
	}
	if c.cookie != "" {
		r.AddCookie(&http.Cookie{Name: "session", Value: c.cookie})
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := e.http.Do(r)
	testkit.Must(e.t, err)
	_ = resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Location")
}

// route is an operation of the API or a page, with the operation that it needs.
type route struct{ method, path, operation string }

// pages are the pages for operators and what their forms do. The console's own test holds them to its list.
var pages = []route{
	{"GET", "/console/requests", "list-requests"}, {"GET", "/console/requests/new", "add-request"},
	{"GET", "/console/requests/none", "judge-request"}, {"POST", "/console/requests/none/approve", "approve-request"},
	{"POST", "/console/requests/none/reject", "reject-request"}, {"POST", "/console/requests/none/ask", "ask-request"},
	{"POST", "/console/requests/none/assign", "assign-request"}, {"GET", "/console/give", "find"},
	{"POST", "/console/give/account", "add-account"}, {"POST", "/console/give/user", "add-user"},
	{"GET", "/console/users/none", "show-user-page"}, {"GET", "/console/users/none/give", "show-key-sheet"},
	{"POST", "/console/users/none/give", "make-link"}, {"POST", "/console/users/none/revoke-key", "revoke-key"},
	{"GET", "/console/me", ""}, {"GET", "/console/me/password", ""}, {"POST", "/console/me/sessions/none/end", ""},
	{"POST", "/console/me/passkeys/none/remove", ""},
}

// operations lists those of the API.
func operations(t *testing.T) (list []route) {
	var d struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	testkit.Must(t, json.Unmarshal(testkit.MustRead(t, filepath.Join("..", "..", "internal", "api", "openapi.json")), &d))
	for path, methods := range d.Paths {
		for method, o := range methods {
			list = append(list, route{strings.ToUpper(method), regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "none"),
				o.OperationID})
		}
	}
	if len(list) < 150 {
		t.Fatalf("the API has only %d operations", len(list))
	}
	return list
}

// TestEveryRouteWithEveryCredential: every operation and page as every role, by session and by token, and with
// sessions and tokens that have ended in each way there is. Nothing is let through that the table of roles does not
// allow, and whoever has nothing learns nothing: a thing that is not there answers as one that is.
func TestEveryRouteWithEveryCredential(t *testing.T) {
	e := openEntrance(t)
	roles := map[model.Role][]credential{}
	for _, r := range model.Roles {
		roles[r] = []credential{e.session("s-"+string(r), r), e.token("t-"+string(r), r)}
	}
	ended := e.ended()
	apiRoutes := operations(t)
	for _, route := range apiRoutes {
		for _, c := range ended {
			if status, _ := e.ask(c, route.method, route.path); status != http.StatusUnauthorized &&
				status != http.StatusTooManyRequests {
				t.Errorf("%s with %s: %d", route.operation, c.name, status)
			}
		}
	}
	for _, route := range slices.Concat(apiRoutes, pages) {
		duty, known := model.DutyOf(route.operation)
		for r, credentials := range roles {
			may, reasoned := duty.May(r)
			for _, c := range credentials {
				isPage := strings.HasPrefix(route.path, "/console")
				if isPage && c.token != "" {
					continue
				}
				status, to := e.ask(c, route.method, route.path)
				refused := status == http.StatusForbidden
				if known && refused == (may && !reasoned) || status == http.StatusUnauthorized ||
					strings.HasPrefix(to, "/sign-in") {
					t.Errorf("%s %s (%s) as %s: %d %s", route.method, route.path, route.operation, c.name, status, to)
				}
			}
		}
	}
	for _, route := range pages {
		for _, c := range ended {
			if status, to := e.ask(c, route.method, route.path); status != http.StatusSeeOther ||
				!strings.HasPrefix(to, "/sign-in?") {
				t.Errorf("%s with %s: %d %s", route.path, c.name, status, to)
			}
		}
	}
}

// ended returns credentials that work no more, or never did.
func (e *entrance) ended() []credential {
	e.t.Helper()
	list := []credential{{name: "nothing"}, {name: "a made-up session", cookie: strings.Repeat("A", 43)},
		{name: "a made-up token", token: "sp_" + strings.Repeat("a", 47)}}
	ctx := context.Background()
	out := e.session("signed-out", model.RoleAdmin)
	r, err := http.NewRequest(http.MethodPost, e.url+"/sign-out", nil)
	testkit.Must(e.t, err)
	r.AddCookie(&http.Cookie{Name: "session", Value: out.cookie})
	resp, err := e.http.Do(r)
	testkit.Must(e.t, err)
	_ = resp.Body.Close()

	disabled, reset := e.session("disabled", model.RoleAdmin), e.session("reset", model.RoleAdmin)
	_, err = e.API.DisableOperator(ctx, "disabled@example.net", model.Why{Reason: "away"})
	testkit.Must(e.t, err)
	_, err = e.API.ResetOperator(ctx, "reset@example.net")
	testkit.Must(e.t, err)
	idle, over := e.session("idle", model.RoleAdmin), e.session("over", model.RoleAdmin)
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).UnixMicro() }
	e.sets(`UPDATE operator_sessions SET seen_at = $1 WHERE operator_id = (SELECT id FROM operators WHERE email = $2)`,
		ago(31*time.Minute), "idle@example.net")
	e.sets(`UPDATE operator_sessions SET ends_at = $1 WHERE operator_id = (SELECT id FROM operators WHERE email = $2)`,
		ago(time.Second), "over@example.net")
	revoked, expired := e.token("revoked", model.RoleAdmin), e.token("expired", model.RoleAdmin)
	_, err = e.API.RevokeToken(ctx, "revoked")
	testkit.Must(e.t, err)
	e.sets(`UPDATE tokens SET expires_at = $1 WHERE name = $2`, ago(time.Second), "expired")
	both := e.session("both", model.RoleSupport)
	return append(list, out, disabled, reset, idle, over, revoked, expired,
		credential{name: "a session as a token", token: both.cookie},
		credential{name: "a token as a session", cookie: e.token("swapped", model.RoleAdmin).token})
}

func (e *entrance) sets(query string, args ...any) {
	e.t.Helper()
	r, err := e.db.Exec(query, args...)
	testkit.Must(e.t, err)
	if n, _ := r.RowsAffected(); n != 1 {
		e.t.Fatalf("%s: %d rows", query, n)
	}
}
