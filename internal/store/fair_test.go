package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// crowd is how many changes of one user wait when another user's first change comes.
const crowd = 1000

func TestACrowdDelaysAnotherByOneBatch(t *testing.T) {
	onBoth(t, testkit.Postgres(t), func(t *testing.T, s *store.Store) {
		hog, honest := guardOf(t, s, "hog"), guardOf(t, s, "honest")
		var ran, before atomic.Int64
		hold, reached := make(chan struct{}), make(chan struct{}, crowd)
		var wg sync.WaitGroup
		for i := range crowd {
			wg.Go(func() {
				err := s.WriteAs(context.Background(), hog, func(tx *store.Tx) error {
					tx.Unaudited("a test")
					reached <- struct{}{}
					<-hold // holds the first ones until all others are queued
					ran.Add(1)
					return tx.AddVendor(model.Vendor{Short: fmt.Sprintf("v%d", i), Name: "V", CreatedAt: time.Now()})
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		<-reached
		time.Sleep(50 * time.Millisecond) // lets the crowd queue up; a call that comes late is later in line
		wg.Go(func() {
			err := s.WriteAs(context.Background(), honest, func(tx *store.Tx) error {
				tx.Unaudited("a test")
				before.Store(ran.Load())
				return tx.AddVendor(model.Vendor{Short: "honest", Name: "V", CreatedAt: time.Now()})
			})
			if err != nil {
				t.Error(err)
			}
		})
		time.Sleep(20 * time.Millisecond)
		close(hold)
		wg.Wait()
		if n := before.Load(); n > 2*64 {
			t.Fatalf("%d changes of another user came first", n)
		}
	})
}

func guardOf(t *testing.T, s *store.Store, name string) *store.Guard {
	t.Helper()
	return store.NewGuard(exchange.Login{User: model.User{ID: user(t, s, name), Name: name}})
}

// In the past, a failing change made every other member of its batch run in a transaction of its own.
func TestFailingChangesCostOthersNoTransaction(t *testing.T) {
	var commits atomic.Int64
	s, err := store.Open(context.Background(),
		store.Options{Dir: t.TempDir(), Probe: func(statement string, ran bool) error {
			if statement == "COMMIT" && !ran {
				commits.Add(1)
			}
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	hold, reached := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = s.Write(context.Background(), func(*store.Tx) error { close(reached); <-hold; return nil })
	})
	<-reached
	refused := errors.New("refused")
	for i := range 120 {
		wg.Go(func() {
			err := testkit.Write(context.Background(), s, func(tx *store.Tx) error {
				if err := tx.AddVendor(model.Vendor{Short: fmt.Sprintf("v%d", i), Name: "V", CreatedAt: time.Now()}); err != nil ||
					i%2 == 0 {
					return errors.Join(err, refused)
				}
				return nil
			})
			if (i%2 == 0) != errors.Is(err, refused) {
				t.Errorf("change %d: %v", i, err)
			}
		})
	}
	time.Sleep(100 * time.Millisecond) // until all are queued
	commits.Store(0)
	close(hold)
	wg.Wait()
	if n := commits.Load(); n > 10 {
		t.Fatalf("120 changes took %d transactions", n)
	}
	if all, err := s.Read(context.Background()).Vendors(model.Paging{}); err != nil || len(all) != 60 {
		t.Fatalf("%d vendors, %v", len(all), err)
	}
}
