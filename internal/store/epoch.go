package store

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Epochs say whether a mailbox has changed since something of it was read. They are kept in memory: only
// this process writes into the database while it serves it.

// Epoch is the state of a mailbox. Read it before what is to be remembered with it.
type Epoch struct {
	Any  int64 // grows with each change of the mailbox
	Tree int64 // grows with each change of its directories
}

// epochs has the epochs of mailboxes, by user id.
type epochs struct{ of sync.Map }

type epoch struct{ any, tree atomic.Int64 }

func (e *epochs) get(userID string) *epoch {
	if v, ok := e.of.Load(userID); ok {
		return v.(*epoch)
	}
	v, _ := e.of.LoadOrStore(userID, &epoch{})
	return v.(*epoch)
}

// Epoch returns the state of a user's mailbox.
func (s *Store) Epoch(userID string) Epoch {
	e := s.epochs.get(userID)
	return Epoch{Any: e.any.Load(), Tree: e.tree.Load()}
}

// touched collects the mailboxes that a transaction may change: those that it holds, and those of files whose
// times it sets.
type touched struct{ any, tree []string }

// touch notes that the transaction may change a mailbox.
func (tx *Tx) touch(userID string) {
	if t := tx.touched; t != nil && !slices.Contains(t.any, userID) {
		t.any = append(t.any, userID)
	}
}

// touchTree notes that the transaction changes directories of the mailboxes that it holds.
func (tx *Tx) touchTree() {
	if tx.touched == nil {
		return
	}
	for _, l := range tx.held {
		if l.rank == rankMailbox && !slices.Contains(tx.touched.tree, l.id) {
			tx.touched.tree = append(tx.touched.tree, l.id)
		}
	}
}

// advance begins new epochs of the mailboxes that a transaction held. It comes after COMMIT, and before
// anybody is told of it.
func (s *Store) advance(t *touched) {
	for _, id := range t.tree {
		s.epochs.get(id).tree.Add(1)
	}
	for _, id := range t.any {
		s.epochs.get(id).any.Add(1)
	}
}
