package web_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/handover"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/onboard"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/web"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/model"
)

var (
	ctx    = context.Background()
	sydney = time.FixedZone("AEDT", 11*60*60)
)

// world is the pages on a real hand-over service.
type world struct {
	*testkit.World
	links   *handover.Service
	pages   http.Handler
	log     *testkit.Log
	jo, ann model.Contact

	requests *onboard.Service
	letters  []onboard.Letter // mailed to those who ask for access
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: testkit.NewWorld(t, ""), log: &testkit.Log{}}
	w.links = handover.New(w.Store, w.Clock, w.IDs)
	w.openRequests()
	w.pages = web.New(web.Options{Pages: w.site(exchange.Operator{}, "help@example.com & <friends>"), HandOver: w.links,
		Help:     "help@example.com & <friends>",
		Requests: w.requests, URL: "https://files.example.com", Within: "within 2 days", Zone: time.UTC,
		Log:     slog.New(slog.NewTextHandler(w.log, nil)),
		Reader:  reader,
		Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/64")}})
	w.Customer("acme", func(a *model.NewAccount) { a.Name = "Acme" })
	w.jo, w.ann = w.Verified("acme", "jo@acme.example"), w.Verified("acme", "ann@acme.example")
	return w
}

// link makes a one-time link and returns its path and id.
func (w *world) link(kind model.LinkKind, to model.Contact, files ...keys.File) (path, id string) {
	w.Helper()
	p, err := keys.Seal(files)
	w.Must(err)
	n := model.NewLink{Kind: kind, User: "acme", Contact: to.ID, Fingerprint: "SHA256:" + strings.Repeat("A", 43),
		Token: p.Token, Sealed: p.Sealed}
	if kind == model.LinkVerify {
		p = keys.Empty()
		n.User, n.Fingerprint, n.Token, n.Sealed = "", "", p.Token, nil
	}
	l, err := w.links.Make(ctx, "test", n)
	w.Must(err)
	return web.HandOverPath + p.Secret, l.ID
}

// ask sends a request as a browser does. change may modify it.
func (w *world) ask(method, path string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.RemoteAddr = "203.0.113.7:50000"
	for _, c := range change {
		c(r)
	}
	out := httptest.NewRecorder()
	w.pages.ServeHTTP(out, r)
	return out
}

// reader is in Sydney.
// site is what pages have in common.
func (w *world) site(o exchange.Operator, help string) *page.Site {
	return page.NewSite(page.Options{Operator: o, Help: help, Log: slog.New(slog.NewTextHandler(w.log, nil))})
}

func reader(_ context.Context, l model.Link) web.Reader {
	if l.User == "" {
		return web.Reader{Help: "help@example.com & <friends>", Zone: sydney}
	}
	return web.Reader{Help: "desk of " + l.User, Zone: sydney}
}

// state returns a link as operators see it.
func (w *world) state(id string) model.Link {
	w.Helper()
	list, err := w.links.Links(ctx, model.OfUserFilter{})
	w.Must(err)
	for _, l := range list {
		if l.ID == id {
			return l
		}
	}
	w.Fatalf("there is no link %s", id)
	return model.Link{}
}

func (w *world) wantState(id string, state model.LinkState) {
	w.Helper()
	if got := w.state(id).State; got != state {
		w.Fatalf("the link is %s, want %s", got, state)
	}
}

func TestKeyFileIsHandedOverOnce(t *testing.T) {
	w := newWorld(t)
	files := []keys.File{{Name: "acme", Content: bytes.Repeat([]byte{0, 1, 0xff}, 5000)},
		{Name: "acme.ppk", Content: []byte("PuTTY")}, {Name: "acme.pub", Content: nil}}
	path, id := w.link(model.LinkKey, w.jo, files...)

	page := w.ask("GET", path)
	if text := page.Body.String(); page.Code != 200 || !strings.Contains(text, "user acme") ||
		!strings.Contains(text, `<form method="post" data-saves="Downloaded">`) || !strings.Contains(text, "desk of acme") ||
		!strings.Contains(text,
			"The link works until "+w.Clock().Add(handover.Lifetime).In(sydney).Format("2 January 2006, 15:04")+" AEDT") {
		t.Fatalf("%d: %s", page.Code, text)
	}
	if head := w.ask("HEAD", path); head.Code != 200 {
		t.Fatalf("HEAD: %d", head.Code)
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS"} {
		w.ask(method, path)
	}
	w.wantState(id, model.LinkWaiting)

	got := w.ask("POST", path)
	if got.Code != 200 || got.Header().Get("Content-Type") != "application/zip" ||
		!strings.Contains(got.Header().Get("Content-Disposition"), "acme-key.zip") {
		t.Fatalf("%d %v", got.Code, got.Header())
	}
	z, err := zip.NewReader(bytes.NewReader(got.Body.Bytes()), int64(got.Body.Len()))
	testkit.Must(t, err)
	if len(z.File) != len(files) {
		t.Fatalf("%d files", len(z.File))
	}
	for i, f := range z.File {
		r, err := f.Open()
		testkit.Must(t, err)
		content, err := io.ReadAll(r)
		testkit.Must(t, err)
		if f.Name != files[i].Name || !bytes.Equal(content, files[i].Content) {
			t.Errorf("%s has %d bytes, want %s with %d", f.Name, len(content), files[i].Name, len(files[i].Content))
		}
	}
	w.wantState(id, model.LinkOpened)
	for _, method := range []string{"POST", "GET"} {
		w.wantGone(w.ask(method, path))
	}
}

// wantGone fails unless an answer is the one for an unknown link.
func (w *world) wantGone(got *httptest.ResponseRecorder) {
	w.Helper()
	never := w.ask("GET", web.HandOverPath+keys.Empty().Secret)
	if got.Code != 404 || got.Body.String() != never.Body.String() || got.Header().Get("Content-Disposition") != "" {
		w.Fatalf("%d %v: %s\nwant what a link that never was gets: %s", got.Code, got.Header(), got.Body, never.Body)
	}
}

func TestOfManyClicksOneGetsTheFile(t *testing.T) {
	w := newWorld(t)
	path, _ := w.link(model.LinkKey, w.jo, keys.File{Name: "acme", Content: []byte("x")})
	var wg sync.WaitGroup
	var won, lost atomic.Int32
	for range 30 {
		wg.Go(func() {
			switch got := w.ask("POST", path); got.Code {
			case 200:
				won.Add(1)
			case 404:
				lost.Add(1)
			default:
				t.Errorf("%d", got.Code)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 29 {
		t.Fatalf("%d got it, %d did not", won.Load(), lost.Load())
	}
}

func TestPassphraseIsShownAsItIs(t *testing.T) {
	w := newWorld(t)
	const words = `<b>fish</b> & "chips" 'n' {{peas}} ünï`
	path, id := w.link(model.LinkPassphrase, w.ann, keys.File{Name: "passphrase.txt", Content: []byte(words + "\n")})
	text := w.ask("POST", path).Body.String()
	shown := regexp.MustCompile(`<p class="secret">(.*?)</p>`).FindStringSubmatch(text)
	if shown == nil || strings.Contains(shown[1], "<") || html.UnescapeString(shown[1]) != words {
		t.Fatalf("the page shows %q:\n%s", shown, text)
	}
	w.wantState(id, model.LinkOpened)
	w.wantGone(w.ask("POST", path))
	if w.log.Contains("fish") {
		t.Fatal("the passphrase is in the log")
	}
}

func TestAnAddressIsConfirmed(t *testing.T) {
	w := newWorld(t)
	c, err := w.Accounts.AddContact(ctx, "test", model.NewContact{Account: "acme", Name: "New", Email: "new@acme.example"})
	testkit.Must(t, err)
	path, _ := w.link(model.LinkVerify, c)
	if page := w.ask("GET", path); page.Code != 200 || !strings.Contains(page.Body.String(), "Confirm") ||
		!strings.Contains(page.Body.String(), "help@example.com &amp; &lt;friends&gt;") {
		t.Fatalf("%d: %s", page.Code, page.Body)
	}
	if c, _ = w.Accounts.Contact(ctx, c.ID); c.VerifiedAt != nil {
		t.Fatal("looking confirmed it")
	}
	if page := w.ask("POST", path); page.Code != 200 || !strings.Contains(page.Body.String(), "Thank you") {
		t.Fatalf("%d: %s", page.Code, page.Body)
	}
	if c, err = w.Accounts.Contact(ctx, c.ID); err != nil || c.VerifiedAt == nil {
		t.Fatalf("%+v, %v", c, err)
	}
}

func TestLinksThatDoNotWorkLookTheSame(t *testing.T) {
	w := newWorld(t)
	path, id := w.link(model.LinkKey, w.jo, keys.File{Name: "acme", Content: []byte("x")})
	wrongHalf := path[:len(path)-1] + map[bool]string{true: "B", false: "A"}[strings.HasSuffix(path, "A")]
	for _, bad := range []string{wrongHalf, path + "AAAA", path[:len(path)-4], web.HandOverPath + "x",
		web.HandOverPath + "%00", web.HandOverPath + strings.Repeat("A", 64),
		web.HandOverPath + strings.Repeat("A", 10_000)} {
		w.wantGone(w.ask("POST", bad))
	}
	w.wantState(id, model.LinkWaiting) // the wrong half did not use the link up
	_, err := w.links.Revoke(ctx, "test", id)
	testkit.Must(t, err)
	w.wantGone(w.ask("GET", path))
	w.wantGone(w.ask("POST", path))

	path, id = w.link(model.LinkKey, w.jo, keys.File{Name: "acme", Content: []byte("x")})
	w.Pass(72 * time.Hour)
	w.wantGone(w.ask("GET", path))
	w.wantGone(w.ask("POST", path))
	w.wantState(id, model.LinkExpired)
}

// An empty package once caused a panic after the link was used up.
func TestAnEmptyPackageUsesNothingUp(t *testing.T) {
	w := newWorld(t)
	path, id := w.link(model.LinkPassphrase, w.ann)
	if got := w.ask("POST", path); got.Code != 503 {
		t.Fatalf("%d: %s", got.Code, got.Body)
	}
	w.wantState(id, model.LinkWaiting)
}

func TestAnotherSitesFormOpensNothing(t *testing.T) {
	w := newWorld(t)
	path, id := w.link(model.LinkKey, w.jo, keys.File{Name: "acme", Content: []byte("x")})
	for name, change := range map[string]func(*http.Request){
		"a form elsewhere": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"another origin":   func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
	} {
		if got := w.ask("POST", path, change); got.Code != 403 {
			t.Errorf("%s: %d", name, got.Code)
		}
	}
	w.wantState(id, model.LinkWaiting)
	if got := w.ask("POST", path,
		func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") }); got.Code != 200 {
		t.Fatalf("our own form: %d", got.Code)
	}
}

// loads matches what a page would load from elsewhere, and scripts and styles that are written into it.
var loads = regexp.MustCompile(`(?:src|action|data)="?(?:\w+:)?//|<link[^>]*//|` +
	`<script(?: [^s>][^>]*)?>|<style|\bstyle=|\bon\w+="`)

func TestEveryAnswerKeepsToItself(t *testing.T) {
	w := newWorld(t)
	key, _ := w.link(model.LinkKey, w.jo, keys.File{Name: "acme", Content: []byte("x")})
	for _, c := range []struct {
		method, path string
		code         int
		kind         string
	}{
		{"GET", key, 200, "text/html; charset=utf-8"}, {"HEAD", key, 200, "text/html; charset=utf-8"},
		{"POST", key, 200, "application/zip"},
		{"POST", key, 404, "text/html; charset=utf-8"}, {"GET", "/style.css", 404, "text/html; charset=utf-8"},
		{"GET", "/healthz", 200, "text/plain; charset=utf-8"},
		{"GET", "/", 200, "text/html; charset=utf-8"}, {"GET", "/keys", 200, "text/html; charset=utf-8"},
		{"GET", "/request/status/x", 404, "text/html; charset=utf-8"},
		{"GET", "/request/verify/x", 404, "text/html; charset=utf-8"},
		{"GET", "/sent/2345-6789", 200, "text/html; charset=utf-8"}, {"GET", "/sent/x", 404, "text/html; charset=utf-8"},
		{"GET", "/handover/", 404, "text/html; charset=utf-8"},
		{"GET", "/handover/a/b", 404, "text/html; charset=utf-8"},
		{"GET", "/admin", 404, "text/html; charset=utf-8"}, {"POST", "/", 422, "text/html; charset=utf-8"},
		{"DELETE", key, 404, "text/html; charset=utf-8"},
	} {
		got := w.ask(c.method, c.path)
		if got.Code != c.code || got.Result().Header.Get("Content-Type") != c.kind {
			t.Errorf("%s %.20s…: %d %s, want %d %s", c.method, c.path, got.Code,
				got.Result().Header.Get("Content-Type"), c.code,
				c.kind)
		}
		for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "strict-origin",
			"Strict-Transport-Security": "", "X-Content-Type-Options": "nosniff", "X-Robots-Tag": "noindex, nofollow"} {
			if h := got.Header().Get(name); h != want {
				t.Errorf("%s %.20s…: %s is %q", c.method, c.path, name, h)
			}
		}
		csp := got.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "style-src 'self'", "form-action 'self'",
			"frame-ancestors 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s %.20s…: the policy is %q", c.method, c.path, csp)
			}
		}
		if text := got.Body.String(); loads.MatchString(text) {
			t.Errorf("%s %.20s… loads something: %s", c.method, c.path, text)
		}
	}
}

// What pages load may be kept for ever, since its path has its hash; and it is there, packed or not.
func TestWhatPagesLoadMayBeKept(t *testing.T) {
	w := newWorld(t)
	page := w.ask("GET", "/nothing").Body.String()
	path := regexp.MustCompile(`href="(/assets/style\.[0-9a-f]{12}\.css)"`).FindStringSubmatch(page)
	if path == nil {
		t.Fatalf("no stylesheet: %s", page)
	}
	plain := w.ask("GET", path[1])
	packed := w.ask("GET", path[1], func(r *http.Request) { r.Header.Set("Accept-Encoding", "br, gzip") })
	z, err := gzip.NewReader(packed.Body)
	w.Must(err)
	unpacked, err := io.ReadAll(z)
	w.Must(err)
	if plain.Code != 200 || !bytes.Equal(unpacked, plain.Body.Bytes()) || plain.Header().Get("Content-Encoding") != "" ||
		packed.Header().Get("Content-Encoding") != "gzip" || plain.Header().Get("Vary") != "Accept-Encoding" ||
		!strings.Contains(plain.Header().Get("Cache-Control"), "immutable") ||
		plain.Header().Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("%v\n%v", plain.Header(), packed.Header())
	}
}

