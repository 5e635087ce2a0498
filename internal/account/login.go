package account

import (
	"context"
	"net/netip"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// Check says whether a user may log in with a key from an address. It asks
// the database once, whatever exists, so that its time tells a stranger
// nothing; the reason is for the operator alone.
func (r *Room) Check(ctx context.Context, user, fingerprint string, from netip.Addr) (exchange.Login, string, error) {
	c, err := r.store.Read(ctx).Credential(user, fingerprint)
	if err != nil {
		return exchange.Login{}, exchange.ReasonUnavailable, err
	}
	l := exchange.Login{User: c.User, Fingerprint: fingerprint, KeyID: c.Key.ID, Revocation: c.Revocation,
		ReadOnly: c.AccountState == exchange.AccountReadOnly}
	switch k := c.Key; {
	case c.User.ID == "":
		return l, exchange.ReasonUnknownUser, nil
	case k.ID == "" && c.KeyElsewhere:
		return l, exchange.ReasonOtherUsersKey, nil
	case k.ID == "":
		return l, exchange.ReasonUnknownKey, nil
	case k.RevokedAt != nil:
		return l, exchange.ReasonKeyRevoked, nil
	case k.ExpiresAt != nil && !r.clock().Before(*k.ExpiresAt):
		return l, exchange.ReasonKeyExpired, nil
	case !c.User.Enabled:
		return l, exchange.ReasonUserDisabled, nil
	case c.AccountState == exchange.AccountSuspended:
		return l, exchange.ReasonSuspended, nil
	case c.AccountState == exchange.AccountClosed:
		return l, exchange.ReasonClosed, nil
	case !addressAllowed(c.User.AllowIPs, from):
		return l, exchange.ReasonAddress, nil
	}
	return l, exchange.ReasonOK, nil
}

// Confirm reports whether nothing was revoked since the login was checked.
func (r *Room) Confirm(ctx context.Context, l exchange.Login) (bool, error) {
	revoked, err := r.store.Read(ctx).Revoked(l.User.ID, l.Fingerprint, l.Revocation)
	return !revoked, err
}

// addressAllowed matches an address against networks; none allows all.
func addressAllowed(networks []string, from netip.Addr) bool {
	for _, n := range networks {
		if p, err := netip.ParsePrefix(n); err == nil && p.Contains(from) {
			return true
		}
	}
	return len(networks) == 0
}
