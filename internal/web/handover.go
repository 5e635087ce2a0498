// Package web serves pages to people. So far these are the pages of one-time links: one that says
// what the link hands over, with a button, and one with the result. Pages need no scripts, and load
// nothing from elsewhere.
package web

import (
	"context"
	_ "embed"
	"errors"
	"html/template"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/handover"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/model"
)

// HandOverPath is the prefix of the path of every one-time link.
const HandOverPath = "/handover/"

//go:embed style.css
var style []byte

//go:embed handover.html
var handoverHTML string

var handoverPage = template.Must(template.New("handover").Funcs(template.FuncMap{"picture": picture}).
	Parse(handoverHTML))

// picture marks the operator's logo as safe: config.Operator.Read has made it, base64 in a data URI.
func picture(logo string) template.URL { return template.URL(logo) }

// page is the content of a hand-over page.
type page struct {
	From    exchange.Operator
	Title   string
	Lines   []string
	Button  string // "" shows none
	Secret  string // shown once, to be copied
	Paper   string // what a print of the secret says it is for
	Help    string
	Expires string
}

// Options are the dependencies and settings of the pages.
type Options struct {
	HandOver *handover.Service
	Operator exchange.Operator                              // who runs the server
	Help     string                                         // how to reach support
	Reader   func(ctx context.Context, l model.Link) Reader // whom a link is for
	Proxies  []netip.Prefix                                 // their X-Forwarded-For is trusted
	Log      *slog.Logger
}

// Reader is what a page says differently to the people of each account.
type Reader struct {
	Help string         // how they reach support
	Zone *time.Location // in which they read times
}

type server struct{ o Options }

// New returns the handler of all pages.
func New(o Options) http.Handler {
	s := &server{o}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+HandOverPath+"{secret}", s.look) // HEAD too
	mux.HandleFunc("POST "+HandOverPath+"{secret}", s.take)
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(style)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.show(w, http.StatusNotFound, page{Title: "Nothing here", Lines: []string{"There is no page at this address."}})
	})
	return headers(http.NewCrossOriginProtection().Handler(mux))
}

// headers sets headers that keep secrets out of caches, other sites' logs, and frames.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		// A page's path contains a secret, which must not reach other sites' logs. With
		// no-referrer, browsers would send forms without an origin, and those are refused.
		h.Set("Referrer-Policy", "strict-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Robots-Tag", "noindex, nofollow")
		h.Set("Content-Security-Policy",
			"default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		if r.TLS != nil { // otherwise the proxy that ends TLS sets it
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
		next.ServeHTTP(w, r)
	})
}

func (s *server) show(w http.ResponseWriter, status int, p page) {
	if p.Help == "" {
		p.Help = s.o.Help
	}
	p.From = s.o.Operator
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := handoverPage.Execute(w, p); err != nil {
		s.o.Log.Error("a page could not be written", "err", err)
	}
}

// texts describe what a link of each kind hands over.
// A line may name the user (%s).
var texts = map[model.LinkKind]struct {
	title, button string
	lines         []string
}{
	model.LinkKey: {"Your key file", "Download the key file", []string{
		"This link hands over the private key file of user %s, encrypted. It works once: after the button, " +
			"the file is on your computer and nowhere else.",
		"Your browser saves it as %s-key.zip; this page stays as it is.",
		"The passphrase that unlocks it reaches another person by another channel."}},
	model.LinkPassphrase: {"A passphrase", "Show the passphrase", []string{
		"This link shows the passphrase for the key file of user %s. It works once.",
		"Write the words down, and tell them to whoever has the key file, but not by e-mail. " +
			"They unlock the file; they are not a password for the server."}},
	model.LinkVerify: {"Your e-mail address", "Confirm", []string{
		"Please confirm that this address reaches you. We use it only for messages about your file access."}},
}

// look shows what a link is for. It does not use the link up, so that mail scanners and previews do
// no harm.
func (s *server) look(w http.ResponseWriter, r *http.Request) {
	l, err := s.waiting(r.Context(), r.PathValue("secret"))
	if err != nil {
		s.fail(w, err)
		return
	}
	t := texts[l.Kind]
	lines := make([]string, len(t.lines))
	for i, line := range t.lines {
		lines[i] = strings.ReplaceAll(line, "%s", l.User)
	}
	reader := s.o.Reader(r.Context(), l)
	s.show(w, http.StatusOK, page{Title: t.title, Lines: lines, Button: t.button, Help: reader.Help,
		Expires: l.ExpiresAt.In(reader.Zone).Format("2 January 2006, 15:04 MST")})
}

