package operator_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/operator"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

func TestPasskeysOnSQLite(t *testing.T) {
	testkit.Tell(t, &world{World: testkit.NewWorld(t, "")}, begin, passkeyStories)
}

func TestPasskeysOnPostgres(t *testing.T) {
	testkit.Tell(t, &world{World: testkit.NewWorld(t, testkit.Postgres(t).Database(t))}, begin, passkeyStories)
}

// device is an authenticator, in a browser that shows a page.
type device struct {
	page virtualwebauthn.RelyingParty
	virtualwebauthn.Authenticator
	key virtualwebauthn.Credential
}

func newDevice() *device {
	return &device{page: virtualwebauthn.RelyingParty{ID: "files.example.com", Name: "Example Networks",
		Origin: "https://files.example.com"}, Authenticator: virtualwebauthn.NewAuthenticator(), key: newDeviceKey()}
}

// newDeviceKey makes a key on P-256 whose coordinates both need 32 bytes. The authenticator drops leading
// zeros, in one key of 128, and RFC 9053 §7.1.1 forbids that: such a passkey is refused, rightly.
func newDeviceKey() virtualwebauthn.Credential {
	const whole = 77 // bytes of a COSE key with two coordinates of 32
	for {
		if c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(c.Key.AttestationData()) == whole {
			return c
		}
	}
}

// makes answers a request to make a passkey.
func (d *device) makes(w *world, options any) []byte {
	w.Helper()
	text, err := json.Marshal(options)
	w.Must(err)
	o, err := virtualwebauthn.ParseAttestationOptions(string(text))
	w.Must(err)
	d.Options.UserHandle = []byte(o.UserID)
	return []byte(virtualwebauthn.CreateAttestationResponse(d.page, d.Authenticator, d.key, *o))
}

// signs answers a request to sign in.
func (d *device) signs(w *world, options any) []byte {
	w.Helper()
	text, err := json.Marshal(options)
	w.Must(err)
	o, err := virtualwebauthn.ParseAssertionOptions(string(text))
	w.Must(err)
	d.key.Counter++
	return []byte(virtualwebauthn.CreateAssertionResponse(d.page, d.Authenticator, d.key, *o))
}

// joinsWith invites an operator, who joins with a passkey.
func (w *world) joinsWith(d *device, email string) operator.Session {
	w.Helper()
	o, err := w.s.AddOperator(ctx, "local:root", model.NewOperator{Email: email, Role: model.RoleSupport})
	w.Must(err)
	ticket, options, err := w.s.JoinKey(ctx, secretOf(o.Link), operator.Person{})
	w.Must(err)
	s, err := w.s.JoinedKey(ctx, secretOf(o.Link), ticket, "Firefox on Linux", d.makes(w, options), from(here))
	w.Must(err)
	return s
}

// entersWith signs in with a passkey.
func (w *world) entersWith(d *device) (operator.Session, error) {
	w.Helper()
	ticket, options, err := w.s.PasskeyOptions(ctx, from(here))
	w.Must(err)
	return w.s.SignInWithPasskey(ctx, ticket, d.signs(w, options), from(here))
}

