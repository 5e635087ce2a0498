package account

import (
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// idleSince returns the time before which a user that is inactive for a period was used last; zero if
// the period is "".
func (r *Service) idleSince(period string) (time.Time, error) {
	if period == "" {
		return time.Time{}, nil
	}
	return valid.Before(r.now(), period)
}
