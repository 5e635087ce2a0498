package tree_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/model"
)

func TestCommit(t *testing.T) {
	onBoth(t, map[string]func(*testing.T, *world){
		"many closes at once, each seen by what follows": pendingCloses,
		"the 65th pending close waits":                   manyPending,
		"a commit past the quota leaves a partial":       quotaPartial,
		"quota counts uploads under way":                 quotaUploads,
		"the file limit and the free-space floor":        limits,
		"a name that became a directory refuses":         becameDirectory,
		"a directory removed under an upload refuses":    dirRemoved,
		"a revoked login stores nothing more":            revokedLogin,
		"an end finishes the closes received":            endFinishes,
		"a version replaced within the hour is dropped":  replacedSoon,
		"use is what is visible":                         usage,
		"a file with a failed write is not stored":       failedWrite,
	})
}

func pendingCloses(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	defer s.End()
	var wg sync.WaitGroup
	for i := range 100 {
		path := fmt.Sprintf("/upload/f%03d", i)
		h := open(t, s, path, create)
		must(t, write(h, path, 0))
		wg.Add(1)
		h.Close(func(err error) {
			defer wg.Done()
			if err != nil {
				t.Error(err)
			}
		})
		if i%10 == 0 { // later requests must see the file
			if f, err := s.Stat(path); err != nil || f.Size != int64(len(path)) {
				t.Fatalf("%+v, %v", f, err)
			}
			must(t, s.Rename(path, path+"-renamed", false))
		}
		if i == 50 && len(names(t, s, "/upload")) != 51 {
			t.Fatal("a listing misses a closed file")
		}
	}
	wg.Wait()
	if n := len(names(t, s, "/upload")); n != 100 {
		t.Fatalf("%d names", n)
	}
	if n := len(w.drops()); n != 100 {
		t.Fatalf("%d drops", n)
	}
}

func manyPending(t *testing.T, w *world) {
	flushed := 0
	u := w.Customer("acme")
	s := w.tree.Begin(exchange.Login{User: u}, func() { flushed++ })
	var handles []*tree.Handle
	for i := range 200 {
		h := open(t, s, fmt.Sprintf("/upload/%d", i), create)
		must(t, write(h, "x", 0))
		handles = append(handles, h)
	}
	var wg sync.WaitGroup
	wg.Add(len(handles))
	for _, h := range handles {
		h.Close(func(error) { wg.Done() })
	}
	wg.Wait()
	s.End()
	if flushed == 0 {
		t.Fatal("replies were never let out before waiting")
	}
	if n := len(w.drops()); n != 200 {
		t.Fatalf("%d drops", n)
	}
}

func (w *world) quota(u model.User, bytes, files int64) {
	w.Helper()
	w.Must(testkit.Write(context.Background(), w.Store, func(tx *store.Tx) error {
		u.QuotaBytes, u.QuotaFiles = bytes, files
		return tx.SetUser(u)
	}))
}

func quotaPartial(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	h := open(t, s, "/upload/f", create)
	must(t, write(h, "0123456789", 0))
	w.quota(u, 5, 100)
	wantKind(t, closeHandle(h), fault.Quota)
	s.End()
	if len(w.drops()) != 0 {
		t.Fatal("it became a drop")
	}
	s = w.login(u)
	f, err := s.Stat("/upload/f")
	must(t, err)
	if f.Size != 9 || f.Mtime.Unix() != 0 {
		t.Fatalf("the partial shows %+v", f)
	}
	w.quota(u, 500, 100)
	h = open(t, s, "/upload/f", exchange.FlagWrite)
	must(t, write(h, "9", 9))
	must(t, closeHandle(h))
	w.current(u, "/upload/f", "0123456789")
	s.End()
}

func quotaUploads(t *testing.T, w *world) {
	u := w.Customer("acme")
	w.quota(u, 1000, 3)
	s := w.login(u)
	defer s.End()
	put(t, s, "/upload/a", strings.Repeat("a", 400))
	b, c := open(t, s, "/upload/b", create), open(t, s, "/upload/c", create)
	must(t, write(b, strings.Repeat("b", 400), 0))
	wantKind(t, write(c, strings.Repeat("c", 400), 0), fault.Quota)
	wantKind(t, closeHandle(c), fault.Conflict)
	c = open(t, s, "/upload/c", create)
	must(t, write(c, strings.Repeat("c", 100), 0))
	must(t, closeHandle(b))
	must(t, closeHandle(c))
	// Replacing a file counts only the additional bytes.
	put(t, s, "/upload/a", strings.Repeat("A", 450))
	_, err := s.Open("/upload/d", create, 0)
	wantKind(t, err, fault.Quota) // three files are the limit
	must(t, s.Remove("/upload/a"))
	put(t, s, "/upload/d", strings.Repeat("d", 400))
	sp, err := s.Space()
	must(t, err)
	if sp.Bytes != 1000 || sp.UsedBytes != 900 || sp.UsedFiles != 3 {
		t.Fatalf("%+v", sp)
	}
}

func limits(t *testing.T, w *world) {
	w.tree.Close()
	w.policy.MaxFile = 100
	w.open()
	u := w.Customer("acme")
	s := w.login(u)
	h := open(t, s, "/upload/f", create)
	wantKind(t, write(h, "x", 100), fault.TooLarge)
	wantKind(t, write(h, "x", 1<<62), fault.TooLarge)
	wantKind(t, wait(func(done func(error)) { h.Truncate(101, done) }), fault.TooLarge)
	wantKind(t, closeHandle(h), fault.Conflict)
	h = open(t, s, "/upload/f", create)
	must(t, write(h, "x", 99))
	must(t, closeHandle(h))
	s.End()
	w.tree.Close()
	w.policy.FreeFloor = 1 << 62
	w.open()
	s = w.login(u)
	_, err := s.Open("/upload/g", create, 0)
	wantKind(t, err, fault.NoSpace)
	s.End()
}

