package operator

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// A secret is secretMark, 40 random characters (200 bits) and a checksum of them. The first
// characters are the token's prefix, by which it is found. Scanners of source code know secrets by
// the mark and the checksum.
const (
	secretMark  = "sp_"
	randomBytes = 25
	prefixChars = 8
	secretChars = len(secretMark) + 40 + 7
)

// DefaultExpiry and longestExpiry bound how long a token works.
const (
	DefaultExpiry = "12mo"
	longestExpiry = "36mo"
)

// mostNetworks is how many networks a token's list may have.
const mostNetworks = 100

var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newSecret makes a token's secret.
func newSecret() string {
	b := make([]byte, randomBytes)
	_, _ = rand.Read(b) // never fails
	body := letters.EncodeToString(b)
	return secretMark + body + checksum(body)
}

func checksum(body string) string {
	return letters.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(body))))
}

// splitSecret checks the form of a secret, and returns its prefix; false if it cannot be one.
func splitSecret(secret string) (prefix string, ok bool) {
	if len(secret) != secretChars || !strings.HasPrefix(secret, secretMark) {
		return "", false
	}
	body := secret[len(secretMark) : secretChars-7]
	return secret[:len(secretMark)+prefixChars], checksum(body) == secret[secretChars-7:]
}

// AddToken makes an API token. The answer has its secret, which is not kept.
func (s *Service) AddToken(ctx context.Context, actor string, n model.NewToken) (model.Token, error) {
	t, err := s.checkToken(n)
	if err != nil {
		return model.Token{}, err
	}
	secret := newSecret()
	t.Prefix, _ = splitSecret(secret)
	t.ID, t.CreatedBy, t.Hash = s.o.IDs.New(), actor, hashOf(secret)
	err = s.o.Store.Write(ctx, func(tx *store.Tx) error {
		err := tx.AddToken(t)
		if fault.Is(err, fault.Exists) {
			return fault.E("operator.AddToken", fault.Exists, "There is a token %q already.", t.Name).
				WithHint("choose another name, or revoke that one first").WithAction("show-token", "name", t.Name)
		} else if err != nil {
			return err
		}
		return s.audit(tx, actor, "token.add", t.Name, map[string]string{"role": string(t.Role), "prefix": t.Prefix,
			"expires": t.ExpiresAt.Format(time.RFC3339), "allow_ips": strings.Join(t.AllowIPs, " ")})
	})
	t.Secret = secret
	return t, err
}

// checkToken checks the body that makes a token.
func (s *Service) checkToken(n model.NewToken) (t model.Token, err error) {
	const op = "operator.AddToken"
	now := s.now()
	t = model.Token{Name: n.Name, Role: n.Role, State: model.TokenActive, CreatedAt: now, AllowIPs: []string{}}
	if err := valid.CheckID("token's name", n.Name); err != nil {
		return t, err
	}
	if err := checkRole(op, n.Role); err != nil {
		return t, err
	}
	period := n.Expires
	if period == "" {
		period = DefaultExpiry
	}
	if t.ExpiresAt, err = valid.After(now, period); err != nil {
		return t, err
	}
	if longest, _ := valid.After(now, longestExpiry); t.ExpiresAt.After(longest) {
		return t, fault.E(op, fault.Invalid, "A token works for three years at most.").WithField("expires").
			WithHint("12mo is usual; make a new one then")
	}
	if len(n.AllowIPs) > mostNetworks {
		return t, fault.E(op, fault.Invalid, "These are more than %d networks.", mostNetworks).WithField("allow_ips")
	}
	for _, text := range n.AllowIPs {
		p, ok := valid.ParseNetwork(text)
		if !ok {
			return t, fault.E(op, fault.Invalid, "%q is not an address or network.", valid.Printable(text)).
				WithField("allow_ips").WithHint("such as 192.0.2.7 or 192.0.2.0/24")
		}
		t.AllowIPs = append(t.AllowIPs, p.String())
	}
	return t, nil
}

// Tokens lists API tokens, the newest first.
func (s *Service) Tokens(ctx context.Context, f model.EveryFilter) ([]model.Token, error) {
	list, err := s.o.Store.Read(ctx).Tokens(f.Paging)
	for i := range list {
		s.complete(&list[i])
	}
	return list, err
}

// Token returns an API token by name or id.
func (s *Service) Token(ctx context.Context, name string) (model.Token, error) {
	t, err := s.o.Store.Read(ctx).Token(name)
	s.complete(&t)
	return t, noToken(err, name)
}

func noToken(err error, name string) error {
	if fault.Is(err, fault.NotFound) {
		return fault.E("operator.Token", fault.NotFound, "There is no token %q.", valid.Printable(name)).
			WithAction("list-tokens")
	}
	return err
}

