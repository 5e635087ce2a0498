package inbox

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	maxClaim = 500            // drops per call
	minLease = time.Second    // of a claim
	maxLease = 24 * time.Hour // for longer work the claim is renewed
)

// check validates a claim, sets its defaults, and returns how long it lasts.
func (r *Service) check(c *model.NewClaim) (time.Duration, error) {
	if err := valid.CheckID("consumer", c.Consumer); err != nil {
		return 0, err
	}
	if c.Limit == 0 {
		c.Limit = 1
	}
	if c.Limit < 0 || c.Limit > maxClaim {
		return 0, fault.E("inbox.Claim", fault.Invalid, "Claim 1 to %d files at once.", maxClaim)
	}
	return r.lease(c.Lease)
}

// lease parses the duration of a claim; "" is the configured default.
func (r *Service) lease(text string) (time.Duration, error) {
	d := r.o.Lease
	if text != "" {
		var err error
		if d, err = valid.Length(text); err != nil {
			return 0, err
		}
	}
	if d < minLease || d > maxLease {
		return 0, fault.E("inbox.lease", fault.Invalid, "A claim lasts from %s to %s; renew it for longer work.", minLease,
			maxLease)
	}
	return d, nil
}

// Claim gives the oldest claimable drops to a consumer. A drop has one claim at a time. When a
// claim expires, its drop can be claimed again.
func (r *Service) Claim(ctx context.Context, actor string, c model.NewClaim) ([]model.Drop, error) {
	lease, err := r.check(&c)
	if err != nil {
		return nil, err
	}
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) ([]model.Drop, error) {
		now := r.now()
		until := now.Add(lease)
		list, err := r.claimable(tx, c, now)
		if err != nil {
			return nil, err
		}
		for i := range list {
			d := &list[i]
			again := ""
			if d.State == model.DropClaimed {
				again = d.Consumer
			}
			d.State, d.Consumer, d.Claim, d.ClaimUntil = model.DropClaimed, c.Consumer, rand.Text(), &until
			if err := tx.ClaimDrop(d.ID, d.Claim, d.Consumer, until); err != nil {
				return nil, err
			}
			detail := map[string]string{"consumer": c.Consumer, "until": until.Format(time.RFC3339)}
			if again != "" {
				detail["ran_out"] = again
			}
			if err := r.audit(tx, actor, "drop.claim", *d, detail); err != nil {
				return nil, err
			}
		}
		return list, nil
	})
}

// claimable returns the drops that a consumer may claim now. The configured scanner gets every
// drop that waits for a scanner. Another consumer gets those only if it was the configured
// scanner when they arrived; else it gets scanned ones.
func (r *Service) claimable(tx *store.Tx, c model.NewClaim, now time.Time) ([]model.Drop, error) {
	f := model.DropFilter{User: c.User, Account: c.Account, Paging: model.Paging{Limit: c.Limit}}
	if r.o.Scanner != "" && c.Consumer == r.o.Scanner {
		return tx.Claimable(model.DropUnscanned, "", f, now)
	}
	list, err := tx.Claimable(model.DropUnscanned, c.Consumer, f, now)
	if err != nil || len(list) > 0 {
		return list, err
	}
	return tx.Claimable(model.DropNew, "", f, now)
}

func (r *Service) audit(tx *store.Tx, actor, action string, d model.Drop, detail map[string]string) error {
	return tx.Audit(model.AuditRow{ID: r.o.IDs.New(), At: r.now(), Actor: actor, Action: action, Subject: d.ID,
		User: d.UserID, Detail: detail})
}

// mine locks a drop and checks that claim is its current claim. If claim is "", it checks that
// no unexpired claim exists.
func (r *Service) mine(tx *store.Tx, id, claim string) (model.Drop, error) {
	const op = "inbox.mine"
	d, err := tx.LockDrop(id)
	if err != nil {
		return d, noDrop(err, id)
	}
	switch d.State {
	case model.DropAcked:
		return d, fault.E(op, fault.Conflict, "The file was accepted already, by %s.", d.Consumer)
	case model.DropRejected:
		return d, fault.E(op, fault.Conflict, "The file was refused already, by %s.", d.Consumer)
	case model.DropSuperseded:
		return d, fault.E(op, fault.Conflict, "A newer upload has replaced this file.")
	case model.DropClaimed:
		if claim == "" && d.ClaimUntil != nil && !r.now().Before(*d.ClaimUntil) && d.Cleared {
			d.Consumer = ""
			return d, nil // the claim has expired, and the drop was not claimed again
		}
		if claim == "" {
			return d, fault.E(op, fault.Conflict, "The file is claimed by %s until %s.", d.Consumer,
				d.ClaimUntil.Format(time.RFC3339)).
				WithHint("give the claim that inbox claim printed: --claim …")
		}
		if claim != d.Claim {
			return d, fault.E(op, fault.Conflict, "This is not the claim that the file has now; %s has it until %s.", d.Consumer,
				d.ClaimUntil.Format(time.RFC3339)).
				WithHint("an earlier claim may have run out; claim again")
		}
		return d, nil
	case model.DropUnscanned:
		return d, fault.E(op, fault.Denied, "The file waits for the scanner; nothing of it is handed on before.")
	}
	if claim != "" {
		return d, fault.E(op, fault.Conflict, "The claim was given back; claim the file again.")
	}
	return d, nil
}

