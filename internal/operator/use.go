package operator

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// writeUses is how often last uses of tokens are written. A request waits for no write.
const writeUses = time.Minute

// lookAtPeople is how often operators who do not sign in, and sessions that are over, are looked for.
const lookAtPeople = 10 * time.Minute

// use is a last use that is not written yet.
type use struct {
	at   time.Time
	from string
}

// paced limits a token's requests.
type paced struct {
	limit  *rate.Limiter
	latest time.Time
}

// step lets one request of a token through, or says how long it must wait.
func (s *Service) step(id string, now time.Time) time.Duration {
	p := s.policy.Load()
	if p.Rate <= 0 {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.pace[id]
	if one == nil {
		one = &paced{limit: rate.NewLimiter(rate.Limit(float64(p.Rate)/60), max(p.Burst, 1))}
		s.pace[id] = one
	}
	one.latest = now
	r := one.limit.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// note keeps a token's use, to be written later.
func (s *Service) note(id string, from netip.Addr, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used[id] = use{now, from.String()}
}

// Keep writes last uses of tokens until ctx ends, and once more then. It disables operators who do not
// sign in, and forgets old sessions.
func (s *Service) Keep(ctx context.Context) {
	defer func() {
		if err := s.Flush(context.WithoutCancel(ctx)); err != nil {
			s.o.Log.Error("uses of API tokens could not be written", "err", err)
		}
	}()
	var people sync.WaitGroup
	people.Go(func() {
		exchange.Task{Every: lookAtPeople, Do: s.keepPeople, Failure: "sessions of operators could not be looked at",
			Log: s.o.Log}.Run(ctx)
	})
	defer people.Wait()
	exchange.Task{Every: writeUses, Later: true, Do: s.Flush, Failure: "uses of API tokens could not be written",
		Log: s.o.Log}.Run(ctx)
}

// Flush writes last uses of tokens.
func (s *Service) Flush(ctx context.Context) error {
	s.mu.Lock()
	pending := s.used
	s.used = map[string]use{}
	for id, p := range s.pace {
		if s.now().Sub(p.latest) > time.Hour { // a full bucket is as good as none
			delete(s.pace, id)
		}
	}
	s.mu.Unlock()
	if len(pending) == 0 {
		return nil
	}
	err := s.o.Store.Write(ctx, func(tx *store.Tx) error {
		for _, id := range slices.Sorted(maps.Keys(pending)) {
			if err := tx.TokenUsed(id, pending[id].from, pending[id].at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.putBack(pending)
	}
	return err
}

// putBack keeps uses that could not be written, unless there are newer ones.
func (s *Service) putBack(pending map[string]use) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, u := range pending {
		if newer, ok := s.used[id]; !ok || newer.at.Before(u.at) {
			s.used[id] = u
		}
	}
}
