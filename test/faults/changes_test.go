package faults

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// lossy is a node whose PostgreSQL is behind a proxy. Each run has an account of
// its own with a user, a contact and a feed, all of the same name.
type lossy struct {
	*testkit.Node
	t     *testing.T
	proxy *testkit.Proxy
	db    *sql.DB // not through the proxy
	runs  int
	name  string // of the run
	key   ssh.Signer
	id    string // of what the operation is about
	claim string
}

// change is an operation of the API that changes what is stored.
type change struct {
	begin   func(l *lossy) // makes what the operation is about
	request func(l *lossy) client.Request
	again   fault.Kind // what one who repeats it is told, if the first try was stored; 0: it succeeds
	twice   bool       // one who repeats it gets another one
	passes  bool       // it passes over rows that another transaction holds
}

// withMail configures a mail server, for what needs one. Nobody answers there, so mails are written, and
// wait.
func withMail(c *config.Config) {
	c.Mail.Host, c.Mail.Port, c.Mail.TLS, c.Mail.From = "127.0.0.1", 1, "none", "files@example.com"
	c.Web.URL = "https://files.example.com" // of links in mails
}

// TestTheOutcomeOfEveryChange loses the database in the COMMITs of every operation
// of the API that changes something, before they arrive and when they have
// taken effect. The caller repeats what failed. Then it is stored once, is in the
// audit log once, and the books are right.
func TestTheOutcomeOfEveryChange(t *testing.T) {
	url := testkit.Postgres(t).Database(t)
	l := &lossy{proxy: testkit.PostgresProxy(t, url)}
	var err error
	l.db, err = sql.Open("pgx", url)
	testkit.Must(t, err)
	t.Cleanup(func() { testkit.Must(t, l.db.Close()) })
	l.Node = testkit.Start(t, func(c *config.Config) {
		c.Database.URL, c.Webhooks.Allow = l.proxy.URL, []string{"127.0.0.1/32"}
	}, withMail)
	for _, id := range writing(t) {
		t.Run(id, func(t *testing.T) {
			c, ok := changes[id]
			if !ok {
				t.Fatal("nobody has said what comes of this operation when the database is lost")
			}
			l.t = t
			want := l.run(c, nil, "undisturbed")
			for how, rule := range map[string]func(testkit.Match) <-chan struct{}{"before they arrive": l.proxy.CutBefore,
				"behind them": l.proxy.LoseAnswer} {
				if got := l.run(c, rule, how); got != want {
					t.Errorf("the connection ends at COMMITs, %s; in the end there is\n%swant\n%s", how, got, want)
				}
			}
		})
	}
}

// writing lists the operations of the API that change rows.
func writing(t *testing.T) (ids []string) {
	text, err := os.ReadFile(filepath.Join("..", "..", "internal", "api", "openapi.json"))
	testkit.Must(t, err)
	var api struct {
		Paths map[string]map[string]struct {
			ID string `json:"operationId"`
		} `json:"paths"`
	}
	testkit.Must(t, json.Unmarshal(text, &api))
	noRows := []string{"begin-upload", "send-part", "cancel-upload", "test-mail", "preview-mail", "end-session",
		"begin-move-in", "end-move-in", "reload-server"} // the last one's row of the log is in test/service
	for _, methods := range api.Paths {
		for method, o := range methods {
			if method != "get" && !slices.Contains(noRows, o.ID) {
				ids = append(ids, o.ID)
			}
		}
	}
	slices.Sort(ids)
	if len(ids) < 40 {
		t.Fatalf("only %v", ids)
	}
	return ids
}

// run does an operation once, and once more if it failed, and returns what there
// is more of than before. If nothing was to be disturbed (the log was sealed by its clock a moment before), it begins
// again with another account.
func (l *lossy) run(c change, rule func(testkit.Match) <-chan struct{}, how string) string {
	l.t.Helper()
	for try := 1; ; try++ {
		l.prepare(c)
		before := l.rows()
		met, err := l.disturb(c, rule)
		if met {
			return l.settle(c, rule != nil, how, before, err)
		}
		if try == 3 {
			l.t.Fatalf("%s: no COMMIT was met; the request ended with %v", how, err)
		}
	}
}

// disturb sends the request while a rule is about COMMITs, and reports whether one was met.
func (l *lossy) disturb(c change, rule func(testkit.Match) <-chan struct{}) (met bool, err error) {
	const plenty = 12 // COMMITs of one request and beside it
	var first <-chan struct{}
	if rule != nil {
		first = rule(testkit.Commit)
		for range plenty - 1 {
			rule(testkit.Commit)
		}
	}
	err = l.send(c)
	l.proxy.Clear()
	if first != nil {
		select {
		case <-first: // the caller may hear of it a moment earlier
		case <-time.After(5 * time.Second):
			return false, err
		}
	}
	return true, err
}

