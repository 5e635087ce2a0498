package feed

import (
	"context"
	"encoding/hex"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// maxRanges bounds how many ranges of bytes served out of order a delivery remembers. Past it,
// the record shows less than was served.
const maxRanges = 64

// Served adds byte ranges that a partner's connection accepted to the delivery of a version. It
// does nothing if the version has no delivery or the delivery is final.
func (r *Service) Served(l *exchange.Login, versionID string, served exchange.Spans) error {
	now := r.now()
	return r.o.Store.WriteFor(context.Background(), l.User.ID, func(tx *store.Tx) error {
		d, err := tx.LockServed(versionID)
		if fault.Is(err, fault.NotFound) {
			return nil
		} else if err != nil {
			return err
		}
		replaced := d.State == model.DeliveryReplaced // handles opened before may still read it
		if d.State != model.DeliveryPublished && d.State != model.DeliveryOpened && !replaced {
			return nil // collected, withdrawn or expired: final
		}
		before := d.State
		ranges := exchange.UnpackSpans(d.Ranges)
		for _, s := range served {
			ranges = ranges.Add(s.From, min(s.To, d.Size), maxRanges)
		}
		d.Ranges = ranges.Pack()
		if !replaced {
			d.State = model.DeliveryOpened
		}
		action := "delivery.open"
		if ranges.Prefix() == d.Size {
			d.State, d.Ranges, action = model.DeliveryCollected, nil, "delivery.collect"
		}
		if err := tx.SetServed(d, l, now); err != nil {
			return err
		}
		if d.State == before {
			tx.Unaudited("more of it was served: no news")
			return nil
		}
		if d.State == model.DeliveryCollected {
			if err := tx.Emit(model.Event{ID: r.o.IDs.New(), Type: model.EventCollected, At: now, Account: l.User.Account,
				User: l.User.Name, Data: model.FileCollected{
					Delivery: d.DeliveryID, Publication: d.Publication, Feed: d.Feed, Name: d.Name, Path: valid.Printable(d.Path),
					Size:   d.Size,
					SHA256: hex.EncodeToString(d.SHA256), Key: l.Fingerprint, Address: l.Address, Client: l.Client}}); err != nil {
				return err
			}
		}
		return tx.Audit(model.AuditRow{ID: r.o.IDs.New(), At: now, Actor: l.Actor(), Action: action, Subject: d.DeliveryID,
			User: d.UserID, Detail: map[string]string{"key": l.Fingerprint, "address": l.Address, "session": l.Session,
				"feed": d.Feed, "name": d.Name}})
	})
}

// Deliveries lists deliveries.
func (r *Service) Deliveries(ctx context.Context, f model.DeliveryFilter) ([]model.Delivery, error) {
	rows, err := r.o.Store.Read(ctx).Deliveries(f)
	out := make([]model.Delivery, len(rows))
	for i, d := range rows {
		out[i] = served(d)
	}
	return out, err
}

// Delivery finds one delivery.
func (r *Service) Delivery(ctx context.Context, id string) (model.Delivery, error) {
	d, err := r.o.Store.Read(ctx).Delivery(id)
	if err != nil {
		return model.Delivery{}, fault.Missing("feed", err, "There is no delivery %q.", valid.Printable(id))
	}
	return served(d), nil
}

// served fills in how many distinct bytes a delivery has served.
func served(d store.DeliveryRow) model.Delivery {
	d.Served = exchange.UnpackSpans(d.Ranges).Total()
	if d.State == model.DeliveryCollected {
		d.Served = d.Size
	}
	d.Path = valid.Printable(d.Path)
	return d.Delivery
}

// Taken records that the partner removed or renamed the file that a delivery placed. held
// reports whether the version belongs to a delivery; if so, retention must keep its bytes until
// they are due.
func (r *Service) Taken(tx *store.Tx, versionID string) (held bool, err error) {
	return tx.TakeDelivery(versionID, r.now())
}

// Withdraw takes a delivery back. Its file is removed from the mailbox, unless a newer version
// has replaced it. The record of what was served stays. A delivery that was withdrawn or has
// expired is a Conflict.
func (r *Service) Withdraw(ctx context.Context, actor, id, reason string) (d model.Delivery, err error) {
	return r.withdraw(ctx, actor, id, reason, false)
}

// withdraw implements Withdraw. With unopened, a delivery in any state but published is a
// Conflict.
func (r *Service) withdraw(ctx context.Context, actor, id, reason string, unopened bool) (d model.Delivery, err error) {
	const op = "feed.Withdraw"
	if err := valid.CheckLabel("reason", reason); err != nil {
		return d, err
	}
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) (d model.Delivery, err error) {
		row, err := tx.Delivery(id)
		if err != nil {
			return d, fault.Missing("feed", err, "There is no delivery %q.", valid.Printable(id))
		}
		d = served(row)
		if d.State == model.DeliveryWithdrawn || d.State == model.DeliveryExpired {
			return d, fault.E(op, fault.Conflict, "The delivery is over already: it was %s.", model.Word(d.State))
		}
		version, err := tx.VersionOfDelivery(id)
		if err != nil {
			return d, err
		}
		rows, err := mailbox.Lock(tx, row.UserID)
		if err != nil {
			return d, err
		}
		if unopened {
			now, err := tx.LockServed(version)
			if err != nil {
				return d, err
			}
			if now.State != model.DeliveryPublished {
				return d, fault.E(op, fault.Conflict, "The delivery was %s meanwhile.", model.Word(now.State))
			}
		}
		name, err := tx.FileOfVersion(version)
		switch {
		case fault.Is(err, fault.NotFound): // replaced, or removed
		case err != nil:
			return d, err
		default:
			if err := rows.Remove(name); err != nil {
				return d, err
			}
		}
		if err := tx.EndDelivery(version, model.DeliveryWithdrawn, r.now()); err != nil {
			return d, err
		}
		d.State = model.DeliveryWithdrawn
		return d, r.audit(tx, model.AuditRow{Actor: actor, Action: "delivery.withdraw", Subject: id, User: row.UserID,
			Detail: map[string]string{"reason": reason, "feed": d.Feed, "name": d.Name, "served": shortBytes(d.Served, d.Size)}})
	})
}
