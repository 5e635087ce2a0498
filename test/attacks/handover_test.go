package attacks

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// Key file and passphrase reach two different people, whose addresses are
// verified, who are the user's own, and who are still there.
func TestWhoMayBeGivenWhat(t *testing.T) {
	k := openCounter(t)
	k.User("bob")
	stranger := k.person("bob", "eve@b.example")
	left := k.person("alice", "leo@a.example")
	fresh := testkit.Call[model.Contact](k.Node, "POST", "/contacts",
		map[string]string{"account": "alice", "name": "New", "email": "new@a.example"})
	testkit.Call[model.Leaving](k.Node, "POST", "/contacts/"+left.ID+"/leave", nil)
	ann := testkit.Call[model.Contact](k.Node, "GET", "/contacts/ann@a.example", nil)
	k.give("key", ann.ID, fingerprintOf("one"), "a private key file")

	for _, c := range []struct {
		name, kind, contact, fingerprint string
		want                             fault.Kind
	}{
		{"the other half to the same contact", "passphrase", ann.ID, fingerprintOf("one"), fault.Denied},
		{"… by address", "passphrase", "ann@a.example", fingerprintOf("one"), fault.Denied},
		{"… by address in other case", "passphrase", "ANN@A.EXAMPLE", fingerprintOf("one"), fault.Denied},
		{"an unverified contact", "key", fresh.ID, fingerprintOf("two"), fault.Conflict},
		{"a contact who left", "key", left.ID, fingerprintOf("two"), fault.NotFound},
		{"… by address", "key", "leo@a.example", fingerprintOf("two"), fault.NotFound},
		{"another account's contact", "key", stranger.ID, fingerprintOf("two"), fault.NotFound},
		{"… by address", "passphrase", "eve@b.example", fingerprintOf("two"), fault.NotFound},
		{"nobody", "key", "", fingerprintOf("two"), fault.NotFound},
		{"control characters", "key", "ann@a.example\n", fingerprintOf("two"), fault.NotFound},
		{"no key", "key", ann.ID, "", fault.Invalid},
		{"an unknown kind", "both", ann.ID, fingerprintOf("two"), fault.Invalid},
	} {
		body, _, err := ask(c.kind, c.contact, c.fingerprint, "a secret text")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := attempt[model.Link](k.Node, "POST", "/links", body); !fault.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		} else {
			assertPrintable(t, c.name, fault.PublicText(err)+fault.HintIn(err))
		}
	}
	// Once she has opened hers, she still can't have the other.
	k.give("passphrase", "ben@a.example", fingerprintOf("one"), "seven secret words")
	for _, l := range testkit.List[model.Link](k.Node, "/links") {
		if l.Kind == model.LinkPassphrase {
			testkit.Call[model.Link](k.Node, "DELETE", "/links/"+l.ID, nil)
		}
	}
	body, _, _ := ask("passphrase", ann.ID, fingerprintOf("one"), "x")
	if _, err := attempt[model.Link](k.Node, "POST", "/links", body); !fault.Is(err, fault.Denied) {
		t.Errorf("the other half after the first was made anew: %v", err)
	}
}

// One person may be a contact of an account and of its vendor.
func TestOnePersonTwice(t *testing.T) {
	k := openCounter(t)
	testkit.Call[model.Vendor](k.Node, "POST", "/vendors", map[string]string{"short": "acme", "name": "Acme"})
	testkit.Call[model.User](k.Node, "POST", "/users", map[string]string{"account": "alice", "vendor": "acme"})
	again := testkit.Call[model.Contact](k.Node, "POST", "/contacts",
		map[string]string{"vendor": "acme", "name": "Ann", "email": "ann@A.example"})
	testkit.Call[model.Contact](k.Node, "PATCH", "/contacts/"+again.ID, map[string]string{"verified": "met"})
	ann := testkit.List[model.Contact](k.Node, "/contacts?of=alice")[0]
	for i, to := range []string{ann.ID, again.ID} {
		body, _, err := ask([]string{"key", "passphrase"}[i], to, fingerprintOf("one"), "x")
		if err != nil {
			t.Fatal(err)
		}
		body["user"] = "alice-acme"
		if _, err := attempt[model.Link](k.Node, "POST", "/links", body); (i == 0) != (err == nil) {
			t.Errorf("half %d to %s: %v", i+1, to, err)
		}
	}
}

