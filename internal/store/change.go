package store

import (
	"context"
	"errors"
)

// Change runs fn in a transaction, as Write does, and returns what the run of fn
// returned that was committed. fn may run more than once, so it hands its result
// out by returning it and in no other way: what an earlier run left in a variable
// of the caller would mix with it.
//
// With an error, the result is the zero value. If the outcome is unknown
// (ErrOutcomeUnknown), it is that of the run whose COMMIT got no answer.
func Change[T any](ctx context.Context, s *Store, fn func(tx *Tx) (T, error)) (T, error) {
	return ChangeAs(ctx, s, nil, fn)
}

// ChangeAs is Change, as a change that a login makes (WriteAs).
func ChangeAs[T any](ctx context.Context, s *Store, g *Guard, fn func(tx *Tx) (T, error)) (T, error) {
	var out, none T
	err := s.WriteAs(ctx, g, func(tx *Tx) (err error) {
		out, err = fn(tx)
		return err
	})
	if err != nil && !errors.Is(err, ErrOutcomeUnknown) {
		return none, err
	}
	return out, err
}
