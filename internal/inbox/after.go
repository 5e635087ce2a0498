package inbox

import (
	"context"
	"errors"
	"path"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

const (
	afterEvery = time.Second
	afterBatch = 200
	// moveLatest is how long a move waits for the uploader's sessions to end:
	// clients look at a file once more after CLOSE.
	moveLatest = 5 * time.Minute
	// giveUp is when what cannot be done in a mailbox is left undone.
	giveUp = 24 * time.Hour
)

// Keep does in uploaders' mailboxes what settled drops ask for, until ctx ends.
func (r *Room) Keep(ctx context.Context) {
	tick := time.NewTicker(afterEvery)
	defer tick.Stop()
	unscanned := false
	for failing := false; ; {
		err := r.After(ctx)
		if err == nil && !unscanned {
			err = r.unscan(ctx)
			unscanned = err == nil
		}
		if err != nil && !failing && ctx.Err() == nil {
			r.o.Log.Error("mailboxes could not be brought up to date after an ack or a refusal", "err", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// After does what is due now. Moves wait for sessions to end; refusals do not
// wait behind them.
func (r *Room) After(ctx context.Context) error {
	return errors.Join(r.after(ctx, pendingTell), r.after(ctx, pendingMove))
}

func (r *Room) after(ctx context.Context, what string) error {
	list, err := r.o.Store.Read(ctx).PendingDrops(what, afterBatch)
	if err != nil {
		return err
	}
	now := r.now()
	for _, d := range list {
		if ctx.Err() != nil {
			return nil
		}
		done, err := r.follow(ctx, what, d, now)
		if err != nil {
			late := d.SettledAt != nil && now.Sub(*d.SettledAt) > giveUp
			if done = late; late {
				r.o.Log.Error("a mailbox was left as it is after an ack or a refusal", "drop", d.ID, "user", d.User, "err", err)
			}
		}
		if !done {
			continue
		}
		if err := r.o.Store.Write(ctx, func(tx *store.Tx) error { return tx.PendingDone(d.ID) }); err != nil && !exchange.Is(err, exchange.NotFound) {
			return err
		}
	}
	return nil
}

// follow does one thing for a drop; false: it is not time yet, or it failed
// and may work later.
func (r *Room) follow(ctx context.Context, what string, d exchange.Drop, now time.Time) (done bool, err error) {
	switch what {
	case pendingTell:
		name := path.Base(pathOf(d))
		name = name[:min(len(name), exchange.MaxName-len(".txt"))] + ".txt"
		err = r.o.Mailbox.Write(d, beside(d, "refused")+"/"+name, r.refusal(ctx, d))
	case pendingMove:
		if d.SettledAt != nil && now.Sub(*d.SettledAt) < moveLatest && r.o.Mailbox.Busy(d.UserID) {
			return false, nil
		}
		err = r.o.Mailbox.Move(d, beside(d, "processed"))
	}
	if exchange.Is(err, exchange.NotFound) { // the mailbox changed: nothing is left to do there
		err = nil
	}
	return err == nil, err
}

// beside is a folder in the top directory of where a drop came: /upload/refused.
func beside(d exchange.Drop, folder string) string {
	top, _, nested := strings.Cut(strings.TrimPrefix(pathOf(d), "/"), "/")
	if !nested {
		return "/" + folder
	}
	return "/" + top + "/" + folder
}