// settle repeats the request if it failed, and returns what there is more of than before.
func (l *lossy) settle(c change, disturbed bool, how string, before map[string]int, err error) string {
	l.t.Helper()
	if err != nil {
		if !disturbed {
			testkit.Must(l.t, err)
		}
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.PublicText(err), "not known") &&
			!strings.Contains(fault.PublicText(err), "was not stored") {
			l.t.Fatalf("%s: %v", how, err)
		}
		if c.passes { // the lost connection's transaction holds its rows until PostgreSQL has seen its end
			testkit.Eventually(l.t, "no lost transaction is left", func() bool {
				return l.count("pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'") == 0
			})
		}
		if again := l.send(c); again != nil && (c.again == 0 || !fault.Is(again, c.again)) {
			l.t.Fatalf("%s: %v; repeated: %v", how, err, again)
		}
	}
	if disturbed {
		l.t.Logf("%s: %v", how, err)
	}
	testkit.Eventually(l.t, "what follows a refusal is done",
		func() bool { return l.count("drops WHERE pending <> ''") == 0 })
	l.books()
	switch {
	case c.twice:
		return ""
	case c.again == 0: // both tries are recorded, as they were both carried out
		return recorded.ReplaceAllString(l.more(before), "$1 some\n")
	}
	return l.more(before)
}

// recorded matches what tells of a change, not of what there is.
var recorded = regexp.MustCompile(`(?m)^(audit .*|revocations) [+]\d+\n`)

// prepare makes a run's account and what its operation is about.
func (l *lossy) prepare(c change) {
	l.t.Helper()
	l.runs++
	l.name, l.id, l.claim = fmt.Sprintf("x%d", l.runs), "", ""
	l.key = l.User(l.name)
	testkit.Call[any](l.Node, "POST", "/contacts",
		map[string]any{"account": l.name, "name": "Jo Hill", "email": l.name + "@example.com",
			"roles": []string{"technical"}})
	testkit.Call[any](l.Node, "POST", "/feeds", map[string]string{"name": l.name, "kind": "cdr"})
	if c.begin != nil {
		c.begin(l)
	}
}

func (l *lossy) count(of string) (n int) {
	l.t.Helper()
	testkit.Must(l.t, l.db.QueryRow("SELECT COUNT(*) FROM "+of).Scan(&n))
	return n
}

func (l *lossy) send(c change) error {
	resp, err := l.API.Send(context.Background(), c.request(l))
	if err == nil {
		err = resp.Body.Close()
	}
	return err
}

// books fails unless all rows agree with each other and with the bytes.
func (l *lossy) books() {
	l.t.Helper()
	blobs, err := disk.Open(filepath.Join(l.Data, "blobs"), time.Now)
	testkit.Must(l.t, err)
	testkit.Must(l.t, testkit.Books(l.db, blobs))
}

// told are tables in which rows come and go for other reasons than a request.
var told = []string{"connections", "addresses", "activity", "outbox", "messages", "digests", "settings", "counters",
	"checkpoints", "host_key_clients", "audit_hashes", "lease", "leases", "audit"}

// rows counts those of each table, and of each kind of audit row.
func (l *lossy) rows() map[string]int {
	l.t.Helper()
	n := map[string]int{}
	count := func(prefix, query string) {
		rows, err := l.db.Query(query)
		testkit.Must(l.t, err)
		defer rows.Close()
		for rows.Next() {
			var name string
			testkit.Must(l.t, rows.Scan(&name))
			n[prefix+name]++
		}
		testkit.Must(l.t, rows.Err())
	}
	names, err := l.db.Query(`SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'
		AND table_name NOT LIKE 'river%'`)
	testkit.Must(l.t, err)
	var tables []string
	for names.Next() {
		var name string
		testkit.Must(l.t, names.Scan(&name))
		if !slices.Contains(told, name) {
			tables = append(tables, name)
		}
	}
	testkit.Must(l.t, names.Err())
	testkit.Must(l.t, names.Close())
	for _, table := range tables {
		where := ""
		if table == "blobs" {
			where = " WHERE state = 'live'"
		}
		count("", fmt.Sprintf("SELECT '%s' FROM %s%s", table, table, where))
	}
	count("audit ", "SELECT action FROM audit WHERE actor NOT LIKE 'system:%'")
	return n
}

// more is what there is more of than before.
func (l *lossy) more(before map[string]int) string {
	l.t.Helper()
	var b strings.Builder
	now := l.rows()
	for name := range before {
		now[name] += 0 // also those of which nothing is left
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if d := now[name] - before[name]; d != 0 {
			fmt.Fprintf(&b, "%s %+d\n", name, d)
		}
	}
	return b.String()
}

// secret is the end of a run's link, and token is what finds the link.
func secret(name string) string {
	of := sha256.Sum256([]byte(name))
	return base64.RawURLEncoding.EncodeToString(append(of[:16], make([]byte, 32)...))
}

func token(name string) string {
	of := sha256.Sum256([]byte(name))
	sum := sha256.Sum256(of[:16])
	return base64.StdEncoding.EncodeToString(sum[:])
}

// asks makes a request, and fills in what is in braces.
func asks(method, path string, body any) func(l *lossy) client.Request {
	return func(l *lossy) client.Request {
		fill := strings.NewReplacer("{name}", l.name, "{id}", url.QueryEscape(l.id))
		r := client.Request{Method: method, Path: fill.Replace(path)}
		if body != nil {
			text, err := json.Marshal(body)
			testkit.Must(l.t, err)
			r.Header = http.Header{"Content-Type": {"application/json"}}
			r.Body = json.RawMessage(strings.NewReplacer("{name}", l.name, "{id}", l.id, "{claim}", l.claim,
				"{print}", ssh.FingerprintSHA256(l.key.PublicKey()), "{token}", token(l.name),
				"{secret}", secret(l.name)).Replace(string(text)))
		}
		return r
	}
}