func TestDamagedRequestsForLinks(t *testing.T) {
	k := openCounter(t)
	first := k.give("key", "ann@a.example", fingerprintOf("one"), "a private key file")
	body, _, err := ask("key", "ann@a.example", fingerprintOf("two"), "x")
	if err != nil {
		t.Fatal(err)
	}
	token := body["token"].([]byte)
	for name, change := range map[string]map[string]any{
		"a short token":                         {"token": token[:31]},
		"a long token":                          {"token": append(token[:32:32], 0)},
		"no token":                              {"token": []byte{}},
		"nothing sealed":                        {"sealed": []byte{}},
		"a megabyte sealed":                     {"sealed": make([]byte, 1<<20)},
		"a verification that hands over":        {"kind": "verify"},
		"no user":                               {"user": ""},
		"an unknown user":                       {"user": "nobody-here"},
		"a user with control characters":        {"user": "\x1b[2J"},
		"ten megabytes":                         {"sealed": make([]byte, 10<<20)},
		"a user of ten megabytes":               {"user": strings.Repeat("x", 10<<20)},
		"a fingerprint of ten megabytes":        {"fingerprint": strings.Repeat("x", 10<<20)},
		"a fingerprint with control characters": {"fingerprint": "SHA256:\x1b[2J\n"},
	} {
		b := map[string]any{}
		for field, v := range body {
			b[field] = v
		}
		for field, v := range change {
			b[field] = v
		}
		if _, err := attempt[model.Link](k.Node, "POST", "/links", b); err == nil || fault.Is(err, fault.Internal) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A token that is in use must not reach another's package.
	var used []byte
	if err := k.db.QueryRow(`SELECT token FROM links WHERE id = $1`, first.ID).Scan(&used); err != nil {
		t.Fatal(err)
	}
	body["token"] = used
	if _, err := attempt[model.Link](k.Node, "POST", "/links", body); err == nil || fault.Is(err, fault.Internal) {
		t.Errorf("a token that is in use: %v", err)
	}
	k.assertWaiting("the first, after that", first)
	assertCleanLog(t, k.Node)
}

// Who says where it comes from is believed only if it is a trusted proxy, and
// then the last hop, which that proxy wrote, however it writes it.
func TestForgedForwardedFor(t *testing.T) {
	k := openCounter(t, func(c *config.Config) { c.Web.Proxies = []string{"127.0.0.1"} })
	const far = "203.0.113.9"
	for i, c := range []struct {
		name, source string
		headers      []string
		want         string
	}{
		{"a stranger", "127.0.0.5", []string{"X-Forwarded-For", far, "Forwarded", "for=" + far, "X-Real-IP", far},
			"127.0.0.5"},
		{"a trusted proxy", "127.0.0.1", []string{"X-Forwarded-For", far}, far},
		{"… that adds to the header", "127.0.0.1", []string{"X-Forwarded-For", "6.6.6.6, " + far}, far},
		{"… that adds a header (HAProxy)", "127.0.0.1", []string{"X-Forwarded-For", "6.6.6.6",
			"X-Forwarded-For", far}, far},
		{"… that says nonsense", "127.0.0.1", []string{"X-Forwarded-For", far + ", \"><b>"}, "127.0.0.1"},
		{"… that says nothing", "127.0.0.1", nil, "127.0.0.1"},
		{"… and IPv6", "127.0.0.1", []string{"X-Forwarded-For", "2001:db8::9"}, "2001:db8::9"},
	} {
		l := k.give("passphrase", "ann@a.example", fingerprintOf(fmt.Sprint(i)), "seven secret words")
		p, err := fetchFrom(c.source, "POST", l.url, nil, c.headers...)
		if err != nil || p.status != http.StatusOK {
			t.Fatalf("%s: %d, %v", c.name, p.status, err)
		}
		list := testkit.List[model.Link](k.Node, "/links")
		if list[0].ID != l.ID || list[0].OpenedFrom != c.want {
			t.Errorf("%s: opened from %q, want %q", c.name, list[0].OpenedFrom, c.want)
		}
	}
}

// What is sent to the pages is bounded in size and in time.
func TestPagesUnderFlood(t *testing.T) {
	k := openCounter(t)
	l := k.give("passphrase", "ann@a.example", fingerprintOf("one"), "seven secret words")
	before := heap()
	for range 10 {
		_, _ = fetch("POST", k.url+"/handover/"+keys.Empty().Secret, bytes.NewReader(make([]byte, 10<<20)))
	}
	if p, err := fetch("GET", l.url, nil, "X-Big", strings.Repeat("x", 1<<20)); err == nil && p.status < 400 {
		t.Errorf("a header of a megabyte: %d", p.status)
	}
	for i := range 300 { // the beginning of a request, and nothing more
		conn := dialFrom(t, "127.0.0.1", strings.TrimPrefix(k.url, "http://"))
		_, _ = fmt.Fprintf(conn, "POST /handover/%d HTTP/1.1\r\nHost: x\r\n", i)
	}
	began := time.Now()
	if p := k.send("POST", l.url); !strings.Contains(p.body, "seven secret words") {
		t.Errorf("a real click: %d", p.status)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("a real click took %v", took)
	}
	assertHeap(t, "the flood", before, 16<<20)
	assertCleanLog(t, k.Node)
}
