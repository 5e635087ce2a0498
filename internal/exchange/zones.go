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
