package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Change runs fn in a transaction, as Write does, and returns the result of the run that was
// committed. fn may run more than once, so it must hand out its result by returning it. Variables of
// the caller would keep values of a run that was undone.
//
// With an error, the result is the zero value. If the outcome is unknown (ErrOutcomeUnknown), it is
// the result of the run whose COMMIT got no answer.
func Change[T any](ctx context.Context, s *Store, fn func(tx *Tx) (T, error)) (T, error) {
	return ChangeAs(ctx, s, nil, fn)
}

// ChangeAs is Change through WriteAs: it fails as Denied if the login of g was revoked.
func ChangeAs[T any](ctx context.Context, s *Store, g *Guard, fn func(tx *Tx) (T, error)) (T, error) {
	return returned(fn, func(fn func(tx *Tx) error) error { return s.WriteAs(ctx, g, fn) })
}

// ChangeFor is Change through WriteFor, in the turn of a party.
func ChangeFor[T any](ctx context.Context, s *Store, party string, fn func(tx *Tx) (T, error)) (T, error) {
	return returned(fn, func(fn func(tx *Tx) error) error { return s.WriteFor(ctx, party, fn) })
}

// returned runs fn through write and returns the result of the committed run.
func returned[T any](fn func(tx *Tx) (T, error), write func(func(tx *Tx) error) error) (T, error) {
	var out, none T
	err := write(func(tx *Tx) (err error) {
		out, err = fn(tx)
		if tx.did != nil {
			tx.did.Result = out
		}
		return err
	})
	if err != nil && !errors.Is(err, ErrOutcomeUnknown) {
		return none, err
	}
	return out, err
}

// Unaudited declares that the function needs no audit row of its own. why is the reason: another
// transaction writes the row, or there is nothing to record. An empty why has no effect.
func (tx *Tx) Unaudited(why string) { tx.audited = tx.audited || why != "" }

// checkAudited fails if the function changed state and wrote no audit row. That is a bug, so any test
// that runs the function finds it.
func (tx *Tx) checkAudited() error {
	if tx.changed == "" || tx.audited {
		return nil
	}
	return fault.Wrap("store.Write", fault.Internal, fmt.Errorf("%s changed state without an audit row", tx.changed))
}

// Run is what one run of a transaction's function did, for Options.Again.
type Run struct {
	Statements []string // those that change rows
	Result     any      // of Change; nil for Write
	Err        error
}

// runTwice runs fn, undoes it, and runs it again; Options.Again compares the two runs. State that the
// first run left outside the database shows up as a difference.
func (tx *Tx) runTwice(fn func(*Tx) error) error {
	if _, err := tx.execute("SAVEPOINT twice"); err != nil {
		return tx.s.wrap("Write", err)
	}
	first, second := &Tx{Q: tx.Q, did: &Run{}}, &Tx{Q: tx.Q, did: &Run{}} // both note the mailboxes
	first.did.Err = first.runOnce(fn)
	for _, undo := range []string{"ROLLBACK TO twice", "RELEASE twice"} {
		if _, err := tx.execute(undo); err != nil {
			return tx.s.wrap("Write", err)
		}
	}
	second.did.Err = second.runOnce(fn)
	if err := tx.s.again(*first.did, *second.did); err != nil {
		return fault.Wrap("store.Write", fault.Internal, err)
	}
	return second.did.Err
}
