// Package web serves pages to people: the request for access, one-time links. Pages work without
// scripts, and load nothing from elsewhere.
package web

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/guide"
	"github.com/sallyport-sftp/sallyport/internal/handover"
	"github.com/sallyport-sftp/sallyport/internal/httpd"
	"github.com/sallyport-sftp/sallyport/internal/onboard"
	"github.com/sallyport-sftp/sallyport/model"
)

// Options are the dependencies and settings of the pages.
type Options struct {
	HandOver *handover.Service
	Operator exchange.Operator                              // who runs the server
	Help     string                                         // how to reach support
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

// Server is the handler of all pages.
type Server struct {
	http.Handler
	server
}

type server struct {
	o      Options
	assets assets
	pages  pages
	short  string        // the form's address, to be typed; "" if it is not known
	qr     template.HTML // the same, to be scanned
}

// maxBody is the size of the largest body of a request, in bytes. Forms are small.
const maxBody = 128 << 10

// New returns the handler of all pages.
func New(o Options) *Server {
	out := &Server{server: server{o: o, assets: readAssets(o.Operator.Colour)}}
	s := &out.server
	s.pages = readPages(s.assets)
	s.short, s.qr = short(o.URL)
	mux := http.NewServeMux()
	s.assets.serve(mux)
	s.handOver(mux)
	s.ask(mux)
	s.status(mux)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.nothing(w)
	})
	out.Handler = headers(http.NewCrossOriginProtection().Handler(mux))
	return out
}

// headers sets headers that keep secrets out of caches, other sites' logs, and frames.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		// A page's path may contain a secret, which must not reach other sites' logs. With
		// no-referrer, browsers would send forms without an origin, and those are refused.
		h.Set("Referrer-Policy", "strict-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Robots-Tag", "noindex, nofollow")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		h.Set("Content-Security-Policy", policy)
		if r.TLS != nil { // otherwise the proxy that ends TLS sets it
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// policy lets a page load what this server serves, and nothing that is written into the page.
// Pictures may be data: URIs, because the operator's logo is one.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

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
