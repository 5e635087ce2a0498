package feed

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// placeBatch is how many mailboxes one transaction serves. Between batches other writers get
// their turn.
const placeBatch = 200

// maxParents bounds how many levels of parent accounts are followed.
const maxParents = 16

// recipients returns up to a batch of the subscriptions that want a publication, ordered by
// user id, starting behind after. next is the value of after for the next batch, or "" if there
// is none.
func recipients(q *store.Q, f model.Feed, account, kind, after string) (to []store.Recipient, next string, err error) {
	if account != "" && after == "" {
		if _, err := q.Account(account); err != nil {
			return nil, "", fault.Missing("feed", err, "There is no account %q.", account)
		}
	}
	all, err := q.Recipients(f.Name, account, after, placeBatch)
	if err != nil {
		return nil, "", err
	}
	if len(all) == placeBatch {
		next = all[len(all)-1].UserID
	} else if f.ParentSees == model.ParentFiles && account != "" {
		parents, err := parentsOf(q, f.Name, account)
		if err != nil {
			return nil, "", err
		}
		all = append(all, parents...)
	}
	to = slices.DeleteFunc(all, func(s store.Recipient) bool {
		// The feed's recipients may have been restricted since the subscription was made.
		child := account == "" || s.Account == account // false for a parent's copy
		barred := len(f.Recipients) > 0 && !slices.Contains(f.Recipients, s.Account) && child
		return barred || len(s.Types) > 0 && !slices.Contains(s.Types, kind)
	})
	return to, next, nil
}

// parentsOf returns the subscribers in an account's parent accounts. They get a copy in a
// folder named after the child account.
func parentsOf(q *store.Q, feed, child string) (out []store.Recipient, err error) {
	a, err := q.Account(child)
	for range maxParents {
		if err != nil || a.Parent == "" {
			break
		}
		list, err := q.Recipients(feed, a.Parent, "", placeBatch)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			s.Dir = path.Join(s.Dir, child)
			out = append(out, s)
		}
		if a, err = q.Account(a.Parent); err != nil {
			return nil, err
		}
	}
	return out, err
}

// reaches reports whether a publication has at least one recipient.
func (r *Service) reaches(q *store.Q, f model.Feed, p Publication) (bool, error) {
	for after := ""; ; {
		to, next, err := recipients(q, f, p.Account, p.kind, after)
		if err != nil || len(to) > 0 || next == "" {
			return len(to) > 0, err
		}
		after = next
	}
}

// begin records the publication and serves its first batch of mailboxes. Until all are served,
// the publication itself holds one reference to the blob.
func (r *Service) begin(tx *store.Tx, actor string, f model.Feed, p Publication, out *model.Publication,
	b store.Blob) error {
	if err := tx.AddBlob(b, 1, out.PublishedAt); err != nil {
		return err
	}
	if err := tx.AddPublication(store.NewPublication{ID: out.ID, Feed: p.Feed, Account: p.Account, Name: p.Name,
		Size: b.Size, SHA256: b.SHA256, IdempotencyKey: p.IdempotencyKey, Flag: p.flag, Actor: actor, Via: p.Via,
		At:      out.PublishedAt,
		Placing: true}); err != nil {
		return err
	}
	if err := r.number(tx, out, p.rule, p.number); err != nil {
		return err
	}
	row, err := tx.Publication(out.ID)
	if err != nil {
		return err
	}
	if out.Deliveries, err = r.placeSome(tx, row, f); err != nil || out.Deliveries > 0 {
		return err
	}
	if reached, err := r.reaches(&tx.Q, f, p); err != nil || reached {
		return err
	}
	return noRecipient(p)
}

// Resume finishes publications that the last stop of the server interrupted. It tries all of
// them and joins the errors.
func (r *Service) Resume(ctx context.Context, log *slog.Logger) error {
	list, err := r.o.Store.Read(ctx).Unplaced()
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range list {
		log.Info("a publication is being finished", "publication", p.ID, "feed", p.Feed, "name", p.Name)
		errs = append(errs, r.placeAll(p.ID))
	}
	return errors.Join(errs...)
}

// placeAll serves batches until every mailbox has the publication. Another node, or an earlier
// try, may be doing the same; the publication's row, locked for each batch, holds the progress.
// It does not depend on a request's context.
func (r *Service) placeAll(id string) error {
	for {
		done, err := store.Change(context.Background(), r.o.Store, func(tx *store.Tx) (done bool, err error) {
			p, err := tx.LockPublication(id)
			if err != nil || p.PlacedTo == nil {
				return err == nil, err
			}
			f, err := tx.Feed(p.Feed)
			if err != nil {
				return false, err
			}
			_, err = r.placeSome(tx, p, f)
			return false, err
		})
		if err != nil || done {
			return err
		}
	}
}

// placeSome serves the next batch and returns its number of mailboxes. After the last batch it
// writes the event and the audit row.
func (r *Service) placeSome(tx *store.Tx, p store.PublicationRow, f model.Feed) (n int, err error) {
	to, next, err := recipients(&tx.Q, f, p.Account, r.types.of(p.Name), *p.PlacedTo)
	if err != nil {
		return 0, err
	}
	if err := r.deliver(tx, p, f, to); err != nil {
		return 0, err
	}
	if err := tx.Placed(p.ID, *p.PlacedTo, next, next == ""); err != nil {
		return 0, err
	}
	if next != "" {
		tx.Unaudited("the row is written once every mailbox has it")
		return len(to), nil
	}
	return len(to), r.placed(tx, p, f)
}

