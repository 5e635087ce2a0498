// Package console has the pages for operators: requests for access, access that is given, and what became of it.
//
// The console is one more client of the API. It calls the operations with the context of whoever is signed in, so
// roles, checks of fields, hints and the audit log stay where they are. Every page works without the script.
package console

import (
	"context"
	"embed"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/model"
)

//go:embed *.html
var templates embed.FS

// Options are the dependencies and settings of the pages.
type Options struct {
	Pages *page.Site
	API   *client.Client                       // its operations know from the context who is signed in
	Who   func(context.Context) model.Identity // who is signed in
	Zone  *time.Location                       // in which operators read times
	Log   *slog.Logger
}

type server struct {
	*page.Set
	o   Options
	api *client.Client
	now func() time.Time
}

// route is a page, or what a form does. operation is the operation of the API that it is about; the table of roles
// says who may.
type route struct {
	pattern, operation string
	handle             func(w http.ResponseWriter, r *http.Request) error
}

// routes lists all pages.
func (s *server) routes() []route {
	const request, user = "/console/requests/{reference}", "/console/users/{user}"
	return []route{
		{"GET /console/requests", "list-requests", s.queue},
		{"GET /console/requests/new", "add-request", s.record},
		{"POST /console/requests/new", "add-request", s.recorded},
		{"POST /console/read-key", "add-request", s.readKey},
		{"GET " + request, "judge-request", s.request},
		{"POST " + request + "/approve", "approve-request", s.approve},
		{"POST " + request + "/ask", "ask-request", s.ask},
		{"POST " + request + "/reject", "reject-request", s.reject},
		{"POST " + request + "/assign", "assign-request", s.assign},
		{"POST " + request + "/remind", "remind-request", s.remind},
		{"POST " + request + "/withdraw", "withdraw-request", s.withdraw},
		{"GET /console/give", "find", s.give},
		{"POST /console/give/account", "add-account", s.addAccount},
		{"POST /console/give/user", "add-user", s.addUser},
		{"GET " + user, "show-user-page", s.user},
		{"GET " + user + "/give", "show-key-sheet", s.handOver},
		{"POST " + user + "/give", "make-link", s.handedOver},
		{"POST " + user + "/contact", "add-contact", s.addContact},
		{"POST " + user + "/verify", "edit-contact", s.verifyContact},
		{"POST " + user + "/revoke-link", "revoke-link", s.revokeLink},
		{"POST " + user + "/mail-again", "replay-message", s.mailAgain},
		{"GET " + user + "/revoke-key", "list-keys", s.confirmRevoke},
		{"POST " + user + "/revoke-key", "revoke-key", s.revokeKey},
		{"GET " + user + "/guide", "show-guide", s.guide},
		{"GET " + user + "/site/{program}/{file}", "show-sites", s.siteFile},
	}
}

// New returns the handler of the pages below /console/. Whoever is in front of it has signed somebody in.
func New(o Options) http.Handler {
	s := &server{o: o, now: time.Now, Set: o.Pages.Set(templates, "give.html", "hand.html", "problem.html", "queue.html",
		"record.html", "request.html", "revoke.html", "user.html")}
	s.api = client.InZone(o.API, func(context.Context) *time.Location { return o.Zone })
	mux := http.NewServeMux()
	for _, one := range s.routes() {
		mux.HandleFunc(one.pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := page.ParseForm(r); err != nil {
				s.unreadable(w, r, err)
				return
			}
			if err := one.handle(w, r); err != nil {
				s.fail(w, r, one.operation, err)
			}
		})
	}
	mux.Handle("GET /console/{$}", http.RedirectHandler("/console/requests", http.StatusSeeOther))
	mux.HandleFunc("/console/", func(w http.ResponseWriter, r *http.Request) {
		s.problem(w, r, http.StatusNotFound, &problemPage{Title: "Nothing here", Text: "There is no page at this address."})
	})
	return page.Headers(http.NewCrossOriginProtection().Handler(mux))
}

// value returns a field of a form without the space around it.
func value(r *http.Request, name string) string { return strings.TrimSpace(r.PostFormValue(name)) }

// places are the pages of the navigation, each with the operation that it is for.
var places = []struct{ name, path, operation string }{{"Requests", "/console/requests", "list-requests"},
	{"Record a request", "/console/requests/new", "add-request"}, {"Users", "/console/give", "find"}}

// Nav returns the navigation of a role. here is the path of the entry that is open.
func Nav(role model.Role, here string) (nav []page.Place) {
	for _, p := range places {
		if may(role, p.operation) {
			nav = append(nav, page.Place{Name: p.name, Path: p.path, Here: p.path == here})
		}
	}
	return nav
}

// frame returns the frame of a page. here is the path of its entry in the navigation.
func (s *server) frame(r *http.Request, title, here string) page.Frame {
	who := s.o.Who(r.Context())
	return page.Frame{Title: title, Nav: Nav(who.Role, here), Who: me(who) + ", " + string(who.Role), Width: "full",
		Script: true}
}

// me is what colleagues call somebody: the name without the kind of log-in before it.
func me(who model.Identity) string {
	if _, name, found := strings.Cut(who.Name, ":"); found {
		return name
	}
	return who.Name
}

// may reports whether whoever is signed in may call an operation. It decides what is offered; the API decides what
// is done.
func (s *server) may(r *http.Request, operation string) bool {
	return may(s.o.Who(r.Context()).Role, operation)
}

// may reports whether a role may call an operation.
func may(role model.Role, operation string) bool {
	duty, known := model.DutyOf(operation)
	yes, _ := duty.May(role)
	return known && yes
}
