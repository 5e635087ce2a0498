package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestARunLeavesNothingBehind: each function runs twice. State that the first run left in a variable
// of the caller is detected, and the returned result is that of the second run.
func TestARunLeavesNothingBehind(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		s, err := store.Open(ctx, store.Options{Dir: t.TempDir(), URL: url, Again: testkit.SameRun})
		testkit.Must(t, err)
		defer s.Close()

		runs := 0
		got, err := store.Change(ctx, s, func(tx *store.Tx) (string, error) {
			runs++
			return fmt.Sprint("run ", runs), tx.SetSetting("a", "b")
		})
		if testkit.Must(t, err); runs != 2 || got != "run 2" {
			t.Fatalf("%d runs returned %q", runs, got)
		}

		var leaked []string
		_, err = store.Change(ctx, s, func(tx *store.Tx) ([]string, error) {
			leaked = append(leaked, "a name")
			return leaked, nil
		})
		testkit.WantKind(t, err, fault.Internal)

		done := false
		err = s.Write(ctx, func(tx *store.Tx) error {
			if done {
				return nil
			}
			done = true
			return tx.SetSetting("a", "c")
		})
		testkit.WantKind(t, err, fault.Internal)
		if v, err := s.Read(ctx).Setting("a"); err != nil || v != "b" {
			t.Fatalf("the setting is %q, %v", v, err)
		}
	})
}

// TestAChangeOfStateHasAnAuditRow: a change of state without an audit row fails and stores nothing.
// Bookkeeping needs no row.
func TestAChangeOfStateHasAnAuditRow(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		s, _ := testkit.OpenStore(t, url)
		ctx := context.Background()
		add := func(tx *store.Tx) error {
			return tx.AddVendor(model.Vendor{Short: "v", Name: "V", CreatedAt: time.Now()})
		}
		testkit.WantKind(t, s.Write(ctx, add), fault.Internal)
		testkit.Must(t, s.Write(ctx, func(tx *store.Tx) error {
			if err := add(tx); err != nil { // the first try left no row
				return err
			}
			return tx.Audit(model.AuditRow{ID: ids.New(), At: time.Now(), Actor: "test", Action: "vendor.add", Subject: "v"})
		}))
		testkit.Must(t, s.Write(ctx, func(tx *store.Tx) error { return tx.SetSetting("a", "b") }))
		testkit.WantKind(t, testkit.Write(ctx, s, add), fault.Exists)
	})
}

// panickingMember: functions share transactions; some panic and one omits its audit row. The others
// are stored.
func panickingMember(t *testing.T, s *store.Store) {
	var wg sync.WaitGroup
	errs := make([]error, 50)
	for i := range errs {
		wg.Go(func() {
			errs[i] = s.Write(context.Background(), func(tx *store.Tx) error {
				if i%10 != 1 {
					tx.Unaudited("a test")
				}
				if err := tx.AddVendor(model.Vendor{Short: fmt.Sprintf("v%d", i), Name: "V", CreatedAt: time.Now()}); err != nil {
					return err
				}
				if i%10 == 0 {
					panic("a bug")
				}
				return nil
			})
		})
	}
	wg.Wait()
	for i, err := range errs {
		if bad := i%10 < 2; bad && !fault.Is(err, fault.Internal) || !bad && err != nil {
			t.Errorf("member %d: %v", i, err)
		}
	}
	if all, err := s.Read(context.Background()).Vendors(model.Paging{}); err != nil || len(all) != 40 {
		t.Fatalf("%d vendors, %v", len(all), err)
	}
}
