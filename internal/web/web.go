// Package web serves pages to people: the request for access, one-time links. Pages work without
// scripts, and load nothing from elsewhere.
package web

import (
	"context"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/guide"
	"github.com/sallyport-sftp/sallyport/internal/handover"
	"github.com/sallyport-sftp/sallyport/internal/httpd"
	"github.com/sallyport-sftp/sallyport/internal/onboard"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/model"
)

//go:embed *.html
var templates embed.FS

// Options are the dependencies and settings of the pages.
type Options struct {
	HandOver *handover.Service
	Pages    *page.Site
	Help     string                                         // how to reach support, of people without an account
	Reader   func(ctx context.Context, l model.Link) Reader // whom a link is for
	Proxies  []netip.Prefix                                 // their X-Forwarded-For is trusted
	Requests *onboard.Service
	Guides   *guide.Service
	URL      string                          // of the pages, as partners reach them
	Within   string                          // how soon requests are answered: "within 2 days"; ""
	Zone     *time.Location                  // the operator's
	Ready    func(ctx context.Context) error // nil: the server can do its work
	Log      *slog.Logger
}

// Reader is what a page says differently to the people of each account.
type Reader struct {
	Help string         // how they reach support
	Zone *time.Location // in which they read times
}

type server struct {
	*page.Set
	o     Options
	short string        // the form's address, to be typed; "" if it is not known
	qr    template.HTML // the same, to be scanned
}

// New returns the handler of all pages.
func New(o Options) http.Handler {
	s := &server{o: o, Set: o.Pages.Set(templates, "ask.html", "confirm.html", "handover.html",
		"keys.html", "sent.html", "sheet.html", "status.html")}
	s.short, s.qr = short(o.URL)
	mux := http.NewServeMux()
	s.ServeAssets(mux)
	s.handOver(mux)
	s.ask(mux)
	s.status(mux)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.Nothing(w)
	})
	return page.Headers(http.NewCrossOriginProtection().Handler(mux))
}

// ready says whether the server can do its work now: a balancer asks.
func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	if s.o.Ready == nil {
		_, _ = w.Write([]byte("ok\n"))
		return
	}
	if err := s.o.Ready(r.Context()); err != nil {
		s.o.Log.Warn("the server is not ready", "err", err)
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// address returns the client's address, as a trusted proxy reports it; "" if it is not known.
func (s *server) address(r *http.Request) string {
	a := httpd.Address(r, s.o.Proxies)
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
