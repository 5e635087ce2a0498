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
const mostChallenges = 20_000

// mostBegun is how many sign-ins an address may begin in a minute.
const mostBegun = 60

// mayBegin refuses an address that begins too many sign-ins.
func (s *Service) mayBegin(v Visitor) error {
	at, now := v.Address.String(), s.now()
	if s.begins.Refused(at, now) == 0 && !s.begins.Failed(at, now) {
		return nil
	}
	return fault.E("operator.mayBegin", fault.Busy, "Too many sign-ins were begun from your network.").
		WithHint("try again in a minute")
}

// challenge records that something has begun, and returns the ticket that finishes it. Only the browser
// that began it has the ticket, as a cookie.
func (s *Service) challenge(ctx context.Context, purpose string, data any) (ticket string, err error) {
	const op = "operator.challenge"
	text, err := json.Marshal(data)
	if err != nil {
		return "", fault.Wrap(op, fault.Internal, err)
	}
	ticket = randomSecret()
	return ticket, s.o.Store.Write(ctx, func(tx *store.Tx) error {
		n, err := tx.CountChallenges()
		if err != nil {
			return err
		}
		if n >= mostChallenges {
			return fault.E(op, fault.Busy, "Too many sign-ins have begun.").WithHint("try again in some minutes")
		}
		return tx.AddChallenge(store.Challenge{Hash: hashOf(ticket), Purpose: purpose, Data: string(text),
			ExpiresAt: s.now().Add(challengeWorks)})
	})
}

// finish returns what a ticket has begun, once, if it was for a purpose.
func finish[T any](ctx context.Context, s *Service, ticket, purpose string) (data T, err error) {
	late := fault.E("operator.finish", fault.Denied, "This took too long, or was done before. Please begin again.")
	c, err := store.Change(ctx, s.o.Store, func(tx *store.Tx) (store.Challenge, error) {
		return tx.TakeChallenge(hashOf(ticket))
	})
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
