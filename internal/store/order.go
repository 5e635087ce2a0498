package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// rank is the place of a kind of row in the one order in which transactions
// take locks (ARCHITECTURE.md, "Who waits for whom"). Two transactions that
// follow it cannot wait for each other.
type rank int

// The order. Rows of one rank are taken in the order of their ids.
const (
	rankOperator    rank = iota // somebody who manages the server
	rankRequest                 // a request for access
	rankAccount                 // an account's state
	rankRun                     // a retention run
	rankPublication             // held while it is placed in mailboxes
	rankSequence                // the numbers of a feed
	rankExpectation             // an expectation and its state
	rankContact                 // a person, before the links that they were sent
	rankMailbox                 // a user's tree, counts and keys
	rankDrop                    // a received file
	rankHolds                   // the gate of holds
	rankDelivery                // how far a delivery was served
	rankCount                   // a named counter, also used as a lock
	rankSetting                 // a setting of the deployment
	rankKey                     // a user's record of a key
	rankLink                    // a one-time link
	rankBlob                    // references to stored bytes
	rankHold                    // a hold
	rankSeal                    // the sealing of the audit log
	rankRevocation              // the gate of revocations: nothing comes after it
)

var rankNames = [...]string{"operator", "request", "account", "retention run", "publication", "sequence",
	"expectation", "contact", "mailbox", "drop", "gate of holds", "delivery", "count", "setting", "key", "link",
	"blob", "hold", "audit seal", "gate of revocations"}

// lock is a row, or a gate, that a transaction holds.
type lock struct {
	rank rank
	id   string
}

func (l lock) compare(other lock) int {
	return cmp.Or(cmp.Compare(l.rank, other.rank), cmp.Compare(l.id, other.id))
}

func (l lock) String() string { return strings.TrimSpace(rankNames[l.rank] + " " + l.id) }

// take records that the transaction is about to hold a row. A row that comes before one that is
// already held is a bug, and fails as Internal, on every database and without other transactions
// present: the two orders could deadlock on PostgreSQL. A held row may be asked for again.
func (tx *Tx) take(r rank, id string) error {
	want := lock{r, id}
	if r == rankMailbox {
		tx.touch(id)
	}
	if n := len(tx.held); n == 0 || want.compare(tx.held[n-1]) > 0 {
		tx.held = append(tx.held, want)
		return nil
	}
	if _, held := slices.BinarySearchFunc(tx.held, want, lock.compare); held {
		return nil
	}
	return fault.Wrap("store.take", fault.Internal,
		fmt.Errorf("lock order: %s is asked for while %s is held", want, tx.held[len(tx.held)-1]))
}

// lockRows holds the rows that a query finds, which must be in the order of
// their ids, its only column, and returns them.
func (tx *Tx) lockRows(op string, r rank, query string, args ...any) ([]string, error) {
	ids, err := collect(&tx.Q, op, scanString, query+" "+tx.s.dialect.lock, args...)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if err := tx.take(r, id); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// On PostgreSQL the gates are advisory locks, not rows: transactions that share a row's lock go ahead
// of one that waits to update the row. Measured with 24 writers, an update of the row waited for up to
// 3 s; behind an advisory lock, whose waiters form a queue, for 30 ms.
const gates = 0x5a11 // first key of all our advisory locks of two keys

func gateRank(counter string) rank {
	switch counter {
	case HoldsGate:
		return rankHolds
	case revocationGate:
		return rankRevocation
	}
	return rankSeal
}

// gate holds a counter's gate until the transaction ends, in shared mode if share is set. On SQLite
// there is nothing to hold, since it has one writer at a time.
func (tx *Tx) gate(op, counter string, share bool) error {
	r := gateRank(counter)
	if err := tx.take(r, ""); err != nil || tx.s.dialect.single {
		return err
	}
	suffix := ""
	if share {
		suffix = "_shared"
	}
	_, err := tx.book(op, `SELECT pg_advisory_xact_lock`+suffix+`($1, $2)`, gates, int(r))
	return err
}
