// Package handover keeps one-time links: key files and passphrases on their
// way to two different people, and proofs that an e-mail address is read. It
// stores what it is given sealed; the key to it is in the link alone. A link
// works once, until its time is over.
package handover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Lifetime is how long a link waits.
const Lifetime = 72 * time.Hour

// maxSealed bounds a package, in bytes; four key files take about 10 KiB.
const maxSealed = 256 << 10

// Service keeps the links.
type Service struct {
	store *store.Store
	clock exchange.Clock
	ids   *exchange.IDs
}

// New opens the service.
func New(s *store.Store, clock exchange.Clock, ids *exchange.IDs) *Service {
	return &Service{store: s, clock: clock, ids: ids}
}

// Make records a link. Key file and passphrase of one key go to different
// people, whose addresses are verified.
func (r *Service) Make(ctx context.Context, actor string, n model.NewLink) (model.Link, error) {
	const op = "handover.Make"
	if len(n.Token) != 32 || len(n.Sealed) > maxSealed || (n.Kind == model.LinkVerify) != (len(n.Sealed) == 0) {
		return model.Link{}, fault.E(op, fault.Invalid, "The link's content is damaged.")
	}
	return store.Change(ctx, r.store, func(tx *store.Tx) (model.Link, error) {
		now := r.now()
		l := model.Link{ID: r.ids.New(), Kind: n.Kind, User: n.User, Fingerprint: n.Fingerprint, State: model.LinkWaiting,
			CreatedAt: now, ExpiresAt: now.Add(Lifetime)}
		c, err := r.recipient(tx, &l, n.Contact)
		if err != nil {
			return l, err
		}
		l.Contact, l.ContactID = c.Email, c.ID
		switch l.Kind {
		case model.LinkVerify:
		case model.LinkKey, model.LinkPassphrase:
			if err := r.checkHandOver(tx, &l, c); err != nil {
				return l, err
			}
		default:
			return l, fault.E(op, fault.Invalid, "There is no kind %q of link.", valid.Printable(string(l.Kind)))
		}
		if err := tx.AddLink(l, n.Token, n.Sealed); err != nil {
			return l, err
		}
		return l, tx.Audit(r.row(actor, "link.make", l, map[string]string{"expires": l.ExpiresAt.Format(time.RFC3339)}))
	})
}

// named are the contacts with an id or an e-mail address.
func named(tx *store.Tx, who string) ([]model.Contact, error) {
	if strings.Contains(who, "@") {
		return tx.ContactsAt(who)
	}
	c, err := tx.Contact(who)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return []model.Contact{c}, err
}

// recipient finds the contact a link is for, among the user's people if it is
// about a user.
func (r *Service) recipient(tx *store.Tx, l *model.Link, who string) (model.Contact, error) {
	const op = "handover.Make"
	var list []model.Contact
	var err error
	if l.User == "" {
		list, err = named(tx, who)
	} else {
		u, uerr := tx.User(l.User)
		if uerr != nil {
			return model.Contact{}, fault.E(op, fault.NotFound, "There is no user %q.", valid.Printable(l.User))
		}
		l.UserID = u.ID
		list, err = tx.Contacts(u.Account, u.Vendor)
	}
	if err != nil {
		return model.Contact{}, err
	}
	list = slices.DeleteFunc(list, func(c model.Contact) bool {
		return c.LeftAt != nil || c.ID != who && !strings.EqualFold(c.Email, who)
	})
	switch {
	case len(list) == 0:
		return model.Contact{}, fault.E(op, fault.NotFound, "There is no contact %q who could be given this.",
			valid.Printable(who)).
			WithAction("list-contacts")
	case len(list) > 1 && l.User == "":
		return model.Contact{}, fault.E(op, fault.Conflict, "%d contacts have the address %s.", len(list),
			valid.Printable(who)).WithHint("name one by its id")
	}
	// Whoever leaves meanwhile is waited for, or waits for us and ends the link.
	if err := tx.LockContact(list[0].ID); fault.Is(err, fault.NotFound) {
		return model.Contact{}, fault.E(op, fault.NotFound, "The contact %s has left.", list[0].Email)
	} else if err != nil {
		return model.Contact{}, err
	}
	return list[0], nil
}

