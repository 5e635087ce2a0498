package naming

import (
	"context"
	"fmt"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	leftSetting = "events.left"
	leftEvery   = time.Hour
	leftAfter   = 24 * time.Hour
)

// FindLeft emits an event, once, for every file that still has a temporary name a day after it
// was stored. It looks back at most a week.
func (r *Service) FindLeft(ctx context.Context) error {
	now := r.clock().UTC().Truncate(time.Microsecond)
	q := r.store.Read(ctx)
	from, err := q.TimeSetting(leftSetting)
	until := now.Add(-leftAfter)
	if err != nil || until.Sub(from) < leftEvery {
		return err
	}
	since := from
	if week := now.Add(-7 * 24 * time.Hour); since.Before(week) {
		since = week
	}
	left, err := q.Patient().StoredBetween(since, until)
	if err != nil {
		return err
	}
	return r.store.Write(ctx, func(tx *store.Tx) error {
		if was, err := tx.TimeSetting(leftSetting); err != nil || !was.Equal(from) {
			return err // another node was faster
		}
		for _, k := range left {
			if !r.MayBeTemporary(k.Name) {
				continue
			}
			dir, staging, err := tx.DirPath(k.DirID)
			if err != nil || staging || !r.Rules(k.UserID, dir+"/"+k.Name).IsTemporary(k.Name) {
				continue
			}
			path := valid.Printable(dir + "/" + k.Name)
			if err := tx.Emit(model.Event{ID: r.ids.New(), Type: model.EventLeft, At: now, Account: k.Account, User: k.User,
				Data: model.FileLeft{
					Path: path, Size: k.Size, Stored: k.StoredAt.Truncate(time.Second),
					Words: fmt.Sprintf("%s stored %s on %s and never gave it its final name, so nobody was told that it came.", k.User,
						path, k.StoredAt.Format("2006-01-02 15:04"))}}); err != nil {
				return err
			}
		}
		return tx.SetTimeSetting(leftSetting, until)
	})
}
