package faults

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// TestEveryChangeRunsTwice has the transactions of every operation of the API that
// changes something run twice, the first time in vain: a run must leave nothing
// behind that another one finds (testkit.SameRun).
func TestEveryChangeRunsTwice(t *testing.T) {
	t.Setenv(testkit.Twice, "1")
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			driver, url := "sqlite", ""
			if name == "postgres" {
				driver, url = "pgx", testkit.Postgres(t).Database(t)
			}
			l := &lossy{t: t, Node: testkit.Start(t, func(c *config.Config) {
				c.Database.URL, c.Webhooks.Allow = url, []string{"127.0.0.1/32"}
			}, withMail)}
			if url == "" {
				url = "file:" + filepath.Join(l.Data, "sallyport.db") + "?_pragma=busy_timeout(5000)"
			}
			var err error
			l.db, err = sql.Open(driver, url)
			testkit.Must(t, err)
			t.Cleanup(func() { testkit.Must(t, l.db.Close()) })
			for _, id := range writing(t) {
				t.Run(id, func(t *testing.T) {
					l.t = t
					l.prepare(changes[id])
					testkit.Must(t, l.send(changes[id]))
				})
			}
			l.t = t
			l.books()
			if strings.Contains(l.Log.String(), "a second run") {
				t.Error("what the node does by itself left something behind; see its log")
			}
		})
	}
}
