package feed

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// maxRanges bounds what a delivery remembers of bytes served out of order.
// Past it, it claims less than was served.
const maxRanges = 64

// Served merges bytes that a partner's connection accepted into the delivery
// of a version. A version that is no delivery is none of our business.
func (r *Room) Served(l *exchange.Login, versionID string, served exchange.Spans) error {
	now := r.now()
	return r.o.Store.Write(context.Background(), func(tx *store.Tx) error {
		d, err := tx.LockServed(versionID)
		if exchange.Is(err, exchange.NotFound) {
			return nil
		} else if err != nil {
			return err
		}
		if d.State != exchange.DeliveryPublished && d.State != exchange.DeliveryOpened {
			return nil // collected, withdrawn or expired: final
		}
		ranges := exchange.UnpackSpans(d.Ranges)
		for _, s := range served {
			ranges = ranges.Add(s.From, min(s.To, d.Size), maxRanges)
		}
		d.Ranges, d.State = ranges.Pack(), exchange.DeliveryOpened
		action := "delivery.open"
		if ranges.Prefix() == d.Size {
			d.State, d.Ranges, action = exchange.DeliveryCollected, nil, "delivery.collect"
		}
		if err := tx.SetServed(d, l.Fingerprint, exchange.Micros(now)); err != nil {
			return err
		}
		return tx.Audit(exchange.AuditRow{ID: r.o.IDs.New(), At: now, Actor: l.Actor(), Action: action, Subject: d.DeliveryID, User: d.UserID,
			Detail: map[string]string{"key": l.Fingerprint, "address": l.Address, "session": l.Session}})
	})
}

// Deliveries lists deliveries.
func (r *Room) Deliveries(ctx context.Context, f store.DeliveryFilter) ([]exchange.Delivery, error) {
	rows, err := r.o.Store.Read(ctx).Deliveries(f)
	out := make([]exchange.Delivery, len(rows))
	for i, d := range rows {
		out[i] = served(d)
	}
	return out, err
}

// Delivery finds one delivery.
func (r *Room) Delivery(ctx context.Context, id string) (exchange.Delivery, error) {
	d, err := r.o.Store.Read(ctx).Delivery(id)
	if err != nil {
		return exchange.Delivery{}, missing(err, "There is no delivery %q.", exchange.Printable(id))
	}
	return served(d), nil
}

// served adds how many distinct bytes a delivery has served.
func served(d store.DeliveryRow) exchange.Delivery {
	d.Served = exchange.UnpackSpans(d.Ranges).Total()
	if d.State == exchange.DeliveryCollected {
		d.Served = d.Size
	}
	return d.Delivery
}
