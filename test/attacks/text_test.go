package attacks

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// strange are pieces of names that some part of a system is sure to trip over:
// bytes that are no UTF-8, halves of runes, escapes of terminals, signs that turn
// text round, and what escaping itself is made of.
var strange = []string{"a", "\x80", "\xff", "\xc3", "\xed\xa0\x80", "\x1b[31m", "\u202e", "\x01", "\\x80", "%", "'",
	"\"", "é", "\n", "\ufffd"}

func strangeName(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(6) {
		b.WriteString(strange[r.IntN(len(strange))])
	}
	return b.String() + "\x80.csv"
}

// TestStrangeTextIsRecorded sends names and a version that are no text through
// every server. Whatever the database, nothing is lost for it: the files are there,
// byte for byte, and ledger, trace, drops and log say so in the same words.
func TestStrangeTextIsRecorded(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, database string) {
		n := testkit.Start(t, func(c *config.Config) { c.Database.URL, c.Keys.Pending = database, true })
		key := n.User("acme")
		testkit.Call[model.Feed](n, "POST", "/feeds",
			map[string]any{"name": "data", "kind": "data", "types": []string{"csv"}})
		testkit.Call[model.Subscription](n, "POST", "/feeds/data/subscriptions", map[string]any{"user": "acme"})

		const version, shown = "SSH-2.0-\x80\xff\u202e_x", `SSH-2.0-\x80\xff\u{202e}_x`
		conf := testkit.ClientConfig("acme", key)
		conf.ClientVersion = version
		conn, err := ssh.Dial("tcp", n.Addr, conf)
		testkit.Must(t, err)
		defer conn.Close()
		c, err := sftp.NewClient(conn)
		testkit.Must(t, err)

		t.Run("the ledger of a strange client", func(t *testing.T) {
			publishTo(t, n, "data", "july.csv", "a,b\n1,2\n")
			f, err := c.Open("/download/data/july.csv")
			testkit.Must(t, err)
			_, err = io.ReadAll(f)
			testkit.Must(t, err)
			testkit.Must(t, f.Close())
			var d model.Delivery
			testkit.Eventually(t, "it was collected", func() bool {
				d = testkit.List[model.Delivery](n, "/deliveries")[0]
				return d.State == model.DeliveryCollected
			})
			if d.Client != shown {
				t.Errorf("it was collected by %q, want %q", d.Client, shown)
			}
			if s := testkit.List[model.Session](n, "/sessions"); len(s) != 1 || s[0].Client != shown {
				t.Errorf("sessions: %+v", s)
			}
			tr := fmt.Sprintf("%+v", askFor[model.Trace](t, n, "/trace", "about", "july.csv"))
			if !strings.Contains(tr, shown) {
				t.Errorf("the trace does not name the client: %s", tr)
			}
		})

		var sent []string
		r := rand.New(rand.NewPCG(1, 2))
		for i := range 25 {
			name := strangeName(r)
			text := fmt.Sprint("content ", i)
			dir := fmt.Sprintf("/upload/%d%s", i, strings.TrimSuffix(name, ".csv"))
			testkit.Must(t, c.Mkdir(dir))
			f, err := c.Create(path.Join(dir, name+".part"))
			testkit.Must(t, err)
			_, err = f.Write([]byte(text))
			testkit.Must(t, err)
			testkit.Must(t, f.Close())
			full := path.Join(dir, name)
			testkit.Must(t, c.Rename(full+".part", full))
			found(t, n, full, text)
			sent = append(sent, full)
		}

		t.Run("names that nobody has", func(t *testing.T) {
			for _, user := range []string{"\x80\xff", "acme\x80", "\u202eacme", "\x1b[31m"} {
				conf := testkit.ClientConfig(user, testkit.NewKey(t))
				conf.ClientVersion = version
				if c, err := ssh.Dial("tcp", n.Addr, conf); err == nil {
					_ = c.Close()
					t.Errorf("%q got in", user)
				}
				testkit.Eventually(t, "it is on record", func() bool {
					e, err := client.Call[model.Explained](context.Background(), n.API,
						client.Request{Method: "GET", Path: "/explain", Query: url.Values{"about": {user}}})
					return err == nil && len(e.Explanations) > 0 && e.Explanations[0].Connection.Client == shown &&
						e.Explanations[0].Connection.User == valid.Printable(user)
				})
			}
			conf := testkit.ClientConfig("acme", testkit.NewKey(t))
			conf.ClientVersion = version
			_, err := ssh.Dial("tcp", n.Addr, conf)
			if err == nil {
				t.Error("a key that nobody knows got in")
			}
			testkit.Eventually(t, "the key waits, with its client", func() bool {
				list := testkit.List[model.PendingKey](n, "/keys/pending")
				return len(list) == 1 && list[0].Client == shown
			})
		})

		t.Run("a removal of each", func(t *testing.T) {
			for _, d := range n.Drops() {
				full := d.Path
				if d.Raw != nil {
					full = string(d.Raw)
				}
				testkit.Must(t, c.Remove(full))
				testkit.Must(t, c.RemoveDirectory(path.Dir(full)))
			}
			for _, d := range n.Drops() {
				if !d.Withdrawn {
					t.Errorf("%s is not withdrawn", d.Path)
				}
			}
		})
		db := openDatabase(t, n, database)
		t.Run("the log has each, escaped", func(t *testing.T) {
			logged := map[string]string{} // old path → new path
			rows, err := db.Query(`SELECT subject, detail FROM audit WHERE action = 'file.rename'`)
			testkit.Must(t, err)
			defer rows.Close()
			for rows.Next() {
				var from, detail string
				var to map[string]string
				testkit.Must(t, rows.Scan(&from, &detail))
				testkit.Must(t, json.Unmarshal([]byte(detail), &to))
				logged[from] = to["to"]
			}
			testkit.Must(t, rows.Err())
			for _, full := range sent {
				if to := logged[valid.Printable(full+".part")]; to != valid.Printable(full) {
					t.Errorf("%q was renamed to %q, says the log", full, to)
				}
			}
		})
		wantText(t, db, database)
	})
}