// checkHandOver holds the two channels apart.
func (r *Service) checkHandOver(tx *store.Tx, l *model.Link, c model.Contact) error {
	const op = "handover.Make"
	if l.User == "" || !valid.IsFingerprint(l.Fingerprint) {
		return fault.E(op, fault.Invalid, "A link hands over a user's key; name both.")
	}
	if c.VerifiedAt == nil {
		return fault.E(op, fault.Conflict, "The address %s is not verified yet, so nothing secret goes there.", c.Email).
			WithAction("make-link", "kind", "verify", "contact", c.Email)
	}
	// The counter's row is a lock: of two links made at once, the second sees
	// the first.
	if err := tx.Count("links_made", 1); err != nil {
		return err
	}
	have, err := tx.LinksOfKey(l.Fingerprint)
	if err != nil {
		return err
	}
	for _, h := range have {
		if h.Kind != l.Kind && (h.ContactID == c.ID || strings.EqualFold(h.Contact, c.Email)) {
			return fault.E(op, fault.Denied, "%s was given the other half; key file and passphrase go to different people.",
				c.Email)
		}
	}
	return nil
}

func (r *Service) row(actor, action string, l model.Link, detail map[string]string) model.AuditRow {
	detail["kind"], detail["contact"] = string(l.Kind), l.Contact
	if l.Fingerprint != "" {
		detail["fingerprint"] = l.Fingerprint
	}
	return model.AuditRow{ID: r.ids.New(), At: r.now(), Actor: actor, Action: action, Subject: l.ID, User: l.UserID,
		Detail: detail}
}

func (r *Service) now() time.Time { return r.clock().UTC().Truncate(time.Microsecond) }

// gone is all that is said of a link that does not work: used, revoked,
// expired, or never made.
func gone() error {
	return fault.E("handover", fault.NotFound,
		"This link does not work. It may have been used already, or its time is over.")
}

// Waiting finds a link that can still be opened. It changes nothing.
func (r *Service) Waiting(ctx context.Context, token []byte) (model.Link, error) {
	l, err := r.store.Read(ctx).LinkByToken(token)
	if fault.Is(err, fault.NotFound) || err == nil && (l.State != model.LinkWaiting || !r.now().Before(l.ExpiresAt)) {
		return l, gone()
	}
	return l, err
}

// Open takes what a link holds out, once; the second finds nothing. check is
// given the content and may refuse it, which leaves the link as it was. For a
// link that verifies an address, opening it does so.
//
// If the transaction's answer is lost, the link is looked at until it is certain
// whether this opening used it up: then it has the content. When ctx ends first,
// ErrUnknown is in the error's chain.
func (r *Service) Open(ctx context.Context, token []byte, from string,
	check func(l model.Link, sealed []byte) error) error {
	opening, err := store.Change(ctx, r.store, func(tx *store.Tx) (auditID string, err error) {
		return r.open(tx, token, from, check)
	})
	if errors.Is(err, store.ErrOutcomeUnknown) {
		err = r.find(ctx, token, opening, err)
	}
	if fault.Is(err, fault.NotFound) {
		return gone()
	}
	return err
}

// open is Open in a transaction; it returns the id of the audit row.
func (r *Service) open(tx *store.Tx, token []byte, from string,
	check func(l model.Link, sealed []byte) error) (auditID string, err error) {
	now := r.now()
	l, err := tx.LinkByToken(token)
	if err != nil {
		return "", err
	}
	if l.Kind == model.LinkVerify { // a contact comes before its links
		if err := tx.LockContact(l.ContactID); err != nil {
			return "", err
		}
	}
	sealed, err := tx.OpenLink(token, from, now)
	if err != nil {
		return "", err
	}
	if l, err = tx.LinkByToken(token); err != nil {
		return "", err
	}
	if err := check(l, sealed); err != nil {
		return "", err
	}
	if l.Kind == model.LinkVerify {
		c, err := tx.Contact(l.ContactID)
		if err != nil {
			return "", err
		}
		c.VerifiedAt, c.Verified, c.BouncedAt = &now, "by link", nil
		if err := tx.SetContact(c); err != nil {
			return "", err
		}
	}
	row := r.row("contact:"+l.Contact, "link.open", l, map[string]string{"address": from})
	return row.ID, tx.Audit(row)
}

