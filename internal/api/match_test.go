package api_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestAChangeOfSomethingElseMeanwhile: each thing that is shown with an entity tag is changed with it once. A second
// change with the same tag is answered with 412, and changes nothing.
func TestAChangeOfSomethingElseMeanwhile(t *testing.T) {
	n := testkit.Start(t)
	key := n.User("acme")
	testkit.Call[model.Vendor](n, "POST", "/vendors", model.NewVendor{Short: "carrier1", Name: "Carrier One"})
	jo := testkit.Call[model.Contact](n, "POST", "/contacts", model.NewContact{Account: "acme", Name: "Jo",
		Email: "jo@acme.example"})
	testkit.Call[model.Feed](n, "POST", "/feeds", model.NewFeed{Name: "cdr", Kind: "cdr"})
	type fields map[string]string
	for path, c := range map[string]struct{ first, second fields }{
		"/accounts/acme":     {fields{"name": "One"}, fields{"name": "Two"}},
		"/users/acme":        {fields{"start_dir": "/upload"}, fields{"start_dir": "/"}},
		"/vendors/carrier1":  {fields{"name": "One"}, fields{"name": "Two"}},
		"/contacts/" + jo.ID: {fields{"name": "One"}, fields{"name": "Two"}},
		"/feeds/cdr":         {fields{"title": "One"}, fields{"title": "Two"}},
	} {
		t.Run(strings.Split(path, "/")[1], func(t *testing.T) {
			show := func() (tag, text string) {
				status, tag, text := asked(t, n, "GET", path, "", "")
				if status != http.StatusOK {
					t.Fatalf("%d %s", status, text)
				}
				return tag, text
			}
			edit := func(tag string, body fields) (status int) {
				text, err := json.Marshal(body)
				testkit.Must(t, err)
				status, _, _ = asked(t, n, "PATCH", path, tag, string(text))
				return status
			}
			tag, text := show()
			if again, _ := show(); tag == "" || again != tag {
				t.Fatalf("its tags are %q and %q", tag, again)
			}
			if status := edit(tag, c.first); status != http.StatusOK {
				t.Fatalf("the first change: %d", status)
			}
			after, changed := show()
			if after == tag || changed == text {
				t.Fatalf("a change left the tag at %q: %s", after, changed)
			}
			for _, stale := range []string{tag, `"nonesuch"`, "W/" + tag} {
				if status := edit(stale, c.second); status != http.StatusPreconditionFailed {
					t.Errorf("a change with the tag %s of before: %d", stale, status)
				}
			}
			if now, text := show(); now != after || text != changed {
				t.Errorf("a refused change changed %s to %s", changed, text)
			}
			for _, good := range []string{tag + ", W/" + after, "*", ""} {
				if status := edit(good, c.second); status != http.StatusOK {
					t.Errorf("a change with %q: %d", good, status)
				}
			}
		})
	}
	t.Run("a user's own work leaves its tag", func(t *testing.T) {
		_, tag, _ := asked(t, n, "GET", "/users/acme", "", "")
		c := n.SFTP("acme", key)
		f, err := c.Create("/upload/f")
		testkit.Must(t, err)
		_, err = f.Write([]byte("some bytes"))
		testkit.Must(t, err)
		testkit.Must(t, f.Close())
		u := testkit.Call[model.User](n, "GET", "/users/acme", nil)
		if _, now, _ := asked(t, n, "GET", "/users/acme", "", ""); now != tag || u.UsedFiles != 1 {
			t.Errorf("%d files, and the tag went from %q to %q", u.UsedFiles, tag, now)
		}
	})
	t.Run("of two at once, one wins", func(t *testing.T) {
		_, tag, _ := asked(t, n, "GET", "/accounts/acme", "", "")
		ctx := client.Matching(context.Background(), tag)
		var wait sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wait.Go(func() {
				_, errs[i] = n.API.EditAccount(ctx, "acme", model.EditAccount{Name: new(strings.Repeat("x", i+1))})
			})
		}
		wait.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else {
				testkit.WantKind(t, err, fault.Conflict)
			}
		}
		if won != 1 {
			t.Errorf("%d changes with one tag were made", won)
		}
	})
}

// asked sends a request over the socket, bound to a tag unless that is "", and returns status, tag and text.
func asked(t *testing.T, n *testkit.Node, method, path, match, body string) (status int, tag, text string) {
	t.Helper()
	at, done, err := client.SocketPath(n.Data)
	testkit.Must(t, err)
	defer done()
	socket := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", at)
		}}}
	r, err := http.NewRequest(method, "http://local/api/v1"+path, strings.NewReader(body))
	testkit.Must(t, err)
	r.Header.Set("Content-Type", "application/json")
	if match != "" {
		r.Header.Set("If-Match", match)
	}
	resp, err := socket.Do(r)
	testkit.Must(t, err)
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	testkit.Must(t, err)
	return resp.StatusCode, resp.Header.Get("ETag"), string(all)
}
