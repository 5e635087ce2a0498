package operator_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/operator"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

type world struct {
	*testkit.World
	s   *operator.Service
	log bytes.Buffer
	sso operator.SSO // "": none
}

// vault keeps secrets under a key of its own.
func (w *world) vault() *keys.Vault {
	v, err := keys.NewVault(make([]byte, keys.VaultKeySize))
	w.Must(err)
	return v
}

// again is the service after a restart: it has forgotten who guessed.
func (w *world) again() *operator.Service {
	return operator.New(operator.Options{Store: w.Store, Clock: w.Clock, IDs: w.IDs,
		Log:   slog.New(slog.NewTextHandler(io.Writer(&w.log), nil)),
		Vault: w.vault(), URL: "https://files.example.com", Name: "Example Networks",
		Policy: operator.Policy{Idle: 30 * time.Minute, Longest: 12 * time.Hour, Unused: 90 * testkit.Day, Password: true,
			Passkeys: true, SSO: w.sso, Rate: 60, Burst: 5, After: 3, Within: time.Minute, For: 10 * time.Minute,
			Never: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}})
}

func begin(w *world, t testing.TB) *world {
	w.Begin(t)
	w.log.Reset()
	w.s = w.again()
	return w
}

var ctx = context.Background()

const here = "192.0.2.7"

func (w *world) token(n model.NewToken) model.Token {
	w.Helper()
	t, err := w.s.AddToken(ctx, "kim", n)
	w.Must(err)
	return t
}

func (w *world) asks(secret, from string) (model.Identity, time.Duration, error) {
	return w.s.ByToken(ctx, secret, netip.MustParseAddr(from))
}

// refused checks that a secret is refused with the kind, in words that tell nothing.
func (w *world) refused(kind fault.Kind, secret, from string) {
	w.Helper()
	who, _, err := w.asks(secret, from)
	if !fault.Is(err, kind) || who != (model.Identity{}) {
		w.Errorf("from %s: %+v, %v, want %v", from, who, err, kind)
	}
	if kind == fault.Unauthenticated && fault.PublicText(err) != "This token does not work here." {
		w.Errorf("the refusal tells something: %s", fault.PublicText(err))
	}
}

func TestTokensOnSQLite(t *testing.T) {
	testkit.Tell(t, &world{World: testkit.NewWorld(t, "")}, begin, tokens)
}

func TestTokensOnPostgres(t *testing.T) {
	testkit.Tell(t, &world{World: testkit.NewWorld(t, testkit.Postgres(t).Database(t))}, begin, tokens)
}

