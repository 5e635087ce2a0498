package store_test

import (
	"context"
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

func TestLocksAreTakenInOneOrder(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		s, _ := testkit.OpenStore(t, url)
		testkit.Must(t, testkit.Write(context.Background(), s, func(tx *store.Tx) error {
			if err := tx.AddAccount(model.Account{ID: "acme", Name: "acme", State: model.AccountActive}); err != nil {
				return err
			}
			for _, id := range []string{"A", "B"} {
				if err := tx.AddUser(model.User{ID: id, Name: id, Account: "acme", Kind: model.KindCustomer}, 0); err != nil {
					return err
				}
			}
			return nil
		}))
		box := func(id string) func(*store.Tx) error {
			return func(tx *store.Tx) error { _, err := tx.LockMailbox(id); return err }
		}
		drop := func(id string) func(*store.Tx) error {
			return func(tx *store.Tx) error { _, err := tx.LockDropState(id); return err }
		}
		use := func(id string) func(*store.Tx) error {
			return func(tx *store.Tx) error { return tx.Use(id, store.Counts{}, model.StorageLimits{}) }
		}
		gate := func(tx *store.Tx) error { _, err := tx.LockCounter(store.HoldsGate); return err }
		share := func(tx *store.Tx) error { return tx.ShareCounter(store.HoldsGate) }
		for name, c := range map[string]struct {
			steps []func(*store.Tx) error
			fault string // "" if it is the right order
		}{
			"mailboxes, drops, the gate": {[]func(*store.Tx) error{box("A"), box("B"), drop("1"), drop("2"), share},
				""},
			"what is held may be asked for": {[]func(*store.Tx) error{box("A"), use("B"), drop("1"), gate, box("A"), share,
				use("B"), drop("1")}, ""},
			"a mailbox after the gate": {[]func(*store.Tx) error{gate, box("A")},
				"lock order: mailbox A is asked for while gate of holds is held"},
			"a mailbox after a shared gate": {[]func(*store.Tx) error{box("A"), share, use("B")},
				"lock order: mailbox B is asked for while gate of holds is held"},
			"a mailbox after a drop": {[]func(*store.Tx) error{drop("1"), box("A")},
				"lock order: mailbox A is asked for while drop 1 is held"},
			"mailboxes in another order": {[]func(*store.Tx) error{box("B"), box("A")},
				"lock order: mailbox A is asked for while mailbox B is held"},
			"drops in another order": {[]func(*store.Tx) error{drop("2"), drop("1")},
				"lock order: drop 1 is asked for while drop 2 is held"},
			"a mailbox between two that are held": {[]func(*store.Tx) error{box("A"), drop("1"), use("B")},
				"lock order: mailbox B is asked for while drop 1 is held"},
		} {
			err := testkit.Write(context.Background(), s, func(tx *store.Tx) error {
				for _, step := range c.steps {
					if err := step(tx); err != nil {
						return err
					}
				}
				return nil
			})
			if c.fault == "" && err != nil || c.fault != "" &&
				(!fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), c.fault)) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestARevocationIsTheLastLock: a transaction that revokes takes the gate last, whatever its function
// does after Revoke.
func TestARevocationIsTheLastLock(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		s, _ := testkit.OpenStore(t, url)
		ctx := context.Background()
		testkit.Must(t, testkit.Write(ctx, s, func(tx *store.Tx) error {
			if err := tx.Revoke(store.Revocation{UserID: "A", Reason: "lost"}, time.Now()); err != nil {
				return err
			}
			return tx.Count("something", 1) // a lock that ranks before the gate
		}))
		n, err := s.Read(ctx).RevocationNumber()
		testkit.Must(t, err)
		if n != 1 {
			t.Fatalf("%d revocations", n)
		}
		failed := fault.E("test", fault.Conflict, "no")
		testkit.WantKind(t, testkit.Write(ctx, s, func(tx *store.Tx) error {
			if err := tx.Revoke(store.Revocation{UserID: "A", Reason: "lost"}, time.Now()); err != nil {
				return err
			}
			return failed
		}), fault.Conflict)
		if n, _ := s.Read(ctx).RevocationNumber(); n != 1 {
			t.Fatalf("a change that failed revoked: %d", n)
		}
	})
}

// TestARevocationDoesNotStarve: a revocation gets the gate although logins share it at every moment.
func TestARevocationDoesNotStarve(t *testing.T) {
	s, _ := testkit.OpenStore(t, testkit.Postgres(t).Database(t))
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	for range 16 {
		all.Go(func() {
			g := store.NewGuard(exchange.Login{User: model.User{ID: "busy"}})
			for ctx.Err() == nil {
				if err := s.WriteAs(context.Background(), g, func(tx *store.Tx) error { return nil }); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 10 {
		began := time.Now()
		testkit.Must(t, testkit.Write(ctx, s,
			func(tx *store.Tx) error { return tx.Revoke(store.Revocation{UserID: "other"}, time.Now()) }))
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("a revocation took %v", d)
		}
	}
}
