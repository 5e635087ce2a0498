package overview_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// fill makes 3,000 accounts, each with a user, a contact and a key, and files: each is published,
// delivered and received. Every tenth is not collected or claimed.
func (w *world) fill(accounts, files int) {
	w.Helper()
	series := func(n int) string {
		if w.Store.Single() {
			return fmt.Sprintf(`(WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < %d) SELECT i FROM c)`,
				n-1)
		}
		return fmt.Sprintf(`generate_series(0, %d) AS s(i)`, n-1)
	}
	text := func(prefix string, digits int, number string) string { // as printf and LPAD are not alike
		return fmt.Sprintf(`'%s' || SUBSTR(CAST(10000000 + %s AS TEXT), %d)`, prefix, number, 9-digits)
	}
	bytea := func(expression string) string {
		if w.Store.Single() {
			return `CAST(` + expression + ` AS BLOB)`
		}
		return `CONVERT_TO(` + expression + `, 'UTF8')`
	}
	id := `'` + exchange.FirstID(w.Clock())[:10] + `' || ` + text("00000000", 8, "i")
	of := func(kind string) string { return text(kind, 4, fmt.Sprintf("(i %% %d)", accounts)) }
	at := w.Clock().UnixMicro()
	for _, statement := range []string{
		`INSERT INTO accounts (id, name, region, state, created_at, folded) SELECT ` + text("acct", 4, "i") + `, ` +
			text("Customer ", 4, "i") + `, '', 'active', 1, ` + text("acct", 4, "i") + ` FROM ` + series(accounts),
		`INSERT INTO users (id, name, kind, account_id, enabled, start_dir, allow_ips, created_at, folded)
			SELECT ` + text("user", 4, "i") + `, ` + text("acct", 4, "i") + `, 'customer', ` + text("acct", 4, "i") +
			`, 1, '/', '[]', 1, ` + text("acct", 4, "i") + ` FROM ` + series(accounts),
		`INSERT INTO mailboxes (user_id, used_bytes, used_files) SELECT ` + text("user", 4, "i") + `, 0, 0 FROM ` +
			series(accounts),
		`INSERT INTO dirs (id, user_id, parent_id, name, fixed, staging, mtime) SELECT ` + text("user", 4, "i") + `, ` +
			text("user", 4, "i") + `, '', ` + bytea(text("user", 4, "i")) + `, 1, 0, 1 FROM ` + series(accounts),
		`INSERT INTO contacts (id, account_id, name, email, phone, roles, created_at, verified) SELECT ` +
			text("contact", 4, "i") + `, ` + text("acct", 4, "i") + `, 'Jo', ` + text("jo", 4, "i") +
			` || '@example.com', '', '[]', 1, '' FROM ` + series(accounts),
		`INSERT INTO keys (id, user_id, fingerprint, type, bits, public, comment, origin, created_at) SELECT ` +
			text("key", 4, "i") + `, ` + text("user", 4, "i") + `, ` + text("SHA256:print", 4, "i") +
			`, '', 0, '', 'laptop', 'submitted', 1 FROM ` + series(accounts),
		`INSERT INTO feeds (name, kind, types, retention, created_at) VALUES ('cdr', 'cdr', '[]', '', 1)`,
		`INSERT INTO blobs (id, key, size, sha256, refs, state, created_at) SELECT ` + id + `, 'k', 1000, ` +
			bytea(text("sum", 8, "i")) + `, 1, 'live', ` + fmt.Sprint(at) + ` FROM ` + series(files),
		`INSERT INTO publications (id, feed, account_id, name, size, sha256, actor, published_at) SELECT ` + id +
			`, 'cdr', ` + of("acct") + `, ` + text("cdr-", 8, "i") + ` || '.csv', 1000, ` + bytea(text("sum", 8, "i")) +
			`, 'x', ` + fmt.Sprint(at) + ` FROM ` + series(files),
		`INSERT INTO deliveries (id, publication_id, subscription_id, user_id, version_id, state, published_at, fingerprint)
			SELECT ` + id + `, ` + id + `, 's', ` + of("user") + `, ` + id +
			`, CASE WHEN i % 10 = 0 THEN 'published' ELSE 'collected' END, ` + fmt.Sprint(at) + `, '' FROM ` + series(files),
		`INSERT INTO files (dir_id, name, file_id, version_id, size, mtime, mode) SELECT ` + of("user") + `, ` +
			bytea(text("cdr-", 8, "i")+" || '.csv'") + `, ` + id + `, ` + id + `, 1000, 1, 420 FROM ` + series(files),
		`INSERT INTO drops (id, user_id, path, size, sha256, fingerprint, address, state, withdrawn, received_at, name)
			SELECT ` + id + `, ` + of("user") + `, ` + bytea(text("/in/up-", 8, "i")) + `, 1000, ` +
			bytea(text("got", 8, "i")) + `, '', '', CASE WHEN i % 10 = 0 THEN 'new' ELSE 'acked' END, 0, ` + fmt.Sprint(at) +
			`, ` + bytea(text("up-", 8, "i")) + ` FROM ` + series(files),
	} {
		w.Exec(statement)
	}
	w.Exec("ANALYZE")
}

