package identity

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// learnt gathers who logs in while host keys are rotated, until that is written down.
type learnt struct {
	mu     sync.Mutex
	places map[place]*store.HostKeyClient
}

// place is where a user's program logs in from.
type place struct{ user, address string }

const (
	mostPlaces  = 10_000              // between two writes; more are left out
	placesIn    = 200                 // in a transaction
	watchedTill = 30 * 24 * time.Hour // after the new keys came into use
)

// LoggedIn notes a log-in. Once the new keys are in use, whoever logs in has accepted them.
func (r *Ring) LoggedIn(userID, address, client string) {
	state := r.pending.Load()
	if state == nil {
		return
	}
	now := r.k.Clock().UTC()
	if state.DoneAt != nil && now.Sub(*state.DoneAt) > watchedTill {
		return
	}
	r.note(place{userID, address}, client, now, state.DoneAt != nil)
}

// Learnt notes that a session's client asked for a proof of host keys, because they were new to it.
func (r *Ring) Learnt(l exchange.Login, prints []string) {
	state := r.pending.Load()
	if state == nil || l.Probe {
		return
	}
	for _, f := range state.Fingerprints {
		if !slices.Contains(prints, f) {
			return // it asked about other keys
		}
	}
	r.note(place{l.User.ID, l.Address}, l.Client, r.k.Clock().UTC(), true)
}

func (r *Ring) note(at place, client string, now time.Time, knows bool) {
	r.seen.mu.Lock()
	defer r.seen.mu.Unlock()
	c := r.seen.places[at]
	if c == nil {
		if len(r.seen.places) >= mostPlaces {
			return
		}
		c = &store.HostKeyClient{UserID: at.user, Address: at.address}
		r.seen.places[at] = c
	}
	c.Client, c.At, c.Learnt = client, now, c.Learnt || knows
}

// writeSeen writes down what was noted. What could not be written is noted again.
func (r *Ring) writeSeen(ctx context.Context) error {
	r.seen.mu.Lock()
	list := make([]store.HostKeyClient, 0, len(r.seen.places))
	for _, c := range r.seen.places {
		list = append(list, *c)
	}
	clear(r.seen.places)
	r.seen.mu.Unlock()
	for part := range slices.Chunk(list, placesIn) {
		err := r.k.Store.Write(ctx, func(tx *store.Tx) error {
			for _, c := range part {
				if err := tx.SawHostKeys(c); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			r.noteAgain(part)
			return err
		}
	}
	return nil
}

// noteAgain keeps what could not be written, unless something newer came meanwhile.
func (r *Ring) noteAgain(list []store.HostKeyClient) {
	r.seen.mu.Lock()
	defer r.seen.mu.Unlock()
	for _, c := range list {
		at := place{c.UserID, c.Address}
		if newer := r.seen.places[at]; newer != nil {
			newer.Learnt = newer.Learnt || c.Learnt
		} else if len(r.seen.places) < mostPlaces {
			r.seen.places[at] = &c
		}
	}
}

// Clients lists from where users log in while keys are rotated.
func (r *Ring) Clients(ctx context.Context, f model.HostKeyClientFilter) ([]model.HostKeyClient, error) {
	if err := r.writeSeen(ctx); err != nil {
		return nil, err
	}
	return r.k.Store.Read(ctx).HostKeyClients(f)
}
