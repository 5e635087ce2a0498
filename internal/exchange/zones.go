package exchange

import (
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

// Zones says in which time zone whose people read times.
type Zones struct {
	Own     *time.Location            // the operator's; nil: UTC
	Regions map[string]*time.Location // by region; one that has none reads the operator's
}

// Of returns the zone of an account's people: the account's, else its region's, else the operator's.
func (z Zones) Of(a model.Account) *time.Location {
	if a.TimeZone != "" {
		if zone, err := time.LoadLocation(a.TimeZone); err == nil { // it was checked when it was set
			return zone
		}
	}
	if zone := z.Regions[a.Region]; zone != nil {
		return zone
	}
	if z.Own != nil {
		return z.Own
	}
	return time.UTC
}

// Text formats a time as an account's people read it in mails and on sheets: with the zone's name.
func (z Zones) Text(a model.Account, at time.Time) string {
	return at.In(z.Of(a)).Format("2006-01-02 15:04 MST")
}
