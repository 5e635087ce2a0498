package store_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, pg *testkit.Cluster, test func(t *testing.T, s *store.Store)) {
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			o := store.Options{Dir: t.TempDir()}
			if name == "postgres" {
				o = store.Options{URL: pg.Database(t)}
			}
			s, err := store.Open(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			test(t, s)
		})
	}
}

var ids = exchange.NewIDs(time.Now, rand.Reader)

func write(t testing.TB, s *store.Store, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := testkit.Write(context.Background(), s, fn); err != nil {
		t.Fatal(err)
	}
}

// user makes an account and a user, and returns the user's id.
func user(t testing.TB, s *store.Store, name string) string {
	t.Helper()
	id := ids.New()
	write(t, s, func(tx *store.Tx) error {
		if err := tx.AddAccount(model.Account{ID: name, Name: name, State: model.AccountActive,
			CreatedAt: time.Now()}); err != nil {
			return err
		}
		return tx.AddUser(model.User{ID: id, Name: name, Kind: model.KindCustomer, Account: name, Enabled: true,
			StartDir: "/", CreatedAt: time.Now()}, exchange.AllRights)
	})
	return id
}

func TestStore(t *testing.T) {
	pg := testkit.Postgres(t)
	for name, test := range map[string]func(*testing.T, *store.Store){
		"a failed function leaves nothing":             failedLeavesNothing,
		"a failing member does not harm its batch":     failingMember,
		"a panicking member does not harm its batch":   panickingMember,
		"every batched write is there, once":           batchedWrites,
		"a panic in a function rolls back":             panicRollsBack,
		"names are bytes, in byte order":               bytesInOrder,
		"walk follows long paths":                      walkLong,
		"a file and its versions":                      fileVersions,
		"quota is decided in the update":               quotaDecides,
		"an orphan is claimed before a late commit":    orphanClaimed,
		"a released blob dies and takes no new ref":    deadTakesNoRef,
		"revocations are numbered without gaps":        revocationsInOrder,
		"a credential is one answer, whatever exists":  credential,
		"connection records are pruned":                pruned,
		"audit rows take any bytes":                    auditBytes,
		"a repeated idempotency key is taken":          idempotencyKey,
		"one writer sees what another committed first": lockMailbox,
	} {
		t.Run(name, func(t *testing.T) { onBoth(t, pg, test) })
	}
}

