package notify

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// retries are the delays between tries (Standard Webhooks, "Deliverability and reliability"),
// three days in total.
var retries = []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 18 * time.Hour, 22 * time.Hour}

const (
	webhookWorkers = 16
	mailWorkers    = 4
	perReceiver    = 4                // concurrent requests per receiver: a slow one must not take all workers
	busyWait       = 3 * time.Second  // first delay of a message for a busy receiver
	busyDoubled    = 7                // how often this delay is doubled at most: 6.4 minutes
	enqueueTime    = 20 * time.Second // time limit of the transaction that turns messages into jobs
	jobTime        = time.Minute
	softStop       = 2 * time.Second // how long tries in progress may continue when the service stops
	hardStop       = 7 * time.Second // time limit of the whole stop
	lostAfter      = 48 * time.Hour  // time without a try after which a job counts as lost: twice the longest delay
)

// jobs runs the job library on our database.
type jobs struct {
	service *Service
	client  *river.Client[*sql.Tx]

	mu   sync.Mutex
	busy map[string]int // receiver → requests in progress
}

// sendArgs is the argument of a job: the message to send.
type sendArgs struct {
	ID string `json:"id"`
}

// Kind returns the name of the jobs in the library's table.
func (sendArgs) Kind() string { return "send" }

type worker struct {
	river.WorkerDefaults[sendArgs]
	jobs *jobs
}

// NextRetry returns the time of the next try after a failed one; job.Attempt counts tries. The
// library uses the system clock.
func (*worker) NextRetry(job *river.Job[sendArgs]) time.Time {
	return time.Now().Add(retries[min(max(job.Attempt-1, 0), len(retries)-1)])
}

// startJobs migrates the library's tables and starts its workers.
func startJobs(ctx context.Context, r *Service) (*jobs, error) {
	var driver riverdriver.Driver[*sql.Tx] = riverdatabasesql.New(r.o.Store.Jobs())
	if r.o.Store.Single() {
		driver = riversqlite.New(r.o.Store.Jobs())
	}
	quiet := slog.New(levelled{r.o.Log.Handler(), slog.LevelError})
	m, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: quiet})
	if err != nil {
		return nil, fault.Wrap("notify.startJobs", fault.Internal, err)
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, fault.Wrap("notify.startJobs", fault.Unavailable, err)
	}
	j := &jobs{service: r, busy: map[string]int{}}
	poll := cmp.Or(r.o.Poll, river.FetchPollIntervalDefault)
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{jobs: j})
	j.client, err = river.NewClient(driver,
		&river.Config{ID: r.o.Node, Logger: quiet, Workers: workers, JobTimeout: jobTime,
			MaxAttempts: len(retries) + 1, SoftStopTimeout: softStop,
			PollOnly:          true, // without it, it polls SQLite for notifications 20 times a second
			FetchPollInterval: poll, FetchCooldown: min(poll, river.FetchCooldownDefault),
			CompletedJobRetentionPeriod: time.Hour, DiscardedJobRetentionPeriod: time.Hour,
			CancelledJobRetentionPeriod: time.Hour,
			Queues: map[string]river.QueueConfig{string(model.ChannelWebhook): {MaxWorkers: webhookWorkers},
				string(model.ChannelMail): {MaxWorkers: mailWorkers}}})
	if err != nil {
		return nil, fault.Wrap("notify.startJobs", fault.Internal, err)
	}
	return j, fault.Wrap("notify.startJobs", fault.Unavailable, j.client.Start(context.WithoutCancel(ctx)))
}

// levelled is a log handler with a minimum level.
type levelled struct {
	slog.Handler
	least slog.Level
}

func (l levelled) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= l.least && l.Handler.Enabled(ctx, level)
}

func (l levelled) WithAttrs(a []slog.Attr) slog.Handler {
	return levelled{l.Handler.WithAttrs(a), l.least}
}
func (l levelled) WithGroup(g string) slog.Handler { return levelled{l.Handler.WithGroup(g), l.least} }

