package account

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Revocations are polled twice a second. If polling fails for pollLimit, writes are refused,
// since a revoked login could be making them.
const (
	pollEvery = 500 * time.Millisecond
	pollLimit = 10 * time.Second
)

// Revocations ends the sessions of revoked logins. A revocation may come from any node.
type Revocations struct {
	accounts *Service
	log      *slog.Logger
	end      func(match func(*exchange.Login) bool) int

	last   int64
	polled atomic.Int64 // UnixNano of the last successful poll
}

// WatchRevocations returns a watcher that skips the revocations made so far. It polls once Run
// is called.
func (r *Service) WatchRevocations(log *slog.Logger) (*Revocations, error) {
	w := &Revocations{accounts: r, log: log}
	var err error
	w.last, err = r.store.Read(context.Background()).RevocationNumber()
	w.polled.Store(time.Now().UnixNano())
	return w, err
}

// MayWrite returns Unavailable if no poll has succeeded for pollLimit.
func (r *Revocations) MayWrite() error {
	if time.Since(time.Unix(0, r.polled.Load())) < pollLimit {
		return nil
	}
	return fault.E("account.MayWrite", fault.Unavailable, "The server cannot store files now; please try again.")
}

// MayStill returns an error if the login was revoked, or if that cannot be determined.
func (r *Revocations) MayStill(l *exchange.Login) error {
	if err := r.MayWrite(); err != nil {
		return err
	}
	ok, err := r.accounts.Confirm(context.Background(), *l)
	if err == nil && !ok {
		err = fault.E("account.MayStill", fault.Denied, "This login has ended; nothing more is stored.")
	}
	return err
}

// Run polls until ctx ends. For each revocation it calls end, which must end the matching
// sessions and return their number.
func (r *Revocations) Run(ctx context.Context, end func(match func(*exchange.Login) bool) int) {
	r.end = end
	exchange.Task{Every: pollEvery, Later: true, Log: r.log, Failure: "revocations could not be read", Do: r.poll}.Run(ctx)
}

func (r *Revocations) poll(context.Context) error {
	q := r.accounts.store.Read(context.Background())
	number, err := q.RevocationNumber()
	if err != nil {
		return err
	}
	if number > r.last {
		list, err := q.RevocationsAfter(r.last)
		if err != nil {
			return err
		}
		for _, v := range list {
			ended := r.end(v.Ends)
			if ended > 0 {
				r.log.Info("sessions were ended", "count", ended, "reason", v.Reason)
			}
			r.last = v.Number
		}
	}
	r.polled.Store(time.Now().UnixNano())
	return nil
}
