package mailbox_test

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// books are checks that must hold after every change: each query counts rows that are wrong.
var books = map[string]string{
	"use is what is visible": `SELECT COUNT(*) FROM mailboxes m WHERE
		used_bytes <> (SELECT COALESCE(SUM(f.size), 0) FROM files f JOIN dirs d ON d.id = f.dir_id
		WHERE d.user_id = m.user_id)
		OR used_files <> (SELECT COUNT(*) FROM files f JOIN dirs d ON d.id = f.dir_id WHERE d.user_id = m.user_id)`,
	"what is kept has rows": `SELECT COUNT(*) FROM mailboxes m WHERE
		kept_bytes <> (SELECT COALESCE(SUM(b.size), 0) FROM blobs b WHERE b.owner = m.user_id)
		OR kept_contents <> (SELECT COUNT(*) FROM blobs b WHERE b.owner = m.user_id)
		OR dirs <> (SELECT COUNT(*) FROM dirs d WHERE d.user_id = m.user_id AND d.fixed = 0)`,
	"a name shows a version of its file": `SELECT COUNT(*) FROM files f LEFT JOIN versions v ON v.id = f.version_id
		AND v.file_id = f.file_id WHERE v.id IS NULL`,
	"references are versions": `SELECT COUNT(*) FROM blobs b WHERE b.owner <> ''
		AND b.refs <> (SELECT COUNT(*) FROM versions v WHERE v.blob_id = b.id)`,
	"what nothing refers to is dead": `SELECT COUNT(*) FROM blobs WHERE (refs = 0) <> (state = 'dead')`,
}

// shelf is a user's mailbox over a real database.
type shelf struct {
	*testkit.World
	held bool // Gone says that every version is needed
}

const owner = "01OWNER"

func (s *shelf) gone(*store.Tx, string, bool) (bool, error) { return s.held, nil }

// change runs fn on the locked mailbox, and checks the books.
func (s *shelf) change(fn func(tx *store.Tx, b *mailbox.Box) error) error {
	s.Helper()
	s.Pass(time.Second)
	err := testkit.Write(context.Background(), s.Store, func(tx *store.Tx) error {
		b, err := mailbox.Lock(tx, owner)
		if err != nil {
			return err
		}
		return fn(tx, b)
	})
	for what, query := range books {
		var wrong int
		if s.Must(s.DB.QueryRow(query).Scan(&wrong)); wrong > 0 {
			s.Fatalf("it is not so that %s: %d rows", what, wrong)
		}
	}
	return err
}

// put stores a text under a name of the root, within a quota of 100 bytes.
func (s *shelf) put(name, text string) error {
	s.Helper()
	id, sum := s.IDs.New(), sha256.Sum256([]byte(text))
	return s.change(func(_ *store.Tx, b *mailbox.Box) error {
		old, err := b.File(owner, name)
		if err != nil {
			return err
		}
		return b.Put(mailbox.Upload{Old: old, Actor: "test", Limits: model.StorageLimits{QuotaBytes: 100, QuotaFiles: 10},
			File: store.File{DirID: owner, Name: name, FileID: id, VersionID: id, Size: int64(len(text))},
			Content: store.Content{BlobID: id, Key: id, Size: int64(len(text)), SHA256: sum[:],
				StoredAt: s.Clock()}}, s.gone)
	})
}

// versions counts the versions of a name.
func (s *shelf) versions(name string) int {
	q := s.Store.Read(context.Background())
	f, err := q.File(owner, name)
	s.Must(err)
	list, err := q.Versions(f, model.Paging{})
	s.Must(err)
	return len(list)
}

func (s *shelf) want(name string, versions int) {
	s.Helper()
	if n := s.versions(name); n != versions {
		s.Fatalf("%s has %d versions, want %d", name, n, versions)
	}
}

func (s *shelf) remove(name string) error {
	s.Helper()
	return s.change(func(_ *store.Tx, b *mailbox.Box) error {
		f, err := b.File(owner, name)
		if err != nil {
			return err
		}
		if err := b.Remove(*f); err != nil {
			return err
		}
		last, err := b.LetGo(f.FileID, "", s.Clock(), s.gone)
		if last != "" {
			s.Errorf("there is more to let go of, before %s", last)
		}
		return err
	})
}

