// Package browser has the stories that people live in a browser, told in Chromium. SCREENSHOTS=folder keeps a
// picture of every page that a story stops at.
package browser

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/emersion/go-smtp"

	"github.com/sallyport-sftp/sallyport/internal/cli"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// asProgram makes this test binary the product.
const asProgram = "TEST_BINARY_IS_SALLYPORT"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(cli.Run(cli.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Args[1:]))
	}
	testkit.LongMain(m, "people in a browser")
}

// site is a server with its pages and a mail server that keeps what it gets.
type site struct {
	*testkit.Node
	t    *testing.T
	url  string
	mail *mailbox

	secret string // what the latest authenticator app was set up with
}

func newSite(t *testing.T, options ...testkit.Option) *site {
	t.Helper()
	testkit.Needs(t, "chromium")
	s := &site{t: t, mail: openMailbox(t)}
	web := "127.0.0.1:" + testkit.FreePort(t)
	s.url = "http://" + web
	s.Node = testkit.Start(t, append([]testkit.Option{func(c *config.Config) {
		c.Web.Listen, c.Web.URL = web, s.url
		c.Endpoint.Host = "files.example.com"
		c.Onboard.Feeds = []string{"*"}
		c.Operator.Name = "Example Networks"
		c.Support.Email, c.Support.Phone = "help@example.com", "+61 2 5550 0100"
		c.Mail.Host, c.Mail.Port, c.Mail.TLS, c.Mail.From = "127.0.0.1", s.mail.port, "none", "files@example.com"
		c.Mail.Operators = []string{"ops@example.com"}
	}}, append(options, func(c *config.Config) { s.url = c.Web.URL })...)...)
	return s
}

// tab is a page in a browser, with what it asked for.
type tab struct {
	context.Context
	t         *testing.T
	site      *site
	downloads string
	clicks    int // what a person did: clicks, and fields filled in

	mu     sync.Mutex
	bodies []string // of requests: method, URL and body
	errors []string // of the console
}

// open starts a browser of the width of a desktop, or of a phone.
func (s *site) open() *tab {
	s.t.Helper()
	p := &tab{t: s.t, site: s, downloads: s.t.TempDir()}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox,
		chromedp.WindowSize(1100, 900), chromedp.Flag("disable-dev-shm-usage", true))
	allocated, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	s.t.Cleanup(cancel)
	ctx, cancelTab := chromedp.NewContext(allocated)
	s.t.Cleanup(cancelTab)
	ctx, cancelTime := context.WithTimeout(ctx, 3*time.Minute)
	s.t.Cleanup(cancelTime)
	p.Context = ctx
	chromedp.ListenTarget(ctx, p.listen)
	p.do(network.Enable(), runtime.Enable(),
		browser.SetDownloadBehavior(browser.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(p.downloads))
	return p
}

func (p *tab) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		text := e.Request.Method + " " + e.Request.URL
		for _, part := range e.Request.PostDataEntries {
			content, err := base64.StdEncoding.DecodeString(part.Bytes) // as the protocol has it
			if err != nil {
				p.errors = append(p.errors, "a body could not be read: "+err.Error())
			}
			text += "\n" + string(content)
		}
		p.bodies = append(p.bodies, text)
	case *runtime.EventExceptionThrown:
		p.errors = append(p.errors, e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError {
			p.errors = append(p.errors, fmt.Sprint(e.Args))
		}
	}
}

// do runs actions; the story ends if one fails.
func (p *tab) do(actions ...chromedp.Action) {
	p.t.Helper()
	if err := chromedp.Run(p.Context, actions...); err != nil {
		var html string
		_ = chromedp.Run(p.Context, chromedp.OuterHTML("html", &html))
		p.picture("failed")
		p.t.Fatalf("%v\n%s", err, html[:min(len(html), 4000)])
	}
}

// visit opens a page of the site.
func (p *tab) visit(path string) {
	p.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = p.site.url + path
	}
	p.do(chromedp.Navigate(path))
}

// fill types into fields, by their ids.
func (p *tab) fill(fields ...string) {
	p.t.Helper()
	for i := 0; i < len(fields); i += 2 {
		p.do(chromedp.SendKeys("#"+fields[i], fields[i+1], chromedp.ByQuery))
		p.clicks++
	}
}

// click presses what a selector finds.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(selector, chromedp.ByQuery))
	p.clicks++
}

// press presses the button or link with a text.
func (p *tab) press(text string) {
	p.t.Helper()
	const path = `//*[self::button or self::a or self::summary][contains(normalize-space(.), %q)]`
	p.do(chromedp.Click(fmt.Sprintf(path, text),
		chromedp.BySearch))
	p.clicks++
}

// see waits until the page has a text.
func (p *tab) see(text string) {
	p.t.Helper()
	var got string
	defer func() { // the test ends if it never says so
		if !strings.Contains(got, text) {
			p.t.Logf("instead it says: %s\nthe console: %v", got, p.errors)
		}
	}()
	testkit.Eventually(p.t, "the page says "+text, func() bool {
		_ = chromedp.Run(p.Context, chromedp.Text("body", &got, chromedp.ByQuery)) // it may be loading
		return strings.Contains(got, text)
	})
}

