package store_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// times are times and what a column must return for them, with the microseconds stored.
var times = map[string]struct {
	in     time.Time
	stored int64
}{
	"ordinary":         {time.Date(2025, 3, 30, 1, 2, 3, 456789000, time.UTC), 1743296523456789},
	"in another zone":  {time.Date(2025, 3, 30, 3, 2, 3, 0, time.FixedZone("", 7200)), 1743296523000000},
	"below a µs":       {time.Date(2025, 3, 30, 1, 2, 3, 456789999, time.UTC), 1743296523456789},
	"1970 itself":      {time.Unix(0, 0), 0},
	"before 1970":      {time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC), -1},
	"below, and older": {time.Date(1969, 12, 31, 23, 59, 59, 999999001, time.UTC), -1},
	"zero":             {time.Time{}, -62135596800000000},
}

// TestTimesComeBack: a time is stored as microseconds, and read in UTC, rounded down to microseconds.
func TestTimesComeBack(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		s, _ := testkit.OpenStore(t, url)
		q, root := s.Read(context.Background()), user(t, s, "acme")
		for name, c := range times {
			write(t, s, func(tx *store.Tx) error {
				if err := tx.SetDirMtime(root, root, c.in); err != nil {
					return err
				}
				return tx.PutFile(store.File{DirID: root, Name: "f", FileID: "F", VersionID: "V", Mtime: c.in})
			})
			if got := stored(t, s, `SELECT mtime FROM files WHERE dir_id = $1`, root); got.Int64 != c.stored || !got.Valid {
				t.Errorf("%s is stored as %v", name, got)
			}
			want := c.in.UTC().Truncate(time.Microsecond)
			f, err := q.File(root, "f")
			testkit.Must(t, err)
			d, err := q.Dir(root)
			testkit.Must(t, err)
			look, err := q.Look(root, []string{"f"})
			testkit.Must(t, err)
			if f.Mtime != want || d.Mtime != want || look.File.Mtime != want || look.Dirs[0].Mtime != want {
				t.Errorf("%s reads as %v, %v, %v and %v", name, f.Mtime, d.Mtime, look.File.Mtime, look.Dirs[0].Mtime)
			}
		}
	})
}

// TestNoTimeIsStoredAsBefore: no time is stored as 0 or NULL, depending on the column, and read as no
// time.
func TestNoTimeIsStoredAsBefore(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		s, _ := testkit.OpenStore(t, url)
		q, id, now := s.Read(context.Background()), user(t, s, "acme"), time.Now()
		write(t, s, func(tx *store.Tx) error {
			if err := tx.SeenAddress(store.Address{Address: "192.0.2.1", LastFailed: now}); err != nil {
				return err
			}
			if err := tx.SetAccountNear("acme", time.Time{}); err != nil {
				return err
			}
			return tx.AddDrops([]store.NewDrop{{VersionID: "V", UserID: id, Path: "/f", SHA256: []byte{}, ReceivedAt: now}})
		})
		for query, want := range map[string]sql.NullInt64{
			`SELECT last_ok FROM addresses`:     {},
			`SELECT last_failed FROM addresses`: {Int64: now.UnixMicro(), Valid: true},
			`SELECT near_at FROM accounts`:      {Valid: true},
			`SELECT ready_at FROM drops`:        {Valid: true},
			`SELECT claim_until FROM drops`:     {},
			`SELECT files_until FROM accounts`:  {},
			`SELECT received_at FROM drops`:     {Int64: now.UnixMicro(), Valid: true},
			`SELECT near_at FROM mailboxes`:     {Valid: true},
		} {
			if got := stored(t, s, query); got != want {
				t.Errorf("%s: %v, and not %v", query, got, want)
			}
		}
		a, err := q.Address("192.0.2.1")
		testkit.Must(t, err)
		if !a.LastOK.IsZero() || a.LastFailed != now.UTC().Truncate(time.Microsecond) {
			t.Errorf("the address: %+v", a)
		}
		d, err := q.Drop("V")
		testkit.Must(t, err)
		if d.ReadyAt != nil || d.ClaimUntil != nil || !d.ReceivedAt.Equal(now.Truncate(time.Microsecond)) {
			t.Errorf("the drop: %+v", d)
		}
		for what, edge := range map[string]func(int64) (time.Time, error){"failed": q.FailedEdge,
			"stranger": q.StrangerEdge} {
			if at, err := edge(10); err != nil || !at.IsZero() {
				t.Errorf("the edge of %s: %v, %v", what, at, err)
			}
		}
	})
}

// TestLatestCursorKeepsItsForm: clients may hold cursors made by other releases.
func TestLatestCursorKeepsItsForm(t *testing.T) {
	at := time.UnixMicro(1743296523456789)
	if got := store.LatestCursor(at, "192.0.2.1"); got != "1743296523456789 192.0.2.1" {
		t.Errorf("the cursor is %q", got)
	}
	testkit.OnBoth(t, func(t *testing.T, url string) {
		s, _ := testkit.OpenStore(t, url)
		write(t, s, func(tx *store.Tx) error {
			for _, address := range []string{"192.0.2.1", "192.0.2.2"} {
				if err := tx.SetBan(model.Ban{Address: address, Since: at, Until: at.Add(time.Hour)}); err != nil {
					return err
				}
			}
			return nil
		})
		list, err := s.Read(context.Background()).Bans(at, model.Paging{Cursor: store.LatestCursor(at, "192.0.2.2")})
		if err != nil || len(list) != 1 || list[0].Address != "192.0.2.1" || !list[0].Since.Equal(at) {
			t.Errorf("the next page: %+v, %v", list, err)
		}
	})
}

// stored returns the only value that a query finds.
func stored(t *testing.T, s *store.Store, query string, args ...any) (v sql.NullInt64) {
	t.Helper()
	if err := s.Jobs().QueryRow(query, args...).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}