var shelves = testkit.Stories[*shelf]{
	"a version is replaced": func(t *testing.T, s *shelf) {
		testkit.Must(t, s.put("a", "one"))
		testkit.Must(t, s.put("a", "two!"))
		s.want("a", 1) // the first version was dropped: it was younger than an hour
		s.Pass(2 * time.Hour)
		testkit.Must(t, s.put("a", "three"))
		s.want("a", 2)
		s.held = true
		testkit.Must(t, s.put("a", "four"))
		s.want("a", 3)
	},
	"an upload past the quota changes nothing": func(t *testing.T, s *shelf) {
		testkit.Must(t, s.put("a", "one"))
		testkit.WantKind(t, s.put("a", string(make([]byte, 101))), fault.Quota)
		s.want("a", 1)
	},
	"a file takes the place of another": func(t *testing.T, s *shelf) {
		s.held = true
		for _, name := range []string{"a", "a", "b", "b"} {
			testkit.Must(t, s.put(name, "text of "+name))
		}
		testkit.Must(t, s.change(func(_ *store.Tx, b *mailbox.Box) error {
			from, err := b.File(owner, "a")
			if err != nil {
				return err
			}
			to, err := b.File(owner, "b")
			if err != nil {
				return err
			}
			return b.MoveOver(*from, *to, s.Clock(), s.gone)
		}))
		s.want("b", 4)
	},
	"what is removed and not needed is forgotten": func(t *testing.T, s *shelf) {
		testkit.Must(t, s.put("a", "one"))
		testkit.Must(t, s.remove("a"))
		testkit.Must(t, s.change(func(tx *store.Tx, _ *mailbox.Box) error {
			dead, err := tx.DeadBlobs(s.Clock(), 10)
			if err != nil || len(dead) != 1 {
				t.Errorf("dead are %v", dead)
			}
			return mailbox.Forget(tx, append(dead, dead...))
		}))
		use, err := s.Store.Read(context.Background()).Usage(owner)
		testkit.Must(t, err)
		if use.Counts != (store.Counts{}) {
			t.Fatalf("%+v", use)
		}
	},
	"a copy is placed over a file, and beside a directory": func(t *testing.T, s *shelf) {
		testkit.Must(t, s.put("a", "one"))
		testkit.Must(t, s.change(func(tx *store.Tx, b *mailbox.Box) error {
			if err := b.MakeDir(store.Dir{ID: s.IDs.New(), Parent: owner, Name: "d"}); err != nil {
				return err
			}
			if err := tx.AddBlob(store.Blob{ID: "P", Key: "p", Size: 200, SHA256: []byte{1}}, 1, time.UnixMicro(1)); err != nil {
				return err
			}
			c := mailbox.Copies{Blob: "P", Size: 200, Actor: "test", At: s.Clock(), IDs: s.IDs}
			for name, want := range map[string]string{"a": "/a", "d": "/beside", "e": "/e"} {
				out, err := c.Place(tx, mailbox.Place{UserID: owner, Dir: "/", Name: name, Beside: "beside",
					Class: func(string) string { return "" }})
				if err != nil {
					return err
				}
				if out.Path != want || (out.Replaced != "") != (name == "a") {
					t.Errorf("%s was placed as %+v", name, out)
				}
			}
			return c.Refer(tx)
		}))
		s.want("a", 2)
	},
	"directories are counted until the operator keeps them": func(t *testing.T, s *shelf) {
		dirs := func() int64 {
			t.Helper()
			use, err := s.Store.Read(context.Background()).Usage(owner)
			testkit.Must(t, err)
			return use.Dirs
		}
		id := s.IDs.New()
		testkit.Must(t, s.change(func(_ *store.Tx, b *mailbox.Box) error {
			return b.MakeDir(store.Dir{ID: id, Parent: owner, Name: "d"})
		}))
		if dirs() != 1 {
			t.Fatalf("%d are counted", dirs())
		}
		testkit.WantKind(t, s.change(func(_ *store.Tx, b *mailbox.Box) error { return b.RemoveDir(owner) }), fault.Exists)
		rights := exchange.Read
		testkit.Must(t, s.change(func(_ *store.Tx, b *mailbox.Box) error {
			last, err := b.MakeDirs(mailbox.NewDirs{Path: "/d", Rights: &rights, IDs: s.IDs, At: s.Clock()})
			if last != id {
				t.Errorf("made was %s", last)
			}
			return err
		}))
		if dirs() != 0 {
			t.Fatalf("%d are counted", dirs())
		}
		testkit.Must(t, s.change(func(_ *store.Tx, b *mailbox.Box) error { return b.RemoveDir(id) }))
	},
}

func TestTheBooksAgree(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		testkit.Tell(t, &shelf{World: testkit.NewWorld(t, url)}, (*shelf).begin, shelves)
	})
}

// begin gives a story an empty mailbox.
func (s *shelf) begin(t testing.TB) *shelf {
	t.Helper()
	s.Begin(t)
	s.held = false
	s.Write(func(tx *store.Tx) error {
		if err := tx.AddAccount(model.Account{ID: "acme", Name: "acme", State: model.AccountActive}); err != nil {
			return err
		}
		return tx.AddUser(model.User{ID: owner, Name: "acme", Account: "acme", Kind: model.KindCustomer},
			exchange.AllRights)
	})
	return s
}
