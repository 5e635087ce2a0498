// Package handover manages one-time links. A link hands over a key file or a passphrase, which
// go to two different people, or verifies an e-mail address. The content is stored encrypted;
// only the link contains the key. A link works once, until it expires.
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
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Lifetime is how long after its creation a link expires.
const Lifetime = 72 * time.Hour

// maxSealed is the largest encrypted content, in bytes. Four key files take about 10 KiB.
const maxSealed = 256 << 10

// Service manages links. It is safe for concurrent use.
type Service struct {
	store *store.Store
	clock exchange.Clock
	ids   *exchange.IDs
	mail  Mail
}

// Mail queues a mail with a link to its contact, in a transaction. secret is the end of the link.
type Mail func(tx *store.Tx, l model.Link, c model.Contact, secret string) error

// New returns the service.
func New(s *store.Store, clock exchange.Clock, ids *exchange.IDs) *Service {
	return &Service{store: s, clock: clock, ids: ids}
}

// Join sets how links are mailed. It is called once, before the service is used.
func (r *Service) Join(mail Mail) { r.mail = mail }

// MailLink mails a waiting link to its contact. The secret must be the link's own. It is Conflict if
// mail to the contact bounced.
func (r *Service) MailLink(ctx context.Context, actor, id string, m model.MailLink) (model.Link, error) {
	const op = "handover.MailLink"
	token, _, err := keys.SplitSecret(m.Secret)
	if err != nil || r.mail == nil {
		return model.Link{}, fault.E(op, fault.Invalid, "This is not the secret of a link.")
	}
	return store.Change(ctx, r.store, func(tx *store.Tx) (model.Link, error) {
		l, err := tx.LinkByToken(token)
		if fault.Is(err, fault.NotFound) || err == nil && l.ID != id {
			return l, fault.E(op, fault.NotFound, "There is no link %q with this secret.", valid.Printable(id)).
				WithAction("list-links")
		} else if err != nil {
			return l, err
		}
		if l.State != model.LinkWaiting || !r.now().Before(l.ExpiresAt) {
			return l, gone()
		}
		c, err := tx.Contact(l.ContactID)
		if err != nil {
			return l, err
		}
		if c.BouncedAt != nil {
			return l, fault.E(op, fault.Conflict, "Mail to %s came back on %s, so the link was not mailed.", c.Email,
				c.BouncedAt.Format(time.DateOnly)).WithHint("correct the contact's address, or hand the link over yourself")
		}
		if err := r.mail(tx, l, c, m.Secret); err != nil {
			return l, err
		}
		return l, tx.Audit(r.row(actor, "link.mail", l, map[string]string{}))
	})
}

// Make creates a link. The key file and the passphrase of one key must go to different people
// with verified addresses; otherwise it returns Denied or Conflict.
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

// named returns the contacts with an id or an e-mail address.
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

// recipient finds the contact for a link. If the link is about a user, it must be one of the
// user's contacts.
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
	// The lock orders this against ContactLeaves: either it commits first and is seen here, or it
	// waits and then revokes the link.
	if err := tx.LockContact(list[0].ID); fault.Is(err, fault.NotFound) {
		return model.Contact{}, fault.E(op, fault.NotFound, "The contact %s has left.", list[0].Email)
	} else if err != nil {
		return model.Contact{}, err
	}
	return list[0], nil
}

// checkHandOver checks that the address is verified, and that the contact was not given the
// other half of the key.
func (r *Service) checkHandOver(tx *store.Tx, l *model.Link, c model.Contact) error {
	const op = "handover.Make"
	if l.User == "" || !valid.IsFingerprint(l.Fingerprint) {
		return fault.E(op, fault.Invalid, "A link hands over a user's key; name both.")
	}
	if c.VerifiedAt == nil {
		return fault.E(op, fault.Conflict, "The address %s is not verified yet, so nothing secret goes there.", c.Email).
			WithAction("make-link", "kind", "verify", "contact", c.Email)
	}
	// The counter's row is a lock: of two links created at once, the second sees the first.
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

// gone is the only answer for a link that does not work, whether it was used, revoked, expired
// or never created.
func gone() error {
	return fault.E("handover", fault.NotFound,
		"This link does not work. It may have been used already, or its time is over.")
}

// Waiting finds a link that can still be opened, and changes nothing. Any other link is
// NotFound.
func (r *Service) Waiting(ctx context.Context, token []byte) (model.Link, error) {
	l, err := r.store.Read(ctx).LinkByToken(token)
	if fault.Is(err, fault.NotFound) || err == nil && (l.State != model.LinkWaiting || !r.now().Before(l.ExpiresAt)) {
		return l, gone()
	}
	return l, err
}

// Open uses a link up and passes its content to check. A second call returns NotFound. If check
// returns an error, the link is not used up. Opening a link that verifies an address marks the
// address as verified.
//
// If the answer of the transaction is lost, Open waits until it is certain whether this call
// used the link up; if so, it returns nil. If ctx ends first, ErrUnknown is in the error's
// chain. check may run more than once.
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

// open implements Open in a transaction. It returns the id of the audit row.
func (r *Service) open(tx *store.Tx, token []byte, from string,
	check func(l model.Link, sealed []byte) error) (auditID string, err error) {
	now := r.now()
	l, err := tx.LinkByToken(token)
	if err != nil {
		return "", err
	}
	if l.Kind == model.LinkVerify { // lock order: contacts before links
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

// ErrUnknown is in the chain of an error if it is unknown whether an opening used its link up.
var ErrUnknown = errors.New("it is not known whether the link was used up")

const (
	firstPause = 50 * time.Millisecond // between the first two queries; it doubles
	lastPause  = time.Second
)

// openedByUs is the state that find uses for a link that this opening used up.
const openedByUs = "opened by us"

// find determines the outcome of an opening. nil: it used the link up. NotFound: another
// opening did. An error without ErrUnknown: the link still waits.
func (r *Service) find(ctx context.Context, token []byte, opening string, cause error) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		state, err := store.Change(ctx, r.store, func(tx *store.Tx) (model.LinkState, error) {
			// The opening holds the lock of this row until it is committed or rolled back.
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

// Links lists links, newest first.
func (r *Service) Links(ctx context.Context, f model.OfUserFilter) ([]model.Link, error) {
	list, err := r.store.Read(ctx).Links(f)
	for i := range list {
		if l := &list[i]; l.State == model.LinkWaiting && !r.now().Before(l.ExpiresAt) {
			l.State = model.LinkExpired
		}
	}
	return list, err
}

// Revoke revokes a waiting link and deletes its content. Any other link is a Conflict.
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

// expireEvery is the interval of Expire.
const expireEvery = time.Minute

// Keep runs Expire once a minute until ctx ends.
func (r *Service) Keep(ctx context.Context, log *slog.Logger) {
	exchange.Task{Every: expireEvery, Log: log, Failure: "links could not be expired", Do: r.Expire}.Run(ctx)
}

// Expire ends the links that have expired and deletes their content.
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
