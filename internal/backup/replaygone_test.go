package backup_test

import (
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// differences is how many of shrunk's changes a replay makes again: what was allowed again is none of them.
const differences = 5

// grown sets up what shrunk takes back.
func grown(t *testing.T, n *testkit.Node) {
	t.Helper()
	for _, feed := range []string{"cdr", "invoices"} {
		testkit.Call[any](n, "POST", "/feeds", model.NewFeed{Name: feed, Kind: "data"})
		testkit.Call[any](n, "POST", "/feeds/"+feed+"/subscriptions", model.NewSubscription{User: "files"})
	}
	for _, email := range []string{"left@example.com", "removed@example.com"} {
		testkit.Call[any](n, "POST", "/contacts", model.NewContact{Account: "files", Name: "Jo",
			Email: email})
	}
	testkit.Call[any](n, "POST", "/endpoints", model.NewEndpoint{Name: "old", Listen: "127.0.0.1:" + testkit.FreePort(t),
		AllowIPs: []string{"192.0.2.0/24"}, Algorithms: []string{"ssh-rsa"}, Until: time.Now().AddDate(0, 1, 0)})
}

// shrunk takes back five things, and takes one back that is then given again.
func shrunk(n *testkit.Node) {
	testkit.Call[any](n, "DELETE", "/feeds/cdr/subscriptions/files", nil)
	testkit.Call[any](n, "DELETE", "/feeds/invoices/subscriptions/files", nil)
	testkit.Call[any](n, "POST", "/feeds/invoices/subscriptions", model.NewSubscription{User: "files"})
	testkit.Call[any](n, "POST", "/contacts/left@example.com/leave", nil)
	testkit.Call[any](n, "DELETE", "/contacts/removed@example.com", nil)
	testkit.Call[any](n, "DELETE", "/endpoints/old", nil)
	networks := []string{"198.51.100.0/24"}
	testkit.Call[any](n, "PATCH", "/users/paused", model.EditUser{AllowIPs: &networks})
}

// lookGone asks the restored database about them.
func lookGone(t *testing.T, cfg config.Config) {
	t.Helper()
	s, err := store.Inspect(ctx, store.Options{Dir: cfg.Data, URL: cfg.Database.URL})
	testkit.Must(t, err)
	defer s.Close()
	q := s.Read(ctx)
	u, err := q.User("files")
	testkit.Must(t, err)
	for feed, there := range map[string]bool{"cdr": false, "invoices": true} {
		if _, err := q.Subscription(feed, u.ID); (err == nil) != there {
			t.Errorf("the subscription to %s: %v", feed, err)
		}
	}
	people, err := q.Contacts("files", "")
	testkit.Must(t, err)
	if len(people) != 1 || people[0].Email != "left@example.com" || people[0].LeftAt == nil {
		t.Errorf("contacts: %+v", people)
	}
	if e, err := q.Endpoint("old"); err != nil || e.ClosedAt == nil {
		t.Errorf("the listener: %+v, %v", e, err)
	}
	if u, err := q.User("paused"); err != nil || len(u.AllowIPs) != 1 || u.AllowIPs[0] != "198.51.100.0/24" {
		t.Errorf("networks of the user: %+v, %v", u.AllowIPs, err)
	}
}
