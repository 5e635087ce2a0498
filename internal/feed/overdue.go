package feed

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	// heldTold is the age at which an event reports a file left under a temporary name.
	heldTold = 24 * time.Hour
	// heldRetry is the delay before another try after a temporary failure, such as no space or no
	// database.
	heldRetry = time.Minute
)

// KeepHeld runs Overdue once a second until ctx ends.
func (r *Service) KeepHeld(ctx context.Context, log *slog.Logger) {
	exchange.Task{Every: time.Second, Log: log, Failure: "files on hold could not be looked after",
		Do: func(ctx context.Context) error { return r.Overdue(ctx, log) }}.Run(ctx)
}

// Overdue publishes the files on hold that are due, reports those that were left, and deletes
// those older than KeepUploads. An error with one file does not stop the others; all errors are
// joined.
func (r *Service) Overdue(ctx context.Context, log *slog.Logger) error {
	var errs []error
	for _, h := range r.onHold() {
		if ctx.Err() != nil {
			break
		}
		now := r.now()
		switch {
		case now.Sub(h.At) > r.bounds.Load().KeepUploads:
			log.Warn("a file under a temporary name has expired", "user", h.User, "path", valid.Printable(h.Path), "size",
				h.Size)
			in, err := r.take(h.key(), h.id)
			if err == nil {
				err = in.Discard()
			}
			if !fault.Is(err, fault.NotFound) {
				errs = append(errs, err)
			}
		case !h.Due.IsZero() && !now.Before(h.Due):
			errs = append(errs, r.publishHeld(ctx, h, log))
		case h.Due.IsZero() && !h.told && now.Sub(h.At) > heldTold:
			errs = append(errs, r.reportLeft(ctx, h, "Nobody gave it its final name, so nothing was published."))
		}
	}
	return errors.Join(errs...)
}

// onHold lists all files on hold.
func (r *Service) onHold() (out []Held) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.held {
		out = append(out, *h)
	}
	return out
}

// publishHeld publishes a file on hold that is due. A temporary failure is tried again after
// heldRetry. After any other failure the file waits to be renamed, and an event says why.
func (r *Service) publishHeld(ctx context.Context, h Held, log *slog.Logger) error {
	err := r.mayPublish(ctx, h)
	if err == nil {
		in, takeErr := r.take(h.key(), h.id)
		if fault.Is(takeErr, fault.NotFound) {
			return nil // renamed meanwhile
		} else if takeErr != nil {
			return takeErr
		}
		guard := store.NewGuard(exchange.Login{User: model.User{ID: h.UserID}, Fingerprint: h.Fingerprint,
			Address: h.Address, Revocation: h.Revocation})
		_, err = in.Publish(ctx, "user:"+h.User,
			Publication{Feed: h.Feed, Account: h.To, All: h.To == "", Name: h.Name, Via: "sftp", Guard: guard})
		if err == nil || errors.Is(err, deposit.ErrUnknown) { // the desk resolves an unknown outcome later
			return nil
		}
	}
	log.Warn("a file on hold could not be published", "user", h.User, "path", valid.Printable(h.Path), "err", err)
	retry := fault.Is(err, fault.Unavailable) || fault.Is(err, fault.NoSpace) || fault.Is(err, fault.Busy) ||
		fault.Is(err, fault.Internal)
	r.mu.Lock()
	if now := r.held[h.key()]; now != nil && now.id == h.id { // only in memory: the next start tries again
		if now.Due = (time.Time{}); retry {
			now.Due = r.now().Add(heldRetry)
		}
	}
	r.mu.Unlock()
	if retry {
		return nil
	}
	return r.reportLeft(ctx, h, "It could not be published: "+fault.PublicText(err))
}

// mayPublish returns an error if the feed does not exist, or if the writer's account is no
// longer its producer.
func (r *Service) mayPublish(ctx context.Context, h Held) error {
	f, err := r.Feed(ctx, h.Feed)
	if err == nil && !h.Service && f.Producer != h.Account {
		err = fault.E("feed.mayPublish", fault.Denied, "The feed %q is published by others.", h.Feed)
	}
	return err
}

// reportLeft emits the event that a file was left under a temporary name.
func (r *Service) reportLeft(ctx context.Context, h Held, why string) error {
	now := r.now()
	err := r.o.Store.Write(ctx, func(tx *store.Tx) error {
		return tx.Emit(model.Event{ID: r.o.IDs.New(), Type: model.EventLeft, At: now, Account: h.Account, User: h.User,
			Data: model.FileLeft{
				Path: valid.Printable(h.Path), Size: h.Size, Stored: h.At.Truncate(time.Second), Feed: h.Feed, Why: why,
				Words: h.User + " wrote " + valid.Printable(h.Path) + " on " + h.At.Format("2006-01-02 15:04") + " (UTC). " + why}})
	})
	r.mu.Lock()
	if now := r.held[h.key()]; now != nil && now.id == h.id && err == nil {
		now.told = true
	}
	r.mu.Unlock()
	return err
}

// maxRepublished is the largest number of deliveries that a rename may take back.
const maxRepublished = 1000

// Republish publishes the content of publication id under another name and withdraws its
// deliveries. It is for programs whose temporary names are on no list, so that the temporary
// name was published. It returns Denied if any delivery was opened or there are too many. A
// delivery that is opened meanwhile stays under its first name.
func (r *Service) Republish(ctx context.Context, actor, id string, p Publication) (model.Publication, error) {
	const op = "feed.Republish"
	q := r.o.Store.Read(ctx)
	first, err := q.Publication(id)
	if err != nil {
		return model.Publication{}, fault.Missing(op, err, "There is no publication %q.", valid.Printable(id))
	}
	rows, err := q.Deliveries(model.DeliveryFilter{Publication: id, Paging: model.Paging{Limit: maxRepublished + 1}})
	if err != nil {
		return model.Publication{}, err
	}
	switch {
	case len(rows) > maxRepublished || first.PlacedTo != nil:
		return model.Publication{}, fault.E(op, fault.Denied,
			"The file was published as %s, to more than %d users; an operator can withdraw it.", first.Name, maxRepublished)
	case len(rows) == 0:
		return model.Publication{}, fault.E(op, fault.Conflict, "The file was published as %s, and nobody has it any more.",
			first.Name)
	}
	for _, d := range rows {
		if d.State != model.DeliveryPublished {
			return model.Publication{}, fault.E(op, fault.Denied,
				"The file was published as %s already, and the copy of %s is %s; an operator can withdraw it.", first.Name, d.User,
				model.Word(d.State))
		}
	}
	version, err := q.VersionOfDelivery(rows[0].ID)
	if err != nil {
		return model.Publication{}, err
	}
	c, err := q.Content(version)
	if err != nil {
		return model.Publication{}, err
	}
	body, err := r.o.Blobs.Open(c.Key, c.Size)
	if err != nil {
		return model.Publication{}, err
	}
	defer body.Close()
	p.Body, p.Size, p.SHA256 = io.NewSectionReader(body, 0, c.Size), c.Size, first.SHA256
	out, err := r.Publish(ctx, actor, p)
	if err != nil {
		return out, err
	}
	for _, d := range rows {
		_, err := r.withdraw(ctx, actor, d.ID, "published under its final name, "+valid.Printable(p.Name), true)
		if err != nil && !fault.Is(err, fault.Conflict) {
			return out, err
		}
	}
	return out, nil
}
