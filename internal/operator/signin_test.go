package operator_test

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/operator"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

func TestSignInOnSQLite(t *testing.T) {
	testkit.Tell(t, &world{World: testkit.NewWorld(t, "")}, begin, signIns)
}

func TestSignInOnPostgres(t *testing.T) {
	testkit.Tell(t, &world{World: testkit.NewWorld(t, testkit.Postgres(t).Database(t))}, begin, signIns)
}

const goodWords = "correct horse battery staple"

// from is a browser at an address.
func from(address string) operator.Visitor {
	return operator.Visitor{Address: netip.MustParseAddr(address), Agent: "Firefox/140 on Linux"}
}

// secretOf is the last part of a link.
func secretOf(link string) string { return link[strings.LastIndex(link, "/")+1:] }

// member is an operator who has joined, with what its app makes codes from.
type member struct {
	operator.Session
	codes string
}

// code is what the member's authenticator app shows now.
func (w *world) code(secret string) string {
	w.Helper()
	code, err := totp.GenerateCode(secret, w.Clock())
	w.Must(err)
	return code
}

// joined invites an operator, who joins with a password.
func (w *world) joined(email string, role model.Role) member {
	w.Helper()
	o, err := w.s.AddOperator(ctx, "local:root", model.NewOperator{Email: email, Name: "Kim Hill", Role: role})
	w.Must(err)
	return w.joins(secretOf(o.Link), operator.Person{})
}

func (w *world) joins(secret string, p operator.Person) member {
	w.Helper()
	c, err := w.s.JoinCode(ctx, secret)
	w.Must(err)
	s, _, err := w.s.Join(ctx, secret, p, w.passwords(c), from(here))
	w.Must(err)
	return member{s, c.Secret}
}

// passwords is what somebody joins with.
func (w *world) passwords(c operator.Code) operator.Passwords {
	w.Helper()
	return operator.Passwords{Ticket: c.Ticket, New: goodWords, Code: w.code(c.Secret)}
}

// signedIn reports whether a cookie works.
func (w *world) signedIn(cookie string) bool {
	_, err := w.s.BySession(ctx, cookie)
	if err != nil && !fault.Is(err, fault.Unauthenticated) {
		w.Errorf("a session: %v", err)
	}
	return err == nil
}

// turnedAway checks that a sign-in is refused in words, and what administrators read.
func (w *world) turnedAway(err error, kind fault.Kind, says, noted string) {
	w.Helper()
	if !fault.Is(err, kind) || !strings.Contains(fault.PublicText(err), says) {
		w.Errorf("%v (%s), want %v: %s", err, fault.PublicText(err), kind, says)
	}
	if noted == "" {
		return
	}
	o, err := w.s.Operator(ctx, "kim@example.net")
	w.Must(err)
	if !strings.Contains(o.RefusedFor, noted) || o.RefusedFrom == "" || o.RefusedAt == nil {
		w.Errorf("administrators read %q from %s", o.RefusedFor, o.RefusedFrom)
	}
}

func asMistakes(err error, to *fault.Mistakes) bool { return errors.As(err, to) }

