package node

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	eventsEvery    = 15 * time.Second
	refusedEvery   = 15 * time.Minute
	refusedSetting = "events.refused"
	leftSetting    = "events.left"
	leftEvery      = time.Hour
	leftAfter      = 24 * time.Hour
	refusedNamed   = 50 // users and reasons that one event names
)

// startEvents makes events of what no change stands for: refused log-ins,
// summed, temporary names that nobody ever finished, and limits that are near.
func (n *Node) startEvents(ctx context.Context) {
	do := func(ctx context.Context) error {
		for _, do := range []func(context.Context) error{n.sumRefused, n.findLeft, n.findNear} {
			if err := do(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	exchange.Task{Every: eventsEvery, Do: do, Failure: "events could not be made", Log: n.log}.Run(ctx)
}

// since reads up to when something was done, under a name.
func since(q *store.Q, name string) (time.Time, error) {
	v, err := q.Setting(name)
	us, _ := strconv.ParseInt(v, 10, 64) // never written: 0
	return exchange.FromMicros(us), err
}

// sumRefused makes one event of all log-ins that were refused in a while.
func (n *Node) sumRefused(ctx context.Context) error {
	now := n.clock().UTC().Truncate(time.Microsecond)
	return n.store.Write(ctx, func(tx *store.Tx) error {
		from, err := since(&tx.Q, refusedSetting)
		if err != nil || now.Sub(from) < refusedEvery {
			return err
		}
		if from = latest(from, now.Add(-24*time.Hour)); from.After(now) {
			return nil // the clock was set back
		}
		sums, err := tx.RefusedBetween(exchange.Micros(from), exchange.Micros(now), refusedNamed)
		if err != nil {
			return err
		}
		if err := tx.SetSetting(refusedSetting, strconv.FormatInt(exchange.Micros(now), 10)); err != nil || len(sums) == 0 {
			return err
		}
		total, list := int64(0), make([]model.LoginRefused, 0, len(sums))
		for _, s := range sums {
			total += s.Times
			list = append(list, model.LoginRefused{User: s.User, Reason: s.Outcome, Times: s.Times, Addresses: s.Addresses})
		}
		return tx.Emit(model.Event{ID: n.ids.New(), Type: model.EventRefused, At: now, Data: model.LoginsRefused{
			From: from.Truncate(time.Second), To: now.Truncate(time.Second), Times: total, Refused: list}})
	})
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// findLeft makes an event of every file whose name is still a temporary one a
// day after it was stored, once.
func (n *Node) findLeft(ctx context.Context) error {
	now := n.clock().UTC().Truncate(time.Microsecond)
	q := n.store.Read(ctx)
	from, err := since(q, leftSetting)
	until := now.Add(-leftAfter)
	if err != nil || until.Sub(from) < leftEvery {
		return err
	}
	left, err := q.Patient().StoredBetween(exchange.Micros(latest(from, now.Add(-7*24*time.Hour))), exchange.Micros(until))
	if err != nil {
		return err
	}
	return n.store.Write(ctx, func(tx *store.Tx) error {
		if was, err := since(&tx.Q, leftSetting); err != nil || !was.Equal(from) {
			return err // another node was faster
		}
		for _, k := range left {
			if !n.naming.MayBeTemporary(k.Name) {
				continue
			}
			dir, staging, err := tx.DirPath(k.DirID)
			if err != nil || staging || !n.naming.Rules(k.UserID, dir+"/"+k.Name).IsTemporary(k.Name) {
				continue
			}
			path := valid.Printable(dir + "/" + k.Name)
			if err := tx.Emit(model.Event{ID: n.ids.New(), Type: model.EventLeft, At: now, Account: k.Account, User: k.User,
				Data: model.FileLeft{
					Path: path, Size: k.Size, Stored: exchange.FromMicros(k.StoredAt).Truncate(time.Second),
					Words: fmt.Sprintf("%s stored %s on %s and never gave it its final name, so nobody was told that it came.", k.User,
						path, exchange.FromMicros(k.StoredAt).Format("2006-01-02 15:04"))}}); err != nil {
				return err
			}
		}
		return tx.SetSetting(leftSetting, strconv.FormatInt(exchange.Micros(until), 10))
	})
}
