// Package mailbox owns the rows of users' mailboxes inside a transaction: which name shows which
// version, the versions behind it, their references to stored bytes, directories, and the counts of
// all of these. Every change of these rows is made here, so that names, history and counts agree.
//
// A Box is a mailbox whose row a transaction holds. Callers decide what a change means to others
// (received files, deliveries, audit rows), who may make it, and which limits are in force.
package mailbox

import (
	"slices"

	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Box is a mailbox whose row a transaction holds until it ends, so that changes of
// one mailbox happen one after another.
type Box struct {
	store.Usage // when the row was read
	tx          *store.Tx
	user        string // id
}

// Lock holds a user's mailbox until the transaction ends. Several mailboxes must be locked in the
// order of their users' ids (LockAll).
func Lock(tx *store.Tx, userID string) (*Box, error) {
	use, err := tx.LockMailbox(userID)
	return &Box{Usage: use, tx: tx, user: userID}, err
}

// LockAll holds the mailboxes of users, in the order of their ids.
func LockAll(tx *store.Tx, userIDs []string) (map[string]*Box, error) {
	boxes := map[string]*Box{}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(userIDs))) {
		b, err := Lock(tx, id)
		if err != nil {
			return nil, err
		}
		boxes[id] = b
	}
	return boxes, nil
}

// count adds to the mailbox's counts; what is visible may only grow within limits.
func (b *Box) count(add store.Counts, limits model.StorageLimits) error {
	return b.tx.Use(b.user, add, limits)
}

// shrink subtracts a file of a size from what is visible.
func (b *Box) shrink(size int64) error {
	return b.count(store.Counts{Bytes: -size, Files: -1}, model.StorageLimits{})
}