// ErrUnknown is in the chain of an error when nobody knows whether an opening
// used its link up.
var ErrUnknown = errors.New("it is not known whether the link was used up")

const (
	firstPause = 50 * time.Millisecond // between the first two looks; it doubles
	lastPause  = time.Second
)

// openedByUs is what find calls the state of a link that the opening used up.
const openedByUs = "opened by us"

// find looks for the outcome of an opening: nil says that it used the link up,
// NotFound that another did, and any other error without ErrUnknown that the link
// still waits.
func (r *Service) find(ctx context.Context, token []byte, opening string, cause error) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		state, err := store.Change(ctx, r.store, func(tx *store.Tx) (model.LinkState, error) {
			// The opening holds this row until it has committed or is undone.
			state, err := tx.LockLink(token)
			if err != nil {
				return "", err
			}
			if ours, err := tx.Audited(opening); ours || err != nil {
				return openedByUs, err
			}
			return state, nil
		})
		switch {
		case err == nil && state == openedByUs:
			return nil
		case err == nil && state != model.LinkWaiting, fault.Is(err, fault.NotFound):
			return gone()
		case err == nil:
			return fault.Wrap("handover.Open", fault.Unavailable, fmt.Errorf("the opening did not take effect: %w", cause))
		}
		select {
		case <-ctx.Done():
			return fault.Wrap("handover.Open", fault.Unavailable, errors.Join(ErrUnknown, cause, err))
		case <-time.After(pause):
		}
	}
}

// Links lists links, the newest first.
func (r *Service) Links(ctx context.Context, f model.OfUserFilter) ([]model.Link, error) {
	list, err := r.store.Read(ctx).Links(f)
	for i := range list {
		if l := &list[i]; l.State == model.LinkWaiting && !r.now().Before(l.ExpiresAt) {
			l.State = model.LinkExpired
		}
	}
	return list, err
}

// Revoke ends a waiting link and forgets what it held.
func (r *Service) Revoke(ctx context.Context, actor, id string) (model.Link, error) {
	const op = "handover.Revoke"
	return store.Change(ctx, r.store, func(tx *store.Tx) (model.Link, error) {
		l, err := tx.Link(id)
		if fault.Is(err, fault.NotFound) {
			return l, fault.E(op, fault.NotFound, "There is no link %q.", valid.Printable(id)).WithAction("list-links")
		} else if err != nil {
			return l, err
		}
		if err := tx.RevokeLink(id, r.now()); fault.Is(err, fault.NotFound) {
			return l, fault.E(op, fault.Conflict, "The link is %s already.", l.State)
		} else if err != nil {
			return l, err
		}
		l.State = model.LinkRevoked
		return l, tx.Audit(r.row(actor, "link.revoke", l, map[string]string{}))
	})
}

// expireEvery is how often the time of links is looked at.
const expireEvery = time.Minute

// Keep forgets what expired links held, until ctx ends.
func (r *Service) Keep(ctx context.Context, log *slog.Logger) {
	exchange.Task{Every: expireEvery, Log: log, Failure: "links could not be expired", Do: r.Expire}.Run(ctx)
}

// Expire ends the links whose time is over.
func (r *Service) Expire(ctx context.Context) error {
	return r.store.Write(ctx, func(tx *store.Tx) error {
		over, err := tx.ExpireLinks(r.now())
		if err != nil {
			return err
		}
		for _, l := range over {
			if err := tx.Audit(r.row("system:keeper", "link.expire", l, map[string]string{})); err != nil {
				return err
			}
		}
		return nil
	})
}