// questions are asked among many files.
func (w *world) questions() map[string]func() {
	ctx := context.Background()
	find := func(text string) func() {
		return func() {
			_, err := w.s.Find(ctx, model.FindQuery{Text: text})
			w.Must(err)
		}
	}
	return map[string]func(){
		"status": func() { w.status() },
		"account": func() {
			_, err := w.s.AccountPage(ctx, "acct0000")
			w.Must(err)
		},
		"user": func() {
			_, err := w.s.UserPage(ctx, "acct0000")
			w.Must(err)
		},
		"find an account": find("acct2999"), "find a file": find("cdr-00900000.csv"), "find a beginning": find("cdr-00"),
		"find a part": find("900000"), "find nothing": find("no-such-thing"), "find a fingerprint": find("SHA256:print0123"),
		"find a mail address": find("jo2999@example.com"), "find a sum": find(strings.Repeat("ab", 32)),
	}
}

// answerLimit is how long an answer may take among 1,000,000 files.
const answerLimit = 200 * time.Millisecond

// TestAmongManyFiles asks everything among many files. How long an answer takes is judged only on a
// quiet machine, by hand:
// MANY_FILES=1000000 TESTS=all go test -timeout 0 ./internal/overview -run TestAmongManyFiles -v
func TestAmongManyFiles(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := begin(&world{World: testkit.NewWorld(t, url)}, t)
		files, judged := 20_000, false
		if n, err := strconv.Atoi(os.Getenv("MANY_FILES")); err == nil {
			files, judged = n, true
		}
		w.fill(3000, files)
		w.Pass(4 * testkit.Day)
		_, says, _ := w.status()
		for _, topic := range []string{"uncollected", "unclaimed"} {
			want := fmt.Sprint(files/10) + " "
			if files/10 > 10_000 {
				want = "More than 10000 "
			}
			if !strings.HasPrefix(says[topic], want) {
				t.Errorf("%s: %.60s, want %s", topic, says[topic], want)
			}
		}
		for name, ask := range w.questions() {
			best := time.Hour
			for range 3 { // the machine may be busy with something else
				began := time.Now()
				ask()
				best = min(best, time.Since(began))
			}
			t.Logf("%s: %v", name, best.Round(time.Millisecond/10))
			if judged && best > answerLimit {
				t.Errorf("%s took %v", name, best)
			}
		}
	})
}

// TestNoQuestionReadsAWholeTable looks at SQLite's query plans: tables of files are searched by an index,
// or read from one end with a limit.
func TestNoQuestionReadsAWholeTable(t *testing.T) {
	w := begin(&world{World: testkit.NewWorld(t, "")}, t)
	w.fill(50, 1000)
	w.Pass(4 * testkit.Day)
	w.Asked.Watch(func(int, string, bool) error { return nil })
	for _, ask := range w.questions() {
		ask()
	}
	asked := w.Asked.Stop()
	slices.Sort(asked)
	whole := regexp.MustCompile(`SCAN (\w+)`)
	big := regexp.MustCompile(`(?:FROM|JOIN) (?:deliveries|drops|files|versions|publications|connections|audit|` +
		`drop_names|blobs)\b(?: (\w)\b)?`)
	for _, query := range slices.Compact(asked) {
		plan := w.Plan(query)
		names := map[string]bool{} // what the plan may call the large tables
		for _, m := range big.FindAllStringSubmatch(query, -1) {
			names[strings.Fields(m[0])[1]], names[m[1]] = true, true
		}
		for _, m := range whole.FindAllStringSubmatch(plan, -1) {
			fromOneEnd := strings.Contains(query, "ORDER BY id DESC LIMIT") && !strings.Contains(plan, "TEMP B-TREE FOR ORDER")
			if names[m[1]] && !fromOneEnd && !strings.Contains(plan, "CO-ROUTINE "+m[1]) {
				t.Errorf("%s\nreads all of %s:\n%s", query, m[1], plan)
			}
		}
	}
}
