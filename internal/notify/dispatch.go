package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	dispatchEvery = 500 * time.Millisecond
	dispatchBatch = 500
	startAgain    = 2 * time.Second
	keepEvery     = time.Minute
	digestTable   = 50 // largest number of rows in a digest
)

// Run turns events into messages and sends them until ctx ends. Several nodes may run it at
// once.
func (r *Service) Run(ctx context.Context) {
	if r.jobs = r.untilStarted(ctx); r.jobs == nil {
		return
	}
	defer r.jobs.stop()
	var kept time.Time
	do := func(ctx context.Context) error {
		err := r.Dispatch(ctx)
		if now := r.now(); err == nil && now.Sub(kept) >= keepEvery {
			kept = now
			err = r.maintain(ctx, now)
		}
		return err
	}
	exchange.Task{Every: cmp.Or(r.o.Every, dispatchEvery), Do: do, Failure: "events could not be handed out",
		Log: r.o.Log}.Run(ctx)
}

// untilStarted starts the job library. It retries while the database does not answer, or
// another node creates the library's tables. It returns nil once ctx has ended.
func (r *Service) untilStarted(ctx context.Context) *jobs {
	for failing := false; ; failing = true {
		j, err := startJobs(ctx, r)
		if err == nil {
			return j
		}
		if !failing && ctx.Err() == nil {
			r.o.Log.Error("webhooks and mails are not sent yet: the queue does not start", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(startAgain):
		}
	}
}

// Dispatch turns all waiting events into messages, and the messages into jobs.
func (r *Service) Dispatch(ctx context.Context) error {
	for ctx.Err() == nil {
		waits, err := r.o.Store.Read(ctx).HasEvents(r.now())
		if err != nil || !waits {
			return err
		}
		n, err := r.handOut(ctx)
		if err != nil {
			return err
		}
		m, err := r.jobs.enqueue(ctx)
		if err != nil || n+m == 0 {
			return err
		}
	}
	return nil
}

// handOut turns one batch of events into messages. If that fails although the database answers,
// it tries the events one by one and postpones those that fail, so that they do not block the
// others.
func (r *Service) handOut(ctx context.Context) (n int, err error) {
	if n, err = r.handOutSome(ctx, dispatchBatch); err == nil {
		return n, nil
	}
	if pingErr := r.o.Store.Ping(ctx); pingErr != nil {
		return 0, err
	}
	for n = 0; n < dispatchBatch && ctx.Err() == nil; n++ {
		some, err := r.handOutSome(ctx, 1)
		if err == nil && some == 0 {
			break
		}
		if err != nil {
			if err := r.postpone(ctx, err); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func (r *Service) handOutSome(ctx context.Context, limit int) (int, error) {
	return store.ChangeFor(ctx, r.o.Store, store.Behind, func(tx *store.Tx) (int, error) {
		events, err := tx.Outbox(r.now(), limit)
		if err != nil || len(events) == 0 {
			return 0, err
		}
		hooks, err := tx.Webhooks(model.Paging{})
		if err != nil {
			return 0, err
		}
		for _, e := range events {
			if err := r.messages(tx, e, hooks); err != nil {
				return 0, err
			}
		}
		return len(events), tx.Emitted(events)
	})
}

// messages writes the webhook messages and the mails for one event.
func (r *Service) messages(tx *store.Tx, e model.Event, hooks []model.Webhook) error {
	if e.Type == "" {
		return fault.E("notify.messages", fault.Internal, "The event is damaged.")
	}
	for _, w := range hooks {
		if !wants(w, e.Type) {
			continue
		}
		m, err := r.webhookMessage(w, e)
		if err != nil {
			return err
		}
		if err := tx.AddMessage(m); err != nil {
			return err
		}
	}
	return r.mails(tx, e)
}

// postpone delays the event at the head of the outbox, which could not be handed out: by a
// second, then twice as long each time, up to an hour.
func (r *Service) postpone(ctx context.Context, cause error) error {
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		now := r.now()
		events, err := tx.Outbox(now, 1)
		if err != nil || len(events) == 0 {
			return err
		}
		tries, err := tx.Postpone(events[0].ID, func(tries int64) time.Time {
			return now.Add(min(time.Second<<min(tries-1, 20), time.Hour))
		})
		if err == nil && (tries == 1 || tries%24 == 0) {
			r.o.Log.Error("an event could not be handed out; it is tried again", "event", events[0].ID, "type", events[0].Type,
				"tries", tries, "err", cause)
		}
		return err
	})
}

// maintain does the work of once a minute: it mails notices, writes the digests that are due,
// creates new jobs for messages whose jobs were lost, and deletes old messages.
func (r *Service) maintain(ctx context.Context, now time.Time) error {
	var errs []error // one failure must not stop the other work
	if r.Mails() {
		errs = append(errs, r.mailNotices(ctx))
	}
	errs = append(errs, r.writeDigests(ctx, now))
	return errors.Join(append(errs, r.o.Store.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Requeue(now.Add(-lostAfter)); err != nil {
			return err
		}
		if err := tx.ForgetSecrets(now.Add(-secretsLast)); err != nil || r.o.Keep == 0 {
			return err
		}
		_, err := tx.PruneMessages(now.Add(-r.o.Keep))
		return err
	}))...)
}

// mailNotices turns notices into mails, each once. A notice without a recipient stays, so that
// the operator sees it.
func (r *Service) mailNotices(ctx context.Context) error {
	if r.o.Notices == nil {
		return nil
	}
	var errs []error // an error with one must not stop the others
	for after := ""; ctx.Err() == nil; {
		list, err := r.o.Notices(ctx, after)
		if err != nil || len(list) == 0 {
			return errors.Join(append(errs, err)...)
		}
		for _, n := range list {
			after = n.ID
			if len(n.To) > 0 {
				errs = append(errs, r.mailNotice(ctx, n))
			}
		}
	}
	return errors.Join(errs...)
}