// wait waits until the browser is at a path.
func (p *tab) wait(path string) {
	p.t.Helper()
	var at string
	testkit.Eventually(p.t, "the browser is at "+path, func() bool {
		_ = chromedp.Run(p.Context, chromedp.Location(&at)) // it may be loading
		u, err := url.Parse(at)
		return err == nil && strings.HasPrefix(u.Path, path)
	})
}

// picture keeps a picture of the whole page, if they are asked for.
func (p *tab) picture(name string) {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	for _, look := range []struct {
		name, scheme string
		width        int64
	}{{"light", "light", 1100}, {"dark", "dark", 1100}, {"phone", "light", 390}} {
		var png []byte
		if err := chromedp.Run(p.Context, emulation.SetDeviceMetricsOverride(look.width, 900, 1, false),
			emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme",
				Value: look.scheme}}),
			chromedp.FullScreenshot(&png, 100)); err != nil {
			p.t.Logf("no picture of %s: %v", name, err)
			continue
		}
		testkit.Must(p.t, os.WriteFile(filepath.Join(dir, name+"-"+look.name+".png"), png, 0o644))
	}
	_ = chromedp.Run(p.Context, emulation.ClearDeviceMetricsOverride(), emulation.SetEmulatedMedia())
}

// sent returns every request so far, with its body.
func (p *tab) sent() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.bodies, "\n")
}

// clean fails if the console had errors.
func (p *tab) clean() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.errors) > 0 {
		p.t.Errorf("the console says: %s", strings.Join(p.errors, "\n"))
	}
}

// downloaded waits for a file, and returns its path.
func (p *tab) downloaded(pattern string) (path string) {
	p.t.Helper()
	testkit.Eventually(p.t, pattern+" is downloaded", func() bool {
		files, _ := filepath.Glob(filepath.Join(p.downloads, pattern))
		if len(files) == 0 || strings.HasSuffix(files[0], ".crdownload") {
			return false
		}
		if info, err := os.Stat(files[0]); err != nil || info.Size() == 0 { // the browser has only taken the name
			return false
		}
		path = files[0]
		return true
	})
	return path
}

// choose gives a file to a field of files.
func (p *tab) choose(id, file string) {
	p.t.Helper()
	p.do(chromedp.SetUploadFiles("#"+id, []string{file}, chromedp.ByQuery))
	p.clicks++
}

// paste puts a text into a field at once.
func (p *tab) paste(id, text string) {
	p.t.Helper()
	p.do(chromedp.Evaluate(fmt.Sprintf(`(() => { const f = document.getElementById(%q); f.value = %q; `+
		`f.dispatchEvent(new Event("input")); })()`, id, text), nil))
	p.clicks++
}

// value returns what is in a field.
func (p *tab) value(id string) (v string) {
	p.t.Helper()
	p.do(chromedp.Value("#"+id, &v, chromedp.ByQuery))
	return v
}

// mailbox is a mail server that keeps what it gets.
type mailbox struct {
	t    *testing.T
	port int

	mu      sync.Mutex
	letters []letter
}

// letter is a mail: to whom, its subject, and its text.
type letter struct{ to, subject, text string }

func openMailbox(t *testing.T) *mailbox {
	t.Helper()
	m := &mailbox{t: t}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &delivery{box: m}, nil }))
	s.Domain, s.AllowInsecureAuth = "localhost", true
	port := testkit.FreePort(t)
	s.Addr = "127.0.0.1:" + port
	n, err := strconv.Atoi(port)
	testkit.Must(t, err)
	m.port = n
	go func() { _ = s.ListenAndServe() }() // it ends with the test
	t.Cleanup(func() { _ = s.Close() })
	return m
}

type delivery struct {
	box *mailbox
	to  string
}

func (d *delivery) Reset()                                    {}
func (d *delivery) Logout() error                             { return nil }
func (d *delivery) Mail(string, *smtp.MailOptions) error      { return nil }
func (d *delivery) Rcpt(to string, _ *smtp.RcptOptions) error { d.to = to; return nil }
func (d *delivery) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(m.Body)
	if err != nil {
		return err
	}
	d.box.mu.Lock()
	defer d.box.mu.Unlock()
	d.box.letters = append(d.box.letters, letter{d.to, subject, unquoted(string(text))})
	return nil
}

// unquoted undoes quoted-printable, as far as links need it.
func unquoted(text string) string {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "=\r\n", ""), "=\n", "")
	return strings.ReplaceAll(text, "=3D", "=")
}

// wait returns the latest mail to an address whose subject has a text.
func (m *mailbox) wait(to, subject string) (out letter) {
	m.t.Helper()
	testkit.Eventually(m.t, to+" gets a mail: "+subject, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		for i := len(m.letters) - 1; i >= 0; i-- {
			if l := m.letters[i]; l.to == to && strings.Contains(l.subject, subject) {
				out = l
				return true
			}
		}
		return false
	})
	return out
}

var link = regexp.MustCompile(`http://127\.0\.0\.1:\d+/[A-Za-z0-9_/-]+`)

// link returns the path of the first link in a mail.
func (l letter) link() string {
	u, err := url.Parse(link.FindString(l.text))
	if err != nil {
		return ""
	}
	return u.Path
}
