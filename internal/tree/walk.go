package tree

import (
	"context"
	"errors"
	"path"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// A directory that is renamed may have any number of files below it. Files that leave a
// staging folder are received; unclaimed drops get the new path. A long transaction would
// block the other writers, so the transaction of the rename only records this work as
// owed, and short transactions do it afterwards. Until they are done, sessions make no
// other audited change to the mailbox.

const (
	// receivePage is how many files one transaction receives.
	receivePage = 200
	// walkedAtOnce is how many directories one transaction looks into.
	walkedAtOnce = 100
	// followPage is how many drops one transaction gives the new path.
	followPage = 200
)

// owe records the work that follows from a directory's rename, and reports whether there
// is any. waited says that the directory was in a staging folder before.
func (s *Session) owe(tx *store.Tx, src, dst place, waited bool, now time.Time) (owed bool, err error) {
	if s.login.Operator != "" {
		return false, nil
	}
	_, waits, err := tx.DirPath(src.self.ID)
	if err != nil || waits {
		return false, err
	}
	if owed, err = tx.UnclaimedBelow(s.login.User.ID, src.path); err != nil {
		return false, err
	}
	if owed {
		if err := tx.AddMoved(store.MovedDir{ID: s.t.ids.New(), UserID: s.login.User.ID, From: src.path,
			To: dst.path}); err != nil {
			return false, err
		}
	}
	if !waited {
		return owed, nil
	}
	w := store.Walk{DirID: src.self.ID, UserID: s.login.User.ID, Fingerprint: s.login.Fingerprint,
		Address: s.login.Address}
	return true, tx.AddWalk(w, now)
}

// errOwed ends a transaction that began while the work of a rename was still owed. The
// caller finishes that work and tries again.
var errOwed = fault.Wrap("tree.walk", fault.Busy, errors.New("a rename is being finished"))

// owe notes that work is owed. Callers hold the lock of the mailbox's row, and so does a
// transaction that calls isWalking.
func (m *box) owe() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.walking = true
	m.owed++
}

// walks reports whether work is owed, and how often owe was called.
func (m *box) walks() (walking bool, owed int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.walking, m.owed
}

func (m *box) isWalking() bool {
	walking, _ := m.walks()
	return walking
}

// paid notes that no work is owed, unless owe was called since owed was read.
func (m *box) paid(owed int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.walking = m.walking && m.owed != owed
}

// finishWalks does the owed work of directory renames in this session's mailbox.
func (s *Session) finishWalks() error {
	if !s.box.isWalking() {
		return nil
	}
	return s.t.finishWalks(context.Background(), s.box)
}

// finishWalks does the owed work of directory renames in a mailbox.
func (t *Tree) finishWalks(ctx context.Context, box *box) error {
	box.walk.Lock()
	defer box.walk.Unlock()
	for {
		walking, owed := box.walks()
		if !walking {
			return nil
		}
		done, err := store.ChangeFor(ctx, t.store, box.userID, func(tx *store.Tx) (bool, error) {
			tx.Unaudited("the rename has the row")
			return t.walkOn(tx, box.userID)
		})
		if err != nil {
			return err
		}
		if done {
			box.paid(owed)
		}
	}
}

// walkOn does a part of the owed work; done says that nothing is left.
func (t *Tree) walkOn(tx *store.Tx, userID string) (done bool, err error) {
	if _, err := tx.LockMailbox(userID); err != nil {
		return false, err
	}
	m, err := tx.NextMoved(userID)
	if err == nil {
		_, err = tx.FollowMoved(m, followPage)
		return false, err
	} else if !fault.Is(err, fault.NotFound) {
		return false, err
	}
	u, err := tx.UserByID(userID)
	if err != nil {
		return false, err
	}
	now := t.now()
	var found []exchange.Arrival
	for looked := 0; looked < walkedAtOnce && len(found) < receivePage; looked++ {
		w, err := tx.NextWalk(userID)
		if fault.Is(err, fault.NotFound) {
			done = true
			break
		} else if err != nil {
			return false, err
		}
		some, err := t.walkInto(tx, u, w, receivePage-len(found), now)
		if err != nil {
			return false, err
		}
		found = append(found, some...)
	}
	if len(found) > 0 && t.hooks.OnCommit != nil {
		err = t.hooks.OnCommit(tx, found)
	}
	return done, err
}

// walkInto returns the next files of a directory that are to be received, at most limit,
// and records how far it came.
func (t *Tree) walkInto(tx *store.Tx, u model.User, w store.Walk, limit int,
	now time.Time) (found []exchange.Arrival, err error) {
	dir, staging, err := tx.DirPath(w.DirID)
	if fault.Is(err, fault.NotFound) || err == nil && staging { // it is gone, or in a staging folder again
		return nil, tx.DropWalk(w.DirID)
	} else if err != nil {
		return nil, err
	}
	files, err := tx.ArrivingIn(w.DirID, w.After, limit)
	if err != nil {
		return nil, err
	}
	login := &exchange.Login{User: u, Fingerprint: w.Fingerprint, Address: w.Address}
	for _, f := range files {
		w.After = f.Name
		full := path.Join(dir, f.Name)
		if t.hooks.Final == nil || t.hooks.Final(u.ID, full) {
			found = append(found, exchange.Arrival{Login: login, Path: full, VersionID: f.VersionID, Size: f.Size,
				SHA256: f.SHA256, At: now})
		}
	}
	if len(files) == limit {
		return found, tx.AddWalk(w, now)
	}
	return found, tx.EndWalk(w, now)
}

// recoverWalks marks the mailboxes in which an earlier process left owed work.
func (t *Tree) recoverWalks() error {
	users, err := t.store.Read(context.Background()).Walkers()
	if err != nil {
		return err
	}
	for _, id := range users {
		t.boxLocked(id).walking = true
	}
	return nil
}

// walkAll does the owed work of all mailboxes.
func (t *Tree) walkAll(ctx context.Context) {
	for _, box := range t.known() { // finishWalks does nothing for a mailbox that owes nothing
		if err := t.finishWalks(ctx, box); err != nil && ctx.Err() == nil {
			t.log.Warn("files below a renamed directory could not be received yet", "user", box.userID, "err", err)
		}
	}
}
