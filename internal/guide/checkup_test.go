package guide_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/guide"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var ctx = context.Background()

// named is the option of a server that has a public name.
func named(c *config.Config) { c.Endpoint.Host = "127.0.0.1" }

// tested runs the test of a user and returns what it found, by what was tested.
func tested(t *testing.T, n *testkit.Node, user string) map[string][]model.Check {
	t.Helper()
	out := map[string][]model.Check{}
	for _, c := range testkit.List[model.Check](n, "/users/"+user+"/test") {
		out[c.What] = append(out[c.What], c)
	}
	return out
}

// good reports whether something was found, and all of it good.
func good(list []model.Check) bool {
	for _, c := range list {
		if !c.OK {
			return false
		}
	}
	return len(list) > 0
}

func TestAGuideNeedsThePublicName(t *testing.T) {
	for name, o := range map[string]testkit.Option{
		"loopback":      func(*config.Config) {},
		"all addresses": func(c *config.Config) { c.Listen = []string{"0.0.0.0:0"} },
		"region": func(c *config.Config) {
			c.Regions = map[string]config.Region{"au": {Port: 22}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := testkit.Start(t, o)
			n.User("acme")
			_, err := n.API.ShowGuide(ctx, model.GuideQuery{User: "acme"})
			if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.HintIn(err), "set endpoint.host") {
				t.Fatalf("%v (%s)", err, fault.HintIn(err))
			}
			if _, err := n.API.ShowSites(ctx, model.SitesFilter{User: "acme", For: "winscp"}); !fault.Is(err, fault.Conflict) {
				t.Fatalf("site files: %v", err)
			}
			if got := tested(t, n, "acme"); good(got["Server address"]) || got["Port"] != nil {
				t.Fatalf("%+v", got)
			}
			if sheet, err := n.API.ShowKeySheet(ctx, "acme"); err != nil || strings.Contains(sheet.Text, "Server:") {
				t.Fatalf("%+v, %v", sheet, err)
			}
		})
	}
	n := testkit.Start(t, named)
	n.User("acme")
	if v, err := n.API.ShowGuide(ctx, model.GuideQuery{User: "acme", For: "winscp"}); err != nil ||
		!strings.Contains(v.Text, "Steps for other programs") {
		t.Fatalf("%+v, %v", v, err)
	}
}

// everyCount counts the rows of each table of a node's SQLite database, without those of the job library: it makes them
// while the server is already up.
func everyCount(t *testing.T, n *testkit.Node) map[string]int {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(n.Data, "sallyport.db")+"?mode=ro")
	must(t, err)
	defer db.Close()
	rows, err := db.Query(`SELECT name FROM sqlite_master
WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'river%'`)
	must(t, err)
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		must(t, rows.Scan(&name))
		names = append(names, name)
	}
	must(t, rows.Err())
	out := map[string]int{}
	for _, name := range names {
		var count int
		must(t, db.QueryRow(fmt.Sprintf(`SELECT count(*) FROM %q`, name)).Scan(&count))
		out[name] = count
	}
	return out
}

