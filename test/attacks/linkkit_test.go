package attacks

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/crypto/ssh"
	_ "modernc.org/sqlite"

	"github.com/sallyport-sftp/sallyport/internal/cli"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// counter is a node that hands things over: with pages, a user alice, and two
// contacts whose addresses are verified.
type counter struct {
	*testkit.Node
	t   testing.TB
	url string // http://127.0.0.1:port
	db  *sql.DB
	key ssh.Signer
}

func openCounter(t testing.TB, options ...testkit.Option) *counter {
	t.Helper()
	listen := "127.0.0.1:" + testkit.FreePort(t)
	database := ""
	n := start(t, append(options, func(c *config.Config) {
		c.Web.Listen, c.Web.URL = listen, "http://"+listen
		database = c.Database.URL
	})...)
	k := &counter{Node: n, t: t, url: "http://" + listen, key: n.User("alice")}
	k.person("alice", "ann@a.example")
	k.person("alice", "ben@a.example")
	var err error
	if database == "" {
		k.db, err = sql.Open("sqlite", "file:"+filepath.Join(n.Data, "sallyport.db")+"?_pragma=busy_timeout(5000)")
	} else {
		k.db, err = sql.Open("pgx", database)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.db.Close() })
	return k
}

// person adds a contact whose address is verified.
func (k *counter) person(account, email string) model.Contact {
	k.t.Helper()
	c := testkit.Call[model.Contact](k.Node, "POST", "/contacts",
		map[string]string{"account": account, "name": email, "email": email})
	return testkit.Call[model.Contact](k.Node, "PATCH", "/contacts/"+c.ID, map[string]string{"verified": "called back"})
}

// link is a one-time link and where it is opened.
type link struct {
	model.Link
	url, secret string
	sealed      []byte
}

// fingerprintOf is the fingerprint that a key called so might have.
func fingerprintOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// ask is the body of a request for a link that hands over a text.
func ask(kind, contact, fingerprint, text string) (map[string]any, keys.Package, error) {
	p, err := keys.Seal([]keys.File{{Name: "file.txt", Content: []byte(text)}})
	return map[string]any{"kind": kind, "user": "alice", "contact": contact, "fingerprint": fingerprint, "token": p.Token,
		"sealed": p.Sealed}, p, err
}

// give makes a link of a kind that hands over a text.
func (k *counter) give(kind, contact, fingerprint, text string) link {
	k.t.Helper()
	body, p, err := ask(kind, contact, fingerprint, text)
	if err != nil {
		k.t.Fatal(err)
	}
	l := testkit.Call[model.Link](k.Node, "POST", "/links", body)
	return link{Link: l, url: k.url + "/handover/" + p.Secret, secret: p.Secret, sealed: p.Sealed}
}

// verify makes a link that verifies an address.
func (k *counter) verify(contact string) link {
	k.t.Helper()
	p := keys.Empty()
	l := testkit.Call[model.Link](k.Node, "POST", "/links",
		map[string]any{"kind": "verify", "contact": contact, "token": p.Token})
	return link{Link: l, url: k.url + "/handover/" + p.Secret, secret: p.Secret}
}

// page is an answer of the web listener.
type page struct {
	status int
	header http.Header
	body   string
}

// send asks for a page; headers are names and values in turn.
func (k *counter) send(method, url string, headers ...string) page {
	k.t.Helper()
	p, err := fetch(method, url, nil, headers...)
	if err != nil {
		k.t.Fatal(err)
	}
	return p
}

func fetch(method, url string, body io.Reader, headers ...string) (page, error) {
	return fetchFrom("127.0.0.1", method, url, body, headers...)
}

// fetchFrom asks from an address of this machine, and follows no redirects.
func fetchFrom(source, method, url string, body io.Reader, headers ...string) (page, error) {
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		return page{}, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
	transport := &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return page{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	resp.Header.Del("Date")
	return page{resp.StatusCode, resp.Header, string(text)}, err
}

// record is what the database has of a link: its state, and whether it still
// holds something.
func (k *counter) record(l link) (state model.LinkState, holds bool) {
	k.t.Helper()
	var sealed []byte
	if err := k.db.QueryRow(`SELECT state, sealed FROM links WHERE id = $1`, l.ID).Scan(&state, &sealed); err != nil {
		k.t.Fatal(err)
	}
	return state, len(sealed) > 0
}

// assertGone fails unless a link is as if it had never been, and holds nothing.
func (k *counter) assertGone(what string, state model.LinkState, l link) {
	k.t.Helper()
	never := link{url: k.url + "/handover/" + keys.Empty().Secret}
	for _, method := range []string{"GET", "HEAD", "POST"} {
		got, want := k.send(method, l.url), k.send(method, never.url)
		if got.status != http.StatusNotFound || got.body != want.body || !equalHeaders(got.header, want.header) {
			k.t.Errorf("%s: %s answers %+v, and one that never was %+v", what, method, got, want)
		}
	}
	if s, holds := k.record(l); s != state || holds {
		k.t.Errorf("%s: the record says %s, and holds something: %v", what, s, holds)
	}
}

func equalHeaders(a, b http.Header) bool {
	var x, y bytes.Buffer
	_ = a.Write(&x)
	_ = b.Write(&y)
	return x.String() == y.String()
}

// assertWaiting fails unless a link can still be opened, and gives its text.
func (k *counter) assertWaiting(what string, l link) {
	k.t.Helper()
	if s, holds := k.record(l); s != model.LinkWaiting || !holds {
		k.t.Errorf("%s: the record says %s, and holds something: %v", what, s, holds)
	}
	if p := k.send("GET", l.url); p.status != http.StatusOK {
		k.t.Errorf("%s: GET answers %d", what, p.status)
	}
}

// assertKeptNowhere fails when a secret is in the data folder or the log.
func (k *counter) assertKeptNowhere(what, secret string) {
	k.t.Helper()
	if len(secret) < 12 {
		k.t.Fatalf("%s: %q is too short to be looked for", what, secret)
	}
	if k.Log.Contains(secret) {
		k.t.Errorf("%s is in the log", what)
	}
	_ = filepath.WalkDir(k.Data, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && bytes.Contains(testkit.MustRead(k.t, path), []byte(secret)) {
			k.t.Errorf("%s is in %s", what, path)
		}
		return err
	})
}

// sallyport runs a command line, and says what it printed.
func sallyport(n *testkit.Node, args ...string) (out, errs string, code int) {
	var o, e strings.Builder
	code = cli.Run(cli.IO{In: strings.NewReader(""), Out: &o, Err: &e, Env: []string{"SALLYPORT_DATA=" + n.Data}}, args)
	return o.String(), e.String(), code
}