// stop lets tries in progress continue for softStop, then cancels them.
func (j *jobs) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), hardStop)
	defer cancel()
	if err := j.client.Stop(ctx); err != nil {
		j.service.o.Log.Error("sending did not stop in time", "err", err)
	}
}

// enqueue turns one batch of new messages into jobs.
func (j *jobs) enqueue(ctx context.Context) (n int, err error) {
	const op = "notify.enqueue"
	s := j.service.o.Store
	ctx, cancel := context.WithTimeout(ctx, enqueueTime)
	defer cancel()
	tx, err := s.BeginJobs(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	ids, channels, err := s.NewMessages(ctx, tx, dispatchBatch)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	params := make([]river.InsertManyParams, len(ids))
	for i := range ids {
		params[i] = river.InsertManyParams{Args: sendArgs{ids[i]}, InsertOpts: &river.InsertOpts{Queue: channels[i]}}
		if err := s.QueuedMessage(ctx, tx, ids[i], j.service.now()); err != nil {
			return 0, err
		}
	}
	if _, err := j.client.InsertManyFastTx(ctx, tx, params); err != nil {
		return 0, fault.Wrap(op, fault.Unavailable, err)
	}
	return len(ids), fault.Wrap(op, fault.Unavailable, tx.Commit())
}

// enter reserves one of a receiver's concurrent requests. It returns false if all are in use.
func (j *jobs) enter(receiver string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.busy[receiver] >= perReceiver {
		return false
	}
	j.busy[receiver]++
	return true
}

func (j *jobs) release(receiver string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.busy[receiver]--; j.busy[receiver] == 0 {
		delete(j.busy, receiver)
	}
}

// turn returns the delay before a message for a busy receiver is looked at again. It doubles
// each time. Otherwise thousands of messages for a receiver that hangs would keep workers and
// database busy.
func turn(metadata []byte) time.Duration {
	var had struct{ Snoozes int }
	_ = json.Unmarshal(metadata, &had) // written by the library; damaged data reads as zero
	return busyWait << min(max(had.Snoozes, 0), busyDoubled)
}

// Work sends one message.
func (w *worker) Work(ctx context.Context, job *river.Job[sendArgs]) error {
	r := w.jobs.service
	m, err := r.o.Store.Read(ctx).Message(job.Args.ID)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil // the receiver was removed
	case err != nil:
		return err
	case m.State != model.MessageQueued:
		return nil // sent already, or given up
	}
	if m.Channel == model.ChannelWebhook {
		if !w.jobs.enter(m.Target) {
			return river.JobSnooze(turn(job.Metadata))
		}
		defer w.jobs.release(m.Target)
	}
	err = r.send(ctx, m)
	last := job.Attempt >= job.MaxAttempts
	if noteErr := r.tried(m, err, last); noteErr != nil {
		return noteErr // the message may be sent twice
	}
	if err != nil && final(err) {
		return river.JobCancel(err)
	}
	return err
}

// final reports whether an error must not be retried.
func final(err error) bool {
	return fault.Is(err, fault.NotFound) || fault.Is(err, fault.Denied) || fault.Is(err, fault.Invalid)
}

func (r *Service) send(ctx context.Context, m model.Message) error {
	if m.Channel == model.ChannelMail {
		return r.sendMail(ctx, m)
	}
	w, err := r.o.Store.Read(ctx).Webhook(m.Target)
	if err != nil {
		return err
	}
	if !w.Enabled {
		return fault.E("notify.send", fault.Denied, "The webhook is switched off.")
	}
	if w, err = r.unsealed(w); err != nil {
		return err
	}
	return r.o.Poster.Post(ctx, w, m)
}

