package console_test

import (
	"context"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/web/console"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/model"
)

var ctx = context.Background()

// world is a server, with the pages for operators in front of its API.
type world struct {
	*testkit.Node
	t     testing.TB
	site  *page.Site
	admin http.Handler
}

func begin(t testing.TB, options ...testkit.Option) *world {
	t.Helper()
	w := &world{t: t}
	w.Node = testkit.Start(t, append([]testkit.Option{testkit.WithWeb, func(c *config.Config) {
		c.Endpoint.Host = "files.example.com"
		c.Onboard.Feeds = []string{"*"}
		c.Mail.Host, c.Mail.Port, c.Mail.TLS, c.Mail.From = "127.0.0.1", 1, "none", "files@example.com" // nobody is there
	}}, options...)...)
	w.site = page.NewSite(page.Options{Operator: exchange.Operator{Name: "Example Networks"}, Help: "help@example.com",
		Log: slog.New(slog.DiscardHandler)})
	w.admin = w.as(w.API, model.Identity{Name: "local:kim", Role: model.RoleAdmin})
	return w
}

// as returns the pages for somebody, whom the API knows by the client.
func (w *world) as(api *client.Client, who model.Identity) http.Handler {
	sydney, err := time.LoadLocation("Australia/Sydney")
	testkit.Must(w.t, err)
	return console.New(console.Options{Pages: w.site, API: api, Who: func(context.Context) model.Identity { return who },
		Zone: sydney, Log: slog.New(slog.DiscardHandler)})
}

// role returns the pages for somebody who has a token with a role.
func (w *world) role(role model.Role) http.Handler {
	w.t.Helper()
	name := "test-" + string(role)
	token, err := w.API.AddToken(ctx, model.NewToken{Name: name, Role: role})
	testkit.Must(w.t, err)
	return w.as(client.Remote(w.WebURL(), token.Secret), model.Identity{Name: "token:" + name, Role: role})
}

// answer is what a browser gets.
type answer struct {
	t        testing.TB
	status   int
	text     string
	location string
	header   http.Header
}

// ask sends a request of a browser. A nil form is a GET.
func (w *world) ask(h http.Handler, path string, form url.Values) answer {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if form != nil {
		r = httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return answer{t: w.t, status: rec.Code, text: rec.Body.String(), location: rec.Header().Get("Location"),
		header: rec.Header()}
}

// get opens a page as an administrator.
func (w *world) get(path string) answer { w.t.Helper(); return w.ask(w.admin, path, nil) }

// post sends a form as an administrator. fields are names and values in turn.
func (w *world) post(path string, fields ...string) answer {
	w.t.Helper()
	return w.ask(w.admin, path, form(fields...))
}

func form(fields ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		v.Add(fields[i], fields[i+1])
	}
	return v
}

// says fails if a page has another status, or lacks a text.
func (a answer) says(status int, texts ...string) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Errorf("the status is %d, not %d: %.2000s", a.status, status, a.text)
	}
	for _, text := range texts {
		if !strings.Contains(a.text, text) && !strings.Contains(html.UnescapeString(a.text), text) {
			a.t.Errorf("the page does not say %q:\n%.6000s", text, a.text)
		}
	}
	return a
}

// lacks fails if a page has a text.
func (a answer) lacks(texts ...string) answer {
	a.t.Helper()
	for _, text := range texts {
		if strings.Contains(a.text, text) {
			a.t.Errorf("the page says %q", text)
		}
	}
	return a
}

// goes fails unless a browser is sent to another page, which begins so.
func (a answer) goes(to string) answer {
	a.t.Helper()
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.location, to) {
		a.t.Errorf("it goes on with %d to %q, not to %q: %.3000s", a.status, a.location, to, a.text)
	}
	return a
}

// account makes an account with a contact and a feed that all may have.
func (w *world) account(id, name string) {
	w.t.Helper()
	_, err := w.API.AddAccount(ctx, model.NewAccount{ID: id, Name: name})
	testkit.Must(w.t, err)
	c, err := w.API.AddContact(ctx, model.NewContact{Account: id, Name: "Sam Lee", Email: "sam@" + id + ".example"})
	testkit.Must(w.t, err)
	_, err = w.API.EditContact(ctx, c.ID, model.EditContact{Verified: new("called back")})
	testkit.Must(w.t, err)
}

// request records a request of an account's person, whose address is confirmed.
func (w *world) request(account string, change ...func(*model.AddRequest)) model.Request {
	w.t.Helper()
	in := model.AddRequest{Channel: model.ChannelByMail, Verified: "called back",
		NewRequest: model.NewRequest{FirstName: "Jo", LastName: "Hill", Email: "jo@" + account + ".example",
			Company: "ACME Telecom", AccountNumber: account, Key: testkit.NewPair(w.t).Line, Message: "Hello."}}
	for _, c := range change {
		c(&in)
	}
	v, err := w.API.AddRequest(ctx, in)
	testkit.Must(w.t, err)
	return v
}
