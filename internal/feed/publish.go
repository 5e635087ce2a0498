package feed

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Publication is a request to publish one file in a feed. Exactly one of Account and All is
// set.
type Publication struct {
	Feed           string
	Account        string // recipient account
	All            bool
	Name           string // file name
	Body           io.Reader
	Upload         string       // id of a complete upload, instead of Body
	Size           int64        // expected size in bytes; < 0: unknown
	SHA256         string       // expected hash, hexadecimal; "": unknown
	IdempotencyKey string       // a second request with the same key does not publish again; "": none
	Via            string       // channel: api, folder or sftp
	Guard          *store.Guard // of the publishing SFTP login; nil for other channels

	kind   string   // file type
	checks string   // what to do if the content does not match the type
	flag   string   // why the content may not match its type; "": it does
	number numbered // from the file name; seq is -1 if it has none
	rule   counting
}

// Publish stores the content once and places it in the mailbox of each entitled user. If no
// user is entitled, it returns NoRecipient and stores nothing. Once the publication is known to
// be stored, it returns no error, even if some mailboxes are served later.
func (r *Service) Publish(ctx context.Context, actor string, p Publication) (model.Publication, error) {
	f, err := r.admit(ctx, &p)
	if err != nil {
		return model.Publication{}, err
	}
	reached, err := r.reaches(r.o.Store.Read(ctx), f, p)
	if err != nil {
		return model.Publication{}, err
	} else if !reached && p.IdempotencyKey == "" {
		return model.Publication{}, noRecipient(p)
	}
	if err := r.decided(ctx, p.Upload); err != nil {
		return model.Publication{}, err
	}
	if before, err := r.publishedUpload(ctx, p); err != nil || before.Repeated {
		return before, err
	}
	in, err := r.receive(p)
	if err != nil {
		return model.Publication{}, err
	}
	return r.publishStage(ctx, actor, f, p, in)
}

// received is staged content that is not published yet.
type received struct {
	deposit.Received
	upload *upload   // the upload that it came from, locked; nil for a body
	flag   string    // why the content may not match its type
	held   *Incoming // the SFTP file that it came from; nil for others
}

// release frees staged content after its publication; err nil means that it is stored. If it is
// not stored, a body is discarded, a file that was on hold is on hold again, and an upload is
// kept for another try, since it may be gigabytes.
func (r *Service) release(in received, err error) {
	stored, sealed := err == nil, errors.Is(err, blob.ErrSealed)
	if u := in.upload; u != nil {
		if !stored && !sealed && !errors.Is(err, errRepeated) {
			return
		}
		u.stage = nil
		r.uploadDone(u.id)
	}
	if !stored && !sealed && in.held != nil && in.held.held != nil {
		r.giveBack(in.held) // its CLOSE succeeded, so it must not be lost
		return
	}
	in.End(err)
}

// publishedUpload finds the publication that an upload became, when a client repeats a request
// because it got no answer. The upload itself no longer exists then. Without an idempotency key
// it finds nothing.
func (r *Service) publishedUpload(ctx context.Context, p Publication) (model.Publication, error) {
	if p.Upload == "" || p.IdempotencyKey == "" {
		return model.Publication{}, nil
	}
	if _, err := r.upload(p.Upload); err == nil {
		return model.Publication{}, nil
	}
	now := model.Publication{Name: p.Name, Account: p.Account, SHA256: strings.ToLower(p.SHA256)}
	before, err := r.repeated(r.o.Store.Read(ctx), p, now)
	if err != nil {
		return model.Publication{}, err
	}
	return r.finish(ctx, before), nil
}

