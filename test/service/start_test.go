package service

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// many is a number from the environment, so that the same story measures.
func many(name string, least int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return least
}

// TestAServerWithManyPartnersStarts: the first log-in does not wait for anything that grows with users or files.
// MANY_USERS=100000 MANY_FILES=1000000 go test ./test/service -run ManyPartners -v measures it.
func TestAServerWithManyPartnersStarts(t *testing.T) {
	testkit.Long(t, "it fills a database")
	users, files := many("MANY_USERS", 2000), many("MANY_FILES", 20_000)
	m := newManager(t)
	p := m.start()
	key := m.user("acme")
	m.terminate(p)
	crowd(t, filepath.Join(m.dir, "data", "sallyport.db"), users, files)

	began := time.Now()
	p = m.start()
	up := time.Since(began)
	c, err := ssh.Dial("tcp", m.addr, testkit.ClientConfig("acme", key))
	first := time.Since(began)
	testkit.Must(t, err)
	testkit.Must(t, c.Close())
	t.Logf("%d users, %d files: ready after %v, first log-in done after %v", users, files, up.Round(time.Millisecond),
		first.Round(time.Millisecond))
	if first > 20*time.Second { // a machine may be busy; the figure above is what counts
		t.Errorf("the first log-in took %v", first)
	}
	m.terminate(p)
}

// crowd adds users, each with a key and a folder, and stored files among them.
func crowd(t *testing.T, file string, users, files int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)&_pragma=synchronous(off)")
	testkit.Must(t, err)
	defer db.Close()
	series := func(n int) string {
		const numbers = "(WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < %d) SELECT i FROM c)"
		return fmt.Sprintf(numbers, n-1)
	}
	nr := func(prefix, number string) string {
		return fmt.Sprintf("'%s' || SUBSTR(CAST(10000000 + %s AS TEXT), 2)", prefix, number)
	}
	of := func(prefix string) string { return nr(prefix, fmt.Sprintf("(i %% %d)", users)) }
	id := nr("01KB10SWWC66V2R0H1", "i") // 25 characters, which sort by number
	at := time.Now().UnixMicro()
	for _, statement := range []string{
		`INSERT INTO accounts (id, name, region, state, created_at, folded) SELECT ` + nr("a", "i") + `, ` + nr("A", "i") +
			`, '', 'active', 1, ` + nr("a", "i") + ` FROM ` + series(users),
		`INSERT INTO users (id, name, kind, account_id, enabled, start_dir, allow_ips, created_at, folded) SELECT ` +
			nr("u", "i") + `, ` + nr("a", "i") + `, 'customer', ` + nr("a", "i") + `, 1, '/', '[]', 1, ` + nr("a", "i") +
			` FROM ` + series(users),
		`INSERT INTO mailboxes (user_id, used_bytes, used_files) SELECT ` + nr("u", "i") + `, 0, 0 FROM ` + series(users),
		`INSERT INTO dirs (id, user_id, parent_id, name, fixed, staging, mtime) SELECT ` + nr("u", "i") + `, ` +
			nr("u", "i") + `, '', CAST(` + nr("u", "i") + ` AS BLOB), 1, 0, 1 FROM ` + series(users),
		`INSERT INTO keys (id, user_id, fingerprint, type, bits, public, comment, origin, created_at) SELECT ` +
			nr("k", "i") + `, ` + nr("u", "i") + `, ` + nr("SHA256:p", "i") + `, '', 0, '', 'laptop', 'submitted', 1 FROM ` +
			series(users),
		`INSERT INTO blobs (id, key, size, sha256, refs, state, created_at) SELECT ` + id + `, 'k', 1000, CAST(` +
			nr("sum", "i") + ` AS BLOB), 1, 'live', ` + fmt.Sprint(at) + ` FROM ` + series(files),
		`INSERT INTO files (dir_id, name, file_id, version_id, size, mtime, mode) SELECT ` + of("u") + `, CAST(` +
			nr("cdr-", "i") + ` || '.csv' AS BLOB), ` + id + `, ` + id + `, 1000, 1, 420 FROM ` + series(files),
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%v in %s", err, strings.SplitN(statement, " (", 2)[0])
		}
	}
}
