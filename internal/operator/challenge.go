package operator

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// challengeWorks is how long a sign-in that has begun may take.
const challengeWorks = 10 * time.Minute

// mostChallenges bounds sign-ins that have begun: anybody may begin one.
const mostChallenges = 100_000

// mostBegun is how many sign-ins an address may begin in a minute.
const mostBegun = 30

// mayBegin refuses an address that begins too many sign-ins.
func (s *Service) mayBegin(v Visitor) error {
	at, now := party(v.Address), s.now()
	if s.begins.Refused(at, now) == 0 && !s.begins.Failed(at, now) {
		return nil
	}
	return fault.E("operator.mayBegin", fault.Busy, "Too many sign-ins were begun from your network.").
		WithHint("try again in a minute")
}

// challenge records that something has begun, and returns the ticket that finishes it. Only the browser
// that began it has the ticket, as a cookie. alone ends what was begun for the purpose before: of somebody who
// is signed in, one is enough.
func (s *Service) challenge(ctx context.Context, purpose string, alone bool, data any) (ticket string, err error) {
	text, err := json.Marshal(data)
	if err != nil {
		return "", fault.Wrap("operator.challenge", fault.Internal, err)
	}
	ticket = randomSecret()
	now := s.now()
	return ticket, s.o.Store.Write(ctx, func(tx *store.Tx) error {
		return tx.AddChallenge(store.Challenge{Hash: hashOf(ticket), Purpose: purpose, Data: string(text),
			ExpiresAt: now.Add(challengeWorks)}, now, alone, mostChallenges)
	})
}

// finish returns what a ticket has begun, once, if it was for a purpose.
func finish[T any](ctx context.Context, s *Service, ticket, purpose string) (data T, err error) {
	late := fault.E("operator.finish", fault.Denied, "This took too long, or was done before. Please begin again.")
	hash := hashOf(ticket)
	if _, err := s.o.Store.Read(ctx).Challenge(hash); fault.Is(err, fault.NotFound) {
		return data, late // a made-up ticket costs no write
	}
	c, err := store.Change(ctx, s.o.Store, func(tx *store.Tx) (store.Challenge, error) { return tx.TakeChallenge(hash) })
	switch {
	case fault.Is(err, fault.NotFound):
		return data, late
	case err != nil:
		return data, err
	case c.Purpose != purpose || !s.now().Before(c.ExpiresAt):
		return data, late
	}
	if err := json.Unmarshal([]byte(c.Data), &data); err != nil {
		return data, fault.Wrap("operator.finish", fault.Internal, err)
	}
	return data, nil
}