func failedLeavesNothing(t *testing.T, s *store.Store) {
	boom := errors.New("boom")
	err := testkit.Write(context.Background(), s, func(tx *store.Tx) error {
		if err := tx.AddVendor(model.Vendor{Short: "v", Name: "V", CreatedAt: time.Now()}); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("the error is %v", err)
	}
	if _, err := s.Read(context.Background()).Vendor("v"); !fault.Is(err, fault.NotFound) {
		t.Fatalf("the vendor: %v", err)
	}
}

func failingMember(t *testing.T, s *store.Store) {
	write(t, s, func(tx *store.Tx) error {
		return tx.AddVendor(model.Vendor{Short: "taken", Name: "V", CreatedAt: time.Now()})
	})
	var wg sync.WaitGroup
	errs := make([]error, 50)
	for i := range errs {
		wg.Go(func() {
			short := fmt.Sprintf("v%d", i)
			if i%10 == 0 {
				short = "taken"
			}
			errs[i] = testkit.Write(context.Background(), s, func(tx *store.Tx) error {
				return tx.AddVendor(model.Vendor{Short: short, Name: "V", CreatedAt: time.Now()})
			})
		})
	}
	wg.Wait()
	for i, err := range errs {
		if i%10 == 0 && !fault.Is(err, fault.Exists) || i%10 != 0 && err != nil {
			t.Errorf("member %d: %v", i, err)
		}
	}
	if all, err := s.Read(context.Background()).Vendors(model.Paging{}); err != nil || len(all) != 46 {
		t.Fatalf("%d vendors, %v", len(all), err)
	}
}

func batchedWrites(t *testing.T, s *store.Store) {
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			err := testkit.Write(context.Background(), s, func(tx *store.Tx) error {
				return tx.AddVendor(model.Vendor{Short: fmt.Sprintf("v%03d", i), Name: "V", CreatedAt: time.Now()})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if all, err := s.Read(context.Background()).Vendors(model.Paging{}); err != nil || len(all) != 300 {
		t.Fatalf("%d vendors, %v", len(all), err)
	}
}

func panicRollsBack(t *testing.T, s *store.Store) {
	err := testkit.Write(context.Background(), s, func(tx *store.Tx) error {
		if err := tx.AddVendor(model.Vendor{Short: "v", Name: "V", CreatedAt: time.Now()}); err != nil {
			return err
		}
		panic("a bug")
	})
	if !fault.Is(err, fault.Internal) {
		t.Fatalf("the error is %v", err)
	}
	write(t, s, func(tx *store.Tx) error { // the writer still works, and the row was not stored
		return tx.AddVendor(model.Vendor{Short: "v", Name: "V", CreatedAt: time.Now()})
	})
}

func bytesInOrder(t *testing.T, s *store.Store) {
	root := user(t, s, "acme")
	names := []string{"\x01", " ", "A", "a", "a\n", "a\x1b[2J", "b\xff\xfe", "zz", "é", "\xff"}
	write(t, s, func(tx *store.Tx) error {
		for i := range names {
			n := names[(i*7)%len(names)]
			if err := tx.PutFile(store.File{DirID: root, Name: n, FileID: ids.New(), VersionID: "v"}); err != nil {
				return err
			}
			if err := tx.AddDir(store.Dir{ID: ids.New(), User: root, Parent: root, Name: n}); err != nil {
				return err
			}
		}
		return nil
	})
	q := s.Read(context.Background())
	for after, i := "", 0; i < len(names); i += 3 {
		files, err := q.Files(root, after, 3)
		if err != nil {
			t.Fatal(err)
		}
		dirs, err := q.Subdirs(root, after, 3)
		if err != nil {
			t.Fatal(err)
		}
		for j, f := range files {
			if f.Name != names[i+j] || dirs[j].Name != names[i+j] {
				t.Fatalf("at %d: %q and %q, want %q", i+j, f.Name, dirs[j].Name, names[i+j])
			}
			after = f.Name
		}
	}
}

func walkLong(t *testing.T, s *store.Store) {
	root := user(t, s, "acme")
	var names []string
	write(t, s, func(tx *store.Tx) error {
		parent := root
		names = nil
		for i := range 37 {
			d := store.Dir{ID: ids.New(), User: root, Parent: parent, Name: fmt.Sprintf("d%d", i)}
			if err := tx.AddDir(d); err != nil {
				return err
			}
			names, parent = append(names, d.Name), d.ID
		}
		return nil
	})
	q := s.Read(context.Background())
	for _, n := range []int{0, 1, 7, 8, 9, 16, 17, 37} {
		dirs, err := q.Walk(root, names[:n])
		if err != nil || len(dirs) != n+1 || n > 0 && dirs[n].Name != names[n-1] {
			t.Fatalf("%d levels: %d rows, %v", n, len(dirs), err)
		}
	}
	dirs, err := q.Walk(root, append(append([]string{}, names[:20]...), "absent", "deeper"))
	if err != nil || len(dirs) != 21 {
		t.Fatalf("an absent name: %d rows, %v", len(dirs), err)
	}
	path, _, err := q.DirPath(dirs[2].ID)
	if err != nil || path != "/d0/d1" {
		t.Fatalf("path %q, %v", path, err)
	}
}

func fileVersions(t *testing.T, s *store.Store) {
	root := user(t, s, "acme")
	write(t, s, func(tx *store.Tx) error {
		for i, id := range []string{"V1", "V2"} {
			if err := tx.AddBlob(store.Blob{ID: id, Key: "k" + id, Size: int64(i), SHA256: []byte{1, 2}}, 1,
				time.UnixMicro(5)); err != nil {
				return err
			}
			if err := tx.AddVersion(store.Version{ID: id, FileID: "F", UserID: root, BlobID: id, Actor: "user:acme",
				StoredAt: time.UnixMicro(7)}); err != nil {
				return err
			}
		}
		return tx.PutFile(store.File{DirID: root, Name: "f", FileID: "F", VersionID: "V2", Size: 1, Mtime: time.UnixMicro(9),
			Mode: 0o600})
	})
	q := s.Read(context.Background())
	f, err := q.File(root, "f")
	if err != nil || f.VersionID != "V2" || f.Mode != 0o600 || f.Mtime.UnixMicro() != 9 {
		t.Fatalf("%+v, %v", f, err)
	}
	v, err := q.Versions(f, model.Paging{})
	if err != nil || len(v) != 2 || v[0].ID != "V2" || !v[0].Current || v[1].Current {
		t.Fatalf("%+v, %v", v, err)
	}
	c, err := q.Content("V1")
	if err != nil || c.Key != "kV1" || c.StoredAt.UnixMicro() != 7 {
		t.Fatalf("%+v, %v", c, err)
	}
}

func quotaDecides(t *testing.T, s *store.Store) {
	id := user(t, s, "acme")
	use := func(bytes, files int64) error {
		return testkit.Write(context.Background(), s, func(tx *store.Tx) error {
			return tx.Use(id, store.Counts{Bytes: bytes, Files: files}, model.StorageLimits{QuotaBytes: 100, QuotaFiles: 2})
		})
	}
	if err := use(100, 1); err != nil {
		t.Fatal(err)
	}
	if err := use(1, 0); !fault.Is(err, fault.Quota) {
		t.Fatalf("one byte over: %v", err)
	}
	if err := use(-50, 1); err != nil {
		t.Fatal(err)
	}
	if err := use(0, 1); !fault.Is(err, fault.Quota) {
		t.Fatalf("one file over: %v", err)
	}
}

func orphanClaimed(t *testing.T, s *store.Store) {
	write(t, s, func(tx *store.Tx) error {
		fresh, err := tx.ClaimOrphan(store.Blob{ID: "B", Key: "k"}, time.UnixMicro(1))
		if err == nil && !fresh {
			t.Error("the claim was not fresh")
		}
		return err
	})
	err := s.Write(context.Background(),
		func(tx *store.Tx) error {
			return tx.AddBlob(store.Blob{ID: "B", Key: "k", SHA256: []byte{}}, 1, time.UnixMicro(2))
		})
	if !fault.Is(err, fault.Exists) {
		t.Fatalf("the late commit: %v", err)
	}
}

func deadTakesNoRef(t *testing.T, s *store.Store) {
	write(t, s, func(tx *store.Tx) error {
		return tx.AddBlob(store.Blob{ID: "B", Key: "k", SHA256: []byte{}}, 2,
			time.UnixMicro(1))
	})
	write(t, s, func(tx *store.Tx) error { return tx.ReleaseBlob("B", time.UnixMicro(10)) })
	write(t, s, func(tx *store.Tx) error { return tx.RefBlob("B", 1) })
	write(t, s, func(tx *store.Tx) error { return tx.ReleaseBlob("B", time.UnixMicro(11)) })
	write(t, s, func(tx *store.Tx) error { return tx.ReleaseBlob("B", time.UnixMicro(12)) })
	err := s.Write(context.Background(), func(tx *store.Tx) error { return tx.RefBlob("B", 1) })
	if !fault.Is(err, fault.NotFound) {
		t.Fatalf("a new reference on a dead blob: %v", err)
	}
	dead, err := s.Read(context.Background()).DeadBlobs(time.UnixMicro(13), 10)
	if err != nil || len(dead) != 1 || dead[0].Key != "k" {
		t.Fatalf("%+v, %v", dead, err)
	}
}

func revocationsInOrder(t *testing.T, s *store.Store) {
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			err := testkit.Write(context.Background(), s, func(tx *store.Tx) error {
				return tx.Revoke(store.Revocation{UserID: fmt.Sprint(i), Reason: "r"}, time.Now())
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	list, err := s.Read(context.Background()).RevocationsAfter(0)
	if err != nil || len(list) != 20 {
		t.Fatalf("%d, %v", len(list), err)
	}
	for i, r := range list {
		if r.Number != int64(i+1) {
			t.Fatalf("number %d at %d", r.Number, i)
		}
	}
}

func credential(t *testing.T, s *store.Store) {
	id := user(t, s, "acme")
	other := user(t, s, "globex")
	write(t, s, func(tx *store.Tx) error {
		if err := tx.AddKey(other, model.Key{ID: ids.New(), Fingerprint: "SHA256:x", Origin: "submitted",
			CreatedAt: time.Now()}); err != nil {
			return err
		}
		return tx.AddKey(id, model.Key{ID: ids.New(), Fingerprint: "SHA256:y", Origin: "submitted", CreatedAt: time.Now()})
	})
	q := s.Read(context.Background())
	for _, c := range []struct {
		user, key            string
		known, has, existing bool
	}{
		{"acme", "SHA256:y", true, true, true},
		{"acme", "SHA256:x", true, false, true},
		{"acme", "SHA256:z", true, false, false},
		{"nobody", "SHA256:z", false, false, false},
		{"nobody", "SHA256:x", false, false, true},
	} {
		got, err := q.Credential(c.user, c.key)
		if err != nil || (got.User.ID != "") != c.known || (got.Key.ID != "") != c.has || got.KeyElsewhere != c.existing {
			t.Errorf("%s with %s: %+v, %v", c.user, c.key, got, err)
		}
	}
}

// pruned: of a flood of failures only the newest stay, log-ins stay until their time, and an address
// keeps both its times.
func pruned(t *testing.T, s *store.Store) {
	at := func(us int64) time.Time { return time.UnixMicro(us).UTC() }
	write(t, s, func(tx *store.Tx) error {
		for i := range int64(20) {
			c := model.Connection{Reference: fmt.Sprint(i), At: at(i), Address: "192.0.2.7", LoggedIn: i < 10}
			if err := tx.AddConnection(c, i); err != nil {
				return err
			}
		}
		for _, a := range []store.Address{{Address: "192.0.2.1", LastFailed: at(5)}, {Address: "192.0.2.1", LastOK: at(6)},
			{Address: "192.0.2.2", LastFailed: at(7)}, {Address: "192.0.2.3", LastFailed: at(8)}} {
			if err := tx.SeenAddress(a); err != nil {
				return err
			}
		}
		return nil
	})
	q := s.Read(context.Background())
	failed, err := q.FailedEdge(4)
	if err != nil {
		t.Fatal(err)
	}
	strangers, err := q.StrangerEdge(1)
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, func(tx *store.Tx) error {
		_, a := tx.PruneAddresses(at(3))
		_, b := tx.PruneStrangers(strangers)
		_, c := tx.PruneConnections(at(2))
		_, d := tx.PruneFailed(failed)
		return errors.Join(a, b, c, d)
	})
	left, err := q.Connections("address", "192.0.2.7", 100)
	if err != nil || len(left) != 8+4 {
		t.Fatalf("%d rows are left, %v", len(left), err)
	}
	if a, err := q.Address("192.0.2.1"); err != nil || a.LastOK != at(6) || a.LastFailed != at(5) {
		t.Fatalf("%+v, %v", a, err)
	}
	if a, err := q.Address("192.0.2.2"); err != nil || !a.LastFailed.IsZero() {
		t.Fatalf("a stranger's old address was kept: %+v, %v", a, err)
	}
}

func auditBytes(t *testing.T, s *store.Store) {
	write(t, s, func(tx *store.Tx) error {
		return tx.Audit(model.AuditRow{ID: ids.New(), At: time.Now(), Actor: "user:acme", Action: "file.store",
			Subject: "/upload/\xff\x00\x1b", Detail: map[string]string{"to": "\xfe\x00"}})
	})
}

func idempotencyKey(t *testing.T, s *store.Store) {
	p := store.NewPublication{Feed: "f", Name: "n", SHA256: []byte{}, IdempotencyKey: "k", At: time.UnixMicro(1)}
	write(t, s, func(tx *store.Tx) error {
		if err := tx.AddFeed(model.Feed{Name: "f", Kind: "data", CreatedAt: time.Now()}); err != nil {
			return err
		}
		p.ID = ids.New()
		return tx.AddPublication(p)
	})
	p.ID = ids.New()
	err := testkit.Write(context.Background(), s, func(tx *store.Tx) error { return tx.AddPublication(p) })
	if !fault.Is(err, fault.Exists) {
		t.Fatalf("the second: %v", err)
	}
	got, err := s.Read(context.Background()).PublicationByKey("f", "k")
	if err != nil || got.Name != "n" {
		t.Fatalf("%+v, %v", got, err)
	}
}

func lockMailbox(t *testing.T, s *store.Store) {
	id := user(t, s, "acme")
	var wg sync.WaitGroup
	for range 30 { // read, add one, write: lost updates would show
		wg.Go(func() {
			err := testkit.Write(context.Background(), s, func(tx *store.Tx) error {
				u, err := tx.LockMailbox(id)
				if err != nil {
					return err
				}
				return tx.Use(id, store.Counts{Bytes: 1}, model.StorageLimits{QuotaBytes: u.Bytes + 1})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if u, err := s.Read(context.Background()).Usage(id); err != nil || u.Bytes != 30 {
		t.Fatalf("%+v, %v", u, err)
	}
}

// TestAClosedStoreHoldsNoFile: SQLite has merged its log into the database and removed it.
func TestAClosedStoreHoldsNoFile(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := testkit.Write(t.Context(), s,
		func(tx *store.Tx) error { return tx.AddAccount(model.Account{ID: "a", Name: "A"}) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range open {
		if file, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.HasPrefix(file, dir) {
			t.Errorf("%s is still open", file)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("the folder has %v, %v", left, err)
	}
}
