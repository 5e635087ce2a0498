package api_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// send makes a request and returns its answer or error.
func send(n *testkit.Node, r client.Request) (*http.Response, error) {
	return n.API.Send(context.Background(), r)
}

func TestErrorsHaveAKindAndAHint(t *testing.T) {
	n := testkit.Start(t)
	n.User("acme")
	for _, c := range []struct {
		method, path string
		body         any
		kind         fault.Kind
		text         string
	}{
		{"GET", "/accounts/nobody", nil, fault.NotFound, `There is no account "nobody".`},
		{"POST", "/accounts", map[string]string{"id": "acme", "name": "again"}, fault.Exists,
			`An account "acme" already exists.`},
		{"POST", "/accounts", map[string]string{"id": "Ac/me", "name": "x"}, fault.Invalid, "not allowed"},
		{"POST", "/accounts", map[string]string{"id": "x", "name": "x", "colour": "red"}, fault.Invalid,
			"There is no field colour."},
		{"POST", "/accounts", map[string]any{"id": 5}, fault.Invalid, "id: 5 is not a text. name is missing."},
		{"POST", "/accounts", map[string]string{"id": "child", "name": "x", "parent": "none"}, fault.NotFound,
			"to be the parent"},
		{"PATCH", "/accounts/acme", map[string]string{"parent": "acme"}, fault.Invalid, "its own ancestor"},
		{"PATCH", "/accounts/acme", map[string]string{"state": "asleep"}, fault.Invalid, `"asleep" is no value of state.`},
		{"POST", "/users", map[string]string{"account": "acme"}, fault.Exists, "is taken"},
		{"POST", "/users", map[string]string{"account": "none"}, fault.NotFound, "no account"},
		{"POST", "/users", map[string]string{"account": "acme", "vendor": "none"}, fault.NotFound, "no vendor"},
		{"POST", "/users", map[string]any{"account": "acme", "name": "a2", "allow_ips": []string{"10.0.0.0/99"}},
			fault.Invalid, "not an address or network"},
		{"POST", "/users/acme/keys", map[string]string{"text": "ssh-rsa nonsense"}, fault.Invalid, "not a public key"},
		{"POST", "/keys/revoke", map[string]string{"fingerprint": "SHA256:nonesuch", "reason": "lost"}, fault.NotFound,
			"No user has a key whose"},
		{"POST", "/feeds", map[string]any{"name": "f", "kind": "k", "types": []string{"a/b"}}, fault.Invalid,
			"not a file type"},
		{"POST", "/feeds", map[string]any{"name": "f", "kind": "k", "retention": "soon"}, fault.Invalid, "is not a period"},
		{"GET", "/deliveries/none", nil, fault.NotFound, "no delivery"},
		{"GET", "/inbox/none", nil, fault.NotFound, "no received file"},
		{"GET", "/users/acme/files?path=/absent/deeper", nil, fault.NotFound, "No such"},
		{"DELETE", "/sessions/none", nil, fault.NotFound, "no live session"},
	} {
		_, err := send(n, client.Request{Method: c.method, Path: c.path, Body: c.body})
		if !fault.Is(err, c.kind) || !strings.Contains(fault.PublicText(err), c.text) {
			t.Errorf("%s %s: %v: %q, want %v: %q", c.method, c.path, fault.KindIn(err), fault.PublicText(err), c.kind, c.text)
		}
	}
}

func TestFilesComeBackWholeAndInRanges(t *testing.T) {
	n := testkit.Start(t)
	n.User("acme")
	at := url.Values{"path": {"/upload/name with \xff"}}
	text := strings.Repeat("0123456789", 100_000)
	resp, err := send(n, client.Request{Method: "PUT", Path: "/users/acme/files/content", Query: at,
		Body: strings.NewReader(text), Size: int64(len(text))})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	for rng, want := range map[string]string{"": text, "bytes=5-9": "56789", "bytes=-3": "789", "bytes=999995-": "56789"} {
		h := http.Header{}
		if rng != "" {
			h.Set("Range", rng)
		}
		resp, err := send(n, client.Request{Method: "GET", Path: "/users/acme/files/content", Query: at, Header: h})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(got) != want {
			t.Errorf("range %q: %d bytes, %v", rng, len(got), err)
		}
	}
	files := testkit.List[model.FileInfo](n, "/users/acme/files?path=/upload")
	if len(files) != 1 || files[0].Name != `name with \xff` || string(files[0].Raw) != "name with \xff" {
		t.Fatalf("%+v", files)
	}
}