// placed ends a publication once every mailbox has it: it drops the blob reference, and writes
// the event and the audit row.
func (r *Service) placed(tx *store.Tx, p store.PublicationRow, f model.Feed) error {
	if err := tx.ReleaseBlob(p.ID, r.now()); err != nil {
		return err
	}
	whole, err := tx.Publication(p.ID)
	if err != nil {
		return err
	}
	size, count := strconv.FormatInt(p.Size, 10), strconv.Itoa(whole.Deliveries)
	data := model.FilePublished{Publication: p.ID, Feed: p.Feed, Kind: f.Kind, Name: p.Name, Size: p.Size,
		SHA256: p.SHA256, Deliveries: whole.Deliveries, Via: p.Via, Flag: p.Flag}
	detail := map[string]string{"publication": p.ID, "account": p.Account, "name": p.Name, "size": size,
		"sha256": p.SHA256, "deliveries": count, "via": p.Via}
	if p.Flag != "" {
		detail["flag"] = p.Flag
	}
	if err := tx.Emit(model.Event{ID: r.o.IDs.New(), Type: model.EventPublished, At: r.now(), Account: p.Account,
		Data: data}); err != nil {
		return err
	}
	return r.audit(tx, model.AuditRow{Actor: p.Actor, Action: "feed.publish", Subject: p.Feed, Detail: detail})
}

// deliver places a publication in mailboxes. An existing file of the same name gets a new
// version; the old version is kept until retention removes it.
func (r *Service) deliver(tx *store.Tx, p store.PublicationRow, f model.Feed, to []store.Recipient) error {
	if len(to) == 0 {
		return nil
	}
	// To avoid deadlocks, mailboxes are always locked in the order of their user ids.
	slices.SortStableFunc(to, func(a, b store.Recipient) int { return strings.Compare(a.UserID, b.UserID) })
	copies := mailbox.Copies{Blob: p.ID, Size: p.Size, Actor: p.Actor, At: r.now(), IDs: r.o.IDs}
	deliveries := make([]store.NewDelivery, 0, len(to))
	var replaced []string
	folder := ""
	if f.Folders != "" { // looking up a zone may read a file, so only if needed
		folder = datedFolder(f.Folders, p.PublishedAt.In(r.zone(f)))
	}
	for _, s := range to {
		d, old, err := r.deliverOne(tx, &copies, p, s, path.Join(s.Dir, folder))
		if err != nil {
			return err
		}
		if old != "" {
			replaced = append(replaced, old)
		}
		deliveries = append(deliveries, d)
	}
	// Deliveries are locked after the mailboxes, as in transactions that remove files.
	if err := tx.ReplaceDeliveries(replaced, r.now()); err != nil {
		return err
	}
	if err := copies.Refer(tx); err != nil {
		return err
	}
	return tx.AddDeliveries(deliveries)
}

// deliverOne places the copy in one mailbox. It returns the delivery, which the caller writes
// together with all others, and the id of the version that the copy replaced, or "".
func (r *Service) deliverOne(tx *store.Tx, copies *mailbox.Copies, p store.PublicationRow, s store.Recipient,
	dir string) (d store.NewDelivery, old string, err error) {
	at := r.now()
	c, err := copies.Place(tx, mailbox.Place{UserID: s.UserID, Dir: dir, Name: p.Name,
		Beside: p.ID + "-" + valid.CutName(p.Name, valid.MaxName-len(p.ID)-1),
		Class:  func(full string) string { return r.o.Class(s.UserID, full, p.Feed) }})
	if err != nil {
		return d, old, err
	}
	issue, err := tx.LastEnded(s.UserID, c.Path)
	if err == nil && c.Replaced != "" {
		before, beforeErr := tx.DeliveryOf(c.Replaced)
		if !fault.Is(beforeErr, fault.NotFound) { // the replaced version belongs to a delivery
			issue, err = max(issue, before.Issue), beforeErr
		}
	}
	if err == nil && s.Mail != "" {
		detail, _ := json.Marshal(map[string]any{"Name": p.Name, "Feed": p.Feed, "Size": p.Size}) // plain values marshal
		err = tx.AddDigest(store.Digest{ID: r.o.IDs.New(), UserID: s.UserID, At: at, Kind: "new", Detail: string(detail)})
	}
	return store.NewDelivery{ID: r.o.IDs.New(), PublicationID: p.ID, SubscriptionID: s.SubscriptionID, UserID: s.UserID,
		VersionID: c.Version, Path: c.Path, Issue: issue + 1, At: at}, c.Replaced, err
}

// backfill places earlier publications, since a time, for a new subscriber. It returns how many
// it placed.
func (r *Service) backfill(ctx context.Context, actor string, f model.Feed, s model.Subscription,
	since time.Time) (n int, err error) {
	u, err := r.o.Store.Read(ctx).User(s.User)
	if err != nil {
		return 0, err
	}
	list, err := r.o.Store.Read(ctx).PublicationsSince(f.Name, u.Account, u.ID, since)
	if err != nil {
		return 0, err
	}
	list = list[max(0, len(list)-maxBackfill):]
	for _, p := range list {
		kind := r.types.of(p.Name)
		if len(s.Types) > 0 && !slices.Contains(s.Types, kind) {
			continue
		}
		err := r.o.Store.Write(ctx, func(tx *store.Tx) error {
			to, err := tx.RecipientOf(f.Name, u.ID)
			if err != nil {
				return err
			}
			if err := r.deliver(tx, p, f, []store.Recipient{to}); err != nil {
				return err
			}
			return r.audit(tx, model.AuditRow{Actor: actor, Action: "feed.backfill", Subject: f.Name, User: u.ID,
				Detail: map[string]string{"publication": p.ID, "name": p.Name, "sha256": p.SHA256}})
		})
		switch {
		case fault.Is(err, fault.Exists), fault.Is(err, fault.NotFound): // placed meanwhile, or its bytes are gone
		case err != nil:
			return n, err
		default:
			n++
		}
	}
	return n, nil
}