// admit validates the request, fills in its derived fields and returns the feed.
func (r *Service) admit(ctx context.Context, p *Publication) (model.Feed, error) {
	const op = "feed.Publish"
	if err := p.check(); err != nil {
		return model.Feed{}, err
	}
	f, err := r.Feed(ctx, p.Feed)
	if err != nil {
		return f, err
	}
	if p.Account != "" {
		if a, err := r.o.Store.Read(ctx).Account(p.Account); err == nil {
			p.Account = a.ID // the stored spelling
		}
	}
	p.kind, p.checks = r.types.of(p.Name), cmp.Or(f.Checks, r.o.Checks, model.ChecksRefuse)
	if len(f.Types) > 0 && !slices.Contains(f.Types, p.kind) {
		return f, fault.E(op, fault.Invalid, "The feed %q takes %s files, not %q.", f.Name, strings.Join(f.Types, " and "),
			valid.Printable(p.Name))
	}
	pattern, err := ParsePattern(f.Pattern)
	if err != nil {
		return f, err
	}
	named, err := pattern.Match(p.Name, p.Account)
	p.number, p.rule = numbered{named.Seq, named.Date}, pattern.counting()
	return f, err
}

func (p *Publication) check() error {
	const op = "feed.Publish"
	if err := valid.CheckName(p.Name); err != nil {
		return err
	}
	if valid.Printable(p.Name) != p.Name {
		return fault.E(op, fault.Invalid, "The file name has control characters or is not UTF-8.")
	}
	if p.All == (p.Account != "") {
		return fault.E(op, fault.Invalid, "Publish to one account, or to all subscribers.").
			WithHint("give --account ID or --all")
	}
	if len(p.IdempotencyKey) > 200 || valid.Printable(p.IdempotencyKey) != p.IdempotencyKey {
		return fault.E(op, fault.Invalid, "The idempotency key is longer than 200 bytes, or has control characters.")
	}
	return nil
}

func noRecipient(p Publication) error {
	who := "subscribers"
	if p.Account != "" {
		who = "subscriber in account " + p.Account
	}
	return fault.E("feed.Publish", fault.NoRecipient, "The feed %q has no %s for %q.", p.Feed, who,
		valid.Printable(p.Name)).
		WithHint("subscribe a user first").WithAction("subscribe", "feed", p.Feed)
}

// errRepeated rolls back the transaction if the idempotency key was used before.
var errRepeated = fault.E("feed.Publish", fault.Exists, "It was published before.")

// publishStage publishes staged content and releases it.
func (r *Service) publishStage(ctx context.Context, actor string, f model.Feed, p Publication,
	in received) (model.Publication, error) {
	now := r.now()
	p.flag = in.flag
	in.Blob.Key = blob.Key("publish", in.Blob.ID, p.Name, now)
	first := model.Publication{ID: in.Blob.ID, Feed: p.Feed, Account: p.Account, Name: p.Name, Size: in.Blob.Size,
		SHA256: hex.EncodeToString(in.Blob.SHA256), Via: p.Via, Flag: p.flag, PublishedAt: now}
	before, err := r.repeated(r.o.Store.Read(ctx), p, first)
	if before.Repeated {
		err = errRepeated
	}
	var out model.Publication
	if err == nil {
		late := in.upload.decide()
		err = r.o.Desk.Commit(deposit.Deposit{Trace: ctx, Stage: in.Stage, Blob: in.Blob, Guard: p.Guard,
			Record: func(tx *store.Tx, b store.Blob) (err error) {
				before, out = repeat{}, first
				if before, err = r.repeated(&tx.Q, p, first); err == nil && before.Repeated {
					err = errRepeated
				}
				if err != nil {
					return err
				}
				return r.begin(tx, actor, f, p, &out, b)
			},
			Late: func(err error) {
				in.upload.lock()
				r.release(in, err)
				in.upload.unlock()
				late()
			}})
		if errors.Is(err, deposit.ErrUnknown) {
			in.upload.unlock()
			return model.Publication{}, err
		}
		late()
	}
	r.release(in, err)
	in.upload.unlock()
	if fault.Is(err, fault.Exists) && !before.Repeated { // a concurrent request used the same key
		before, _ = r.repeated(r.o.Store.Read(context.WithoutCancel(ctx)), p, first)
	}
	if before.Repeated {
		return r.finish(ctx, before), nil
	} else if err != nil {
		return model.Publication{}, err
	}
	// The publication is stored, so no later failure may be returned as an error.
	missing := out.Missing
	out = r.placeRest(ctx, out)
	out.Missing = missing
	return out, nil
}

// repeat is the earlier publication of an idempotency key.
type repeat struct {
	model.Publication
	unplaced bool
}

