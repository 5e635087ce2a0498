package attacks

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// Mail scanners and previews open every link that they see.
func TestLookingAtALinkTakesNothing(t *testing.T) {
	k := openCounter(t)
	l := k.give("passphrase", "ann@a.example", fingerprintOf("one"), "seven secret words")
	v := k.verify("ben@a.example")
	for range 3 {
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "get"} {
			for _, at := range []link{l, v} {
				p := k.send(method, at.url)
				if strings.Contains(p.body, "seven secret words") {
					t.Fatalf("%s gives the secret away", method)
				}
				if method == "GET" && p.status != http.StatusOK || method == "HEAD" && (p.status != http.StatusOK || p.body != "") {
					t.Errorf("%s: %d, %q", method, p.status, p.body)
				}
				if strings.Contains(p.body, at.secret) {
					t.Errorf("the page of %s repeats the link's secret", method)
				}
			}
		}
	}
	k.assertWaiting("after looking", l)
	if p := k.send("POST", l.url); p.status != http.StatusOK || !strings.Contains(p.body, "seven secret words") {
		t.Errorf("POST after that: %d %s", p.status, p.body)
	}
	k.assertGone("opened", model.LinkOpened, l)
	if p := k.send("POST", v.url); p.status != http.StatusOK {
		t.Errorf("POST of the verification: %d", p.status)
	}
	k.assertGone("verified", model.LinkOpened, v)
}

// 50 clicks at once, on each database.
func TestFiftyClicksOnALinkHaveOneWinner(t *testing.T) {
	for name, option := range map[string]testkit.Option{
		"SQLite":     func(*config.Config) {},
		"PostgreSQL": onPostgres(t),
	} {
		t.Run(name, func(t *testing.T) {
			k := openCounter(t, option)
			for round := range 3 {
				l := k.give("passphrase", "ann@a.example", fingerprintOf(fmt.Sprint(round)), "seven secret words")
				won, others := race(t, l.url, 50, "seven secret words")
				if won != 1 || others[http.StatusNotFound] != 49 {
					t.Errorf("%d clicks won; the others: %v", won, others)
				}
				k.assertGone("raced", model.LinkOpened, l)
			}
		})
	}
}

// onPostgres is a node on a PostgreSQL database of its own.
func onPostgres(t *testing.T) testkit.Option {
	database := testkit.Postgres(t).Database(t)
	return func(c *config.Config) { c.Database.URL = database }
}

// race sends many POSTs at once: how many got the secret, and what the others got.
func race(t *testing.T, url string, clicks int, secret string) (won int, others map[int]int) {
	t.Helper()
	others = map[int]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	begin := make(chan struct{})
	for range clicks {
		all.Go(func() {
			<-begin
			p, err := fetch("POST", url, nil)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case strings.Contains(p.body, secret):
				won++
			default:
				others[p.status]++
			}
		})
	}
	close(begin)
	all.Wait()
	return won, others
}

func TestLinksThatEndHandNothingOver(t *testing.T) {
	k := openCounter(t)
	revoked := k.give("key", "ann@a.example", fingerprintOf("one"), "a private key file")
	testkit.Call[model.Link](k.Node, "DELETE", "/links/"+revoked.ID, nil)
	k.assertGone("revoked", model.LinkRevoked, revoked)
	if _, err := attempt[model.Link](k.Node, "DELETE", "/links/"+revoked.ID, nil); !fault.Is(err, fault.Conflict) {
		t.Errorf("revoking it again: %v", err)
	}

	// A contact who leaves loses what waits, and nothing that others have.
	hers, his := k.give("key", "ann@a.example", fingerprintOf("two"), "a private key file"),
		k.give("passphrase", "ben@a.example", fingerprintOf("two"), "seven secret words")
	verify := k.verify("ann@a.example")
	testkit.Call[model.Leaving](k.Node, "POST", "/contacts/ann@a.example/leave", nil)
	k.assertGone("of a contact who left", model.LinkRevoked, hers)
	k.assertGone("a verification of a contact who left", model.LinkRevoked, verify)
	k.assertWaiting("of a contact who is still there", his)

	// Its time is over: at once for who asks, and soon for what it holds.
	late := k.give("passphrase", "ben@a.example", fingerprintOf("three"), "seven secret words")
	if _, err := k.db.Exec(`UPDATE links SET expires_at = created_at + 1 WHERE id = $1`, late.ID); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET", "POST"} {
		if p := k.send(method, late.url); p.status != http.StatusNotFound {
			t.Errorf("%s of a link whose time is over: %d", method, p.status)
		}
	}
	k.Restart() // the keeper looks at once, and then every minute
	testkit.Eventually(t, "it is expired", func() bool { state, _ := k.record(late); return state == model.LinkExpired })
	k.assertGone("expired", model.LinkExpired, late)
	k.assertWaiting("the other, after the restart", his)
}

