package web_test

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/onboard"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// openRequests makes the service of requests. Its letters are noted, not sent.
func (w *world) openRequests() {
	w.Helper()
	w.OpenBlobs()
	feeds := feed.New(feed.Options{Store: w.Store, Blobs: w.Blobs, Clock: w.Clock, IDs: w.IDs, Key: w.Key,
		Bounds: feed.Bounds{MaxFile: 1 << 20}})
	for _, name := range []string{"cdr", "invoice"} {
		_, err := feeds.AddFeed(ctx, "test", model.NewFeed{Name: name, Title: "The <" + name + "> files", Kind: name,
			Types: []string{"csv", "pdf"}})
		w.Must(err)
	}
	w.requests = onboard.New(onboard.Options{Store: w.Store, Clock: w.Clock, IDs: w.IDs,
		Log:      slog.New(slog.DiscardHandler),
		Accounts: w.Accounts, Feeds: feeds, Policy: onboard.Policy{Open: true, AnswerWithin: 48 * time.Hour,
			VerifyWithin: 72 * time.Hour, RemindAfter: 7 * testkit.Day, ExpireAfter: 30 * testkit.Day,
			Feeds: []string{"*"}, PerAddress: 10, PerEmail: 3, Unverified: 50, PerHour: 100},
		Mail: func(_ *store.Tx, l onboard.Letter) error {
			w.letters = append(w.letters, l)
			return nil
		}})
}

// filled is the form as a person fills it in.
func (w *world) filled() url.Values {
	return url.Values{"first_name": {"Jo"}, "last_name": {"Hill"}, "email": {"jo@new.example"}, "company": {"New & Sons"},
		"account_number": {"10423"}, "key": {testkit.NewPair(w).Line}, "feeds": {"invoice"}, "types": {"pdf"}}
}

// send posts a form, as a browser without the script does.
func (w *world) send(path string, form url.Values) *httptest.ResponseRecorder {
	w.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for name, values := range form {
		for _, v := range values {
			if name == "key_file" {
				part, err := m.CreateFormFile(name, "some-key")
				w.Must(err)
				_, err = part.Write([]byte(v))
				w.Must(err)
				continue
			}
			w.Must(m.WriteField(name, v))
		}
	}
	w.Must(m.Close())
	r := httptest.NewRequest("POST", path, &body)
	r.RemoteAddr = "203.0.113.7:50000"
	r.Header.Set("Content-Type", m.FormDataContentType())
	out := httptest.NewRecorder()
	w.pages.ServeHTTP(out, r)
	return out
}

// secret returns the secret of the latest letter of a kind.
func (w *world) secret(kind string) string {
	w.Helper()
	for i := len(w.letters) - 1; i >= 0; i-- {
		if w.letters[i].Kind == kind {
			return w.letters[i].Secret
		}
	}
	w.Fatalf("no letter of kind %s was written", kind)
	return ""
}

