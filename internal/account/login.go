package account

import (
	"context"
	"net/netip"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Check decides whether a user may log in with a key from an address. It returns the login and
// a reason, which is ReasonOK if it may. The reason is for the operator only. Check makes one
// database query whether or not the user exists, so that its timing reveals nothing.
func (r *Service) Check(ctx context.Context, user, fingerprint string,
	from netip.Addr) (exchange.Login, string, error) {
	// The database accepts only text. A username with other bytes would cause an error, which
	// would look like an outage.
	c, err := r.store.Read(ctx).Credential(valid.Printable(user), fingerprint)
	if err != nil {
		return exchange.Login{}, model.ReasonUnavailable, err
	}
	l := exchange.Login{User: c.User, Region: c.Region, Fingerprint: fingerprint, KeyID: c.Key.ID,
		Revocation: c.Revocation, ReadOnly: c.AccountState != model.AccountActive}
	if reason := r.keyReason(&c); reason != model.ReasonOK {
		return l, reason, nil
	}
	if reason := r.standing(&c); reason != model.ReasonOK {
		return l, reason, nil
	}
	switch {
	case !addressAllowed(c.User.AllowIPs, from), !addressAllowed(c.AccountIPs, from),
		!addressAllowed(r.endpointIPs(c.Region), from):
		return l, model.ReasonAddress, nil
	}
	return l, model.ReasonOK, nil
}

// standing returns why a user may not log in with any key, or ReasonOK.
func (r *Service) standing(c *store.Credential) string {
	switch {
	case !c.User.Enabled:
		return model.ReasonUserDisabled
	case c.AccountState == model.AccountSuspended:
		return model.ReasonSuspended
	case c.AccountState == model.AccountClosed && !r.mayDownload(c):
		return model.ReasonClosed
	}
	return model.ReasonOK
}

// Probe is Check for a log-in that this process makes itself, to test a user's set-up. Key and address are not the
// user's, so they are not judged; the log-in may only list. The caller has made sure that the key is a probe's.
func (r *Service) Probe(ctx context.Context, user, fingerprint string) (exchange.Login, string, error) {
	c, err := r.store.Read(ctx).Credential(valid.Printable(user), fingerprint)
	if err != nil {
		return exchange.Login{}, model.ReasonUnavailable, err
	}
	l := exchange.Login{User: c.User, Region: c.Region, Fingerprint: fingerprint, Revocation: c.Revocation,
		ReadOnly: true, Probe: true}
	if c.User.ID == "" {
		return l, model.ReasonUnknownUser, nil
	}
	return l, r.standing(&c), nil
}

// keyReason returns why the key is not good for the user, or ReasonOK.
func (r *Service) keyReason(c *store.Credential) string {
	now := r.clock()
	switch k := c.Key; {
	case c.User.ID == "":
		return model.ReasonUnknownUser
	case c.KeyBurned:
		return model.ReasonKeyBurned
	case k.ID == "" && c.KeyElsewhere:
		return model.ReasonOtherUsersKey
	case k.ID == "" && c.KeyPending:
		return model.ReasonKeyPending
	case k.ID == "":
		return model.ReasonUnknownKey
	case k.RetiresAt != nil && !now.Before(*k.RetiresAt) && (k.RevokedAt == nil || !k.RevokedAt.Before(*k.RetiresAt)):
		return model.ReasonKeyReplaced
	case k.RevokedAt != nil:
		return model.ReasonKeyRevoked
	case k.FrozenAt != nil:
		return model.ReasonKeyFrozen
	case k.ExpiresAt != nil && !now.Before(*k.ExpiresAt):
		return model.ReasonKeyExpired
	}
	return model.ReasonOK
}

// endpointIPs returns the networks from which users of a region may log in.
func (r *Service) endpointIPs(region string) []string {
	if list, ok := r.policy.Load().EndpointIPs[region]; ok {
		return list
	}
	return r.policy.Load().EndpointIPs[""]
}

// Confirm reports whether the login is still valid: nothing was revoked since it was checked.
func (r *Service) Confirm(ctx context.Context, l exchange.Login) (bool, error) {
	revoked, err := r.store.Read(ctx).Revoked(&l)
	return !revoked, err
}

// addressAllowed reports whether an address is in one of the networks. No networks allow all.
func addressAllowed(networks []string, from netip.Addr) bool {
	for _, n := range networks {
		if p, err := netip.ParsePrefix(n); err == nil && p.Contains(from) {
			return true
		}
	}
	return len(networks) == 0
}
