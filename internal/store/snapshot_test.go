package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// dump reads every row of every table that a snapshot has, as text.
func dump(t *testing.T, db *sql.DB, tables []string) (out []string) {
	t.Helper()
	for _, table := range tables {
		rows, err := db.Query("SELECT * FROM " + table)
		testkit.Must(t, err)
		columns, err := rows.Columns()
		testkit.Must(t, err)
		for rows.Next() {
			values, at := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				at[i] = &values[i]
			}
			testkit.Must(t, rows.Scan(at...))
			for i, v := range values { // SQLite's driver reads no bytes as nil
				if b, is := v.([]byte); is && len(b) == 0 {
					values[i] = nil
				}
			}
			out = append(out, fmt.Sprintf("%s %q", table, values))
		}
		testkit.Must(t, rows.Err())
		testkit.Must(t, rows.Close())
	}
	slices.Sort(out)
	return out
}

// sqliteTables are the tables of a SQLite file that belong to no running server.
func sqliteTables(t *testing.T, db *sql.DB) (out []string) {
	t.Helper()
	rows, err := db.Query(`SELECT name FROM sqlite_master WHERE type = 'table'`)
	testkit.Must(t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		testkit.Must(t, rows.Scan(&name))
		if name != "lease" && !strings.HasPrefix(name, "goose_") && !strings.HasPrefix(name, "sqlite_") {
			out = append(out, name)
		}
	}
	testkit.Must(t, rows.Err())
	return out
}

func openDB(t *testing.T, driver, source string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, source)
	testkit.Must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// fill writes rows with every kind of value: text in other scripts, bytes that are no text, NULL, and parents that come
// after their children.
func fill(t *testing.T, s *store.Store) {
	t.Helper()
	user(t, s, "zeta")
	id := user(t, s, "alpha")
	write(t, s, func(tx *store.Tx) error {
		if err := tx.AddAccount(model.Account{ID: "child", Name: "Ünïcode \u202e 漢", Parent: "zeta",
			State: model.AccountActive, CreatedAt: time.Now()}); err != nil {
			return err
		}
		if err := tx.AddBlob(store.Blob{ID: "b1", Key: "alpha/2026/01/b1", Size: 3, SHA256: []byte{0, 0xff, '\''}, Owner: id},
			1, time.Now()); err != nil {
			return err
		}
		if err := tx.AddBlob(store.Blob{ID: "b2", Key: "alpha/2026/01/b2", SHA256: []byte{}}, 1, time.Now()); err != nil {
			return err
		}
		if err := tx.ReleaseBlob("b2", time.Now()); err != nil {
			return err
		}
		return tx.PutFile(store.File{DirID: id, Name: "\xff\x00\n.csv", FileID: "f", VersionID: "v"})
	})
}

// TestASnapshotHasEveryRow: of either database, and a restore into PostgreSQL has them again.
func TestASnapshotHasEveryRow(t *testing.T) {
	testkit.Long(t, "it needs PostgreSQL")
	pg := testkit.Postgres(t)
	ctx := context.Background()
	for _, from := range []string{"", pg.Database(t)} {
		o := store.Options{Dir: t.TempDir(), URL: from}
		s, err := store.Open(ctx, o)
		testkit.Must(t, err)
		fill(t, s)
		file := filepath.Join(t.TempDir(), "snapshot.db")
		testkit.Must(t, s.Snapshot(ctx, file))
		if err := s.Snapshot(ctx, file); err == nil {
			t.Fatal("a snapshot was written over another")
		}
		if info, err := os.Stat(file); err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("the snapshot's mode is %v", info.Mode())
		}
		testkit.Must(t, s.Snapshot(ctx, file+"2"))

		source := openDB(t, "sqlite", "file:"+filepath.Join(o.Dir, "sallyport.db"))
		if from != "" {
			source = openDB(t, "pgx", from)
		}
		copied := openDB(t, "sqlite", "file:"+file+"2?mode=ro")
		tables := sqliteTables(t, copied)
		was, is := dump(t, source, tables), dump(t, copied, tables)
		if len(was) < 15 || !slices.Equal(was, is) {
			t.Fatalf("%d rows were\n%s\nand %d are\n%s", len(was), strings.Join(was, "\n"), len(is), strings.Join(is, "\n"))
		}
		n, err := store.OpenSnapshot(ctx, file+"2")
		testkit.Must(t, err)
		if says, err := n.Check(ctx); err != nil || says != "" {
			t.Errorf("%q, %v", says, err)
		}
		live, err := n.LiveBlobs(ctx, "", 10)
		testkit.Must(t, err)
		if len(live) != 1 || live[0].ID != "b1" {
			t.Errorf("live are %+v", live)
		}
		testkit.Must(t, n.Close())

		to := pg.Database(t)
		testkit.Must(t, store.CheckEmpty(ctx, to))
		testkit.Must(t, store.Load(ctx, to, file, "mark"))
		if mark, err := store.LoadedAs(ctx, to); err != nil || mark != "mark" {
			t.Errorf("%q, %v", mark, err)
		}
		loaded := openDB(t, "pgx", to)
		_, err = loaded.Exec(`DELETE FROM settings WHERE name = 'backup.loaded'`)
		testkit.Must(t, err)
		if again := dump(t, loaded, tables); !slices.Equal(was, again) {
			t.Fatalf("loaded:\n%s", strings.Join(again, "\n"))
		}
		testkit.WantKind(t, store.Load(ctx, to, file, "mark"), fault.Conflict)
		testkit.WantKind(t, store.CheckEmpty(ctx, to), fault.Conflict)
		testkit.Must(t, s.Close())
	}
}

// TestANewerDatabaseIsRefused: by everything that opens one, and nothing is changed.
func TestANewerDatabaseIsRefused(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		ctx, o := context.Background(), store.Options{Dir: t.TempDir(), URL: url}
		if n, err := store.Schema(ctx, o); n != 0 || err != nil {
			t.Fatalf("of no database: %d, %v", n, err)
		}
		s, err := store.Open(ctx, o)
		testkit.Must(t, err)
		file := filepath.Join(t.TempDir(), "snapshot.db")
		testkit.Must(t, s.Snapshot(ctx, file))
		testkit.Must(t, s.Close())
		if n, err := store.Schema(ctx, o); n != store.Knows() || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		db := openDB(t, "sqlite", "file:"+filepath.Join(o.Dir, "sallyport.db"))
		if url != "" {
			db = openDB(t, "pgx", url)
		}
		for _, d := range []*sql.DB{db, openDB(t, "sqlite", "file:"+file)} {
			_, err := d.Exec(fmt.Sprintf(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, %s)`,
				store.Knows()+1, map[bool]string{true: "true", false: "1"}[url != ""]))
			testkit.Must(t, err)
			testkit.Must(t, d.Close())
		}
		wants := func(err error) {
			t.Helper()
			testkit.WantKind(t, err, fault.Conflict)
			if !strings.Contains(fault.PublicText(err), "belongs to a newer release") || fault.HintIn(err) == "" {
				t.Errorf("it says %q", fault.PublicText(err))
			}
		}
		_, err = store.Open(ctx, o)
		wants(err)
		_, err = store.Inspect(ctx, o)
		wants(err)
		_, err = store.Beside(ctx, o)
		wants(err)
		_, err = store.OpenSnapshot(ctx, file)
		wants(err)
	})
}
