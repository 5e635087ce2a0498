package overview

import "github.com/sallyport-sftp/sallyport/model"

// backups looks whether the newest good backup is too old, and whether the newest one failed.
func (a *asked) backups() error {
	newest, good, why, err := a.s.o.Backups(a.ctx)
	switch {
	case err != nil:
		return err
	case newest.IsZero() && a.s.o.BackupExpected:
		a.need("backup", model.UrgencyNow, nil,
			"No backup was made yet, and backup.expected says that there should be one.")
	case newest.IsZero():
	case newest.After(good) && good.IsZero():
		a.need("backup", model.UrgencyNow, nil, "No backup has succeeded yet; the newest try, on %s, failed: %s",
			a.s.minute(newest), why)
	case newest.After(good):
		a.need("backup", model.UrgencyNow, nil, "The newest backup, on %s, failed: %s The newest good one is of %s.",
			a.s.minute(newest), why, a.s.minute(good))
	case a.now.Sub(good) > a.s.o.BackupAge:
		a.need("backup", model.UrgencyNow, nil, "The newest backup is of %s, and is older than backup.warn_after allows.",
			a.s.minute(good))
	}
	return nil
}