func (r *Service) mailNotice(ctx context.Context, n model.Notice) error {
	err := r.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.NoticeMailed(n.ID, r.now()); err != nil {
			return err
		}
		u, err := tx.User(n.User)
		if err != nil {
			return err
		}
		people, err := tx.Contacts(u.Account, u.Vendor)
		if err != nil {
			return err
		}
		l, err := noticeLetter(tx, n, u, people)
		if err != nil {
			return err
		}
		for _, to := range n.To {
			c := model.Contact{Email: to}
			if i := slices.IndexFunc(people, func(c model.Contact) bool {
				return c.LeftAt == nil && strings.EqualFold(c.Email, to)
			}); i >= 0 {
				c = people[i]
			}
			if err := r.personMail(tx, c, Mailing{Ref: n.ID}, l); err != nil {
				return err
			}
		}
		return nil
	})
	if fault.Is(err, fault.NotFound) { // another node was faster
		return nil
	}
	return err
}

// noticeLetters maps kinds of notice to kinds of letter. The others are mailed in their own words.
var noticeLetters = map[string]string{
	"key.expiring": "key-expiring",
	"key.expired":  "key-expired",
	"key.old":      "key-old",
	"key.burned":   "key-sent",
	"key.flagged":  "key-doubtful",
	"key.frozen":   "key-paused",
}

// noticeLetter returns the letter of a notice.
func noticeLetter(tx *store.Tx, n model.Notice, u model.User, people []model.Contact) (Letter, error) {
	kind := noticeLetters[n.Kind]
	if kind == "" {
		kind = "notice"
		if strings.HasPrefix(n.Kind, "user.") {
			kind = "inactive"
		}
		return Letter{Kind: kind, Account: u.Account, User: u.Name, Facts: TextFacts{Paragraphs: paragraphs(n.Text)}}, nil
	}
	k, _, err := keyOf(tx, u, n.Fingerprint)
	f := KeyFacts{Fingerprint: n.Fingerprint, Type: k.Type, Holder: k.Holder, At: n.At, Since: k.CreatedAt,
		ByEmail: k.FrozenBy}
	if k.ExpiresAt != nil {
		f.Expires = *k.ExpiresAt
	}
	for _, c := range people {
		if c.ID == k.FrozenByID && c.ID != "" {
			f.By = c.Name
		}
	}
	return Letter{Kind: kind, Account: u.Account, User: u.Name, Facts: f}, err
}

// digestRefused is the kind of digest about files that could not be used.
const digestRefused = "refused"

// digests lists the kinds of digest, with their periods and kinds of letter.
var digests = []struct {
	kind, letter string
	every        time.Duration
}{
	{digestRefused, "refused", time.Hour},
	{"new", "fresh", 24 * time.Hour},
	{digestReceived, "received-daily", 24 * time.Hour},
}

// writeDigests writes one mail per user and kind of digest for the periods that are over:
// hours, or days for new and received files.
func (r *Service) writeDigests(ctx context.Context, now time.Time) error {
	var errs []error // an error with one user must not stop the others
	for _, d := range digests {
		edge := now.UTC().Truncate(d.every)
		for after := ""; ctx.Err() == nil; {
			users, err := r.o.Store.Read(ctx).DigestUsers(d.kind, edge, after, dispatchBatch)
			if err != nil || len(users) == 0 {
				errs = append(errs, err)
				break
			}
			for _, id := range users {
				after = id
				errs = append(errs, r.o.Store.Write(ctx, func(tx *store.Tx) error {
					items, total, err := tx.TakeDigest(id, edge, d.kind, digestTable)
					if err != nil || len(items) == 0 || !r.Mails() {
						return err
					}
					return r.digest(tx, id, d.kind, Letter{Kind: d.letter, Facts: digestFiles(items, int(total))})
				}))
			}
		}
	}
	return errors.Join(errs...)
}

// digestItem is the content of one digest line.
type digestItem struct {
	Name, Reason, Advice, Feed, Duplicate, SHA256, ID string
	Size                                              int64
}

// digest mails a letter to a user's technical contacts; one about received files, to those who asked
// for it.
func (r *Service) digest(tx *store.Tx, userID, kind string, l Letter) error {
	u, err := tx.UserByID(userID)
	if err != nil {
		return unlessGone(err)
	}
	if kind == digestRefused {
		return r.uploaderMails(tx, u, l)
	}
	if kind != digestReceived {
		return r.contactMails(tx, u, Mailing{}, l, model.RoleTechnical)
	}
	people, err := tx.ToldOfReceived(u.Account, u.Vendor)
	if err != nil {
		return err
	}
	return r.peopleMails(tx, u, Mailing{}, l, told(people, model.ToldDaily))
}

func digestFiles(items []store.Digest, total int) FilesFacts {
	f := FilesFacts{Total: total, More: total - len(items)}
	for _, d := range items {
		var v digestItem
		_ = json.Unmarshal([]byte(d.Detail), &v) // written by this server; damaged data gives an empty line
		f.Files = append(f.Files, FileFacts{Name: v.Name, At: d.At, Size: v.Size, Feed: v.Feed, Reason: v.Reason,
			Advice: v.Advice, Duplicate: v.Duplicate, SHA256: v.SHA256, ID: v.ID})
	}
	return f
}