// A server with TLS tells browsers to use TLS from then on.
func TestPagesOverTLSAskForTLS(t *testing.T) {
	w := newWorld(t)
	s := httptest.NewTLSServer(w.pages)
	defer s.Close()
	resp, err := s.Client().Get(s.URL + "/healthz")
	testkit.Must(t, err)
	defer resp.Body.Close()
	if h := resp.Header.Get("Strict-Transport-Security"); h != "max-age=31536000" {
		t.Errorf("it says %q", h)
	}
}

func TestOnlyATrustedProxySpeaksForOthers(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name, peer string
		forwarded  []string // one header line each
		want       string
	}{
		{"nobody between", "203.0.113.7:5", nil, "203.0.113.7"},
		{"a stranger's word", "203.0.113.7:5", []string{"198.51.100.9"}, "203.0.113.7"},
		{"a proxy", "192.0.2.10:5", []string{"198.51.100.9"}, "198.51.100.9"},
		{"a proxy over IPv6", "[2001:db8::5]:5", []string{"2001:db8:9::1"}, "2001:db8:9::1"},
		{"a proxy, mapped", "[::ffff:192.0.2.10]:5", []string{"::ffff:198.51.100.9"}, "198.51.100.9"},
		{"a client that lies to the proxy", "192.0.2.10:5", []string{"10.0.0.1, 198.51.100.9"}, "198.51.100.9"},
		{"a client that lies, and a proxy that adds a line", "192.0.2.10:5", []string{"10.0.0.1", "198.51.100.9"},
			"198.51.100.9"},
		{"a proxy that says nothing", "192.0.2.10:5", nil, "192.0.2.10"},
		{"a proxy that says nonsense", "192.0.2.10:5", []string{"unknown"}, "192.0.2.10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, id := w.link(model.LinkKey, w.jo, keys.File{Name: "acme", Content: []byte("x")})
			got := w.ask("POST", path, func(r *http.Request) {
				r.RemoteAddr = c.peer
				for _, line := range c.forwarded {
					r.Header.Add("X-Forwarded-For", line)
				}
			})
			if from := w.state(id).OpenedFrom; got.Code != 200 || from != c.want {
				t.Fatalf("%d from %q, want %q", got.Code, from, c.want)
			}
		})
	}
}

