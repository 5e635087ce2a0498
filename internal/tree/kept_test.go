package tree_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

func TestWhatAUserKeepsAlive(t *testing.T) {
	onBoth(t, map[string]func(*testing.T, *world){
		"files that are put and removed":                keptRemoved,
		"replaced files that somebody still needs":      keptReplaced,
		"many small ones":                               keptItems,
		"directories":                                   keptDirectories,
		"an upload that was begun before":               keptResume,
		"several uploads at once":                       keptUnderWay,
		"the users of an account together":              keptTogether,
		"depth, also of what a moved directory carries": depth,
	})
}

const kilo = 1000

// text returns n bytes.
func text(n int) string { return strings.Repeat("x", n) }

// try stores a file and returns the first error.
func try(s *tree.Session, path, content string) error {
	h, err := s.Open(path, create, 0)
	if err != nil {
		return err
	}
	if err := write(h, content, 0); err != nil {
		h.Abort()
		return err
	}
	return closeHandle(h)
}

// until returns how often try succeeds before it fails with Quota.
func until(t *testing.T, most int, try func(i int) error) (times int) {
	t.Helper()
	for i := range most {
		err := try(i)
		if fault.Is(err, fault.Quota) {
			return times
		}
		must(t, err)
		times++
	}
	t.Fatalf("%d times, and no limit was met", most)
	return 0
}

func (w *world) limited(l exchange.DefaultLimits) (model.User, *tree.Session) {
	w.Helper()
	w.policy.Limits = l
	w.reopen()
	u := w.Customer("acme")
	s := w.login(u)
	w.Cleanup(s.End)
	return u, s
}

// sweep advances the clock by a day and sweeps.
func (w *world) sweep() {
	w.Helper()
	w.Pass(25 * time.Hour)
	_, err := retention.NewSweeper(w.Store, w.Blobs, w.Clock, slog.New(slog.DiscardHandler)).Sweep(context.Background())
	w.Must(err)
}

func keptRemoved(t *testing.T, w *world) {
	u, s := w.limited(exchange.DefaultLimits{QuotaBytes: 10 * kilo, QuotaFiles: 100, KeptPercent: 150})
	n := until(t, 10, func(i int) error {
		name := fmt.Sprintf("/upload/f%d", i)
		if err := try(s, name, text(4*kilo)); err != nil {
			return err
		}
		return s.Remove(name)
	})
	if n != 3 {
		t.Fatalf("%d files of 4 kB were kept of a limit of 15 kB", n)
	}
	err := try(s, "/upload/f", text(4*kilo))
	if err == nil || !strings.Contains(err.Error(), "keeps 12000 of 15000 bytes") {
		t.Fatalf("it is not explained: %v", err)
	}
	must(t, try(s, "/upload/small", text(kilo)))
	got, err := w.Accounts.User(context.Background(), u.Name)
	must(t, err)
	if got.KeptBytes != 13*kilo || got.KeptItems != 4 {
		t.Fatalf("%d bytes, %d items", got.KeptBytes, got.KeptItems)
	}
}

func keptReplaced(t *testing.T, w *world) {
	u, s := w.limited(exchange.DefaultLimits{QuotaBytes: 10 * kilo, QuotaFiles: 100, KeptPercent: 150})
	n := until(t, 10, func(i int) error {
		w.Pass(2 * time.Hour) // else the older version is dropped at once
		return try(s, "/upload/f", text(4*kilo))
	})
	if n != 3 {
		t.Fatalf("%d versions of 4 kB were kept of a limit of 15 kB", n)
	}
	// A dropped version counts until its bytes are swept, and no longer.
	w.policy.Limits.KeptPercent = 400
	w.reopen()
	again := w.login(u)
	put(t, again, "/upload/f", text(4*kilo))
	put(t, again, "/upload/f", text(4*kilo)) // drops the previous version
	again.End()
	was, err := w.Accounts.User(context.Background(), u.Name)
	must(t, err)
	w.sweep()
	is, err := w.Accounts.User(context.Background(), u.Name)
	must(t, err)
	if was.KeptBytes != 20*kilo || is.KeptBytes != 16*kilo || is.KeptItems != 4 {
		t.Fatalf("%d bytes before the sweep, %d in %d items after it", was.KeptBytes, is.KeptBytes, is.KeptItems)
	}
}

func keptItems(t *testing.T, w *world) {
	_, s := w.limited(exchange.DefaultLimits{QuotaBytes: 1 << 30, QuotaFiles: 20, KeptPercent: 150})
	n := until(t, 100, func(i int) error {
		if err := try(s, "/upload/f", "x"); err != nil {
			return err
		}
		return s.Remove("/upload/f")
	})
	if n != 30 {
		t.Fatalf("%d items were kept of a limit of 30", n)
	}
}

// keptResume: at the limit, an unfinished upload can still be completed.
func keptResume(t *testing.T, w *world) {
	u, s := w.limited(exchange.DefaultLimits{QuotaBytes: 1 << 30, QuotaFiles: 20, KeptPercent: 150})
	w.lose(u, "/upload/begun", "the first half")
	until(t, 100, func(i int) error {
		if err := try(s, "/upload/f", "x"); err != nil {
			return err
		}
		return s.Remove("/upload/f")
	})
	w.resume(u, "/upload/begun", "the first half and the second")
}