var passkeyStories = testkit.Stories[*world]{
	"an operator joins and signs in with a passkey, and needs no password": func(_ *testing.T, w *world) {
		d := newDevice()
		s := w.joinsWith(d, "kim@example.net")
		again, err := w.entersWith(d)
		w.Must(err)
		if !w.signedIn(s.Cookie) || !w.signedIn(again.Cookie) || again.Who.Email != "kim@example.net" ||
			again.Method != model.SignInPasskey {
			w.Errorf("it is %+v", again)
		}
		o, err := w.s.Operator(ctx, "kim@example.net")
		w.Must(err)
		if len(o.Methods) != 1 || o.Methods[0] != model.SignInPasskey {
			w.Errorf("it signs in with %v", o.Methods)
		}
		_, err = w.s.SignIn(ctx, "kim@example.net", "", "", from(here))
		w.turnedAway(err, fault.Denied, "not right", "no password")
	},
	"what was signed for another page, or not for this sign-in, is refused": func(_ *testing.T, w *world) {
		d := newDevice()
		w.joinsWith(d, "kim@example.net")
		d.page.Origin = "https://files.example.com.evil.example"
		_, err := w.entersWith(d)
		w.turnedAway(err, fault.Denied, "does not work here", "The passkey was refused")
		d.page = virtualwebauthn.RelyingParty{ID: "evil.example", Origin: "https://evil.example"}
		_, err = w.entersWith(d)
		w.turnedAway(err, fault.Denied, "does not work here", "The passkey was refused")
		w.s = w.again()
		d.page = newDevice().page
		ticket, options, err := w.s.PasskeyOptions(ctx, from(here))
		w.Must(err)
		answer := d.signs(w, options)
		other, _, err := w.s.PasskeyOptions(ctx, from(here))
		w.Must(err)
		_, err = w.s.SignInWithPasskey(ctx, other, answer, from(here))
		w.turnedAway(err, fault.Denied, "does not work here", "")
		_, err = w.s.SignInWithPasskey(ctx, ticket, answer, from(here))
		w.Must(err)
		_, err = w.s.SignInWithPasskey(ctx, ticket, answer, from(here))
		w.turnedAway(err, fault.Denied, "begin again", "")
		late, options, err := w.s.PasskeyOptions(ctx, from(here))
		w.Must(err)
		w.Pass(11 * time.Minute)
		_, err = w.s.SignInWithPasskey(ctx, late, d.signs(w, options), from(here))
		w.turnedAway(err, fault.Denied, "too long", "")
	},
	"a device that nobody unlocked, one that was copied, and a stranger's are refused": func(_ *testing.T, w *world) {
		d := newDevice()
		w.joinsWith(d, "kim@example.net")
		_, err := w.entersWith(d)
		w.Must(err)
		d.Options.UserNotVerified = true
		_, err = w.entersWith(d)
		w.turnedAway(err, fault.Denied, "does not work here", "")
		d.Options.UserNotVerified = false
		w.s = w.again()
		d.key.Counter = 0 // the copy counts from the time when it was made
		_, err = w.entersWith(d)
		w.turnedAway(err, fault.Denied, "does not work here", "copied")
		stranger := newDevice()
		stranger.Options.UserHandle = d.Options.UserHandle
		_, err = w.entersWith(stranger)
		w.turnedAway(err, fault.Denied, "does not work here", "")
		w.s = w.again()
		for _, junk := range []string{"", "{}", "null", `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`,
			strings.Repeat("[", 10_000)} {
			ticket, _, err := w.s.PasskeyOptions(ctx, from(here))
			w.Must(err)
			if _, err = w.s.SignInWithPasskey(ctx, ticket, []byte(junk), from("192.0.2.99")); err == nil {
				w.Errorf("%.30q signs in", junk)
			}
		}
	},
	"a disabled operator's passkey is refused with the reason": func(_ *testing.T, w *world) {
		d := newDevice()
		w.joinsWith(d, "kim@example.net")
		_, err := w.s.DisableOperator(ctx, "boss", "kim@example.net", model.Why{Reason: "left"})
		w.Must(err)
		_, err = w.entersWith(d)
		w.turnedAway(err, fault.Denied, "disabled on 5 January 2026: left", "left")
	},
	"passkeys are added and removed, but not the last way in": func(_ *testing.T, w *world) {
		m := w.joined("kim@example.net", model.RoleSupport)
		d := newDevice()
		ticket, options, err := w.s.NewKey(ctx, m.Session)
		w.Must(err)
		jo := w.joined("jo@example.net", model.RoleSupport)
		answer := d.makes(w, options)
		if err := w.s.AddKey(ctx, jo.Session, ticket, "stolen", answer); !fault.Is(err, fault.Denied) {
			w.Errorf("another operator finishes what this one began: %v", err)
		}
		ticket, options, err = w.s.NewKey(ctx, m.Session)
		w.Must(err)
		w.Must(w.s.AddKey(ctx, m.Session, ticket, "Phone", d.makes(w, options)))
		own, err := w.s.Own(ctx, m.Session)
		w.Must(err)
		if len(own.Keys) != 1 || own.Keys[0].Name != "Phone" {
			w.Fatalf("it has %+v", own.Keys)
		}
		if err := w.s.RemoveKey(ctx, jo.Session, own.Keys[0].ID); !fault.Is(err, fault.NotFound) {
			w.Errorf("another's passkey: %v", err)
		}
		w.Must(w.s.RemoveKey(ctx, m.Session, own.Keys[0].ID))
		if _, err = w.entersWith(d); err == nil {
			w.Error("a passkey that was removed signs in")
		}
		w.s = w.again()
		only := newDevice()
		s := w.joinsWith(only, "ann@example.net")
		own, err = w.s.Own(ctx, s)
		w.Must(err)
		if err := w.s.RemoveKey(ctx, s, own.Keys[0].ID); !fault.Is(err, fault.Conflict) {
			w.Errorf("its only way in: %v", err)
		}
	},
}
