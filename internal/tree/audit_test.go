package tree_test

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/tree"
)

// row is what the database has for a name.
type row struct {
	version, file, key string
	size               int64
	drop               bool
}

// rows reads the database's rows of all names.
func (m *machine) rows(t *rapid.T) map[spot]*row {
	found, err := m.l.db.Query(`SELECT f.dir_id, f.name, f.version_id, f.file_id, f.size, b.key, COALESCE(d.id, '')
		FROM files f
		JOIN versions v ON v.id = f.version_id JOIN blobs b ON b.id = v.blob_id LEFT JOIN drops d ON d.id = v.id`)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	out := map[spot]*row{}
	for found.Next() {
		var r row
		var dir, drop string
		var name []byte
		if err := found.Scan(&dir, &name, &r.version, &r.file, &r.size, &r.key, &drop); err != nil {
			t.Fatal(err)
		}
		r.drop = drop != ""
		out[spot{m.l.dirs[dir], string(name)}] = &r
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// check compares everything with the model, and checks that the counters are consistent.
func (m *machine) check(t *rapid.T) {
	if len(m.faults) > 0 {
		t.Fatal(m.faults)
	}
	m.l.pass(time.Millisecond)
	m.l.looking(func() {
		m.checkStored(t)
		m.checkBlobs(t)
		m.checkBooks(t)
		m.checkSeen(t)
	})
}

// checkStored checks that every name shows what was acknowledged, and that there are no other names.
func (m *machine) checkStored(t *rapid.T) {
	rows := m.rows(t)
	for _, k := range slices.SortedFunc(maps.Keys(rows), compareSpots) {
		if m.stored[k] == nil {
			t.Fatalf("%v is stored, and nobody was told", k)
		}
	}
	for _, k := range spots {
		v, r := m.stored[k], rows[k]
		if v == nil {
			continue
		}
		if r == nil {
			t.Fatalf("%v was acknowledged and is gone", k)
		}
		if v.id != "" && v.id != r.version {
			t.Fatalf("%v shows another version than it did", k)
		}
		v.id = r.version
		got, _, err := m.l.stored(r.key)
		if err != nil || !bytes.Equal(got, v.content) || r.size != int64(len(got)) {
			t.Fatalf("%v has %d bytes %.20x, a row of %d, want %d %.20x: %v", k, len(got), got, r.size, len(v.content),
				v.content, err)
		}
		if r.drop != v.drop {
			t.Fatalf("%v is a drop: %v, want %v", k, r.drop, v.drop)
		}
	}
}

// checkBlobs checks that the bytes of every row exist, with the size and hash in the row,
// and are read-only.
func (m *machine) checkBlobs(t *rapid.T) {
	found, err := m.l.db.Query(`SELECT key, size, sha256 FROM blobs WHERE state = 'live'`)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var key string
		var size int64
		var sum []byte
		if err := found.Scan(&key, &size, &sum); err != nil {
			t.Fatal(err)
		}
		b, isFile, err := m.l.stored(key)
		if got := sha256.Sum256(b); err != nil || int64(len(b)) != size || !bytes.Equal(got[:], sum) {
			t.Fatalf("%s has %d bytes of %d, and their hash is not what was recorded: %v", key, len(b), size, err)
		}
		if !isFile {
			continue
		}
		if info, err := os.Stat(filepath.Join(m.l.root, key)); err != nil || info.Mode().Perm() != 0o400 {
			t.Fatalf("%s may be written: %v, %v", key, info.Mode(), err)
		}
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
}

var books = []struct{ what, query string }{
	{"references are not versions", `SELECT COUNT(*) FROM blobs b
		WHERE refs <> (SELECT COUNT(*) FROM versions v WHERE v.blob_id = b.id)`},
	{"a dead blob has references, or a live one none", `SELECT COUNT(*) FROM blobs WHERE (state = 'dead') <> (refs = 0)`},
	{"use is not what is visible", `SELECT COUNT(*) FROM mailboxes WHERE
		used_bytes <> (SELECT COALESCE(SUM(size), 0) FROM files f JOIN dirs d ON d.id = f.dir_id
		WHERE d.user_id = mailboxes.user_id)
		OR used_files <> (SELECT COUNT(*) FROM files f JOIN dirs d ON d.id = f.dir_id WHERE d.user_id = mailboxes.user_id)`},
	{"what is kept is not what has a row", `SELECT COUNT(*) FROM mailboxes WHERE
		kept_bytes <> (SELECT COALESCE(SUM(size), 0) FROM blobs WHERE owner = mailboxes.user_id)
		OR kept_contents <> (SELECT COUNT(*) FROM blobs WHERE owner = mailboxes.user_id)
		OR dirs <> (SELECT COUNT(*) FROM dirs WHERE dirs.user_id = mailboxes.user_id AND fixed = 0)`},
	{"a file shows no version of its own", `SELECT COUNT(*) FROM files f LEFT JOIN versions v ON v.id = f.version_id
		AND v.file_id = f.file_id WHERE v.id IS NULL`},
	{"a file's size is not its blob's", `SELECT COUNT(*) FROM files f JOIN versions v ON v.id = f.version_id
		JOIN blobs b ON b.id = v.blob_id WHERE f.size <> b.size`},
	{"a new drop has no version", `SELECT COUNT(*) FROM drops d LEFT JOIN versions v ON v.id = d.id WHERE d.state = 'new'
		AND v.id IS NULL`},
	{"a drop's hash or size is not its blob's", `SELECT COUNT(*) FROM drops d JOIN versions v ON v.id = d.id
		JOIN blobs b ON b.id = v.blob_id
		WHERE d.sha256 <> b.sha256 OR d.size <> b.size`},
	{"a blob without a file is live", `SELECT COUNT(*) FROM versions v
		WHERE NOT EXISTS (SELECT 1 FROM files f WHERE f.file_id = v.file_id)
		AND NOT EXISTS (SELECT 1 FROM drops d WHERE d.id = v.id)`},
}

// checkBooks checks that references, usage and drops agree.
func (m *machine) checkBooks(t *rapid.T) {
	for _, b := range books {
		var n int
		if err := m.l.db.QueryRow(b.query).Scan(&n); err != nil || n != 0 {
			t.Fatalf("%s: %d, %v", b.what, n, err)
		}
	}
	var drops int
	if err := m.l.db.QueryRow(`SELECT COUNT(*) FROM drops`).Scan(&drops); err != nil || drops != m.drops {
		t.Fatalf("%d drops, want %d, %v", drops, m.drops, err)
	}
}

// checkSeen checks that a session without open files sees partials with the right length
// and bytes, and that no quota is reserved for uploads that are gone.
func (m *machine) checkSeen(t *rapid.T) {
	s := m.l.login("")
	defer s.End()
	var used int64
	nobody := &client{s: s}
	for _, k := range spots {
		v, u := m.stored[k], m.newest(k, nobody)
		if v != nil {
			used += int64(len(v.content))
		}
		f, err := s.Stat(m.where(k))
		switch {
		case u == nil && v == nil:
			if err == nil {
				t.Fatalf("%v shows %d bytes, and nothing must be there", k, f.Size)
			}
		case u == nil:
			if err != nil || f.Size != int64(len(v.content)) || f.Mtime.Unix() == 0 {
				t.Fatalf("%v shows %d bytes since %v, want a file of %d: %v", k, f.Size, f.Mtime, len(v.content), err)
			}
		default:
			m.checkPartial(t, s, k, u)
		}
	}
	space, err := s.Space()
	if err != nil || len(m.uploads) == 0 && space.UsedBytes != used {
		t.Fatalf("%d bytes are counted, %d are stored: %v", space.UsedBytes, used, err)
	}
}

// noStagedRows checks that the start has settled every stage whose blob has a row.
func (m *machine) noStagedRows(t *rapid.T) {
	entries, err := os.ReadDir(filepath.Join(m.l.root, "staging"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var n int
		id, _, _ := strings.Cut(e.Name(), ".")
		if err := m.l.db.QueryRow(`SELECT COUNT(*) FROM blobs WHERE id = $1`, id).Scan(&n); err != nil || n > 0 {
			t.Fatalf("%s has a row and is still a stage: %v", e.Name(), err)
		}
	}
}

// finally checks that after a restart and the sweep of dead blobs, every file has a row.
func (m *machine) finally(t *rapid.T) {
	m.die()
	m.l.bury()
	if err := m.l.start(); err != nil {
		t.Fatalf("it does not start: %v", err)
	}
	m.clients = nil
	m.recovered(t)
	m.check(t)
	for range 3 {
		m.l.pass(25 * time.Hour)
		if err := m.l.sweep(); err != nil {
			t.Fatal(err)
		}
	}
	m.check(t)
	for _, key := range m.l.keys() {
		var n int
		if err := m.l.db.QueryRow(`SELECT COUNT(*) FROM blobs WHERE key = $1`, key).Scan(&n); err != nil || n != 1 {
			t.Fatalf("%s has %d rows after the sweep: %v", key, n, err)
		}
	}
}

func (m *machine) checkPartial(t *rapid.T, s *tree.Session, k spot, u *upload) {
	f, err := s.Stat(m.where(k))
	if err != nil || f.Size != int64(u.shown()) || f.Mtime.Unix() != 0 {
		t.Fatalf("%v shows %d bytes since %v, want a partial of %d: %v", k, f.Size, f.Mtime, u.shown(), err)
	}
	h, err := s.Open(m.where(k), exchange.FlagRead, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, f.Size)
	if n, err := h.ReadAt(got, 0); len(got) > 0 && (err != nil || !bytes.Equal(got[:n], u.raw[:u.shown()])) {
		t.Fatalf("the partial %v reads %.20x, want %.20x: %v", k, got[:n], u.raw[:u.shown()], err)
	}
	if err := closeHandle(h); err != nil {
		t.Fatal(err)
	}
}