func keptDirectories(t *testing.T, w *world) {
	_, s := w.limited(exchange.DefaultLimits{QuotaBytes: 1 << 30, QuotaFiles: 20, KeptPercent: 150})
	mkdir := func(i int) error { return s.Mkdir(fmt.Sprintf("/upload/d%d", i)) }
	if n := until(t, 100, mkdir); n != 30 {
		t.Fatalf("%d directories were made of a limit of 30 items", n)
	}
	must(t, s.Rmdir("/upload/d3"))
	must(t, s.Mkdir("/upload/d3"))
	s.End()
	w.policy.Limits.QuotaFiles, w.policy.Directories = 1000, 40
	w.reopen()
	s = w.login(model.User{ID: s.UserID(), Name: "acme", Account: "acme", Kind: model.KindCustomer})
	if n := until(t, 100, func(i int) error { return s.Mkdir(fmt.Sprintf("/upload/e%d", i)) }); n != 10 {
		t.Fatalf("%d directories more were made of a limit of 40", n)
	}
	s.End()
}

func keptUnderWay(t *testing.T, w *world) {
	u, s := w.limited(exchange.DefaultLimits{QuotaBytes: 10 * kilo, QuotaFiles: 100, KeptPercent: 150})
	put(t, s, "/upload/a", text(4*kilo))
	put(t, s, "/upload/b", text(4*kilo))
	// Both are replaced at once. The quota allows it, but the limit on kept bytes does not.
	other := w.login(u)
	t.Cleanup(other.End)
	first, second := open(t, s, "/upload/a", create), open(t, other, "/upload/b", create)
	must(t, write(first, text(4*kilo), 0))
	wantKind(t, write(second, text(4*kilo), 0), fault.Quota)
	must(t, closeHandle(first))
	wantKind(t, closeHandle(second), fault.Conflict)
}

func keptTogether(t *testing.T, w *world) {
	w.policy.Account = exchange.AccountLimits{Bytes: 1 << 40, Items: 1000}
	w.reopen()
	u := w.Customer("acme")
	ctx := context.Background()
	limit := int64(10 * kilo)
	_, err := w.Accounts.SetAccount(ctx, "test", "acme", model.EditAccount{KeepBytes: &limit})
	must(t, err)
	_, err = w.Accounts.AddVendor(ctx, "test", model.NewVendor{Short: "meter", Name: "Meter"})
	must(t, err)
	_, err = w.Accounts.AddUser(ctx, "test", model.NewUser{Account: "acme", Vendor: "meter"})
	must(t, err)
	second, err := w.Accounts.User(ctx, "acme-meter")
	must(t, err)
	other := w.tree.Begin(exchange.Login{User: second, Operator: "test"}, nil)
	defer other.End()
	must(t, other.Mkdir("/upload"))
	put(t, other, "/upload/f", text(3*kilo))
	s := w.login(u)
	defer s.End()
	must(t, try(s, "/upload/a", text(4*kilo)))
	err = try(s, "/upload/b", text(7*kilo))
	wantKind(t, err, fault.Quota)
	if !strings.Contains(err.Error(), "all log-ins of this account") {
		t.Fatalf("it is not explained: %v", err)
	}
}

func depth(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	defer s.End()
	path := "/upload"
	for range valid.MaxDepth - 1 {
		path += "/d"
		must(t, s.Mkdir(path))
	}
	wantKind(t, s.Mkdir(path+"/d"), fault.Invalid)
	put(t, s, path+"/file", "as deep as can be")
	w.current(u, path+"/file", "as deep as can be")
	if got := names(t, s, path); len(got) != 1 || got[0] != "file" {
		t.Fatalf("the deepest directory has %q", got)
	}
	for _, absent := range []string{path + "/none", path + "/d/d/d/file", "/upload/d/x/d/d/d/d/d/d/d/d/d/file",
		"/upload" + strings.Repeat("/d", 200)} {
		if _, err := s.Stat(absent); !fault.Is(err, fault.NotFound) {
			t.Fatalf("%s: %v", absent, err)
		}
	}
	must(t, s.Mkdir("/upload/other"))
	must(t, s.Mkdir("/upload/other/x"))
	wantKind(t, s.Rename("/upload/d", "/upload/other/d", false), fault.Invalid)
	must(t, s.Rename("/upload/d/d", "/upload/other/y", false))
	wantKind(t, s.Rename("/upload/other", strings.Replace(path, "/upload/d/d", "/upload/other/y", 1)+"/x", false),
		fault.Invalid)
	deep := "/upload/other/y" + strings.Repeat("/d", valid.MaxDepth-3)
	w.current(u, deep+"/file", "as deep as can be")
	must(t, s.Rename(deep+"/file", "/upload/file", false))
	must(t, s.Rename("/upload/file", deep+"/file", false))
	must(t, s.Remove(deep+"/file"))
	must(t, s.Rmdir(deep))
}
