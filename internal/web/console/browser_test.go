package console_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// opened opens a one-time link, and returns what it hands over.
func (w *world) opened(link string) []byte {
	w.t.Helper()
	resp, err := http.Post(w.WebURL()+"/handover/"+path.Base(link), "application/x-www-form-urlencoded", nil)
	testkit.Must(w.t, err)
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	testkit.Must(w.t, err)
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("the link answers %d: %s", resp.StatusCode, content)
	}
	return content
}

// madeInChromium makes a pair on a page, and returns the two links that it shows, and all that the browser sent.
func (w *world) madeInChromium(at string) (key, words, sent string) {
	w.t.Helper()
	mux := http.NewServeMux()
	w.site.ServeAssets(mux)
	mux.Handle("/", w.admin)
	pages := httptest.NewServer(mux)
	defer pages.Close()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox,
		chromedp.Flag("disable-dev-shm-usage", true))
	allocated, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()
	tab, cancelTab := chromedp.NewContext(allocated)
	defer cancelTab()
	tab, cancelTime := context.WithTimeout(tab, 2*time.Minute)
	defer cancelTime()
	var mu sync.Mutex
	chromedp.ListenTarget(tab, func(event any) {
		if e, is := event.(*network.EventRequestWillBeSent); is {
			mu.Lock()
			defer mu.Unlock()
			for _, part := range e.Request.PostDataEntries {
				content, err := base64.StdEncoding.DecodeString(part.Bytes) // as the protocol has it
				testkit.Must(w.t, err)
				sent += string(content)
			}
		}
	})
	testkit.Must(w.t, chromedp.Run(tab, network.Enable(), chromedp.Navigate(pages.URL+at),
		chromedp.Click("[data-mails]", chromedp.ByQuery), // the links are handed over by hand
		chromedp.Click("[data-issue] button", chromedp.ByQuery),
		chromedp.WaitVisible("#issued [data-link]", chromedp.ByQuery),
		chromedp.Text("#link-key", &key, chromedp.ByQuery), chromedp.Text("#link-passphrase", &words, chromedp.ByQuery)))
	mu.Lock()
	defer mu.Unlock()
	return key, words, sent
}

// TestAPairIsMadeInTheBrowserAndHandedOver: the operator's browser makes the pair; one link hands over its files,
// another the words that open them; with both, one logs in. Nothing that opens the key has left the browser.
func TestAPairIsMadeInTheBrowserAndHandedOver(t *testing.T) {
	testkit.Long(t, "a pair is made in Chromium")
	testkit.Needs(t, "chromium")
	w := begin(t)
	first, second := w.partner("acme")
	key, words, sent := w.madeInChromium("/console/users/acme/give?key_to=" + first + "&passphrase_to=" + second)

	archive := w.opened(key)
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	testkit.Must(t, err)
	f, err := z.Open("acme")
	testkit.Must(t, err)
	private, err := io.ReadAll(f)
	testkit.Must(t, err)
	passphrase := strings.TrimSpace(between(html.UnescapeString(string(w.opened(words))), `<p class="secret">`, "</p>"))
	if len(z.File) != 4 || len(strings.Fields(passphrase)) != 7 {
		t.Fatalf("%d files, and %d words", len(z.File), len(strings.Fields(passphrase)))
	}
	signer, err := ssh.ParsePrivateKeyWithPassphrase(private, []byte(passphrase))
	testkit.Must(t, err)
	w.SFTP("acme", signer)
	w.get("/console/users/acme").says(200, "opened", "from 127.0.0.1", "Last log-in")

	if !strings.Contains(sent, "key_sealed=") {
		t.Error("what was sent was not seen, so this test shows nothing")
	}
	secrets := []string{path.Base(key), path.Base(words), "PRIVATE"}
	for _, between := range []string{" ", "+", "%20"} { // as bodies are encoded
		secrets = append(secrets, strings.Join(strings.Fields(passphrase)[:2], between))
	}
	for _, secret := range secrets {
		if strings.Contains(sent, secret) {
			t.Errorf("%q left the browser", secret)
		}
	}
}
