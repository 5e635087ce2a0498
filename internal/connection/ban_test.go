package connection_test

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/connection"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var banStories = stories{
	"twenty failures in ten minutes keep out for fifteen": func(t *testing.T, w *world) {
		w.fail(19, "203.0.113.7")
		w.wantBanned(false, "203.0.113.7")
		w.failed("203.0.113.7", "root", model.ReasonPassword)
		a := w.admit("203.0.113.7")
		if left := a.Until.Sub(w.Clock()); !a.Banned || left < 14*time.Minute || left > 15*time.Minute {
			t.Fatalf("%+v", a)
		}
		w.wantBanned(false, "203.0.113.8")
		w.wantBanned(true, "203.0.113.7")
		if b := w.bans()["203.0.113.7"]; len(w.bans()) != 1 || b.Failures != 20 || b.Reason != model.ReasonPassword ||
			b.Refused != 2 || b.Until.Sub(b.Since) != 15*time.Minute {
			t.Fatalf("%+v", w.bans())
		}
		w.Pass(14 * time.Minute)
		w.wantBanned(true, "203.0.113.7")
		w.Pass(time.Minute)
		w.wantBanned(false, "203.0.113.7")
		if len(w.bans()) != 0 {
			t.Fatalf("%+v", w.bans())
		}
		w.fail(19, "203.0.113.7") // counting starts again
		w.wantBanned(false, "203.0.113.7")
		w.fail(1, "203.0.113.7")
		w.wantBanned(true, "203.0.113.7")
	},
	"old failures do not count": func(t *testing.T, w *world) {
		for range 5 {
			w.fail(9, "203.0.113.7")
			w.Pass(6 * time.Minute)
		}
		w.wantBanned(false, "203.0.113.7") // there are never twenty within ten minutes
		w.Pass(5 * time.Minute)
		if a := w.admit("203.0.113.7"); a.Wait > 0 {
			t.Fatalf("all is forgotten, and yet %+v", a)
		}
		w.fail(10, "203.0.113.7")
		w.Pass(9 * time.Minute)
		w.fail(10, "203.0.113.7")
		w.wantBanned(true, "203.0.113.7")
	},
	"who fails often waits longer and longer": func(t *testing.T, w *world) {
		for n, want := range []time.Duration{0, 0, 0, 0, 0, 250 * time.Millisecond, 500 * time.Millisecond, time.Second,
			2 * time.Second, 3 * time.Second, 3 * time.Second} {
			if a := w.admit("203.0.113.7"); a.Wait != want || a.Banned {
				t.Fatalf("after %d failures: %+v, want %v", n, a, want)
			}
			w.fail(1, "203.0.113.7")
		}
		if a := w.admit("203.0.113.8"); a.Wait != 0 {
			t.Fatalf("somebody else: %+v", a)
		}
	},
	"IPv6 counts by the /64, mapped IPv4 by itself": func(t *testing.T, w *world) {
		for i := range 20 {
			w.fail(1, fmt.Sprintf("2001:db8:1:2::%x", i))
		}
		w.wantBanned(true, "2001:db8:1:2:ffff::1")
		w.wantBanned(true, "2001:db8:1:2::1%eth0")
		w.wantBanned(false, "2001:db8:1:3::1")
		for range 20 {
			w.fail(1, "::ffff:203.0.113.7")
		}
		w.wantBanned(true, "203.0.113.7")
		w.wantBanned(true, "::ffff:203.0.113.7")
		w.wantBanned(false, "203.0.113.8")
		if b := w.bans(); b["2001:db8:1:2::/64"].Failures != 20 || b["203.0.113.7"].Failures != 20 || len(b) != 2 {
			t.Fatalf("%+v", b)
		}
	},
	"what says nothing against an address": func(t *testing.T, w *world) {
		u, k := w.customer("acme")
		for _, reason := range []string{model.ReasonOK, model.ReasonTooMany, model.ReasonServerOverload, model.ReasonSilent,
			model.ReasonUnavailable, model.ReasonBanned, ""} {
			for range 40 {
				w.failed("203.0.113.7", "acme", reason)
			}
		}
		for range 40 {
			r := w.login("203.0.113.7", u, k)
			r.EndedAt, r.Outcome = &r.At, model.ReasonDirectory
			w.service.Note(r)
		}
		if a := w.admit("203.0.113.7"); a.Banned || a.Wait > 0 {
			t.Fatalf("%+v", a)
		}
		for range 20 {
			w.failed("203.0.113.7", "acme", model.ReasonNoKeyOffered)
		}
		w.wantBanned(true, "203.0.113.7")
	},
	"whoever is never banned": func(t *testing.T, w *world) {
		w.policy.Bans.Never = append(w.policy.Bans.Never, netip.MustParsePrefix("203.0.113.0/28"),
			netip.MustParsePrefix("2001:db8::7/128"))
		w.open()
		for _, from := range []string{"127.0.0.1", "203.0.113.7", "::ffff:203.0.113.8", "2001:db8::7"} {
			w.fail(50, from)
			if a := w.admit(from); a.Banned || a.Wait > 0 {
				t.Errorf("%s: %+v", from, a)
			}
		}
		w.fail(50, "203.0.113.99")
		w.wantBanned(true, "203.0.113.99")
		w.fail(50, "2001:db8::8")
		w.wantBanned(true, "2001:db8::8")
		w.wantBanned(false, "2001:db8::7") // in the same /64, and on an allow-list
		w.service.Note(connection.Record{Connection: model.Connection{Reference: "nowhere", Outcome: model.ReasonProtocol}})
	},
	"addresses on an allow-list are let in, others are not": func(t *testing.T, w *world) {
		w.customer("acme")
		w.customer("globex")
		_, err := w.Accounts.SetUser(ctx, "test", "acme",
			model.EditUser{AllowIPs: &[]string{"203.0.113.7", "2001:db8:1:2::7"}})
		testkit.Must(t, err)
		_, err = w.Accounts.SetAccount(ctx, "test", "globex", model.EditAccount{AllowIPs: &[]string{"198.51.100.0/24"}})
		testkit.Must(t, err)
		w.learn() // allow-lists are read every second
		for _, from := range []string{"203.0.113.7", "198.51.100.99", "2001:db8:1:2::7"} {
			w.fail(60, from)
			if a := w.admit(from); a.Banned || a.Wait > 0 {
				t.Errorf("%s is listed: %+v", from, a)
			}
		}
		w.fail(20, "203.0.113.8")
		w.wantBanned(true, "203.0.113.8")
		w.fail(20, "2001:db8:1:2::8")
		w.wantBanned(true, "2001:db8:1:2::8")
		w.wantBanned(false, "2001:db8:1:2::7")

		_, err = w.Accounts.SetUser(ctx, "test", "acme", model.EditUser{AllowIPs: &[]string{"203.0.113.8"}})
		testkit.Must(t, err)
		w.learn()
		w.wantBanned(false, "203.0.113.8")
	},
	"being turned away is recorded once a minute": func(t *testing.T, w *world) {
		w.fail(20, "203.0.113.7")
		recorded := 0
		for range 100 {
			if w.admit("203.0.113.7").Record {
				recorded++
			}
		}
		w.Pass(time.Minute)
		for range 100 {
			if w.admit("203.0.113.7").Record {
				recorded++
			}
		}
		if recorded != 2 {
			t.Fatalf("%d records in two minutes", recorded)
		}
		if b := w.bans()["203.0.113.7"]; b.Refused != 200 {
			t.Fatalf("%+v", b)
		}
	},
	"a ban is lifted": func(t *testing.T, w *world) {
		w.fail(20, "203.0.113.7")
		w.fail(20, "2001:db8:1:2::1")
		testkit.Must(t, w.service.Unban(ctx, "boss", "::ffff:203.0.113.7"))
		w.wantBanned(false, "203.0.113.7")
		w.wantBanned(true, "2001:db8:1:2::1")
		testkit.Must(t, w.service.Unban(ctx, "boss", "2001:db8:1:2::/64"))
		w.wantBanned(false, "2001:db8:1:2::1")
		if n := w.Count("audit WHERE action = 'address.unban' AND actor = 'boss'"); n != 2 {
			t.Fatalf("%d audit rows", n)
		}
		testkit.WantKind(t, w.service.Unban(ctx, "boss", "203.0.113.7"), fault.NotFound)
		for _, bad := range []string{"", "acme", "203.0.113.7:22", "203.0.113"} {
			testkit.WantKind(t, w.service.Unban(ctx, "boss", bad), fault.Invalid)
		}
		if len(w.bans()) != 0 {
			t.Fatalf("%+v", w.bans())
		}
		w.fail(4, "203.0.113.7")
		if a := w.admit("203.0.113.7"); a.Wait > 0 {
			t.Fatalf("its failures were not forgotten: %+v", a)
		}
	},
	"a ban outlives a restart": func(t *testing.T, w *world) {
		w.fail(20, "203.0.113.7")
		w.open()
		w.wantBanned(true, "203.0.113.7")
		w.Pass(16 * time.Minute)
		w.open()
		w.wantBanned(false, "203.0.113.7")
	},
	"two nodes learn of each other's bans": func(t *testing.T, w *world) {
		other, stop := w.another()
		defer stop()
		sees := func(r *connection.Service, from string) func() bool {
			return func() bool { return r.Admit(netip.MustParseAddr(from)).Banned }
		}
		within := func(what string, cond func() bool) {
			t.Helper()
			begun := time.Now()
			testkit.Eventually(t, what, cond)
			if took := time.Since(begun); took > 3*time.Second { // two seconds, and one for a busy machine
				t.Errorf("%s after %v", what, took)
			}
		}
		w.fail(20, "203.0.113.7")
		within("the other node keeps it out", sees(other, "203.0.113.7"))
		for range 20 {
			other.Note(w.record("203.0.113.8", "root", model.ReasonUnknownUser))
		}
		within("this node keeps it out", sees(w.service, "203.0.113.8"))
		w.wantBanned(true, "203.0.113.7") // and has not forgotten its own
		testkit.Must(t, w.service.Unban(ctx, "boss", "203.0.113.8"))
		within("the other node lets it in again", func() bool { return !sees(other, "203.0.113.8")() })
		if !sees(other, "203.0.113.7")() {
			t.Fatal("the other node forgot a ban that holds")
		}
		// Both nodes refuse a connection, and both refusals are counted.
		before := w.bans()["203.0.113.7"].Refused
		w.admit("203.0.113.7")
		other.Admit(netip.MustParseAddr("203.0.113.7"))
		testkit.Eventually(t, "both nodes' numbers are added",
			func() bool { return w.bans()["203.0.113.7"].Refused >= before+2 })
	},
	// Bans and Unban once raced with the service's own sync.
	"many look and change at once": func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				from := fmt.Sprintf("203.0.113.%d", i)
				for range 10 {
					w.fail(20, from)
					if _, err := w.service.Bans(ctx, model.EveryFilter{}); err != nil {
						t.Error(err)
					}
					if a := w.admit(from); !a.Banned {
						t.Errorf("%s came in", from)
					}
					if err := w.service.Unban(ctx, "boss", from); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if len(w.bans()) != 0 {
			t.Fatalf("%+v", w.bans())
		}
	},
	"no bans when none are wanted": func(t *testing.T, w *world) {
		w.policy.Bans.After = 0
		w.open()
		w.fail(200, "203.0.113.7")
		if a := w.admit("203.0.113.7"); a.Banned || a.Wait > 0 {
			t.Fatalf("%+v", a)
		}
	},
	"an outage keeps the ban, and its numbers": func(t *testing.T, w *world) {
		_, err := w.DB.Exec("ALTER TABLE bans RENAME TO away")
		testkit.Must(t, err)
		w.fail(20, "203.0.113.7")
		for range 5 {
			w.wantBanned(true, "203.0.113.7")
		}
		testkit.Eventually(t, "the log says that it failed",
			func() bool { return w.log.Contains("bans could not be written") })
		w.wantBanned(true, "203.0.113.7")
		_, err = w.DB.Exec("ALTER TABLE away RENAME TO bans")
		testkit.Must(t, err)
		testkit.Eventually(t, "the ban is written down", func() bool { return w.bans()["203.0.113.7"].Refused == 6 })
	},
}

// fail notes failed connections from an address.
func (w *world) fail(times int, from string) {
	for range times {
		w.failed(from, "root", model.ReasonUnknownUser)
	}
}

func (w *world) admit(from string) connection.Admission {
	return w.service.Admit(netip.MustParseAddr(from))
}

func (w *world) wantBanned(want bool, from string) {
	w.Helper()
	if a := w.admit(from); a.Banned != want {
		w.Fatalf("%s: %+v, want banned: %v", from, a, want)
	}
}

// bans returns the bans by address.
func (w *world) bans() map[string]model.Ban {
	w.Helper()
	list, err := w.service.Bans(ctx, model.EveryFilter{})
	w.Must(err)
	out := map[string]model.Ban{}
	for _, b := range list {
		out[b.Address] = b
	}
	return out
}

// learn waits until the service has reloaded bans and allow-lists.
func (w *world) learn() {
	w.Helper()
	_, err := w.service.Bans(ctx, model.EveryFilter{})
	w.Must(err)
}