func TestARequestFromTheFormToItsPage(t *testing.T) {
	w := newWorld(t)
	sent := w.send("/", w.filled())
	to := sent.Header().Get("Location")
	if sent.Code != 303 || !regexp.MustCompile(`^/sent/[2-9a-z]{4}-[2-9a-z]{4}$`).MatchString(to) {
		t.Fatalf("%d to %q: %s", sent.Code, to, sent.Body)
	}
	cookie := sent.Result().Cookies()[0]
	if !cookie.HttpOnly || !cookie.Secure || cookie.Path != "/sent/" {
		t.Errorf("the cookie is %+v", cookie)
	}
	mine := w.ask("GET", to, func(r *http.Request) { r.AddCookie(cookie) }).Body.String()
	others := w.ask("GET", to).Body.String()
	if !strings.Contains(mine, "jo@new.example") || strings.Contains(others, "jo@new.example") {
		t.Errorf("who sent it sees\n%s\nothers see\n%s", mine, others)
	}
	confirm := onboard.VerifyPath + w.secret(onboard.MailVerify)
	for range 3 { // a mail scanner looks
		if got := w.ask("GET", confirm); got.Code != 200 || !strings.Contains(got.Body.String(), "New &amp; Sons") {
			t.Fatalf("%d: %s", got.Code, got.Body)
		}
	}
	if got := w.ask("HEAD", confirm); got.Code != 200 {
		t.Errorf("HEAD: %d", got.Code)
	}
	done := w.ask("POST", confirm)
	status := done.Header().Get("Location")
	if done.Code != 303 || !strings.HasPrefix(status, onboard.StatusPath) {
		t.Fatalf("%d to %q: %s", done.Code, status, done.Body)
	}
	if got := w.ask("GET", confirm); got.Code != 404 {
		t.Errorf("the link still works: %d", got.Code)
	}
	page := html.UnescapeString(w.ask("GET", status).Body.String())
	for _, want := range []string{"We look at your request.", "Jo Hill", "New & Sons", "10423", "invoice", "PDF",
		"You will hear from us by"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q: %s", want, page)
		}
	}
	for _, path := range []string{status + "/guide", status + "/site/winscp/x"} {
		if got := w.ask("GET", path); got.Code != 404 {
			t.Errorf("%s of a request that is not ready: %d", path, got.Code)
		}
	}
}

func TestAQuestionIsAnsweredOnThePage(t *testing.T) {
	w := newWorld(t)
	w.send("/", w.filled())
	status := w.ask("POST", onboard.VerifyPath+w.secret(onboard.MailVerify)).Header().Get("Location")
	list, err := w.requests.Requests(ctx, model.RequestFilter{})
	w.Must(err)
	_, err = w.requests.Ask(ctx, "test", list[0].ID, model.AskRequest{Text: "Which <site>?"})
	w.Must(err)
	if page := w.ask("GET", status).Body.String(); !strings.Contains(page, "Which &lt;site&gt;?") ||
		!strings.Contains(page, `action="`+status+`/answer"`) {
		t.Fatalf("%s", page)
	}
	post := func(path string, form url.Values) *httptest.ResponseRecorder { return w.send(path, form) }
	if got := post(status+"/answer", url.Values{"text": {"  "}}); got.Code != 422 ||
		!strings.Contains(got.Body.String(), `role="alert"`) {
		t.Errorf("an empty answer: %d %s", got.Code, got.Body)
	}
	if got := post(status+"/answer", url.Values{"text": {"The one in Perth."}}); got.Code != 303 ||
		got.Header().Get("Location") != status {
		t.Fatalf("%d: %s", got.Code, got.Body)
	}
	if page := w.ask("GET", status).Body.String(); !strings.Contains(page, "The one in Perth.") ||
		!strings.Contains(page, "We received your answer.") {
		t.Errorf("%s", page)
	}
	if got := post(status+"/answer", url.Values{"text": {"Again."}}); got.Code != 409 {
		t.Errorf("an answer that nobody asked for: %d", got.Code)
	}
	if got := post(onboard.StatusPath+strings.Repeat("A", 43)+"/withdraw", nil); got.Code != 404 {
		t.Errorf("a made-up secret: %d", got.Code)
	}
	if got := post(status+"/withdraw", nil); got.Code != 303 {
		t.Fatalf("%d: %s", got.Code, got.Body)
	}
	if page := w.ask("GET", status).Body.String(); !strings.Contains(page, "The request was withdrawn.") {
		t.Errorf("%s", page)
	}
}