// publishTo publishes a file to all.
func publishTo(t *testing.T, n *testkit.Node, feed, name, text string) {
	t.Helper()
	_, err := client.Call[model.Publication](context.Background(), n.API,
		client.Request{Method: "PUT", Path: "/feeds/" + feed + "/publications/" + name,
			Query: url.Values{"all": {"true"}}, Body: strings.NewReader(text), Size: int64(len(text))})
	testkit.Must(t, err)
}

// askFor asks a question, whatever bytes its parameter has.
func askFor[T any](t *testing.T, n *testkit.Node, path, parameter, value string) T {
	t.Helper()
	v, err := client.Call[T](context.Background(), n.API,
		client.Request{Method: "GET", Path: path, Query: url.Values{parameter: {value}}})
	testkit.Must(t, err)
	return v
}

// contentOf reads an answer that is a file's content.
func contentOf(t *testing.T, n *testkit.Node, path string, query url.Values) string {
	t.Helper()
	resp, err := n.API.Send(context.Background(), client.Request{Method: "GET", Path: path, Query: query})
	testkit.Must(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	testkit.Must(t, err)
	return string(b)
}

// found asks every part of the server for an upload, by its name's bytes and by
// what it was called.
func found(t *testing.T, n *testkit.Node, full, text string) {
	t.Helper()
	name := path.Base(full)
	var d model.Drop
	list := askFor[model.Page[model.Drop]](t, n, "/inbox", "name", name).Items
	if i := slices.IndexFunc(list,
		func(d model.Drop) bool { return string(d.Raw) == full || d.Raw == nil && d.Path == full }); i < 0 {
		t.Fatalf("%q is not in the inbox: %+v", full, list)
	} else {
		d = list[i]
	}
	if got := contentOf(t, n, "/inbox/"+d.ID+"/content", nil); got != text {
		t.Errorf("inbox fetch of %q is %q, want %q", full, got, text)
	}
	if got := contentOf(t, n, "/users/acme/files/content", url.Values{"path": {full}}); got != text {
		t.Errorf("files get of %q is %q, want %q", full, got, text)
	}
	tr := askFor[model.Trace](t, n, "/trace", "about", name)
	if !slices.ContainsFunc(tr.Files, func(f model.TracedFile) bool { return f.ID == d.ID }) {
		t.Errorf("the trace of %q does not know it: %+v", name, tr)
	}
	h := testkit.Call[model.Hold](n, "POST", "/retention/holds",
		map[string]string{"kind": "file", "target": d.ID, "reason": "case 7"})
	testkit.Call[model.Hold](n, "DELETE", "/retention/holds/"+h.ID, nil)
}

func openDatabase(t *testing.T, n *testkit.Node, database string) *sql.DB {
	t.Helper()
	driver, source := "sqlite", "file:"+filepath.Join(n.Data, "sallyport.db")+"?_pragma=busy_timeout(5000)"
	if database != "" {
		driver, source = "pgx", database
	}
	db, err := sql.Open(driver, source)
	testkit.Must(t, err)
	t.Cleanup(func() { testkit.Must(t, db.Close()) })
	return db
}

// wantText looks at every text of the database: it must be UTF-8 without signs
// that steer a terminal.
func wantText(t *testing.T, db *sql.DB, database string) {
	t.Helper()
	tables := `SELECT name FROM sqlite_master WHERE type = 'table'`
	if database != "" {
		tables = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`
	}
	names, err := db.Query(tables)
	testkit.Must(t, err)
	defer names.Close()
	looked := 0
	for names.Next() {
		var table string
		testkit.Must(t, names.Scan(&table))
		// of several lines, and all our own
		if table == "settings" || strings.HasPrefix(table, "river_") || table == "checkpoints" {
			continue
		}
		rows, err := db.Query("SELECT * FROM " + table)
		testkit.Must(t, err)
		columns, err := rows.Columns()
		testkit.Must(t, err)
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			testkit.Must(t, rows.Scan(values...))
			for i, v := range values {
				if s, ok := (*v.(*any)).(string); ok {
					looked++
					if valid.Printable(s) != s {
						t.Errorf("%s.%s has %q", table, columns[i], s)
					}
				}
			}
		}
		testkit.Must(t, rows.Err())
		testkit.Must(t, rows.Close())
	}
	testkit.Must(t, names.Err())
	if looked < 1000 {
		t.Errorf("only %d texts were looked at", looked)
	}
}
