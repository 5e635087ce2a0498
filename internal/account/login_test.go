package account_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var loginStories = stories{
	"every reason, and which comes first": func(t *testing.T, w *world) {
		for name, c := range map[string]struct {
			user  string
			key   func(scene) testkit.Pair
			turns func(scene)
			want  string
		}{
			"nothing is wrong":   {"acme", own, func(scene) {}, model.ReasonOK},
			"nobody has the key": {"acme", other, func(scene) {}, model.ReasonUnknownKey},
			"it waits": {"acme", other, func(s scene) { s.offer("acme", s.nobodys) },
				model.ReasonKeyPending},
			"it waits for another": {"acme", other, func(s scene) { s.offer("globex", s.nobodys) },
				model.ReasonUnknownKey},
			"another user's": {"acme", other, func(s scene) { s.done(s.add("globex", s.nobodys.Line)) },
				model.ReasonOtherUsersKey},
			"it waited, and became another's": {"acme", other,
				func(s scene) { s.offer("acme", s.nobodys); s.done(s.add("globex", s.nobodys.Line)) }, model.ReasonOtherUsersKey},
			"nobody's name, and a good key":      {"acmee", own, func(scene) {}, model.ReasonUnknownUser},
			"nobody's name, and a burned key":    {"acmee", own, scene.burn, model.ReasonUnknownUser},
			"another user's name":                {"globex", own, func(scene) {}, model.ReasonOtherUsersKey},
			"another user's name, a revoked key": {"globex", own, scene.revoke, model.ReasonUnknownKey},
			"burned":                             {"acme", own, scene.burn, model.ReasonKeyBurned},
			"burned before anybody had it": {"acme", other,
				func(s scene) { s.done(s.Accounts.RevokeKey(ctx, "test", s.nobodys.Print, "x", true)) }, model.ReasonKeyBurned},
			"revoked, then burned": {"acme", own, func(s scene) { s.revoke(); s.burn() }, model.ReasonKeyBurned},
			"revoked":              {"acme", own, scene.revoke, model.ReasonKeyRevoked},
			"frozen":               {"acme", own, scene.freeze, model.ReasonKeyFrozen},
			"frozen, then revoked": {"acme", own, func(s scene) { s.freeze(); s.revoke() },
				model.ReasonKeyRevoked},
			"expired": {"acme", own, scene.expire, model.ReasonKeyExpired},
			"expired and frozen": {"acme", own, func(s scene) { s.expire(); s.freeze() },
				model.ReasonKeyFrozen},
			"being replaced": {"acme", own, scene.rotate, model.ReasonOK},
			"being replaced and frozen": {"acme", own, func(s scene) { s.rotate(); s.freeze() },
				model.ReasonKeyFrozen},
			"replaced": {"acme", own, func(s scene) { s.rotate(); s.later() },
				model.ReasonKeyReplaced},
			"replaced, and expired since": {"acme", own, func(s scene) { s.rotate(); s.expire(); s.later() },
				model.ReasonKeyReplaced},
			"revoked while it was being replaced": {"acme", own, func(s scene) { s.rotate(); s.revoke(); s.later() },
				model.ReasonKeyRevoked},
			"disabled": {"acme", own, scene.disable, model.ReasonUserDisabled},
			"disabled, with an expired key": {"acme", own, func(s scene) { s.disable(); s.expire() },
				model.ReasonKeyExpired},
			"disabled, with an unknown key": {"acme", other, scene.disable, model.ReasonUnknownKey},
			"suspended": {"acme", own, func(s scene) { s.state(model.AccountSuspended) },
				model.ReasonSuspended},
			"suspended and disabled": {"acme", own, func(s scene) { s.state(model.AccountSuspended); s.disable() },
				model.ReasonUserDisabled},
			"suspended, from elsewhere": {"acme", own,
				func(s scene) { s.state(model.AccountSuspended); s.elsewhere() }, model.ReasonSuspended},
			"suspended and reinstated": {"acme", own,
				func(s scene) { s.state(model.AccountSuspended); s.state(model.AccountActive) }, model.ReasonOK},
			"closed": {"acme", own, func(s scene) { s.state(model.AccountClosed); s.Pass(30 * day) },
				model.ReasonClosed},
			"closed, with its files yet": {"acme", own, func(s scene) { s.state(model.AccountClosed) },
				model.ReasonOK},
			"closed, with its files yet, from elsewhere": {"acme", own,
				func(s scene) { s.state(model.AccountClosed); s.elsewhere() }, model.ReasonAddress},
			"read-only": {"acme", own, func(s scene) { s.state(model.AccountReadOnly) },
				model.ReasonOK},
			"from elsewhere": {"acme", own, scene.elsewhere, model.ReasonAddress},
			"from elsewhere, with a frozen key": {"acme", own, func(s scene) { s.elsewhere(); s.freeze() },
				model.ReasonKeyFrozen},
			"from elsewhere, and the name's nobody": {"acmee", own, scene.elsewhere, model.ReasonUnknownUser},
		} {
			readOnly := map[string]bool{"read-only": true, "closed, with its files yet": true}
			s := scene{world: w, nobodys: testkit.NewPair(t)}
			w.begin(w.TB)
			w.Customer("acme")
			w.Customer("globex")
			w.people("acme")
			s.key = w.Enrol("acme")
			c.turns(s)
			l, reason, err := w.Accounts.Check(ctx, c.user, c.key(s).Print, netip.MustParseAddr("203.0.113.7"))
			if err != nil || reason != c.want {
				t.Errorf("%s: %s, want %s (%v)", name, reason, c.want, err)
			}
			if reason == model.ReasonOK &&
				(l.User.Name != "acme" || l.KeyID == "" || l.Fingerprint != c.key(s).Print || l.ReadOnly != readOnly[name]) {
				t.Errorf("%s: %+v", name, l)
			}
		}
	},
	"each list of addresses must allow one": func(t *testing.T, w *world) {
		here := netip.MustParseAddr("203.0.113.7")
		yes, no := []string{"203.0.113.0/24", "2001:db8::/32"}, []string{"198.51.100.1/32"}
		w.Customer("acme")
		p := w.Enrol("acme")
		for i, c := range []struct {
			user, account     []string
			region            string
			defaults, region1 []string
			ok                bool
		}{
			{nil, nil, "", nil, nil, true},
			{yes, nil, "", nil, nil, true},
			{no, nil, "", nil, nil, false},
			{append(no, yes...), nil, "", nil, nil, true},
			{nil, yes, "", nil, nil, true},
			{nil, no, "", nil, nil, false},
			{yes, no, "", nil, nil, false}, // every list must allow it
			{no, yes, "", nil, nil, false},
			{nil, nil, "", yes, no, true},
			{nil, nil, "", no, yes, false},
			{yes, yes, "", no, nil, false},
			{nil, nil, "au", no, yes, true},  // the region's own list counts alone
			{nil, nil, "au", yes, no, false}, //
			{nil, nil, "nz", no, yes, false}, // an unknown region has the default
			{nil, nil, "au", no, nil, true},  // its own list may be empty
		} {
			w.Policy.Regions = nil // so that an account may have one that is not configured
			w.Policy.EndpointIPs = map[string][]string{"": c.defaults, "au": c.region1}
			w.OpenAccounts()
			clean := func(list []string) *[]string { out := append([]string{}, list...); return &out }
			_, err := w.Accounts.SetUser(ctx, "test", "acme", model.EditUser{AllowIPs: clean(c.user)})
			testkit.Must(t, err)
			_, err = w.Accounts.SetAccount(ctx, "test", "acme",
				model.EditAccount{AllowIPs: clean(c.account), Region: new(c.region)})
			testkit.Must(t, err)
			want := model.ReasonAddress
			if c.ok {
				want = model.ReasonOK
			}
			l, reason, err := w.Accounts.Check(ctx, "acme", p.Print, here)
			if err != nil || reason != want || l.Region != c.region {
				t.Errorf("%d: %s in region %q, want %s (%v)", i, reason, l.Region, want, err)
			}
		}
	},
	// Clients may send any bytes as a username. The database accepts only text, so other bytes
	// must not reach it; each such try would look like an outage.
	"usernames that are no text are unknown": func(t *testing.T, w *world) {
		w.Customer("acme")
		p := w.Enrol("acme")
		for _, name := range []string{"acme\x00", "\x00", "\xff\xfe", "acme\xe9", "", " acme", "acme\n", "acme' OR '1'='1",
			"%", "acm_"} {
			_, reason, err := w.Accounts.Check(ctx, name, p.Print, netip.MustParseAddr("203.0.113.7"))
			if err != nil || reason != model.ReasonUnknownUser {
				t.Errorf("%q: %s, %v", name, reason, err)
			}
		}
	},
	// Usernames of old servers have capitals, '@', '+' and spaces, and people type them in any
	// case.
	"names that people brought along, in any case": func(t *testing.T, w *world) {
		_, err := w.Accounts.AddAccount(ctx, "test", model.NewAccount{ID: "Acme Corp", Name: "Acme"})
		testkit.Must(t, err)
		for _, name := range []string{"Acme Corp", "J.Smith+EDI@Acme.example"} {
			_, err := w.Accounts.AddUser(ctx, "test", model.NewUser{Account: "ACME CORP", Name: name})
			testkit.Must(t, err)
			p := w.Enrol(name)
			for _, typed := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
				l, reason, err := w.Accounts.Check(ctx, typed, p.Print, netip.MustParseAddr("203.0.113.7"))
				if err != nil || reason != model.ReasonOK || l.User.Name != name || l.User.Account != "Acme Corp" {
					t.Errorf("%q: %+v, %s, %v", typed, l.User, reason, err)
				}
			}
			_, err = w.Accounts.AddUser(ctx, "test", model.NewUser{Account: "acme corp", Name: strings.ToUpper(name)})
			testkit.WantKind(t, err, fault.Exists)
		}
		_, err = w.Accounts.AddAccount(ctx, "test", model.NewAccount{ID: "ACME corp", Name: "Acme"})
		testkit.WantKind(t, err, fault.Exists)
		if list, err := w.Accounts.Users(ctx, model.UserFilter{Account: "acme CORP"}); err != nil || len(list) != 2 {
			t.Errorf("%d users, %v", len(list), err)
		}
	},
	"what was revoked since is noticed": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.people("acme")
		s := scene{world: w}
		check := func(p testkit.Pair) exchange.Login {
			t.Helper()
			l, reason, err := w.Accounts.Check(ctx, "acme", p.Print, netip.MustParseAddr("203.0.113.7"))
			if err != nil || reason != model.ReasonOK {
				t.Fatalf("%s, %v", reason, err)
			}
			return l
		}
		other := w.Enrol("acme")
		for name, turn := range map[string]func(){"revoked": s2(&s, scene.revoke), "burned": s2(&s, scene.burn),
			"frozen": s2(&s, scene.freeze)} {
			s.key = testkit.NewPair(t)
			_, err := w.add("acme", s.key.Line, func(n *model.NewKey) { n.ConfirmedBy = "ann@acme.example" })
			testkit.Must(t, err)
			l, bystander := check(s.key), check(other)
			if good, err := w.Accounts.Confirm(ctx, l); !good || err != nil {
				t.Fatalf("before it is %s: %v, %v", name, good, err)
			}
			turn()
			if good, err := w.Accounts.Confirm(ctx, l); good || err != nil {
				t.Errorf("%s: %v, %v", name, good, err)
			}
			if good, err := w.Accounts.Confirm(ctx, bystander); !good || err != nil {
				t.Errorf("the other key, when one was %s: %v, %v", name, good, err)
			}
		}
	},
	"a read-only account may log in, and a session": func(t *testing.T, w *world) {
		w.Customer("acme")
		p := w.Enrol("acme")
		_, err := w.Accounts.SetState(ctx, "test", "acme", model.AccountReadOnly)
		testkit.Must(t, err)
		l, reason, err := w.Accounts.Check(ctx, "acme", p.Print, netip.MustParseAddr("203.0.113.7"))
		if err != nil || reason != model.ReasonOK || !l.ReadOnly {
			t.Fatalf("%+v, %s, %v", l, reason, err)
		}
	},
	"networks of both families, however written": func(t *testing.T, w *world) {
		w.Customer("acme")
		p := w.Enrol("acme")
		for _, c := range []struct {
			list, from string
			ok         bool
		}{
			{"203.0.113.7", "203.0.113.7", true}, {"203.0.113.7", "203.0.113.8", false},
			{"203.0.113.99/24", "203.0.113.7", true},
			{"2001:db8::/32", "2001:db8:5::1", true}, {"2001:db8::1", "2001:db8::2", false}, {"0.0.0.0/0", "2001:db8::1", false},
			{"::/0", "203.0.113.7", false}, {"::ffff:203.0.113.7", "203.0.113.7", true},
			{"::ffff:203.0.113.0/120", "203.0.113.7", true},
		} {
			_, err := w.Accounts.SetUser(ctx, "test", "acme", model.EditUser{AllowIPs: &[]string{c.list}})
			testkit.Must(t, err)
			_, reason, err := w.Accounts.Check(ctx, "acme", p.Print, netip.MustParseAddr(c.from))
			if err != nil || (reason == model.ReasonOK) != c.ok {
				t.Errorf("%s from %s: %s, %v", c.list, c.from, reason, err)
			}
		}
		for _, bad := range []string{"", "everywhere", "203.0.113.0/33", "203.0.113", "fe80::1%eth0", "203.0.113.7\n",
			"::/129"} {
			_, err := w.Accounts.SetUser(ctx, "test", "acme", model.EditUser{AllowIPs: &[]string{bad}})
			testkit.WantKind(t, err, fault.Invalid)
			_, err = w.Accounts.SetAccount(ctx, "test", "acme", model.EditAccount{AllowIPs: &[]string{bad}})
			testkit.WantKind(t, err, fault.Invalid)
		}
	},
	"a state or a list that takes log-in away ends the session": func(t *testing.T, w *world) {
		s := scene{world: w}
		w.Customer("acme")
		s.key = w.Enrol("acme")
		for i, turn := range []func(){s.disable, s.elsewhere, func() { s.state(model.AccountSuspended) },
			func() {
				s.done(w.Accounts.SetAccount(ctx, "test", "acme", model.EditAccount{AllowIPs: &[]string{"203.0.113.0/24"}}))
			}} {
			before, err := w.Store.Read(ctx).RevocationNumber()
			testkit.Must(t, err)
			turn()
			after, err := w.Store.Read(ctx).RevocationNumber()
			if err != nil || after != before+1 {
				t.Errorf("turn %d: revocation number %d → %d, %v", i, before, after, err)
			}
		}
		_, err := w.Accounts.SetState(ctx, "test", "acme", model.AccountClosed)
		testkit.Must(t, err)
		_, err = w.Accounts.SetState(ctx, "test", "acme", model.AccountActive)
		testkit.WantKind(t, err, fault.Conflict)
	},
}