var signIns = testkit.Stories[*world]{
	"the first administrator joins once, by the newest link, and never again": func(_ *testing.T, w *world) {
		old, err := w.s.First(ctx)
		w.Must(err)
		if again, err := w.s.First(ctx); again != "" || err != nil {
			w.Errorf("a restart prints a link again: %q, %v", again, err)
		}
		o, err := w.s.FirstLink(ctx, "local:root")
		w.Must(err)
		link := o.Link
		if _, err := w.s.Joining(ctx, secretOf(old)); !fault.Is(err, fault.NotFound) {
			w.Errorf("the link before: %v", err)
		}
		var again fault.Mistakes
		c, err := w.s.JoinCode(ctx, secretOf(link))
		w.Must(err)
		_, next, err := w.s.Join(ctx, secretOf(link), operator.Person{Email: "nobody"},
			operator.Passwords{Ticket: c.Ticket, New: "short", Code: "123456"}, from(here))
		if next.Secret != c.Secret || next.Ticket == c.Ticket {
			w.Error("after mistakes the app is to be set up again")
		}
		if !asMistakes(err, &again) || again.Of("email") == "" || again.Of("password") == "" || again.Of("code") == "" {
			w.Errorf("three mistakes: %v", err)
		}
		m := w.joins(secretOf(link), operator.Person{Email: "kim@example.net", Name: "Kim Hill"})
		if m.Identity() != (model.Identity{Name: "operator:kim@example.net", Role: model.RoleAdmin}) ||
			!w.signedIn(m.Cookie) {
			w.Errorf("it is %+v", m.Identity())
		}
		if _, err := w.s.Joining(ctx, secretOf(link)); !fault.Is(err, fault.NotFound) {
			w.Errorf("the link again: %v", err)
		}
		if link, err := w.s.First(ctx); link != "" || err != nil {
			w.Errorf("there is a first link again: %q, %v", link, err)
		}
		if _, err := w.s.FirstLink(ctx, "local:root"); !fault.Is(err, fault.Conflict) {
			w.Errorf("one that is asked for: %v", err)
		}
	},
	"whoever is invited on the machine closes the first link": func(_ *testing.T, w *world) {
		link, err := w.s.First(ctx)
		w.Must(err)
		w.joined("kim@example.net", model.RoleAdmin)
		if _, err := w.s.Joining(ctx, secretOf(link)); !fault.Is(err, fault.NotFound) {
			w.Errorf("the first link: %v", err)
		}
	},
	"of two who use a link at once, one joins": func(_ *testing.T, w *world) {
		link, err := w.s.First(ctx)
		w.Must(err)
		var codes [4]operator.Code
		for i := range codes {
			codes[i], err = w.s.JoinCode(ctx, secretOf(link))
			w.Must(err)
		}
		var all sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			all.Go(func() {
				_, _, errs[i] = w.s.Join(ctx, secretOf(link), operator.Person{Email: string(rune('a'+i)) + "@example.net"},
					w.passwords(codes[i]), from(here))
			})
		}
		all.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !fault.Is(err, fault.NotFound) {
				w.Errorf("the others: %v", err)
			}
		}
		if n := w.Count("operators"); won != 1 || n != 1 {
			w.Errorf("%d joined, and there are %d", won, n)
		}
	},
	"a link ends after three days, opened or not": func(_ *testing.T, w *world) {
		o, err := w.s.AddOperator(ctx, "kim", model.NewOperator{Email: "kim@example.net", Role: model.RoleSupport})
		w.Must(err)
		w.Pass(72 * time.Hour)
		if _, err := w.s.Joining(ctx, secretOf(o.Link)); !fault.Is(err, fault.NotFound) {
			w.Errorf("after three days: %v", err)
		}
	},
	"a password with a code signs in, and a code works once": func(_ *testing.T, w *world) {
		m := w.joined("Kim@Example.net", model.RoleSupport)
		w.Pass(time.Minute)
		code := w.code(m.codes)
		s, err := w.s.SignIn(ctx, "kim@example.NET", goodWords, code[:3]+" "+code[3:], from(here))
		w.Must(err)
		if !w.signedIn(s.Cookie) || s.Who.Role != model.RoleSupport {
			w.Errorf("it is %+v", s.Who)
		}
		_, err = w.s.SignIn(ctx, "kim@example.net", goodWords, code, from("198.51.100.9"))
		w.turnedAway(err, fault.Denied, "used already", "used already")
		w.Pass(30 * time.Second)
		_, err = w.s.SignIn(ctx, "kim@example.net", goodWords, code, from(here)) // its step is within the drift
		w.turnedAway(err, fault.Denied, "used already", "used already")
	},
	"two browsers that send one code at once: one is let in": func(_ *testing.T, w *world) {
		m := w.joined("kim@example.net", model.RoleSupport)
		w.Pass(time.Minute)
		code := w.code(m.codes)
		var all sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			all.Go(func() { _, errs[i] = w.s.SignIn(ctx, "kim@example.net", goodWords, code, from(here)) })
		}
		all.Wait()
		in := 0
		for _, err := range errs {
			if err == nil {
				in++
			}
		}
		if in != 1 {
			w.Errorf("%d were let in: %v", in, errs)
		}
	},
	"a refusal tells a guesser nothing, and whoever knows the password everything": func(_ *testing.T, w *world) {
		m := w.joined("kim@example.net", model.RoleSupport)
		w.Pass(time.Minute)
		_, unknown := w.s.SignIn(ctx, "nobody@example.net", goodWords, "000000", from("192.0.2.1"))
		_, wrong := w.s.SignIn(ctx, "kim@example.net", "not the words at all", w.code(m.codes), from("192.0.2.2"))
		if unknown == nil || wrong == nil || unknown.Error() != wrong.Error() {
			w.Errorf("unknown: %v, wrong: %v", unknown, wrong)
		}
		w.turnedAway(wrong, fault.Denied, "not right", "The password was wrong.")
		_, err := w.s.SignIn(ctx, "kim@example.net", goodWords, "", from("192.0.2.3"))
		w.turnedAway(err, fault.Denied, "Please give the code", "Please give the code")
		late, err := totp.GenerateCode(m.codes, w.Clock().Add(-5*time.Minute))
		w.Must(err)
		_, err = w.s.SignIn(ctx, "kim@example.net", goodWords, late, from("192.0.2.4"))
		w.turnedAway(err, fault.Denied, "about 5 minutes old", "about 5 minutes old")
		soon, err := totp.GenerateCode(m.codes, w.Clock().Add(5*time.Minute))
		w.Must(err)
		_, err = w.s.SignIn(ctx, "kim@example.net", goodWords, soon, from("192.0.2.14"))
		w.turnedAway(err, fault.Denied, "The code is not right.", "The code is not right.")
		_, err = w.s.DisableOperator(ctx, "boss", "kim@example.net", model.Why{Reason: "left the company"})
		w.Must(err)
		_, err = w.s.SignIn(ctx, "kim@example.net", goodWords, w.code(m.codes), from("192.0.2.5"))
		w.turnedAway(err, fault.Denied, "disabled on 5 January 2026: left the company", "left the company")
	},
	"who guesses is refused for a while, from wherever; whoever signed in last may go on": func(_ *testing.T, w *world) {
		m := w.joined("kim@example.net", model.RoleSupport)
		for range 3 {
			_, err := w.s.SignIn(ctx, "kim@example.net", "guess", "000000", from("198.51.100.1"))
			w.turnedAway(err, fault.Denied, "not right", "")
		}
		w.Pass(2 * time.Second)
		_, err := w.s.SignIn(ctx, "kim@example.net", goodWords, w.code(m.codes), from("198.51.100.1"))
		w.turnedAway(err, fault.Busy, "Try again in 10 minutes", "")
		for i := range 30 { // from many addresses
			_, err := w.s.SignIn(ctx, "kim@example.net", "guess", "000000",
				from(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}).String()))
			if i < 27 {
				w.turnedAway(err, fault.Denied, "not right", "")
			}
		}
		_, err = w.s.SignIn(ctx, "kim@example.net", goodWords, w.code(m.codes), from("203.0.113.200"))
		w.turnedAway(err, fault.Busy, "Too many sign-ins", "")
		w.Pass(28 * time.Second)
		if _, err = w.s.SignIn(ctx, "kim@example.net", goodWords, w.code(m.codes), from(here)); err != nil {
			w.Errorf("from where it signed in last: %v", err)
		}
	},
	"of tries at once, no more are looked at than may fail": func(_ *testing.T, w *world) {
		w.joined("kim@example.net", model.RoleSupport)
		var all sync.WaitGroup
		errs := make([]error, 40)
		for i := range errs {
			all.Go(func() { _, errs[i] = w.s.SignIn(ctx, "kim@example.net", "guess", "000000", from("198.51.100.1")) })
		}
		all.Wait()
		looked := 0
		for _, err := range errs {
			if fault.Is(err, fault.Denied) {
				looked++
			}
		}
		if looked > 3 {
			w.Errorf("%d of 40 guesses were looked at", looked)
		}
	},
	"an IPv6 subscriber is one guesser, and a stranger's address tells nothing": func(_ *testing.T, w *world) {
		w.joined("kim@example.net", model.RoleSupport)
		for _, email := range []string{"kim@example.net", "nobody@example.net"} {
			w.s = w.again()
			said := ""
			for i := range 31 {
				_, err := w.s.SignIn(ctx, email, "guess", "000000",
					from(netip.AddrFrom16([16]byte{0x20, 0x01, 0xd, 0xb8, byte(i), 15: 1}).String()))
				said = fault.PublicText(err)
			}
			if !strings.Contains(said, "Too many sign-ins") {
				w.Errorf("%s: %s", email, said)
			}
		}
		w.s = w.again()
		var err error
		for i := range 4 {
			_, err = w.s.SignIn(ctx, "kim@example.net", "guess", "000000",
				from(netip.AddrFrom16([16]byte{0x20, 0x01, 0xd, 0xb8, 8: byte(i), 15: 1}).String()))
		}
		w.turnedAway(err, fault.Busy, "Too many sign-ins", "")
	},
	"who knows the password and guesses codes is locked out for good": func(_ *testing.T, w *world) {
		m := w.joined("kim@example.net", model.RoleSupport)
		w.Exec(`UPDATE operators SET wrong_codes = 97`) // over days, with restarts
		for i := range 3 {
			_, err := w.s.SignIn(ctx, "kim@example.net", goodWords, "000000",
				from(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}).String()))
			w.turnedAway(err, fault.Denied, "not right", "")
		}
		w.s = w.again()
		w.Pass(time.Minute)
		_, err := w.s.SignIn(ctx, "kim@example.net", goodWords, w.code(m.codes), from(here))
		w.turnedAway(err, fault.Denied, "100 codes were wrong", "")
	},
	"a request that was under way when its session ended changes nothing": func(_ *testing.T, w *world) {
		m := w.joined("kim@example.net", model.RoleAdmin)
		c, err := w.s.NewCode(ctx, m.Session)
		w.Must(err)
		_, err = w.s.ResetOperator(ctx, "boss", "kim@example.net")
		w.Must(err)
		_, err = w.s.SetPassword(ctx, m.Session, operator.Passwords{Ticket: c.Ticket, New: "another set of words",
			Code: w.code(c.Secret)})
		if err == nil {
			w.Error("a password was set by a session that has ended")
		}
		if o, err := w.s.Operator(ctx, "kim@example.net"); err != nil || len(o.Methods) != 0 {
			w.Errorf("it signs in with %v, %v", o.Methods, err)
		}
	},
	"a browser that was left signed in adds no way to sign in": func(_ *testing.T, w *world) {
		m := w.joined("kim@example.net", model.RoleAdmin)
		w.Pass(16 * time.Minute)
		_, _, err := w.s.NewKey(ctx, m.Session)
		w.turnedAway(err, fault.Denied, "more than 15 minutes ago", "")
	},
	"sign-ins that were begun and left do not keep others out": func(_ *testing.T, w *world) {
		w.Exec(`INSERT INTO challenges (hash, purpose, data, expires_at) VALUES ('old', 'sso', '{}', $1)`,
			w.Clock().Add(-time.Second).UnixMicro())
		_, _, err := w.s.PasskeyOptions(ctx, from(here))
		w.Must(err)
		if n := w.Count("challenges"); n != 1 {
			w.Errorf("%d are kept", n)
		}
	},
	"a session ends when nobody uses it, at its end, and when somebody ends it": func(_ *testing.T, w *world) {
		m := w.joined("kim@example.net", model.RoleSupport)
		for range 11 {
			w.Pass(29 * time.Minute)
			if !w.signedIn(m.Cookie) {
				w.Fatal("it ended although it is used")
			}
		}
		w.Pass(30 * time.Minute)
		if w.signedIn(m.Cookie) {
			w.Error("nobody used it for half an hour")
		}
		enter := func() operator.Session {
			w.Helper()
			s, err := w.s.SignIn(ctx, "kim@example.net", goodWords, w.code(m.codes), from(here))
			w.Must(err)
			return s
		}
		long := enter()
		for range 24 {
			w.Pass(29 * time.Minute)
			w.signedIn(long.Cookie)
		}
		w.Pass(25 * time.Minute)
		if w.signedIn(long.Cookie) {
			w.Error("it lives longer than twelve hours")
		}
		out := enter()
		w.Pass(time.Minute)
		kept := enter()
		w.Must(w.s.SignOut(ctx, out))
		if w.signedIn(out.Cookie) || !w.signedIn(kept.Cookie) {
			w.Error("signing out ends that session, and that alone")
		}
		w.Set(w.Clock().Add(-2 * time.Hour)) // the clock was set back
		if w.signedIn(kept.Cookie) {
			w.Error("a clock that goes back makes a session live again")
		}
	},
	"a new role holds at once; a reset and a lock end every session": func(_ *testing.T, w *world) {
		m := w.joined("kim@example.net", model.RoleAdmin)
		support := model.RoleSupport
		_, err := w.s.EditOperator(ctx, m.Who.Actor(), "kim@example.net", model.EditOperator{Role: &support})
		w.turnedAway(err, fault.Denied, "yourself", "")
		_, err = w.s.EditOperator(ctx, "boss", "kim@example.net", model.EditOperator{Role: &support})
		w.Must(err)
		if s, err := w.s.BySession(ctx, m.Cookie); err != nil || s.Identity().Role != model.RoleSupport {
			w.Errorf("%+v, %v", s.Identity(), err)
		}
		o, err := w.s.ResetOperator(ctx, "boss", "kim@example.net")
		w.Must(err)
		_, err = w.s.SignIn(ctx, "kim@example.net", goodWords, w.code(m.codes), from(here))
		w.turnedAway(err, fault.Denied, "not right", "no password")
		if w.signedIn(m.Cookie) {
			w.Error("a reset leaves the session")
		}
		again := w.joins(secretOf(o.Link), operator.Person{})
		if again.codes == m.codes {
			w.Error("after a reset the lost phone makes the same codes")
		}
		_, err = w.s.DisableOperator(ctx, "boss", "kim@example.net", model.Why{Reason: "away"})
		w.Must(err)
		if w.signedIn(again.Cookie) {
			w.Error("a disabled operator is signed in")
		}
		_, err = w.s.RemoveOperator(ctx, "boss", "kim@example.net")
		w.turnedAway(err, fault.Conflict, "the audit log names it", "")
	},
	"an operator ends its own sessions, and nobody else's": func(_ *testing.T, w *world) {
		kim, jo := w.joined("kim@example.net", model.RoleSupport), w.joined("jo@example.net", model.RoleSupport)
		if err := w.s.EndOwn(ctx, kim.Session, jo.ID); !fault.Is(err, fault.NotFound) || !w.signedIn(jo.Cookie) {
			w.Errorf("another's session: %v", err)
		}
		w.Pass(time.Minute)
		other, err := w.s.SignIn(ctx, "kim@example.net", goodWords, w.code(kim.codes), from(here))
		w.Must(err)
		w.Must(w.s.EndOthers(ctx, other))
		if w.signedIn(kim.Cookie) || !w.signedIn(other.Cookie) || !w.signedIn(jo.Cookie) {
			w.Error("all others of its own end, and no more")
		}
	},
	"a new password needs the old one, and the app need not be set up twice": func(_ *testing.T, w *world) {
		m := w.joined("kim@example.net", model.RoleSupport)
		c, err := w.s.NewCode(ctx, m.Session)
		w.Must(err)
		again, err := w.s.SetPassword(ctx, m.Session, operator.Passwords{Ticket: c.Ticket, Old: "no",
			New: "another set of words", Code: w.code(c.Secret)})
		var wrong fault.Mistakes
		if !asMistakes(err, &wrong) || wrong.Of("old") == "" || again.Secret != c.Secret {
			w.Errorf("the old one is wrong: %v", err)
		}
		_, err = w.s.SetPassword(ctx, m.Session, operator.Passwords{Ticket: again.Ticket, Old: goodWords,
			New: "another set of words", Code: w.code(c.Secret)})
		w.Must(err)
		w.Pass(time.Minute)
		if _, err = w.s.SignIn(ctx, "kim@example.net", goodWords, w.code(m.codes), from(here)); err == nil {
			w.Error("the old password works")
		}
		if _, err = w.s.SignIn(ctx, "kim@example.net", "another set of words", w.code(c.Secret), from(here)); err != nil {
			w.Errorf("the new one: %v", err)
		}
	},
	"who does not sign in for ninety days is disabled": func(_ *testing.T, w *world) {
		w.joined("kim@example.net", model.RoleSupport)
		w.Pass(89 * testkit.Day)
		w.joined("jo@example.net", model.RoleSupport)
		w.Pass(2 * testkit.Day)
		w.Must(operator.KeepPeople(w.s, ctx))
		list, err := w.s.Operators(ctx, model.OperatorFilter{In: model.OperatorDisabled})
		w.Must(err)
		if len(list) != 1 || list[0].Email != "kim@example.net" ||
			!strings.Contains(list[0].DisabledFor, "nobody has signed in") {
			w.Errorf("disabled are %+v", list)
		}
	},
	"a review lists what has access, and is signed off once": func(_ *testing.T, w *world) {
		w.OpenAccounts()
		w.Customer("acme")
		w.Enrol("acme")
		w.joined("kim@example.net", model.RoleAdmin)
		w.token(model.NewToken{Name: "billing", Role: model.RolePublisher})
		v, err := w.s.MakeReview(ctx, "kim")
		w.Must(err)
		if v.Operators != 1 || v.Tokens != 1 || v.Keys != 1 || len(v.Access) != 3 || v.Access[0].Used == nil {
			w.Errorf("it lists %+v", v)
		}
		_, err = w.s.SignReview(ctx, "kim", v.ID, model.SignReview{Note: "fine"})
		w.Must(err)
		_, err = w.s.SignReview(ctx, "jo", v.ID, model.SignReview{})
		w.turnedAway(err, fault.Conflict, "before, by kim", "")
		if got, err := w.s.Review(ctx, v.ID); err != nil || got.Note != "fine" || len(got.Access) != 3 {
			w.Errorf("%+v, %v", got, err)
		}
	},
	"what an authenticator app scans": func(_ *testing.T, w *world) {
		o, err := w.s.AddOperator(ctx, "boss", model.NewOperator{Email: "kim@example.net", Role: model.RoleSupport})
		w.Must(err)
		j, err := w.s.JoinCode(ctx, secretOf(o.Link))
		w.Must(err)
		other, err := w.s.JoinCode(ctx, secretOf(o.Link))
		w.Must(err)
		if other.Secret == j.Secret {
			w.Error("whoever looked at the link before has what codes are made from")
		}
		u, err := url.Parse(j.URI)
		w.Must(err)
		if u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Example Networks:kim@example.net" ||
			u.Query().Get("secret") != j.Secret || u.Query().Get("issuer") != "Example Networks" {
			w.Errorf("it is %s", j.URI)
		}
		clear := "operators WHERE totp LIKE '%" + j.Secret + "%' OR link_hash = '" + secretOf(o.Link) + "'"
		if n := w.Count(clear); n != 0 {
			w.Error("a secret is in the database in clear")
		}
	},
}