// TestAStoredFileOfTheYear1970IsNoPartial: operators see from a field of its own what is unfinished, not
// from a time that a partner can set.
func TestAStoredFileOfTheYear1970IsNoPartial(t *testing.T) {
	n := testkit.Start(t)
	key := n.User("acme")
	c := n.SFTP("acme", key)
	for _, name := range []string{"/upload/old.csv", "/upload/half.csv", "/upload/both.csv"} {
		f, err := c.Create(name)
		testkit.Must(t, err)
		_, err = f.Write([]byte("some text"))
		testkit.Must(t, err)
		if name == "/upload/half.csv" {
			continue // it stays open
		}
		testkit.Must(t, f.Close())
		testkit.Must(t, c.Chtimes(name, time.Unix(0, 0), time.Unix(0, 0)))
	}
	f, err := c.OpenFile("/upload/both.csv", os.O_WRONLY|os.O_TRUNC)
	testkit.Must(t, err)
	_, err = f.Write([]byte("new"))
	testkit.Must(t, err)
	testkit.Eventually(t, "the new upload is seen", func() bool { // a write is answered before others see it
		list := testkit.List[model.FileInfo](n, "/users/acme/files?path=/upload")
		return len(list) == 3 && list[0].Unfinished != nil && list[0].Unfinished.Size == 3
	})
	list := testkit.List[model.FileInfo](n, "/users/acme/files?path=/upload")
	both, half, old := list[0], list[1], list[2]
	if both.Size != 9 || both.Partial || !both.Unfinished.Writing {
		t.Errorf("a stored file with a new upload: %+v", both)
	}
	if half.Size != 0 || !half.Partial || half.Unfinished == nil || half.Mtime.Unix() == 0 {
		t.Errorf("an upload alone: %+v", half)
	}
	if old.Size != 9 || old.Partial || old.Unfinished != nil || old.Mtime.Unix() != 0 {
		t.Errorf("a stored file of 1970: %+v", old)
	}
}

// An upload that breaks off must not leave an incomplete file.
func TestABrokenOffPutStoresNothing(t *testing.T) {
	n := testkit.Start(t)
	n.User("acme")
	at := url.Values{"path": {"/upload/f"}}
	_, err := send(n, client.Request{Method: "PUT", Path: "/users/acme/files/content", Query: at,
		Body: io.MultiReader(strings.NewReader("half"), brokenReader{}), Size: 1000})
	if err == nil {
		t.Fatal("it was taken")
	}
	testkit.Call[any](n, "POST", "/feeds", map[string]any{"name": "f", "kind": "data"})
	testkit.Call[any](n, "POST", "/feeds/f/subscriptions", map[string]any{"user": "acme"})
	_, err = send(n, client.Request{Method: "PUT", Path: "/feeds/f/publications/half.csv",
		Query: url.Values{"account": {"acme"}}, Body: io.MultiReader(strings.NewReader("half"), brokenReader{}), Size: 1000})
	if err == nil {
		t.Fatal("it was published")
	}
	testkit.Eventually(t, "both requests are over, and nothing is there", func() bool {
		return len(testkit.List[model.FileInfo](n, "/users/acme/files?path=/upload")) == 0 &&
			len(testkit.List[model.Delivery](n, "/deliveries")) == 0
	})
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestKeysBelongToOneUserOrOneVendor(t *testing.T) {
	n := testkit.Start(t)
	n.User("acme")
	n.User("globex")
	testkit.Call[any](n, "POST", "/vendors", map[string]string{"short": "carrier", "name": "Carrier"})
	key := testkit.NewKey(t)
	for _, account := range []string{"acme", "globex"} {
		testkit.Call[any](n, "POST", "/users", map[string]string{"account": account, "vendor": "carrier"})
		n.Enrol(account+"-carrier", key) // a carrier uses one key for many accounts
	}
	_, err := send(n, client.Request{Method: "POST", Path: "/users/acme/keys",
		Body: map[string]string{"text": publicLine(key)}})
	if !fault.Is(err, fault.Denied) || fault.PublicText(err) != "This key can't be used here." {
		t.Fatalf("a customer with the carrier's key: %v", err)
	}
	revoked := testkit.Call[model.Revoked](n, "POST", "/keys/revoke",
		map[string]string{"fingerprint": fingerprint(key), "reason": "test"})
	if len(revoked.Keys) != 2 {
		t.Fatalf("%d keys were revoked", len(revoked.Keys))
	}
	for range 5 {
		n.Enrol("acme", testkit.NewKey(t))
		if keys := testkit.List[model.Key](n, "/users/acme/keys"); len(keys) == 5 {
			break
		}
	}
	_, err = send(n, client.Request{Method: "POST", Path: "/users/acme/keys",
		Body: map[string]string{"text": publicLine(testkit.NewKey(t))}})
	if !fault.Is(err, fault.Busy) {
		t.Fatalf("a sixth key: %v", err)
	}
}