// RevokeToken ends an API token at once.
func (s *Service) RevokeToken(ctx context.Context, actor, name string) (model.Token, error) {
	return store.Change(ctx, s.o.Store, func(tx *store.Tx) (model.Token, error) {
		t, err := tx.Token(name)
		if err != nil {
			return t, noToken(err, name)
		}
		now := s.now()
		if err := tx.RevokeToken(t.ID, actor, now); fault.Is(err, fault.NotFound) {
			return t, fault.E("operator.RevokeToken", fault.Conflict, "The token %q was revoked before.", t.Name)
		} else if err != nil {
			return t, err
		}
		t.RevokedAt, t.RevokedBy = &now, actor
		s.complete(&t)
		return t, s.audit(tx, actor, "token.revoke", t.Name, map[string]string{"prefix": t.Prefix})
	})
}

// complete adds what is not in the row: the state, and uses that are not written yet.
func (s *Service) complete(t *model.Token) {
	t.State = t.StateAt(s.now())
	s.mu.Lock()
	defer s.mu.Unlock()
	if u, ok := s.used[t.ID]; ok {
		t.LastUsedAt, t.LastAddress = &u.at, u.from
	}
}

// wrongToken is the one answer to every token that does not work, so that guessing teaches nothing.
func wrongToken() *fault.Error {
	return fault.E("operator.Identify", fault.Unauthenticated, "This token does not work here.").
		WithHint("it may have ended, been revoked, or be for other networks: " +
			"an administrator sees that in the list of tokens")
}

// ByToken returns whose a token's secret is that came from an address. wait is how long to wait
// before the next request, if the error is Busy.
func (s *Service) ByToken(ctx context.Context, secret string, from netip.Addr) (who model.Identity,
	wait time.Duration, err error) {
	const op = "operator.ByToken"
	now := s.now()
	if wait = s.guesses.Refused(party(from), now); wait > 0 {
		return who, wait, fault.E(op, fault.Busy, "Too many wrong tokens came from this address.").
			WithHint("it may try again in %s", wait.Round(time.Second))
	}
	prefix, ok := splitSecret(secret)
	if !ok {
		return who, 0, s.guessed(from, "", now)
	}
	t, err := s.o.Store.Read(ctx).TokenByPrefix(prefix)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return who, 0, err
	}
	if subtle.ConstantTimeCompare([]byte(hashOf(secret)), []byte(t.Hash)) != 1 {
		return who, 0, s.guessed(from, "", now)
	}
	if state := t.StateAt(now); state != model.TokenActive {
		return who, 0, s.guessed(from, t.Name+" ("+string(state)+")", now)
	}
	if !allowed(t.AllowIPs, from) {
		return who, 0, s.guessed(from, t.Name+" (not from this network)", now)
	}
	if wait = s.step(t.ID, now); wait > 0 {
		return who, wait, fault.E(op, fault.Busy, "The token %s sends more than %d requests a minute.", t.Name,
			s.policy.Load().Rate).WithHint("it may go on in %s", max(wait.Round(time.Second), time.Second))
	}
	s.note(t.ID, from, now)
	return model.Identity{Name: "token:" + t.Name, Role: t.Role}, 0, nil
}

// Still returns whose a token's secret is. It counts neither a request nor a guess.
func (s *Service) Still(ctx context.Context, secret string) (model.Identity, error) {
	prefix, ok := splitSecret(secret)
	if !ok {
		return model.Identity{}, wrongToken()
	}
	t, err := s.o.Store.Read(ctx).TokenByPrefix(prefix)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return model.Identity{}, err
	}
	if subtle.ConstantTimeCompare([]byte(hashOf(secret)), []byte(t.Hash)) != 1 || t.StateAt(s.now()) != model.TokenActive {
		return model.Identity{}, wrongToken()
	}
	return model.Identity{Name: "token:" + t.Name, Role: t.Role}, nil
}

// guessed counts a token that does not work against its address, and says so in the log. known names
// it, if its secret was right.
func (s *Service) guessed(from netip.Addr, known string, now time.Time) error {
	s.o.Log.Warn("an API token was refused", "from", from, "token", known)
	if !s.spared(from) && s.guesses.Failed(party(from), now) {
		s.o.Log.Warn("an address is refused for a while: too many wrong tokens", "from", from)
	}
	return wrongToken()
}

// allowed reports whether an address is in a list of networks. An empty list has all.
func allowed(networks []string, from netip.Addr) bool {
	for _, n := range networks {
		if p, ok := valid.ParseNetwork(n); ok && p.Contains(from) {
			return true
		}
	}
	return len(networks) == 0
}