// finish serves the mailboxes that an earlier try of the same publication left out, and returns
// the current publication.
func (r *Service) finish(ctx context.Context, before repeat) model.Publication {
	out := before.Publication
	if before.unplaced {
		out = r.placeRest(ctx, out)
		out.Repeated = true
	}
	return out
}

// placeRest serves the remaining mailboxes of a stored publication. It returns no error: Keep
// places what is left. The end of the request does not stop it.
func (r *Service) placeRest(ctx context.Context, p model.Publication) model.Publication {
	q := r.o.Store.Read(context.WithoutCancel(ctx))
	whole, err := q.Publication(p.ID)
	if err == nil && whole.PlacedTo != nil {
		if err = r.placeAll(p.ID); err == nil {
			whole, err = q.Publication(p.ID)
		}
	}
	if err != nil {
		return p
	}
	return whole.Publication
}

// repeated finds the earlier publication of an idempotency key. It is a Conflict if the key was
// used for another file or other recipients.
func (r *Service) repeated(q *store.Q, p Publication, now model.Publication) (repeat, error) {
	if p.IdempotencyKey == "" {
		return repeat{}, nil
	}
	row, err := q.PublicationByKey(p.Feed, p.IdempotencyKey)
	if fault.Is(err, fault.NotFound) {
		return repeat{}, nil
	} else if err != nil {
		return repeat{}, err
	}
	if row.Name != now.Name || now.SHA256 != "" && row.SHA256 != now.SHA256 || row.Account != now.Account {
		return repeat{}, fault.E("feed.Publish", fault.Conflict, "This idempotency key was used for another file (%s).",
			row.Name)
	}
	row.Repeated = true
	return repeat{row.Publication, row.PlacedTo != nil}, nil
}

// receive stages the body and checks its declared size, its declared hash and its content.
func (r *Service) receive(p Publication) (received, error) {
	const op = "feed.Publish"
	if p.Upload != "" {
		return r.uploaded(p)
	}
	if err := r.checkFree(max(p.Size, 0)); err != nil {
		return received{}, err
	}
	look := r.newContentCheck(p)
	in, err := deposit.Receive(r.o.Blobs, r.o.IDs.New(), func(w io.Writer) error {
		_, err := io.Copy(io.MultiWriter(w, look), io.LimitReader(p.Body, r.bounds.Load().MaxFile+1))
		return fault.Wrap(op, fault.Invalid, err) // the sender aborted, or the disk is full
	})
	if err != nil {
		return received{}, err
	}
	flag, err := r.declared(p, in.Blob, look)
	if err != nil {
		return received{}, errors.Join(err, in.Discard())
	}
	return received{Received: in, flag: flag}, nil
}

func (r *Service) checkFree(size int64) error {
	free, err := r.o.Blobs.Free()
	if err == nil && free < r.bounds.Load().FreeFloor+size {
		err = fault.E("feed.checkFree", fault.NoSpace, "The server's storage is full.").
			WithHint("free space where the data folder is")
	}
	return err
}

// declared checks the received size and hash against the declared ones, and the content against
// its type. flag says why the content may not match.
func (r *Service) declared(p Publication, b store.Blob, look *contentCheck) (flag string, err error) {
	const op = "feed.Publish"
	switch {
	case b.Size > r.bounds.Load().MaxFile:
		return "", fault.E(op, fault.TooLarge, "The file is larger than the limit of %d bytes.", r.bounds.Load().MaxFile)
	case p.Size >= 0 && b.Size != p.Size:
		return "", fault.E(op, fault.Invalid, "The file has %d bytes, not the %d that were declared.", b.Size, p.Size)
	case p.SHA256 != "" && !strings.EqualFold(p.SHA256, hex.EncodeToString(b.SHA256)):
		return "", fault.E(op, fault.Invalid, "The file's SHA-256 is not the one that was declared.")
	}
	return look.judge(p.Name, p.checks)
}

// newContentCheck returns the check for a publication's file type.
func (r *Service) newContentCheck(p Publication) *contentCheck {
	return &contentCheck{kind: p.kind, want: r.types.byName[p.kind]}
}