// tried records the result of a try. If a receiver answered that it is gone, its webhook is
// disabled. If an address was refused, its contacts are marked as bounced.
func (r *Service) tried(m model.Message, err error, last bool) error {
	state, text := model.MessageSent, ""
	if err != nil {
		state, text = model.MessageQueued, fault.PublicText(err)
		if last || final(err) {
			state = model.MessageDead
		}
		if m.Channel == model.ChannelMail && fault.Is(err, fault.Denied) {
			state = model.MessageBounced
		}
	}
	now := r.now()
	return r.o.Store.Write(context.Background(), func(tx *store.Tx) error {
		if err := tx.Tried(m.ID, state, text, now); err != nil {
			return err
		}
		if state == model.MessageBounced {
			return r.bounce(tx, m.Target, text, now)
		}
		if m.Channel == model.ChannelWebhook && fault.Is(err, fault.NotFound) {
			w, err := tx.Webhook(m.Target)
			if err != nil {
				return nil // removed meanwhile
			}
			w.Enabled, w.Note = false, text
			if err := tx.SetWebhook(w); err != nil {
				return err
			}
			return r.audit(tx, "system:notify", "webhook.off", w.Name, map[string]string{"why": text})
		}
		return nil
	})
}

// bounce marks every present contact with an address as bounced.
func (r *Service) bounce(tx *store.Tx, address, why string, at time.Time) error {
	people, err := tx.ContactsAt(address)
	if err != nil {
		return err
	}
	for _, c := range people {
		if c.BouncedAt != nil || c.LeftAt != nil {
			continue
		}
		c.BouncedAt = &at
		if err := tx.SetContact(c); err != nil {
			return err
		}
		if err := r.audit(tx, "system:notify", "contact.bounced", c.Of(),
			map[string]string{"contact": c.ID, "email": c.Email, "why": why}); err != nil {
			return err
		}
	}
	return nil
}

// bouncedWithin is the largest age of a mail that a bounce noted by an operator applies to.
const bouncedWithin = 14 * 24 * time.Hour

// Bounced records that mail to an address bounces, as reported by an operator, and says what was
// changed. It returns NotFound for an address that no contact has and nothing was sent to.
func (r *Service) Bounced(ctx context.Context, actor string, b model.Bounce) (model.Bounced, error) {
	address, err := valid.CheckEmail(b.Address)
	if err != nil {
		return model.Bounced{}, err
	}
	if err := valid.CheckLabel("reason", b.Why); err != nil {
		return model.Bounced{}, err
	}
	now := r.now()
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) (model.Bounced, error) {
		out := model.Bounced{Address: address, Contacts: []model.Contact{}}
		n, err := tx.Bounced(address, now.Add(-bouncedWithin), b.Why)
		if err != nil {
			return out, err
		}
		out.Mails = n
		if err := r.bounce(tx, address, b.Why, now); err != nil {
			return out, err
		}
		people, err := tx.ContactsAt(address)
		if err != nil {
			return out, err
		}
		for _, c := range people {
			if c.LeftAt == nil {
				out.Contacts = append(out.Contacts, c)
			}
		}
		if n == 0 && len(out.Contacts) == 0 {
			return out, fault.E("notify.Bounced", fault.NotFound,
				"No contact has the address %s, and no mail was sent there in the last 14 days. Nothing was changed.", address).
				WithAction("list-contacts")
		}
		return out, r.audit(tx, actor, "mail.bounced", strings.ToLower(address),
			map[string]string{"why": b.Why, "mails": itoa(int(n))})
	})
}

// TestMail sends one mail now, without the queue, and returns the server's error.
func (r *Service) TestMail(ctx context.Context, to string) error {
	if !r.Mails() {
		return fault.E("notify.TestMail", fault.Invalid, "No mail server is configured.").
			WithHint("set mail.host and mail.from in the configuration")
	}
	to, err := valid.CheckEmail(to)
	if err != nil {
		return err
	}
	l := Letter{Kind: "test", To: to, ID: r.o.IDs.New(), Facts: TextFacts{}}
	if err := r.complete(r.o.Store.Read(ctx), &l, l.User != ""); err != nil {
		return err
	}
	w, err := r.o.Writer.Write(l)
	if err != nil {
		return err
	}
	return r.o.Mailer.Send(ctx, model.Message{ID: l.ID, Target: to, Subject: w.Subject, Body: w.Text, HTML: w.HTML})
}