func becameDirectory(t *testing.T, w *world) {
	u := w.Customer("acme")
	a, b := w.login(u), w.login(u)
	h := open(t, a, "/upload/f", create)
	must(t, write(h, "x", 0))
	wantKind(t, b.Mkdir("/upload/f"), fault.Exists) // the upload holds the name
	must(t, a.Rename("/upload/f", "/upload/g", false))
	must(t, b.Mkdir("/upload/f"))
	wantKind(t, a.Rename("/upload/g", "/upload/f", true), fault.Exists)
	must(t, closeHandle(h))
	w.current(u, "/upload/g", "x")
	a.End()
	b.End()
}

func dirRemoved(t *testing.T, w *world) {
	u := w.Customer("acme")
	a, b := w.login(u), w.login(u)
	must(t, a.Mkdir("/upload/d"))
	h := open(t, a, "/upload/d/f", create)
	must(t, write(h, "x", 0))
	wantKind(t, b.Rmdir("/upload/d"), fault.Exists) // a directory with an upload is not empty
	must(t, closeHandle(h))
	wantKind(t, b.Rmdir("/upload/d"), fault.Exists)
	must(t, b.Remove("/upload/d/f"))
	must(t, b.Rmdir("/upload/d"))
	_, err := a.Open("/upload/d/f", create, 0)
	wantKind(t, err, fault.NotFound)
	a.End()
	b.End()
}

func revokedLogin(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	h := open(t, s, "/upload/f", create)
	must(t, write(h, "text", 0))
	// Another user's revocation does not affect this session.
	must(t, testkit.Write(context.Background(), w.Store, func(tx *store.Tx) error {
		return tx.Revoke(store.Revocation{UserID: "other"}, time.Now())
	}))
	must(t, closeHandle(h))
	h = open(t, s, "/upload/g", create)
	must(t, write(h, "text", 0))
	off := false
	_, err := w.Accounts.SetUser(context.Background(), "test", "acme", userEdit(&off))
	must(t, err)
	wantKind(t, closeHandle(h), fault.Denied)
	wantKind(t, s.Mkdir("/upload/d"), fault.Denied)
	wantKind(t, s.Remove("/upload/f"), fault.Denied)
	s.End()
	if n := len(w.drops()); n != 1 {
		t.Fatalf("%d drops", n)
	}
}

func endFinishes(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	ok := 0
	var mu sync.Mutex
	for i := range 30 {
		h := open(t, s, fmt.Sprintf("/upload/%d", i), create)
		must(t, write(h, "x", 0))
		h.Close(func(err error) {
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				ok++
			}
		})
	}
	s.End()
	if n := len(w.drops()); n != 30 || ok != 30 {
		t.Fatalf("%d drops, %d acknowledged", n, ok)
	}
}

func replacedSoon(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	defer s.End()
	put(t, s, "/upload/f", "one")
	put(t, s, "/upload/f", "two")
	v, err := s.Versions("/upload/f", model.Paging{})
	must(t, err)
	if len(v) != 1 {
		t.Fatalf("%d versions after a quick correction", len(v))
	}
	w.Pass(2 * time.Hour)
	put(t, s, "/upload/f", "three")
	if v, err = s.Versions("/upload/f", model.Paging{}); err != nil || len(v) != 2 || !v[0].Current {
		t.Fatalf("%+v, %v", v, err)
	}
	states := []model.DropState{}
	for _, d := range w.drops() {
		states = append(states, d.State)
	}
	if !slices.Equal(states, []model.DropState{"superseded", "superseded", "new"}) {
		t.Fatalf("drops are %v", states)
	}
	dead, err := w.Store.Read(context.Background()).DeadBlobs(time.UnixMicro(1<<62), 10)
	must(t, err)
	if len(dead) != 1 {
		t.Fatalf("%d dead blobs", len(dead))
	}
}

func usage(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	defer s.End()
	put(t, s, "/upload/a", "12345")
	put(t, s, "/upload/b.part", "123")
	must(t, s.Rename("/upload/b.part", "/upload/b", false))
	must(t, s.Rename("/upload/b", "/upload/a", true)) // replaces the target
	put(t, s, "/upload/c", "1234567")
	put(t, s, "/upload/c", "1")
	use, err := w.Store.Read(context.Background()).Usage(u.ID)
	must(t, err)
	if use.Bytes != 4 || use.Files != 2 {
		t.Fatalf("%+v", use)
	}
	must(t, s.Remove("/upload/a"))
	must(t, s.Remove("/upload/c"))
	if use, err = w.Store.Read(context.Background()).Usage(u.ID); err != nil || use.Bytes != 0 || use.Files != 0 {
		t.Fatalf("%+v, %v", use, err)
	}
}

// A bug seen on a full disk: the client closed after a failed write, and the truncated
// file was stored under its final name.
func failedWrite(t *testing.T, w *world) {
	u := w.Customer("acme")
	w.quota(u, 10, 10)
	s := w.login(u)
	h := open(t, s, "/upload/f", create)
	must(t, write(h, "01234", 0))
	wantKind(t, write(h, "56789abc", 5), fault.Quota)
	wantKind(t, closeHandle(h), fault.Conflict)
	s.End()
	if len(w.drops()) != 0 {
		t.Fatal("half a file became a drop")
	}
	w.quota(u, 100, 10)
	w.resume(u, "/upload/f", "0123456789abc")
}
