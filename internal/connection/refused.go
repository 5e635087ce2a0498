package connection

import (
	"context"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	refusedEvery   = 15 * time.Minute
	refusedSetting = "events.refused"
	refusedNamed   = 50 // pairs of a user and a reason that one event lists
)

// SumRefused emits one event that sums up the refused log-ins since the last one. It does so at
// most every refusedEvery, and looks back 24 hours at most.
func (r *Service) SumRefused(ctx context.Context) error {
	now := r.o.Clock().UTC().Truncate(time.Microsecond)
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		from, err := tx.TimeSetting(refusedSetting)
		if err != nil || now.Sub(from) < refusedEvery {
			return err
		}
		if day := now.Add(-24 * time.Hour); from.Before(day) {
			from = day
		}
		if from.After(now) {
			return nil // the clock was set back
		}
		sums, err := tx.RefusedBetween(from, now, refusedNamed)
		if err != nil {
			return err
		}
		if err := tx.SetTimeSetting(refusedSetting, now); err != nil || len(sums) == 0 {
			return err
		}
		total, list := int64(0), make([]model.LoginRefused, 0, len(sums))
		for _, s := range sums {
			total += s.Times
			list = append(list, model.LoginRefused{User: s.User, Reason: s.Outcome, Times: s.Times, Addresses: s.Addresses})
		}
		return tx.Emit(model.Event{ID: r.o.IDs.New(), Type: model.EventRefused, At: now, Data: model.LoginsRefused{
			From: from.Truncate(time.Second), To: now.Truncate(time.Second), Times: total, Refused: list}})
	})
}
