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

// A directory that is renamed may have any number of files below it. Those that leave a
// staging folder are received; drops that nobody has claimed follow the directory's name.
// The rename's transaction writes down what it owes, and short ones do it: the database has
// one writer, and others wait for it. Nothing else changes the mailbox before they are done.

const (
	// receivePage is how many files one transaction receives.
	receivePage = 200
	// walkedAtOnce is how many directories it looks into.
	walkedAtOnce = 100
	// followPage is how many drops it gives another path.
	followPage = 200
)

// owe notes what follows from a directory's rename; waited says that it lay in a staging
// folder.
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

// errOwed ends a change that came before what a rename owes; it is tried again.
var errOwed = fault.Wrap("tree.walk", fault.Busy, errors.New("a rename is being finished"))

// owe notes that something is owed. Whoever calls it holds the mailbox's row, and so does the
// transaction that looks for it.
func (m *box) owe() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.walking = true
	m.owed++
}

// walks reports whether something is owed, and counts how often something was.
func (m *box) walks() (walking bool, owed int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.walking, m.owed
}

func (m *box) isWalking() bool {
	walking, _ := m.walks()
	return walking
}

// paid notes that nothing is owed, unless something was since.
func (m *box) paid(owed int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.walking = m.walking && m.owed != owed
}

// finishWalks does what renames of this mailbox's directories owe.
func (s *Session) finishWalks() error {
	if !s.box.isWalking() {
		return nil
	}
	return s.t.finishWalks(context.Background(), s.box)
}

// finishWalks does what renames of a mailbox's directories owe.
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

// walkOn does a part of what is owed; done says that nothing is left.
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

// walkInto finds the next files of a directory that are to be received.
func (t *Tree) walkInto(tx *store.Tx, u model.User, w store.Walk, limit int,
	now time.Time) (found []exchange.Arrival, err error) {
	dir, staging, err := tx.DirPath(w.DirID)
	if fault.Is(err, fault.NotFound) || err == nil && staging { // it is gone, or waits again
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

// recoverWalks finds the mailboxes in which an earlier process left something to do.
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

// walkAll does what is left to do in all mailboxes.
func (t *Tree) walkAll(ctx context.Context) {
	for _, box := range t.known() { // finishWalks leaves alone those that owe nothing
		if err := t.finishWalks(ctx, box); err != nil && ctx.Err() == nil {
			t.log.Warn("files below a renamed directory could not be received yet", "user", box.userID, "err", err)
		}
	}
}
