package platform_test

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// world is a running server with the service user billing, and the feed data, to which
// acme and beta are subscribed.
type world struct {
	t    *testing.T
	node *testkit.Node
	keys map[string]ssh.Signer
}

type body map[string]any

func newWorld(t *testing.T, options ...testkit.Option) *world {
	t.Helper()
	w := &world{t, testkit.Start(t, options...), map[string]ssh.Signer{}}
	for _, name := range []string{"acme", "beta"} {
		w.keys[name] = w.node.User(name)
	}
	testkit.Call[model.Account](w.node, "POST", "/accounts", body{"id": "house", "name": "House"})
	w.service("billing", "127.0.0.0/8")
	w.feed(body{"name": "data", "kind": "data", "types": []string{"csv", "pdf"}}, "acme", "beta")
	return w
}

// service makes a service user that may log in from a network.
func (w *world) service(name, network string) {
	w.t.Helper()
	testkit.Call[model.User](w.node, "POST", "/users",
		body{"account": "house", "service": true, "name": name, "allow_ips": []string{network}})
	w.keys[name] = testkit.NewKey(w.t)
	w.node.Enrol(name, w.keys[name])
}

// feed makes a feed with its subscribers.
func (w *world) feed(f body, users ...string) {
	w.t.Helper()
	testkit.Call[model.Feed](w.node, "POST", "/feeds", f)
	for _, u := range users {
		testkit.Call[model.Subscription](w.node, "POST", "/feeds/"+f["name"].(string)+"/subscriptions", body{"user": u})
	}
}

// as logs in as a user.
func (w *world) as(user string) *sftp.Client {
	w.t.Helper()
	return w.node.SFTP(user, w.keys[user])
}

type stories map[string]func(*testing.T, *world)

func TestPlatform(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			var pg *testkit.Cluster
			if database == "postgres" {
				pg = testkit.Postgres(t)
			}
			for _, part := range []stories{outboundStories, inboxStories, acceptStories, borderStories, producerStories} {
				for name, story := range part {
					t.Run(name, func(t *testing.T) {
						story(t, newWorld(t, func(c *config.Config) {
							if pg != nil {
								c.Database.URL = pg.Database(t)
							}
						}))
					})
				}
			}
		})
	}
}

// write writes a file, and returns the outcome of CLOSE.
func (w *world) write(c *sftp.Client, path, text string) error {
	w.t.Helper()
	f, err := c.Create(path)
	testkit.Must(w.t, err)
	_, err = f.Write([]byte(text))
	testkit.Must(w.t, err)
	return f.Close()
}

func (w *world) put(c *sftp.Client, path, text string) {
	w.t.Helper()
	if err := w.write(c, path, text); err != nil {
		w.t.Fatalf("%s: %v", path, err)
	}
}

func (w *world) read(c *sftp.Client, path string) (string, error) {
	w.t.Helper()
	f, err := c.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	return string(b), err
}

func (w *world) wantText(c *sftp.Client, path, text string) {
	w.t.Helper()
	if got, err := w.read(c, path); err != nil || got != text {
		w.t.Fatalf("%s is %q, %v; want %q", path, got, err, text)
	}
}

// wantNames fails unless a directory has exactly these names.
func (w *world) wantNames(c *sftp.Client, dir string, want ...string) {
	w.t.Helper()
	list, err := c.ReadDir(dir)
	testkit.Must(w.t, err)
	got := []string{}
	for _, f := range list {
		got = append(got, f.Name())
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.t.Fatalf("%s has %q, want %q", dir, got, want)
	}
}

// delivered returns the deliveries as "user name issue".
func (w *world) delivered() (out []string) {
	w.t.Helper()
	for _, d := range testkit.List[model.Delivery](w.node, "/deliveries") {
		out = append(out, d.User+" "+d.Name+" "+string('0'+rune(d.Issue)))
	}
	slices.Sort(out)
	return out
}

func (w *world) wantDelivered(want ...string) {
	w.t.Helper()
	if got := w.delivered(); !slices.Equal(got, want) {
		w.t.Fatalf("delivered is %q, want %q", got, want)
	}
}

// drop returns the state of the only drop.
func (w *world) drop() model.Drop {
	w.t.Helper()
	list := w.node.Drops()
	if len(list) != 1 {
		w.t.Fatalf("%d drops", len(list))
	}
	return list[0]
}

func wantAbsent(t testing.TB, what string, err error) {
	t.Helper()
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v, want that it does not exist", what, err)
	}
}

func wantDenied(t testing.TB, what string, err error) {
	t.Helper()
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%s: %v, want that it is denied", what, err)
	}
}

func wantStatus(t testing.TB, what string, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("%s: %v, want %q in it", what, err, words)
	}
}
