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
	afterFor   = time.Second // what one look does at most of each thing
	afterTurn  = 5           // drops of a user, before the next user has its turn
	afterPage  = 100
	// moveLatest is how long a move waits for the uploader's sessions to end:
	// clients look at a file once more after CLOSE.
	moveLatest = 5 * time.Minute
	// giveUp is when what cannot be done in a mailbox is left undone.
	giveUp = 24 * time.Hour
	// What fails rests, longer each time; so does a user with whom this many
	// things failed in a row.
	firstRest, lastRest = time.Second, 30 * time.Minute
	failuresInARow      = 10
)

// Keep does in uploaders' mailboxes what settled drops ask for, until ctx ends.
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

// After does what is due now. Moves wait for sessions to end; refusals do not
// wait behind them.
func (r *Service) After(ctx context.Context) error {
	r.rests.forget(r.now())
	return errors.Join(r.ripen(ctx), r.after(ctx, pendingTell), r.after(ctx, pendingMove))
}

// after does one thing in the mailboxes of all users, a few drops of each in
// turn: neither one who has much to do nor one with whom nothing works keeps the
// others waiting.
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

// errand is one thing to do in one mailbox.
type errand struct {
	what, user string
	page       []model.Drop
	last       model.Drop // the page before ended here
	end        bool       // there is no other page
	failed     int        // in a row
}

// turn does the next few drops of an errand; more says that there are others.
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

// nextPage reads what is next to be done. Moves of a user who is there wait.
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

// finishOne does one thing for a drop and notes that it is done. What could not be
// done for too long is left.
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

// follow does one thing for a drop.
func (r *Service) follow(ctx context.Context, what string, d model.Drop) (err error) {
	switch what {
	case pendingTell:
		name := path.Base(pathOf(d))
		name = valid.CutName(name, valid.MaxName-len(".txt")) + ".txt"
		err = r.o.Mailbox.Write(d, beside(d, "refused")+"/"+name, r.refusal(ctx, d))
	case pendingMove:
		err = r.o.Mailbox.Move(d, beside(d, "processed"))
	}
	if fault.Is(err, fault.NotFound) { // the mailbox changed: nothing is left to do there
		return nil
	}
	return err
}

// beside is a folder in the top directory of where a drop came: /upload/refused.
func beside(d model.Drop, folder string) string {
	top, _, nested := strings.Cut(strings.TrimPrefix(pathOf(d), "/"), "/")
	if !nested {
		return "/" + folder
	}
	return "/" + top + "/" + folder
}
