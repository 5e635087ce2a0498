package feed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Publication asks to hand one file to a feed.
type Publication struct {
	Feed           string
	Account        string // "" with All: every subscriber
	All            bool
	Name           string // file name
	Body           io.Reader
	Size           int64  // what the body must have; < 0: unknown
	SHA256         string // what the body must have, hexadecimal; "": unknown
	IdempotencyKey string // a repeated key publishes nothing again
}

// Publish stores the bytes once and places them in each entitled mailbox.
// Nobody entitled is NoRecipient, and stores nothing.
func (r *Room) Publish(ctx context.Context, actor string, p Publication) (exchange.Publication, error) {
	const op = "feed.Publish"
	if err := p.check(); err != nil {
		return exchange.Publication{}, err
	}
	f, err := r.Feed(ctx, p.Feed)
	if err != nil {
		return exchange.Publication{}, err
	}
	kind := strings.ToLower(strings.TrimPrefix(path.Ext(p.Name), "."))
	if len(f.Types) > 0 && !slices.Contains(f.Types, kind) {
		return exchange.Publication{}, exchange.E(op, exchange.Invalid, "The feed %q takes %s files, not %q.",
			f.Name, strings.Join(f.Types, " and "), exchange.Printable(p.Name))
	}
	if to, err := r.recipients(r.o.Store.Read(ctx), p, kind); err != nil {
		return exchange.Publication{}, err
	} else if len(to) == 0 && p.IdempotencyKey == "" {
		return exchange.Publication{}, noRecipient(p)
	}
	stage, content, err := r.receive(p)
	if err != nil {
		return exchange.Publication{}, err
	}
	defer stage.Close()
	now := r.now()
	content.Key = blob.Key("publish", content.ID, p.Name, now)
	out := exchange.Publication{ID: content.ID, Feed: p.Feed, Account: p.Account, Name: p.Name, Size: content.Size,
		SHA256: hex.EncodeToString(content.SHA256), PublishedAt: now}
	if p.IdempotencyKey != "" {
		if before, err := r.repeated(r.o.Store.Read(ctx), p, out); err != nil || before.Repeated {
			return before, errors.Join(err, stage.Discard())
		}
	}
	if err := stage.Commit(content.Key); err != nil {
		return out, errors.Join(err, stage.Discard())
	}
	err = r.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		out, err = r.place(tx, actor, p, out, content, kind)
		return err
	})
	if errors.Is(err, store.ErrOutcomeUnknown) {
		if placed, lookErr := r.o.Store.Read(ctx).HasPublication(out.ID); lookErr != nil {
			return out, err // the bytes stay, in case the row does
		} else if placed {
			return out, nil
		}
	}
	if err != nil || out.Repeated {
		return out, errors.Join(err, stage.Revert(), stage.Discard())
	}
	return out, nil
}

func (p *Publication) check() error {
	const op = "feed.Publish"
	if err := exchange.CheckName(p.Name); err != nil {
		return err
	}
	if exchange.Printable(p.Name) != p.Name {
		return exchange.E(op, exchange.Invalid, "The file name has control characters or is not UTF-8.")
	}
	if p.All == (p.Account != "") {
		return exchange.E(op, exchange.Invalid, "Publish to one account, or to all subscribers.").WithHint("give --account ID or --all")
	}
	if len(p.IdempotencyKey) > 200 {
		return exchange.E(op, exchange.Invalid, "The idempotency key is longer than 200 bytes.")
	}
	return nil
}

func noRecipient(p Publication) error {
	who := "subscribers"
	if p.Account != "" {
		who = "subscriber in account " + p.Account
	}
	return exchange.E("feed.Publish", exchange.NoRecipient, "The feed %q has no %s for %q.", p.Feed, who, exchange.Printable(p.Name)).
		WithHint("subscribe a user first: sallyport feed subscribe %s USER", p.Feed)
}

// recipients are the subscriptions that want this type of file.
func (r *Room) recipients(q *store.Q, p Publication, kind string) ([]store.Recipient, error) {
	if p.Account != "" {
		if _, err := q.Account(p.Account); err != nil {
			return nil, missing(err, "There is no account %q.", p.Account)
		}
	}
	all, err := q.Recipients(p.Feed, p.Account)
	return slices.DeleteFunc(all, func(s store.Recipient) bool { return len(s.Types) > 0 && !slices.Contains(s.Types, kind) }), err
}

