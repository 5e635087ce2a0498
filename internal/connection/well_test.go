package connection_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

var bannerStories = stories{
	"who logs in well from an address is known there, and nowhere else": func(t *testing.T, w *world) {
		u, k := w.customer("acme")
		v, _ := w.customer("globex")
		home, away := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("203.0.113.8")
		six, same := netip.MustParseAddr("2001:db8:1:2::7"), netip.MustParseAddr("2001:db8:1:2:9::9")
		well := func(want bool, user string, from netip.Addr) {
			t.Helper()
			w.service.Flush()
			if got := w.service.LogsInWell(user, from); got != want {
				t.Errorf("%s from %s at %s: %v", user, from, w.Clock(), got)
			}
		}
		well(false, "acme", home)
		w.failed(home.String(), "globex", model.ReasonUnknownKey)
		w.login(home.String(), u, k)
		w.login(six.String(), u, k)
		for _, name := range []string{"acme", "ACME"} {
			well(true, name, home)
			well(true, name, six)
			well(true, name, same)
			well(false, name, away)
		}
		well(false, v.Name, home)
		well(false, "nobody", home)
		well(false, "\x00\xff", home)
		well(false, "acme", netip.MustParseAddr("2001:db8:1:3::7"))
		w.Pass(31 * day) // who comes once a month
		well(true, "acme", home)
		for range 2 {
			w.failed(home.String(), "acme", model.ReasonUnknownKey)
			w.failed(home.String(), "globex", model.ReasonUnknownKey) // another's trouble
		}
		well(true, "acme", home)
		w.failed(home.String(), "acme", model.ReasonUnknownKey)
		well(false, "acme", home) // three times: something is wrong
		w.Pass(time.Hour)
		well(true, "acme", home)
		w.Pass(15 * day)
		well(false, "acme", home)
	},
	"failures from an IPv6 network are one history": func(t *testing.T, w *world) {
		u, k := w.customer("acme")
		w.failed("2001:db8:1:2::7", "acme", model.ReasonUnknownKey)
		w.login("2001:db8:1:2::8", u, k)
		for range 2 {
			ok, failed := w.service.History(netip.MustParseAddr("2001:db8:1:2:9::9"))
			if ok.IsZero() || !failed.Before(ok) || failed.IsZero() {
				t.Fatalf("in at %v, failed at %v", ok, failed)
			}
			w.service.Flush()
		}
	},
}