// Renew extends a claim, counted from now.
func (r *Service) Renew(ctx context.Context, actor, id, claim, lease string) (d model.Drop, err error) {
	lasts, err := r.lease(lease)
	if err != nil {
		return d, err
	}
	if claim == "" {
		return d, fault.E("inbox.Renew", fault.Invalid, "Name the claim that is to be renewed.")
	}
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) (model.Drop, error) {
		d, err := r.mine(tx, id, claim)
		if err != nil {
			return d, err
		}
		until := r.now().Add(lasts)
		d.ClaimUntil = &until
		if err := tx.ClaimDrop(id, claim, d.Consumer, until); err != nil {
			return d, err
		}
		return d, r.audit(tx, actor, "drop.renew", d,
			map[string]string{"consumer": d.Consumer, "until": until.Format(time.RFC3339)})
	})
}

// Release gives up a claim before it expires.
func (r *Service) Release(ctx context.Context, actor, id, claim string) (model.Drop, error) {
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) (model.Drop, error) {
		d, err := r.mine(tx, id, claim)
		if err != nil {
			return d, err
		}
		if d.State != model.DropClaimed {
			return d, fault.E("inbox.Release", fault.Conflict, "The file is not claimed.")
		}
		who := d.Consumer
		d.State, d.Consumer, d.Claim, d.ClaimUntil = model.DropNew, "", "", nil
		if !d.Cleared {
			d.State = model.DropUnscanned
		}
		if err := tx.SettleDrop(d, d.Cleared, "", ""); err != nil {
			return d, err
		}
		return d, r.audit(tx, actor, "drop.release", d, map[string]string{"consumer": who})
	})
}

// ClaimOne claims one drop for a consumer, or renews the consumer's claim on it. g is the guard
// of the requesting login.
func (r *Service) ClaimOne(ctx context.Context, g *store.Guard, actor, consumer, id string) (d model.Drop, err error) {
	const op = "inbox.ClaimOne"
	lasts, err := r.check(&model.NewClaim{Consumer: consumer})
	if err != nil {
		return d, err
	}
	return store.ChangeAs(ctx, r.o.Store, g, func(tx *store.Tx) (model.Drop, error) {
		d, err := tx.LockDrop(id)
		if err != nil {
			return d, noDrop(err, id)
		}
		now := r.now()
		until := now.Add(lasts)
		over := d.ClaimUntil != nil && !now.Before(*d.ClaimUntil)
		switch {
		case d.State == model.DropClaimed && d.Consumer == consumer:
			d.ClaimUntil = &until
			if err := tx.ClaimDrop(id, d.Claim, consumer, until); err != nil {
				return d, err
			}
			return d, r.audit(tx, actor, "drop.renew", d,
				map[string]string{"consumer": consumer, "until": until.Format(time.RFC3339)})
		case d.RemovedAt != nil:
			return d, fault.E(op, fault.NotFound, "The bytes of this file were removed after their retention period.")
		case d.State == model.DropClaimed && !over:
			return d, fault.E(op, fault.Conflict, "The file is claimed by %s.", d.Consumer)
		case d.State != model.DropNew && d.State != model.DropClaimed:
			return d, fault.E(op, fault.Conflict, "The file cannot be claimed: it is %s.", model.Word(d.State))
		}
		if !d.Cleared {
			return d, fault.E(op, fault.Denied, "The file waits for the scanner; nothing of it is handed on before.")
		}
		if d.ReadyAt != nil {
			return d, fault.E(op, fault.Conflict, "The file may get another name; it is handed on at %s.",
				d.ReadyAt.Format(time.RFC3339))
		}
		d.State, d.Consumer, d.Claim, d.ClaimUntil = model.DropClaimed, consumer, rand.Text(), &until
		if err := tx.ClaimDrop(id, d.Claim, consumer, until); err != nil {
			return d, err
		}
		return d, r.audit(tx, actor, "drop.claim", d,
			map[string]string{"consumer": consumer, "until": until.Format(time.RFC3339)})
	})
}

// AckOwn accepts a drop that the consumer has claimed in any session. g is the guard of the
// requesting login. It is Denied without a claim of this consumer.
func (r *Service) AckOwn(ctx context.Context, g *store.Guard, actor, consumer, id string) error {
	d, err := r.o.Store.Read(ctx).Drop(id)
	if err != nil {
		return noDrop(err, id)
	}
	if d.State != model.DropClaimed || d.Consumer != consumer {
		return fault.E("inbox.AckOwn", fault.Denied, "Read the file first; removing it then accepts it.")
	}
	_, err = r.ack(ctx, g, actor, id, d.Claim)
	return err
}

// Waiting lists one page of the drops of a user that a consumer may see, oldest first:
// unclaimed ones, its own, and those whose claim has expired. If name is not "", it must be the
// last part of their path.
func (r *Service) Waiting(ctx context.Context, userID, consumer, name string, p model.Paging) ([]model.Drop, error) {
	return r.o.Store.Read(ctx).WaitingDrops(userID, consumer, name, r.now(), p)
}