// receive stages the body and checks what was declared of it.
func (r *Room) receive(p Publication) (blob.Stage, store.Blob, error) {
	const op = "feed.Publish"
	b := store.Blob{ID: r.o.IDs.New()}
	if free, err := r.o.Blobs.Free(); err != nil {
		return nil, b, err
	} else if free < r.o.FreeFloor+max(p.Size, 0) {
		return nil, b, exchange.E(op, exchange.NoSpace, "The server's storage is full.").WithHint("free space where the data folder is")
	}
	stage, err := r.o.Blobs.Stage(b.ID)
	if err != nil {
		return nil, b, err
	}
	fail := func(err error) (blob.Stage, store.Blob, error) {
		return nil, b, errors.Join(err, stage.Discard(), stage.Close())
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(io.NewOffsetWriter(stage, 0), sum), io.LimitReader(p.Body, r.o.MaxFile+1))
	b.Size, b.SHA256 = n, sum.Sum(nil)
	switch {
	case err != nil:
		return fail(exchange.Wrap(op, exchange.Invalid, err)) // the sender broke off, or the disk is full
	case n > r.o.MaxFile:
		return fail(exchange.E(op, exchange.TooLarge, "The file is larger than the limit of %d bytes.", r.o.MaxFile))
	case p.Size >= 0 && n != p.Size:
		return fail(exchange.E(op, exchange.Invalid, "The file has %d bytes, not the %d that were declared.", n, p.Size))
	case p.SHA256 != "" && !strings.EqualFold(p.SHA256, hex.EncodeToString(b.SHA256)):
		return fail(exchange.E(op, exchange.Invalid, "The file's SHA-256 is not the one that was declared."))
	}
	return stage, b, nil
}

// repeated finds what an idempotency key published before. Another file under
// the same key is a conflict.
func (r *Room) repeated(q *store.Q, p Publication, now exchange.Publication) (exchange.Publication, error) {
	before, err := q.PublicationByKey(p.Feed, p.IdempotencyKey)
	if exchange.Is(err, exchange.NotFound) {
		return now, nil
	} else if err != nil {
		return now, err
	}
	if before.SHA256 != now.SHA256 || before.Name != now.Name || before.Account != now.Account {
		return before, exchange.E("feed.Publish", exchange.Conflict, "This idempotency key was used for another file (%s).", before.Name)
	}
	before.Repeated = true
	return before, nil
}

// place writes the rows of a publication.
func (r *Room) place(tx *store.Tx, actor string, p Publication, out exchange.Publication, b store.Blob, kind string) (exchange.Publication, error) {
	if p.IdempotencyKey != "" {
		if before, err := r.repeated(&tx.Q, p, out); err != nil || before.Repeated {
			return before, err
		}
	}
	to, err := r.recipients(&tx.Q, p, kind)
	if err != nil {
		return out, err
	}
	if len(to) == 0 {
		return out, noRecipient(p)
	}
	at := exchange.Micros(out.PublishedAt)
	if err := tx.AddBlob(b, len(to), at); err != nil {
		return out, err
	}
	if err := tx.AddPublication(store.NewPublication{ID: out.ID, Feed: p.Feed, Account: p.Account, Name: p.Name,
		Size: b.Size, SHA256: b.SHA256, IdempotencyKey: p.IdempotencyKey, Actor: actor, At: at}); err != nil {
		return out, err
	}
	for _, s := range to {
		if err := r.deliver(tx, actor, out, b, s); err != nil {
			return out, err
		}
	}
	out.Deliveries = len(to)
	return out, r.audit(tx, exchange.AuditRow{Actor: actor, Action: "feed.publish", Subject: p.Feed, Detail: map[string]string{
		"publication": out.ID, "account": p.Account, "name": p.Name, "size": strconv.FormatInt(out.Size, 10),
		"sha256": out.SHA256, "deliveries": strconv.Itoa(out.Deliveries)}})
}

// deliver places the file in one mailbox. A name that is there gets a new
// version; the old one is kept until retention.
func (r *Room) deliver(tx *store.Tx, actor string, p exchange.Publication, b store.Blob, s store.Recipient) error {
	at := exchange.Micros(p.PublishedAt)
	if _, err := tx.LockMailbox(s.UserID); err != nil {
		return err
	}
	dir, err := r.o.MakeDirs(tx, s.UserID, s.Dir)
	if err != nil {
		return err
	}
	f := store.File{DirID: dir, Name: p.Name, FileID: r.o.IDs.New(), Size: b.Size, Mtime: at, Mode: 0o644}
	f.VersionID = f.FileID
	bytes, files := b.Size, int64(1)
	if old, err := tx.File(dir, p.Name); err == nil {
		f.FileID = old.FileID
		bytes, files = bytes-old.Size, 0
	} else if !exchange.Is(err, exchange.NotFound) {
		return err
	}
	if err := tx.AddVersion(store.Version{ID: f.VersionID, FileID: f.FileID, UserID: s.UserID, BlobID: b.ID, Actor: actor, StoredAt: at}); err != nil {
		return err
	}
	if err := tx.PutFile(f); err != nil {
		return err
	}
	// What the platform delivers is never refused for a partner's quota.
	const unlimited = 1 << 62
	if err := tx.Use(s.UserID, bytes, files, unlimited, unlimited); err != nil {
		return err
	}
	return tx.AddDelivery(store.NewDelivery{ID: r.o.IDs.New(), PublicationID: p.ID, SubscriptionID: s.SubscriptionID,
		UserID: s.UserID, VersionID: f.VersionID, At: at})
}
