package exchange

import (
	"context"
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

type zoneKey struct{}

// InZone returns a context that says in which zone whoever asks reads times. Sentences that are made on the server
// have their times in it.
func InZone(ctx context.Context, zone *time.Location) context.Context {
	return context.WithValue(ctx, zoneKey{}, zone)
}

// ReaderZone returns the zone of whoever asks: what the context says, else own, the operator's; nil is UTC.
func ReaderZone(ctx context.Context, own *time.Location) *time.Location {
	if zone, ok := ctx.Value(zoneKey{}).(*time.Location); ok {
		return zone
	}
	if own != nil {
		return own
	}
	return time.UTC
}