// scene is a user "acme" with one key, and another key that no user has.
type scene struct {
	*world
	key, nobodys testkit.Pair
}

// The changes that a scene may undergo.
func (s scene) revoke() { s.done(s.Accounts.RevokeKey(ctx, "test", s.key.Print, "old", false)) }
func (s scene) burn()   { s.done(s.Accounts.RevokeKey(ctx, "test", s.key.Print, "copied", true)) }
func (s scene) freeze() { s.done(s.Accounts.FreezeKey(ctx, "test", s.key.Print, "jo@acme.example")) }
func (s scene) rotate() { s.rotated("acme", s.key) }
func (s scene) later()  { s.Pass(20 * day) }
func (s scene) expire() {
	at := s.Clock()
	s.done(s.Accounts.SetKey(ctx, "test", "acme", model.EditKey{Fingerprint: s.key.Print, ExpiresAt: &at}))
}
func (s scene) disable() {
	s.done(s.Accounts.SetUser(ctx, "test", "acme", model.EditUser{Enabled: new(false)}))
}
func (s scene) state(now model.AccountState) { s.done(s.Accounts.SetState(ctx, "test", "acme", now)) }
func (s scene) elsewhere() {
	s.done(s.Accounts.SetUser(ctx, "test", "acme", model.EditUser{AllowIPs: &[]string{"198.51.100.0/24"}}))
}

func (s scene) done(_ any, err error) {
	s.Helper()
	s.Must(err)
}

func own(s scene) testkit.Pair   { return s.key }
func other(s scene) testkit.Pair { return s.nobodys }

func s2(s *scene, turn func(scene)) func() { return func() { turn(*s) } }