func TestTheLogHasNoSecret(t *testing.T) {
	w := newWorld(t)
	path, id := w.link(model.LinkKey, w.jo, keys.File{Name: "acme", Content: []byte("x")})
	w.ask("GET", path)
	w.ask("POST", path)
	w.ask("POST", path)
	secret := strings.TrimPrefix(path, web.HandOverPath)
	if w.log.Contains(secret) || w.log.Contains(secret[:16]) || !w.log.Contains(id) {
		t.Fatalf("the log:\n%s", w.log)
	}
}

func TestAnAnswerThatWasLostIsLookedFor(t *testing.T) {
	w := newWorld(t)
	path, id := w.link(model.LinkPassphrase, w.jo, keys.File{Name: "passphrase", Content: []byte("six plain words")})
	w.Asked.LoseCommits(true, 1)
	page := w.ask("POST", path)
	w.Asked.Stop()
	if text := page.Body.String(); page.Code != 200 || !strings.Contains(text, "six plain words") {
		t.Fatalf("%d: %s", page.Code, text)
	}
	w.wantState(id, model.LinkOpened)
}

func TestALinkOfUnknownStateIsNotCalledUnused(t *testing.T) {
	t.Parallel() // the page waits until the result is certain
	w := newWorld(t)
	path, id := w.link(model.LinkPassphrase, w.jo, keys.File{Name: "passphrase", Content: []byte("six plain words")})
	lost := false
	w.Asked.Watch(func(_ int, statement string, ran bool) error {
		if lost || statement == "COMMIT" && ran {
			lost = true
			return testkit.ErrStatement
		}
		return nil
	})
	page := w.ask("POST", path)
	w.Asked.Stop()
	if text := page.Body.String(); page.Code != 503 || strings.Contains(text, "not used up") ||
		!strings.Contains(text, "cannot say now whether") {
		t.Fatalf("%d: %s", page.Code, text)
	}
	w.wantState(id, model.LinkOpened)
}

