package exchange_test

import (
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestPeopleReadTimesInTheirOwnZone: an account's zone counts before its region's, and that before
// the operator's. Each time names its zone, in summer and in winter.
func TestPeopleReadTimesInTheirOwnZone(t *testing.T) {
	zone := func(name string) *time.Location {
		l, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	z := exchange.Zones{Own: zone("Australia/Sydney"), Regions: map[string]*time.Location{"eu": zone("Europe/Berlin")}}
	summer, winter := time.Date(2026, 11, 28, 21, 21, 0, 0, time.UTC), time.Date(2026, 7, 1, 0, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		account model.Account
		at      time.Time
		want    string
	}{
		{model.Account{}, summer, "2026-11-29 08:21 AEDT"},
		{model.Account{}, winter, "2026-07-01 10:30 AEST"},
		{model.Account{Region: "eu"}, summer, "2026-11-28 22:21 CET"},
		{model.Account{Region: "apac"}, summer, "2026-11-29 08:21 AEDT"},
		{model.Account{Region: "eu", TimeZone: "America/New_York"}, winter, "2026-06-30 20:30 EDT"},
		{model.Account{TimeZone: "Mars/Base"}, winter, "2026-07-01 10:30 AEST"},
	} {
		if got := c.at.In(z.Of(c.account)).Format("2006-01-02 15:04 MST"); got != c.want {
			t.Errorf("%+v: %s, want %s", c.account, got, c.want)
		}
	}
	nobodys := exchange.Zones{}.Of(model.Account{})
	if got := winter.In(nobodys).Format("2006-01-02 15:04 MST"); got != "2026-07-01 00:30 UTC" {
		t.Errorf("without any zone: %s", got)
	}
}
