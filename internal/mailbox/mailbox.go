// Package mailbox owns the rows of users' mailboxes inside a transaction: which
// name shows which version, the versions behind it, their references on stored
// bytes, directories, and the counts of all of these. Whoever changes one of them
// changes it here, so that names, history and use agree.
//
// A Box is a mailbox that a transaction holds. What a change means to others
// (received files, deliveries, audit rows), who may make it, and the limits in
// force are the callers' business.
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

// Lock holds a user's mailbox. Who holds several locks them in the order of their
// users' ids.
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

// count adds to the mailbox's counts; what is visible grows within limits.
func (b *Box) count(add store.Counts, limits model.StorageLimits) error {
	return b.tx.Use(b.user, add, limits)
}

// shrink takes a file out of what is visible.
func (b *Box) shrink(size int64) error {
	return b.count(store.Counts{Bytes: -size, Files: -1}, model.StorageLimits{})
}