func TestPagesNameTheOperator(t *testing.T) {
	w := newWorld(t)
	const logo = "data:image/svg+xml;base64,PHN2Zz48c2NyaXB0Pg=="
	w.pages = web.New(web.Options{HandOver: w.links, Reader: reader, Log: slog.New(slog.NewTextHandler(w.log, nil)),
		Pages: w.site(exchange.Operator{Name: `Example <b>"Networks"</b>`, URL: "https://www.example.net", Logo: logo}, "")})
	path, _ := w.link(model.LinkPassphrase, w.ann, keys.File{Name: "passphrase.txt", Content: []byte("seven words")})
	for _, got := range []*httptest.ResponseRecorder{w.ask("GET", path), w.ask("POST", path), w.ask("GET", path)} {
		text := html.UnescapeString(got.Body.String())
		if !strings.Contains(text, `<img src="`+logo+`" alt="Example <b>"Networks"</b>">`) ||
			!strings.Contains(text, `href="https://www.example.net" rel="noreferrer"`) ||
			!strings.Contains(text, ` · Example <b>"Networks"</b></title>`) {
			t.Errorf("%d: %s", got.Code, text)
		}
		if strings.Contains(got.Body.String(), "<b>\"") || strings.Contains(got.Body.String(), "<script") {
			t.Errorf("the name became part of the page: %s", got.Body)
		}
		if csp := got.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "img-src 'self' data:;") {
			t.Errorf("the picture is not shown under %q", csp)
		}
	}
}

// Who confirms an address once saw the support of another region.
func TestALinkWithoutAUserHasTheSupportOfItsContact(t *testing.T) {
	w := newWorld(t)
	w.pages = web.New(web.Options{Pages: w.site(exchange.Operator{}, "elsewhere"), HandOver: w.links,
		Log: slog.New(slog.NewTextHandler(w.log, nil)), Help: "elsewhere",
		Reader: func(_ context.Context, l model.Link) web.Reader {
			return web.Reader{Help: "desk of contact " + l.ContactID, Zone: time.UTC}
		}})
	path, _ := w.link(model.LinkVerify, w.jo)
	for _, method := range []string{"GET", "POST"} {
		if text := w.ask(method, path).Body.String(); !strings.Contains(text, "desk of contact "+w.jo.ID) {
			t.Errorf("%s: %s", method, text)
		}
	}
}