// What was typed stays, and each mistake stands beside its field and in the summary.
func TestAFormWithMistakesKeepsWhatWasTyped(t *testing.T) {
	w := newWorld(t)
	form := w.filled()
	form.Set("email", `jo@new"><script>alert(1)</script>`)
	form.Del("first_name")
	got := w.send("/", form)
	text := got.Body.String()
	if got.Code != 422 || strings.Contains(text, "<script>alert") {
		t.Fatalf("%d: %s", got.Code, text)
	}
	for _, want := range []string{`value="Hill"`, `value="New &amp; Sons"`, `value="invoice" checked`,
		`value="pdf" checked`,
		`<a href="#email">`, `<a href="#first_name">`, `id="email" name="email" type="email"`, `aria-invalid="true"`,
		`aria-describedby="email-hint email-mistake"`, `id="email-mistake"`,
		"2 things need another look.", "SHA256:"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if len(w.letters) > 0 {
		t.Error("a mail was sent")
	}
}

// A private key never comes back in a page, in whatever field and form it was sent.
func TestAPrivateKeyInTheFormIsNotShownAgain(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "k")
	w.Must(exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file).Run())
	private := string(testkit.MustRead(t, file))
	middle := strings.Split(private, "\n")[2]
	for _, field := range []string{"key", "key_file"} {
		form := w.filled()
		form.Del("key")
		form.Set(field, private)
		got := w.send("/", form)
		text := got.Body.String()
		if got.Code != 422 || strings.Contains(text, middle) || !strings.Contains(text,
			"This is a private key. It should never leave your computer") {
			t.Errorf("%s: %d %s", field, got.Code, text)
		}
	}
	r := w.send("/read-key", url.Values{"key": {private}})
	if r.Code != 422 || strings.Contains(r.Body.String(), middle) || !strings.Contains(r.Body.String(),
		"did not keep it") {
		t.Errorf("%d: %s", r.Code, r.Body)
	}
}

func TestAKeyIsReadAtOnce(t *testing.T) {
	w := newWorld(t)
	pair := testkit.NewPair(w)
	form := w.filled()
	form.Set("key", pair.Line)
	form.Set("look", "1")
	for name, text := range map[string]string{"without the script": w.send("/", form).Body.String(),
		"by the script": w.send("/read-key", url.Values{"key": {pair.Line}}).Body.String()} {
		if !strings.Contains(html.UnescapeString(text), "Good: an Ed25519 key.") {
			t.Errorf("%s: %s", name, text)
		}
	}
	got := w.send("/read-key", url.Values{"key": {"ssh-ed25519 AAAA"}})
	if got.Code != 422 || !strings.Contains(got.Body.String(), "note bad") {
		t.Errorf("%d: %s", got.Code, got.Body)
	}
	if len(w.letters) > 0 {
		t.Error("looking at a key sent a mail")
	}
}

// Forms that no person sends are refused, cheaply, and change nothing.
func TestFormsThatNoPersonSends(t *testing.T) {
	w := newWorld(t)
	huge := w.filled()
	huge.Set("message", strings.Repeat("x", 1<<20))
	many := w.filled()
	for range 10_000 {
		many.Add("feeds", "a")
	}
	for name, form := range map[string]url.Values{"a body of a megabyte": huge, "10,000 fields": many} {
		if got := w.send("/", form); got.Code != 413 {
			t.Errorf("%s: %d", name, got.Code)
		}
	}
	// Without files, browsers may encode it the plain way, and what was wrong with that was forgotten.
	if got := w.ask("POST", "/", func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Body = io.NopCloser(strings.NewReader(huge.Encode()))
	}); got.Code != 413 {
		t.Errorf("a plain body of a megabyte: %d", got.Code)
	}
	for name, change := range map[string]func(*http.Request){
		"another site's form": func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"another site's script": func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		},
	} {
		if got := w.ask("POST", "/", change); got.Code != 403 {
			t.Errorf("%s: %d", name, got.Code)
		}
	}
	for i := range 10 {
		form := w.filled()
		form.Set("email", fmt.Sprintf("jo@%d.example", i))
		w.send("/", form)
	}
	if got := w.send("/", w.filled()); got.Code != 429 || !strings.Contains(got.Body.String(), `value="Hill"`) {
		t.Errorf("the eleventh request of an address: %d", got.Code)
	}
	list, err := w.requests.Requests(ctx, model.RequestFilter{})
	w.Must(err)
	if len(list) > 10 {
		t.Errorf("%d requests were kept", len(list))
	}
}