// Each half of a link's secret alone is worth nothing, and a wrong key does
// not use the link up.
func TestGuessedAndDamagedLinks(t *testing.T) {
	k := openCounter(t)
	l := k.give("passphrase", "ann@a.example", fingerprintOf("one"), "seven secret words")
	used := k.give("passphrase", "ann@a.example", fingerprintOf("two"), "other secret words")
	k.send("POST", used.url)
	want := map[string]page{"GET": k.send("GET", used.url), "HEAD": k.send("HEAD", used.url),
		"POST": k.send("POST", used.url)}
	raw, err := base64.RawURLEncoding.DecodeString(l.secret)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	flipped := bytes.Clone(raw)
	flipped[len(flipped)-1] ^= 1
	guesses := map[string]string{
		"a guess": keys.Empty().Secret, "the right token alone": encode(raw[:16]),
		"the right token, a wrong key": encode(append(bytes.Clone(raw[:16]), make([]byte, 32)...)),
		"one bit of the key":           encode(flipped),
		"the right key, another token": encode(append(make([]byte, 16), raw[16:]...)),
		"too long":                     l.secret + "AAAA", "in lower case": strings.ToLower(l.secret), "the id": l.ID,
		"a quote": "'%20OR%201=1--", "ESC": "%1b%5b2J", "NUL": "%00",
		"4 KiB": strings.Repeat("A", 4096),
	}
	for name, secret := range guesses {
		for _, method := range []string{"POST", "GET", "HEAD"} {
			right := strings.HasPrefix(name, "the right token, a") || name == "one bit of the key"
			if right && method != "POST" {
				continue // a look needs the first half alone, and shows nothing
			}
			if p := k.send(method, k.url+"/handover/"+secret); p.status != 404 || p.body != want[method].body ||
				!equalHeaders(p.header, want[method].header) {
				t.Errorf("%s of %s: %d %v %q, want as for a used one: %v %q", method, name, p.status, p.header, p.body,
					want[method].header, want[method].body)
			}
		}
	}
	k.assertWaiting("after the guesses", l)
	if p := k.send("POST", l.url); !strings.Contains(p.body, "seven secret words") {
		t.Errorf("the right one, after the guesses: %d", p.status)
	}
	assertCleanLog(t, k.Node)
}

func TestPagesLeakNothing(t *testing.T) {
	k := openCounter(t)
	l := k.give("passphrase", "ann@a.example", fingerprintOf("one"), "seven secret words")
	file := k.give("key", "ben@a.example", fingerprintOf("one"), "a private key file")
	for _, p := range []page{k.send("GET", l.url), k.send("HEAD", l.url), k.send("POST", l.url), k.send("POST", l.url),
		k.send("POST", file.url), k.send("GET", k.url+"/"), k.send("GET", k.url+"/style.css"),
		k.send("GET", k.url+"/api/v1/users")} {
		for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "strict-origin",
			"X-Content-Type-Options": "nosniff"} {
			if got := p.header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		csp := p.header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action '",
			"base-uri 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("Content-Security-Policy lacks %s: %q", want, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || p.header.Get("Set-Cookie") != "" || p.header.Get("Server") != "" {
			t.Errorf("headers: %v", p.header)
		}
	}
	for _, path := range []string{"/api/v1/users", "/handover/", "/handover", "/.git/config",
		"/../etc/passwd", "//evil.example/%2f..", "/%5cevil.example"} {
		p := k.send("GET", k.url+path)
		if at := p.header.Get("Location"); p.status == 200 || strings.HasPrefix(at, "//") || strings.Contains(at, `\`) ||
			strings.Contains(at, "://") {
			t.Errorf("%s: %d, Location %q", path, p.status, at)
		}
	}
	if p := k.send("GET", k.url+"/%3cscript%3ealert(1)%3c/script%3e"); strings.Contains(p.body, "<script>") {
		t.Errorf("the page repeats a path: %s", p.body)
	}
}

// A page elsewhere must not make a visitor's browser use a link up.
func TestCrossOriginClicksAreRefused(t *testing.T) {
	k := openCounter(t)
	l := k.give("passphrase", "ann@a.example", fingerprintOf("one"), "seven secret words")
	for _, headers := range [][]string{
		{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Origin", k.url + ".evil.example"},
		{"Origin", "http://127.0.0.1:1"},
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "cross-site", "Origin", k.url},
		{"Origin", "https://evil.example", "X-HTTP-Method-Override", "GET"},
	} {
		if p := k.send("POST", l.url, headers...); p.status != http.StatusForbidden ||
			strings.Contains(p.body, "secret words") {
			t.Errorf("%q: %d", headers, p.status)
		}
	}
	k.assertWaiting("after clicks from elsewhere", l)
	if p := k.send("POST", l.url, "Origin", k.url, "Sec-Fetch-Site", "same-origin"); !strings.Contains(p.body,
		"seven secret words") {
		t.Errorf("a click on the page itself: %d", p.status)
	}
}

// What "key issue" hands over in two links is on the way nowhere in clear.
func TestIssuedKeysAreKeptNowhere(t *testing.T) {
	k := openCounter(t)
	k.User("bob")
	k.person("bob", "eve@b.example")
	k.person("bob", "tom@b.example")
	out, errs, code := sallyport(k.Node, "key", "issue", "bob", "--key-to", "eve@b.example", "--passphrase-to",
		"tom@b.example")
	urls := regexp.MustCompile(`http://\S+/handover/\S+`).FindAllString(out, -1)
	if code != 0 || len(urls) != 2 {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	file, phrase := k.send("POST", urls[0]), k.send("POST", urls[1])
	words := regexp.MustCompile(`(?s)class="secret">(.*?)</p>`).FindStringSubmatch(phrase.body)
	if file.status != 200 || words == nil {
		t.Fatalf("the key file: %d; the passphrase: %s", file.status, phrase.body)
	}
	z, err := zip.NewReader(strings.NewReader(file.body), int64(len(file.body)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == "bob" {
			signer, err := ssh.ParsePrivateKeyWithPassphrase(text, []byte(words[1]))
			if err != nil {
				t.Fatalf("the passphrase does not open the key: %v", err)
			}
			alive(t, k.Node, "bob", signer)
		}
		if !strings.HasSuffix(f.Name, ".pub") {
			k.assertKeptNowhere(f.Name, strings.Split(string(text), "\n")[3])
		}
	}
	k.assertKeptNowhere("the passphrase", words[1])
	for _, u := range urls {
		k.assertKeptNowhere("the secret of a link", u[strings.LastIndex(u, "/")+1:])
	}
}
