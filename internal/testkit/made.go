package testkit

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/store"
)

// made has what a process makes once for all its tests, because finding an RSA pair and running all
// migrations takes long: the host keys of its first node, by file name, and an empty SQLite
// database.
var made struct {
	sync.Mutex
	hostKeys map[string][]byte
	database []byte
}

// startFirst starts a node for the first time. It gets an empty database, and the host keys of the
// process's first node. Existing files are kept.
func (n *Node) startFirst() {
	n.t.Helper()
	dir := filepath.Join(n.Data, "hostkeys")
	if n.cfg.Database.URL == "" {
		Must(n.t, os.MkdirAll(n.Data, 0o700))
		EmptyDatabase(n.t, n.Data)
	}
	made.Lock()
	if made.hostKeys == nil {
		defer made.Unlock()
		n.start()
		made.hostKeys = map[string][]byte{}
		found, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, path := range found {
			made.hostKeys[filepath.Base(path)] = MustRead(n.t, path)
		}
		return
	}
	made.Unlock()
	if _, err := os.Stat(dir); err != nil {
		Must(n.t, os.MkdirAll(dir, 0o700))
		for name, text := range made.hostKeys {
			Must(n.t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
		}
	}
	n.start()
}

// EmptyDatabase writes a new, empty SQLite database into a folder, unless the folder has one.
func EmptyDatabase(t testing.TB, dir string) {
	t.Helper()
	path := filepath.Join(dir, "sallyport.db")
	if _, err := os.Stat(path); err != nil {
		Must(t, os.WriteFile(path, emptyDatabase(t), 0o600))
	}
}

func emptyDatabase(t testing.TB) []byte {
	t.Helper()
	made.Lock()
	defer made.Unlock()
	if made.database == nil {
		dir, copied := t.TempDir(), t.TempDir()
		s, err := store.Open(context.Background(), store.Options{Dir: dir})
		Must(t, err)
		copyDatabase(t, dir, copied)
		Must(t, s.Close())
		made.database = MustRead(t, filepath.Join(copied, "sallyport.db"))
	}
	return made.database
}

// copyDatabase copies the SQLite database of one folder into another.
func copyDatabase(t testing.TB, from, to string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(from, "sallyport.db"))
	Must(t, err)
	_, err = db.Exec("VACUUM INTO ?", filepath.Join(to, "sallyport.db"))
	Must(t, err)
	Must(t, db.Close())
}
