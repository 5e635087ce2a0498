package console_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// fill adds accounts with a user, a contact and a key each, and two requests for each account. Of round requests, two
// wait for an operator, one was asked, and three are ready; the others are over.
func fill(t *testing.T, db *sql.DB, sqlite bool, requests, round int) {
	t.Helper()
	accounts := requests / 2
	series := func(n int) string {
		if sqlite {
			return fmt.Sprintf(`(WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < %d) SELECT i FROM c)`,
				n-1)
		}
		return fmt.Sprintf(`generate_series(0, %d) AS s(i)`, n-1)
	}
	text := func(prefix, number string) string { // as printf and LPAD are not alike
		return fmt.Sprintf(`'%s' || SUBSTR(CAST(1000000 + %s AS TEXT), 2)`, prefix, number)
	}
	of := func(kind string) string { return text(kind, fmt.Sprintf("(i %% %d)", accounts)) }
	id := `'` + exchange.FirstID(time.Now().Add(-time.Hour))[:10] + `' || ` + text("0000000000", "i")
	at := time.Now().Add(-time.Hour).UnixMicro()
	state := func(cases ...string) string {
		out := `CASE`
		for i := 0; i+1 < len(cases); i += 2 {
			out += ` WHEN i % ` + fmt.Sprint(round) + ` < ` + cases[i] + ` THEN '` + cases[i+1] + `'`
		}
		return out + ` ELSE '` + cases[len(cases)-1] + `' END`
	}
	for _, statement := range []string{
		`INSERT INTO accounts (id, name, region, state, created_at, folded) SELECT ` + text("a", "i") + `, ` +
			text("Customer ", "i") + `, '', 'active', 1, ` + text("a", "i") + ` FROM ` + series(accounts),
		`INSERT INTO users (id, name, kind, account_id, enabled, start_dir, allow_ips, created_at, folded) SELECT ` +
			text("u", "i") + `, ` + text("user-", "i") + `, 'customer', ` + text("a", "i") + `, 1, '/', '[]', 1, ` +
			text("user-", "i") + ` FROM ` + series(accounts),
		`INSERT INTO contacts (id, account_id, name, email, phone, roles, created_at, verified) SELECT ` +
			text("contact", "i") + `, ` + text("a", "i") + `, 'Jo', ` + text("jo", "i") +
			` || '@example.com', '', '[]', 1, '' FROM ` + series(accounts),
		`INSERT INTO keys (id, user_id, fingerprint, type, bits, public, comment, origin, created_at) SELECT ` +
			text("key", "i") + `, ` + text("u", "i") + `, ` + text("SHA256:print", "i") +
			`, '', 0, '', 'laptop', 'submitted', 1 FROM ` + series(accounts),
		`INSERT INTO requests (id, reference, state, since, waits_for, due_at, owner, channel, created_at, first_name,
			last_name, email, phone, company, account_number, username, fingerprint, key, feeds, types, message, language,
			source, verified_at, verified, approver, approval, account_id, user_id, contact_id, reason, reminders)
			SELECT ` + id + `, ` + text("r", "i") + `, ` + state("2", "new", "3", "asked", "6", "ready", "40", "rejected",
			"in_use") + `, ` + fmt.Sprint(at) + `, ` + state("2", "operator", "6", "requester", "nobody") + `, ` +
			fmt.Sprintf(`CASE WHEN i %% %[1]d < 3 THEN %[2]d END, CASE WHEN i %% %[1]d = 0 THEN 'kim' ELSE '' END, `,
				round, at) + `'form', ` + fmt.Sprint(at) + `, 'Jo', ` +
			text("Hill ", "i") + `, ` + of("jo") + ` || '@example.com', '', ` + of("Customer ") + `, ` + of("a") + `, '', ` +
			text("SHA256:asked", "i") + `, '{}', '[]', '[]', 'Hello.', '', '192.0.2.7', 1, 'link', '', '', '', '', '', '', 0
			FROM ` + series(requests),
		`INSERT INTO request_steps (id, request_id, at, actor, action, state, text) SELECT ` + id + `, ` + id + `, ` +
			fmt.Sprint(at) + `, 'x', 'submit', 'unverified', '' FROM ` + series(requests),
		`ANALYZE`,
	} {
		_, err := db.Exec(statement)
		testkit.Must(t, err)
	}
}

// median is how long something takes that is done so often.
func median(times int, do func()) time.Duration {
	var all []time.Duration
	for range times {
		began := time.Now()
		do()
		all = append(all, time.Since(began))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// filled is a server with an account, a request, and many others. It returns the request.
func filled(t *testing.T, url string, requests, round int) (*world, model.Request) {
	t.Helper()
	w := begin(t, func(c *config.Config) { c.Database.URL, c.Log.Level = url, "warn" })
	w.account("acme", "ACME Telecom")
	r := w.request("acme")
	driver, source := "pgx", url
	if url == "" {
		driver, source = "sqlite", "file:"+filepath.Join(w.Data, "sallyport.db")+"?_pragma=busy_timeout(60000)"
	}
	db, err := sql.Open(driver, source)
	testkit.Must(t, err)
	defer db.Close()
	fill(t, db, url == "", requests, round)
	return w, r
}

// TestAmongManyRequests opens the queue and a request among many, and among so few that they fill a page. How long that
// takes is judged only on a quiet machine, by hand:
// MANY_REQUESTS=20000 TESTS=all go test -timeout 0 -parallel 1 ./internal/web/console -run TestAmongManyRequests -v
func TestAmongManyRequests(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		number, times, judged := 1000, 1, false
		if n, err := strconv.Atoi(os.Getenv("MANY_REQUESTS")); err == nil {
			number, times, judged = n, 21, true
		}
		another := ""
		if url != "" {
			another = testkit.Postgres(t).Database(t)
		}
		small, one := filled(t, another, 150, 6)
		w, r := filled(t, url, number, 100)
		for name, path := range map[string]string{"the queue": requests, "what is open": requests + "?view=open",
			"what is mine": requests + "?view=mine", "what is late": requests + "?view=late", "all": requests + "?view=all",
			"a search": requests + "?text=globex", "a request": requests + "/"} {
			fewPath, manyPath := path, path
			if path == requests+"/" {
				fewPath, manyPath = at(one), at(r)
			}
			few := median(times, func() { small.get(fewPath).says(200) })
			many := median(times, func() { w.get(manyPath).says(200) })
			t.Logf("%s: %v, among few %v", name, many.Round(time.Millisecond/10), few.Round(time.Millisecond/10))
			if judged && (many > 100*time.Millisecond || many > 3*few && name != "a search") {
				t.Errorf("%s takes %v among %d requests, and %v among few", name, many, number, few)
			}
		}
		w.get(requests).says(200, "Hill 000000", fmt.Sprint(number/50+1))
		v, err := w.API.CountRequests(ctx, model.RequestCountQuery{Owner: "kim"})
		if err != nil || v.Operator != int64(number/50)+1 || v.Late != int64(number/50) {
			t.Errorf("%+v, %v", v, err)
		}
	})
}