// Own tests were once shown as a partner's log-ins, and counted as failures.
func TestATestOfASetUpGoesTheWholeWayAndLeavesNoTrace(t *testing.T) {
	n := testkit.Start(t, named, func(c *config.Config) {
		c.Access.NeverBan, c.Access.BanAfter, c.Limits.UserSessions = nil, 2, 1
	})
	key := n.User("acme")
	testkit.Call[model.Feed](n, "POST", "/feeds", map[string]any{"name": "cdr", "kind": "cdr", "types": []string{"csv"}})
	testkit.Call[model.Subscription](n, "POST", "/feeds/cdr/subscriptions", map[string]string{"user": "acme"})
	n.SFTP("acme", key) // the only session that the user may have
	testkit.Eventually(t, "the log-in is on record", func() bool { return everyCount(t, n)["connections"] == 1 })
	before := everyCount(t, n)
	for range 5 {
		got := tested(t, n, "acme")
		for _, what := range []string{"Port", "Host key", "Log-in", "Start", "Folder", "Feed", "User", "Account", "Key"} {
			if !good(got[what]) {
				t.Fatalf("%s: %+v", what, got[what])
			}
		}
		if good(got["Server address"]) || !strings.Contains(got["Server address"][0].Says, "this machine alone") {
			t.Fatalf("%+v", got["Server address"])
		}
		if left := got["Not tested"]; len(left) != 1 || !left[0].Left || left[0].OK {
			t.Fatalf("%+v", left)
		}
	}
	if list := testkit.List[model.Session](n, "/sessions"); len(list) != 1 {
		t.Fatalf("%d sessions", len(list))
	}
	n.Restart() // everything that is queued is written
	after := everyCount(t, n)
	// Stop and start are on record, and tasks keep where they are among the settings.
	other := func(name string, _ int) bool {
		return strings.HasPrefix(name, "audit") || name == "checkpoints" || name == "outbox" || name == "settings"
	}
	maps.DeleteFunc(before, other)
	maps.DeleteFunc(after, other)
	if !maps.Equal(before, after) {
		t.Fatalf("rows before: %v\nand after: %v", before, after)
	}
	if bans := testkit.List[model.Ban](n, "/bans"); len(bans) != 0 {
		t.Fatalf("%+v", bans)
	}
}

func TestATestSaysWhyNobodyGetsIn(t *testing.T) {
	n := testkit.Start(t, named)
	n.User("acme")
	for what, change := range map[string]struct{ path, field, value, back string }{
		"User":    {"/users/acme", "enabled", "false", "true"},
		"Account": {"/accounts/acme", "state", `"suspended"`, `"active"`},
	} {
		body := func(v string) map[string]any {
			switch v {
			case "false", "true":
				return map[string]any{change.field: v == "true"}
			}
			return map[string]any{change.field: strings.Trim(v, `"`)}
		}
		testkit.Call[any](n, "PATCH", change.path, body(change.value))
		got := tested(t, n, "acme")
		if good(got[what]) || len(got["Log-in"]) != 1 || !got["Log-in"][0].Left {
			t.Errorf("%s: %+v", what, got)
		}
		testkit.Call[any](n, "PATCH", change.path, body(change.back))
	}
	testkit.Call[model.User](n, "PATCH", "/users/acme", map[string]any{"allow_ips": []string{"203.0.113.0/24"}})
	if got := tested(t, n, "acme"); !good(got["Log in from"]) || !good(got["Log-in"]) {
		t.Errorf("a list that we are not on: %+v", got)
	}
	testkit.Call[model.Account](n, "PATCH", "/accounts/acme", map[string]any{"allow_ips": []string{"198.51.100.7"}})
	if got := tested(t, n, "acme"); good(got["Log in from"]) ||
		!strings.Contains(got["Log in from"][0].Says, "the user's (203.0.113.0/24) and the account's (198.51.100.7/32)") {
		t.Errorf("lists without a common address: %+v", got)
	}
}

// elsewhere is a guide service whose server's name leads to given addresses, where nobody answers.
func elsewhere(t *testing.T, addresses []string, err error) *guide.Service {
	t.Helper()
	w := testkit.NewWorld(t, "")
	w.Customer("acme")
	return guide.New(guide.Options{Store: w.Store, Accounts: w.Accounts, Clock: w.Clock, Retention: forever{},
		Endpoint: func(string) guide.Endpoint {
			return guide.Endpoint{Host: "files.example.com", Port: 22, Setting: "endpoint.host", Known: true}
		},
		FeedsMay: func(model.UserKind) string { return "" },
		Resolve:  func(context.Context, string) ([]string, error) { return addresses, err },
		Dial:     func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }})
}

// forever is a retention that removes nothing.
type forever struct{}

func (forever) Period(string, string, string) string { return "" }
func (forever) NextRun() time.Time                   { return time.Time{} }

