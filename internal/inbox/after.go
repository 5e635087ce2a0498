package inbox

import (
	"context"
	"errors"
	"path"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	afterEvery = time.Second
	afterFor   = time.Second // time limit of one round for each kind of work
	afterTurn  = 5           // drops of one user before the next user's turn
	afterPage  = 100
	// moveLatest is how long a move waits for the uploader's sessions to end. Clients look at a
	// file once more after CLOSE.
	moveLatest = 5 * time.Minute
	// giveUp is how long after the ack or refusal failing work in a mailbox is abandoned.
	giveUp = 24 * time.Hour
	// A drop that fails is retried after a growing pause. So is a user with whom this many drops
	// failed in a row.
	firstRest, lastRest = time.Second, 30 * time.Minute
	failuresInARow      = 10
)

// Keep runs After once a second until ctx ends. At the start it also warns of drops that wait
// for a scanner although none is configured.
func (r *Service) Keep(ctx context.Context) {
	warned := false
	do := func(ctx context.Context) error {
		err := r.After(ctx)
		if err == nil && !warned {
			err = r.warnUnscanned(ctx)
			warned = err == nil
		}
		return err
	}
	exchange.Task{Every: afterEvery, Do: do, Log: r.o.Log,
		Failure: "mailboxes could not be brought up to date after an ack or a refusal"}.Run(ctx)
}

// After does the work that is due now: it hands on drops with doubtful names whose time for a
// rename is over, writes refusal notes and moves files. Moves may wait for sessions to end, so
// they have their own queue behind the refusals.
func (r *Service) After(ctx context.Context) error {
	r.rests.forget(r.now())
	return errors.Join(r.ripen(ctx), r.after(ctx, pendingTell), r.after(ctx, pendingMove))
}

// after does one kind of work in the mailboxes of all users, a few drops of each user in turn.
// So neither a user with much work nor one whose work fails delays the others.
func (r *Service) after(ctx context.Context, what string) error {
	users, err := r.o.Store.Read(ctx).PendingUsers(what)
	if err != nil {
		return err
	}
	began := time.Now()
	var todo []*errand
	for _, id := range users {
		todo = append(todo, &errand{what: what, user: id})
	}
	for len(todo) > 0 && ctx.Err() == nil && time.Since(began) < afterFor {
		left := todo[:0]
		for _, e := range todo {
			more, err := r.turn(ctx, e)
			if err != nil {
				return err
			}
			if more {
				left = append(left, e)
			}
		}
		todo = left
	}
	return nil
}

// errand is one kind of work in one user's mailbox.
type errand struct {
	what, user string
	page       []model.Drop
	last       model.Drop // last drop of the previous page
	end        bool       // there are no more pages
	failed     int        // failures in a row
}

// turn does the next few drops of an errand; more reports whether to call it again in this
// round.
func (r *Service) turn(ctx context.Context, e *errand) (more bool, err error) {
	now := r.now()
	if r.rests.resting(e.what+e.user, now) {
		return false, nil
	}
	for done := 0; done < afterTurn; {
		if len(e.page) == 0 {
			if err := r.nextPage(ctx, e, now); err != nil || len(e.page) == 0 {
				return false, err
			}
		}
		d := e.page[0]
		e.page = e.page[1:]
		if r.rests.resting(d.ID, now) {
			continue
		}
		done++
		ok, err := r.finishOne(ctx, e.what, d, now)
		switch {
		case err != nil:
			return false, err
		case ok:
			e.failed = 0
			r.rests.over(d.ID)
			r.rests.over(e.what + e.user)
			continue
		}
		r.rests.rest(d.ID, now)
		if e.failed++; e.failed == failuresInARow {
			r.rests.rest(e.what+e.user, now)
			return false, nil
		}
	}
	return true, nil
}

// nextPage reads the next drops with work to do. Moves for a user with open sessions wait.
func (r *Service) nextPage(ctx context.Context, e *errand, now time.Time) (err error) {
	if e.end {
		return nil
	}
	until := now
	if e.what == pendingMove && r.o.Mailbox.Busy(e.user) {
		until = now.Add(-moveLatest)
	}
	if e.page, err = r.o.Store.Read(ctx).
		PendingDrops(e.what, e.user, until, e.last, afterPage); err != nil {
		return err
	}
	if e.end = len(e.page) < afterPage; len(e.page) > 0 {
		e.last = e.page[len(e.page)-1]
	}
	return nil
}

// finishOne does the work for one drop and records that it is done. Work that has failed for
// longer than giveUp is recorded as done, too.
func (r *Service) finishOne(ctx context.Context, what string, d model.Drop, now time.Time) (ok bool, err error) {
	if err := r.follow(ctx, what, d); err != nil {
		if d.SettledAt == nil || now.Sub(*d.SettledAt) <= giveUp {
			return false, nil
		}
		r.o.Log.Error("a mailbox was left as it is after an ack or a refusal", "drop", d.ID, "user", d.User, "err", err)
	}
	err = r.o.Store.Write(ctx, func(tx *store.Tx) error { return tx.PendingDone(d.ID) })
	if fault.Is(err, fault.NotFound) {
		err = nil
	}
	return err == nil, err
}

// follow does one kind of work for a drop.
func (r *Service) follow(ctx context.Context, what string, d model.Drop) (err error) {
	switch what {
	case pendingTell:
		name := path.Base(pathOf(d))
		name = valid.CutName(name, valid.MaxName-len(".txt")) + ".txt"
		err = r.o.Mailbox.Write(d, beside(d, "refused")+"/"+name, r.refusal(ctx, d))
	case pendingMove:
		err = r.o.Mailbox.Move(d, beside(d, "processed"))
	}
	if fault.Is(err, fault.NotFound) { // the file or the folder is gone, so nothing is left to do
		return nil
	}
	return err
}

// beside returns a folder in the top directory of a drop's path, such as /upload/refused.
func beside(d model.Drop, folder string) string {
	top, _, nested := strings.Cut(strings.TrimPrefix(pathOf(d), "/"), "/")
	if !nested {
		return "/" + folder
	}
	return "/" + top + "/" + folder
}