func (s *server) waiting(ctx context.Context, secret string) (model.Link, error) {
	token, _, err := keys.SplitSecret(secret)
	if err != nil {
		return model.Link{}, err
	}
	return s.o.HandOver.Waiting(ctx, token)
}

// take hands over the content of a link, once.
func (s *server) take(w http.ResponseWriter, r *http.Request) {
	token, key, err := keys.SplitSecret(r.PathValue("secret"))
	if err != nil {
		s.fail(w, err)
		return
	}
	var link model.Link
	var files []keys.File
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 10*time.Second)
	defer cancel()
	err = s.o.HandOver.Open(ctx, token, s.address(r), func(l model.Link, sealed []byte) (err error) {
		if link = l; l.Kind != model.LinkVerify {
			if files, err = keys.Unseal(sealed, key); err == nil && len(files) == 0 {
				err = fault.E("web.take", fault.Internal, "The package is empty.")
			}
		}
		return err
	})
	if err != nil {
		s.fail(w, err)
		return
	}
	s.o.Log.Info("a one-time link was opened", "link", link.ID, "kind", link.Kind)
	switch link.Kind {
	case model.LinkKey:
		s.download(w, link, files)
	case model.LinkPassphrase:
		s.show(w, http.StatusOK, page{Title: "The passphrase", Help: s.o.Reader(ctx, link).Help, Paper: "user " + link.User,
			Secret: strings.TrimSpace(string(files[0].Content)),
			Lines: []string{"Write these words down now: they can't be shown again.",
				"They unlock the key file of user " + link.User + ". They are not a password for the server."}})
	default:
		s.show(w, http.StatusOK, page{Title: "Thank you", Help: s.o.Reader(ctx, link).Help,
			Lines: []string{"Your address is confirmed. You can close this page."}})
	}
}

func (s *server) download(w http.ResponseWriter, l model.Link, files []keys.File) {
	packed, err := keys.Zip(files)
	if err != nil {
		s.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition",
		mime.FormatMediaType("attachment", map[string]string{"filename": l.User + "-key.zip"}))
	_, _ = w.Write(packed) // ignored: the client may be gone
}

// fail shows an error page. All links that do not work get the same page.
func (s *server) fail(w http.ResponseWriter, err error) {
	if fault.Is(err, fault.NotFound) {
		s.show(w, http.StatusNotFound, page{Title: "This link does not work", Lines: []string{
			"It may have been used already, or its time is over. If it was you who used it, all is well.",
			"If nobody you know did, please tell us now: then the key is replaced, and nothing is lost."}})
		return
	}
	s.o.Log.Error("a one-time link could not be opened", "err", err)
	if errors.Is(err, handover.ErrUnknown) {
		s.show(w, http.StatusServiceUnavailable, page{Title: "Please look again", Lines: []string{
			"The server cannot say now whether the link was used up. Open it again in a few minutes.",
			"If it does not work any more, please tell us: then the key is replaced, and nothing is lost."}})
		return
	}
	s.show(w, http.StatusServiceUnavailable,
		page{Title: "Please try again", Lines: []string{"The server cannot answer now. The link was not used up."}})
}

// Fault writes the answer to a request whose handler panicked; see httpd.Guard.
func Fault(w http.ResponseWriter, reference string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusInternalServerError)
	_ = handoverPage.Execute(w, page{Title: "Something went wrong here", Lines: []string{ // the client may be gone
		"Please open the link again. If that does not help, tell us this reference: " + reference + "."}})
}

// address returns the client's address. If a trusted proxy sent the request, it is the one that the
// proxy reports. It is "" if it is not known.
func (s *server) address(r *http.Request) string {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	from := ap.Addr().Unmap()
	for _, p := range s.o.Proxies {
		if !p.Contains(from) {
			continue
		}
		// The last entry is the proxy's. Earlier entries may come from the client.
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if a, err := netip.ParseAddr(strings.TrimSpace(hops[len(hops)-1])); err == nil {
			return a.Unmap().String()
		}
	}
	return from.String()
}