func TestAnAddressThatOthersCannotReachIsNeverGood(t *testing.T) {
	for _, c := range []struct {
		addresses []string
		ok        bool
		says      string
	}{
		{[]string{"9.9.9.9"}, true, "files.example.com is 9.9.9.9."},
		{[]string{"9.9.9.9", "2620:fe::fe"}, true, "9.9.9.9, 2620:fe::fe."},
		{[]string{"127.0.0.1"}, false, "leads to 127.0.0.1 (this machine alone): partners outside can't reach it."},
		{[]string{"::1"}, false, "this machine alone"},
		{[]string{"::ffff:10.1.2.3"}, false, "a private network"},
		{[]string{"10.1.2.3"}, false, "10.1.2.3 (a private network)"},
		{[]string{"172.31.0.1"}, false, "a private network"},
		{[]string{"192.168.1.1"}, false, "a private network"},
		{[]string{"fd00::1"}, false, "a private network"},
		{[]string{"fe80::1"}, false, "one cable"},
		{[]string{"100.64.0.1"}, false, "not on the open internet"},
		{[]string{"0.0.0.0"}, false, "not on the open internet"},
		{[]string{"203.0.113.9"}, false, "not on the open internet"},
		{[]string{"9.9.9.9", "192.168.1.1"}, false, "leads to 192.168.1.1 (a private network)"},
	} {
		list, err := elsewhere(t, c.addresses, nil).Test(ctx, "acme")
		must(t, err)
		if list[0].What != "Server address" || list[0].OK != c.ok || !strings.Contains(list[0].Says, c.says) {
			t.Errorf("%v: %+v", c.addresses, list[0])
		}
		if list[1].What != "Port" || list[1].OK || !strings.Contains(list[1].Says, "no route") {
			t.Errorf("%v: %+v", c.addresses, list[1])
		}
	}
	list, err := elsewhere(t, nil, errors.New("no such host")).Test(ctx, "acme")
	must(t, err)
	if list[0].OK || !strings.Contains(list[0].Hint, "set endpoint.host") || list[1].What == "Port" {
		t.Errorf("%+v", list)
	}
}

func TestAProbeIsItsOwnKeyItsOwnUserAndItsOwnTime(t *testing.T) {
	now := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	p := exchange.NewProbes()
	end := p.Begin(exchange.Probe{User: "acme", Fingerprint: "SHA256:a", Client: "SSH-2.0-x",
		Until: now.Add(time.Second)}, now)
	for _, c := range []struct {
		user, key string
		at        time.Time
		ok        bool
	}{{"acme", "SHA256:a", now, true}, {"globex", "SHA256:a", now, false}, {"acme", "SHA256:b", now, false},
		{"acme", "SHA256:a", now.Add(time.Second), false}} {
		if got := p.MayLogIn(c.user, c.key, c.at); got != c.ok {
			t.Errorf("%+v: %v", c, got)
		}
	}
	a := []string{"SHA256:a"}
	if !p.Own("SSH-2.0-x", a, now) || p.Own("SSH-2.0-y", a, now) || p.Own("SSH-2.0-x", append(a, "SHA256:stolen"), now) {
		t.Error("a connection is taken for another")
	}
	now = now.Add(time.Millisecond)
	end(now)
	if p.MayLogIn("acme", "SHA256:a", now) || !p.Own("SSH-2.0-x", a, now) {
		t.Error("a probe that is over may log in, or is forgotten before its connection has ended")
	}
	p.Begin(exchange.Probe{}, now.Add(time.Hour))
	if p.Own("SSH-2.0-x", a, now) {
		t.Error("old probes are kept")
	}
}

// Who saw a probe's version line on the network cannot hide tries behind it: not after it, and not
// many meanwhile.
func TestAProbesVersionLineHidesNothing(t *testing.T) {
	now := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	p := exchange.NewProbes()
	end := p.Begin(exchange.Probe{User: "acme", Fingerprint: "SHA256:a", Client: "SSH-2.0-x",
		Until: now.Add(time.Minute)}, now)
	end(now.Add(time.Second))
	for _, at := range []time.Time{now.Add(2 * time.Second), now.Add(30 * time.Second)} {
		if p.Own("SSH-2.0-x", nil, at) || p.Own("SSH-2.0-x", []string{"SHA256:a"}, at) {
			t.Errorf("a connection at %v is hidden", at)
		}
	}
	if !p.Own("SSH-2.0-x", nil, now) {
		t.Error("a probe that failed before it offered its key leaves a record")
	}
	if p.Own("SSH-2.0-x", nil, now) {
		t.Error("a second connection without a key is hidden")
	}
}