var tokens = testkit.Stories[*world]{
	"a token works until it is revoked, and its name is free again": func(_ *testing.T, w *world) {
		v := w.token(model.NewToken{Name: "billing", Role: model.RolePublisher})
		who, _, err := w.asks(v.Secret, here)
		w.Must(err)
		if who != (model.Identity{Name: "token:billing", Role: model.RolePublisher}) {
			w.Errorf("it is %+v", who)
		}
		if _, err := w.s.AddToken(ctx, "kim", model.NewToken{Name: "billing", Role: model.RoleAdmin}); !fault.Is(err,
			fault.Exists) {
			w.Errorf("a second token of the name: %v", err)
		}
		_, err = w.s.RevokeToken(ctx, "jo", "billing")
		w.Must(err)
		w.refused(fault.Unauthenticated, v.Secret, here)
		if _, err := w.s.RevokeToken(ctx, "jo", "billing"); !fault.Is(err, fault.Conflict) {
			w.Errorf("revoked twice: %v", err)
		}
		next := w.token(model.NewToken{Name: "billing", Role: model.RolePublisher})
		w.refused(fault.Unauthenticated, v.Secret, here)
		_, _, err = w.asks(next.Secret, here)
		w.Must(err)
		if rows := w.Texts(`SELECT actor || ' ' || action || ' ' || subject FROM audit ORDER BY id`); strings.Join(rows,
			", ") != "kim token.add billing, jo token.revoke billing, kim token.add billing" {
			w.Errorf("the audit log has %v", rows)
		}
	},
	"it ends after a year, or when it was said": func(_ *testing.T, w *world) {
		year := w.token(model.NewToken{Name: "a", Role: model.RoleAuditor})
		month := w.token(model.NewToken{Name: "b", Role: model.RoleAuditor, Expires: "30d"})
		w.Pass(30*testkit.Day - time.Second)
		_, _, err := w.asks(month.Secret, here)
		w.Must(err)
		w.Pass(time.Second)
		w.refused(fault.Unauthenticated, month.Secret, here)
		_, _, err = w.asks(year.Secret, here)
		w.Must(err)
		if !year.ExpiresAt.Equal(time.Date(2027, 1, 5, 9, 0, 0, 0, time.UTC)) {
			w.Errorf("it ends %v", year.ExpiresAt)
		}
		v, err := w.s.Token(ctx, "b")
		w.Must(err)
		if v.State != model.TokenExpired || v.LastAddress != here {
			w.Errorf("it is shown as %+v", v)
		}
	},
	"it works from its networks alone": func(_ *testing.T, w *world) {
		v := w.token(model.NewToken{Name: "a", Role: model.RoleAdmin, AllowIPs: []string{"192.0.2.0/24", "2001:db8::1"}})
		for from, ok := range map[string]bool{here: true, "192.0.3.1": false, "2001:db8::1": true, "2001:db8::2": false} {
			if _, _, err := w.asks(v.Secret, from); (err == nil) != ok {
				w.Errorf("from %s: %v", from, err)
			}
		}
	},
	"whoever guesses is refused for a while, even with the right token": func(_ *testing.T, w *world) {
		v := w.token(model.NewToken{Name: "a", Role: model.RoleAdmin})
		other := w.token(model.NewToken{Name: "b", Role: model.RoleAdmin})
		wrong := v.Secret[:20] + other.Secret[20:]
		for _, guess := range []string{"", "sp_", wrong} {
			w.refused(fault.Unauthenticated, guess, here)
		}
		w.refused(fault.Busy, v.Secret, here)
		_, wait, _ := w.asks(v.Secret, here)
		if wait != 10*time.Minute {
			w.Errorf("it may try again in %v", wait)
		}
		_, _, err := w.asks(v.Secret, "192.0.2.8")
		w.Must(err)
		w.Pass(10 * time.Minute)
		_, _, err = w.asks(v.Secret, here)
		w.Must(err)
		for range 10 { // this machine is never refused
			w.refused(fault.Unauthenticated, wrong, "127.0.0.1")
		}
	},
	"too many requests wait": func(_ *testing.T, w *world) {
		v := w.token(model.NewToken{Name: "a", Role: model.RoleAdmin})
		for range 5 {
			_, _, err := w.asks(v.Secret, here)
			w.Must(err)
		}
		_, wait, err := w.asks(v.Secret, here)
		if !fault.Is(err, fault.Busy) || wait <= 0 || wait > time.Second {
			w.Errorf("the sixth at once: %v, %v", wait, err)
		}
		w.Pass(time.Second)
		_, _, err = w.asks(v.Secret, here)
		w.Must(err)
	},
	"its last use is written later, and shown at once": func(_ *testing.T, w *world) {
		v := w.token(model.NewToken{Name: "a", Role: model.RoleAdmin})
		_, _, err := w.asks(v.Secret, here)
		w.Must(err)
		shown, err := w.s.Token(ctx, "a")
		w.Must(err)
		if shown.LastUsedAt == nil || shown.LastAddress != here || shown.Secret != "" {
			w.Errorf("it is shown as %+v", shown)
		}
		w.Must(w.s.Flush(ctx))
		if got := w.Texts(`SELECT last_address FROM tokens`); got[0] != here {
			w.Errorf("the row has %v", got)
		}
	},
	"the secret is nowhere in the database or the log": func(_ *testing.T, w *world) {
		v := w.token(model.NewToken{Name: "a", Role: model.RoleAdmin})
		w.refused(fault.Unauthenticated, v.Secret+"x", here)
		_, _, err := w.asks(v.Secret, here)
		w.Must(err)
		kept := strings.Join(w.Texts(`SELECT name || prefix || hash || allow_ips FROM tokens
			UNION ALL SELECT detail FROM audit`), " ") + w.log.String()
		if strings.Contains(kept, v.Secret) || !strings.Contains(kept, v.Prefix) {
			w.Errorf("what is kept: %s", kept)
		}
	},
	"what is wrong is refused": func(_ *testing.T, w *world) {
		for _, n := range []model.NewToken{{Name: "", Role: model.RoleAdmin}, {Name: "a b", Role: model.RoleAdmin},
			{Name: "x", Role: "root"}, {Name: "x"}, {Name: "x", Role: model.RoleAdmin, Expires: "never"},
			{Name: "x", Role: model.RoleAdmin, Expires: "37mo"}, {Name: "x", Role: model.RoleAdmin, Expires: "9999y"},
			{Name: "x", Role: model.RoleAdmin, AllowIPs: []string{"here"}},
			{Name: "x", Role: model.RoleAdmin, AllowIPs: make([]string, 101)}} {
			if _, err := w.s.AddToken(ctx, "kim", n); !fault.Is(err, fault.Invalid) {
				w.Errorf("%+v: %v", n, err)
			}
		}
		if _, err := w.s.Token(ctx, "nobody"); !fault.Is(err, fault.NotFound) {
			w.Errorf("an unknown token: %v", err)
		}
	},
}

// No change of a secret, and no other text, works.
func TestNoOtherSecretWorks(t *testing.T) {
	w := begin(&world{World: testkit.NewWorld(t, "")}, t)
	v := w.token(model.NewToken{Name: "a", Role: model.RoleAdmin})
	rapid.Check(t, func(r *rapid.T) {
		b := []byte(v.Secret)
		at := rapid.IntRange(0, len(b)-1).Draw(r, "at")
		b[at] ^= byte(rapid.IntRange(1, 255).Draw(r, "bits"))
		for _, secret := range []string{string(b), v.Secret[:at], rapid.String().Draw(r, "text"),
			rapid.StringMatching(`sp_[a-z2-7]{47}`).Draw(r, "secret")} {
			if who, _, err := w.asks(secret, "127.0.0.1"); err == nil {
				r.Fatalf("%q is %+v", secret, who)
			}
		}
	})
}
