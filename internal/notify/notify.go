// Package notify sends events to programs by webhook and to people by mail.
//
// A change writes its event into the outbox in its own transaction. The dispatcher
// (dispatch.go) turns events into messages, one for each receiver, and messages into jobs of
// the job library (github.com/riverqueue/river), in batches. A worker (send.go) sends one
// message. A failed message is retried over three days; then it is dead, and can be listed and
// sent again. So everything is sent at least once, and a receiver recognizes a repeated message
// by its id. rules.go decides who gets what. Package mail renders mails; package webhook posts
// webhooks.
package notify

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Poster posts webhooks. Package webhook implements it.
type Poster interface {
	Post(ctx context.Context, w model.Webhook, m model.Message) error
	CheckURL(url string) error
}

// Vault encrypts the webhook secrets that are stored in the database.
type Vault interface {
	Seal(secret, about string) string
	Open(sealed, about string) (string, error)
	Sealed(stored string) bool
}

// Options configure the service.
type Options struct {
	Store     *store.Store
	Clock     exchange.Clock
	IDs       *exchange.IDs
	Log       *slog.Logger
	Writer    Writer // nil: nothing is written, and no mail is sent
	Mailer    Mailer // nil: no mail is sent
	Poster    Poster
	Vault     Vault
	Operators []string       // mail addresses of the operator
	Zones     exchange.Zones // in which people read times
	// Help returns the help contact for an account's people; may be nil.
	Help func(ctx context.Context, account string) string
	// Welcome returns what a user needs to connect, and the files for it. nil: nobody is welcomed.
	Welcome func(ctx context.Context, user string) (WelcomeFacts, []model.MessageFile, error)
	// Notices lists notices and their recipients, in order of ids, starting behind after. An empty
	// result is the end. May be nil.
	Notices func(ctx context.Context, after string) ([]model.Notice, error)
	// Node is the name of this process among those that share the database.
	Node string
	Keep time.Duration // how long messages are kept; 0: for ever
	// Every is the interval of Dispatch; 0 means 500 ms.
	Every time.Duration
	// Poll is the interval at which each queue looks for jobs; 0 means 1 s.
	Poll time.Duration
}

// Service sends messages.
type Service struct {
	o    Options
	jobs *jobs

	mu        sync.Mutex
	forgeries int // reports since forgedAt that match none of our mails
	forgedAt  time.Time
}

// New returns the service. Run does the work.
func New(o Options) *Service { return &Service{o: o} }

func (r *Service) now() time.Time { return r.o.Clock().UTC().Truncate(time.Microsecond) }

// Mails reports whether a mail server is configured.
func (r *Service) Mails() bool { return r.o.Mailer != nil && r.o.Writer != nil }

func (r *Service) audit(tx *store.Tx, actor, action, subject string, detail map[string]string) error {
	return tx.Audit(model.AuditRow{ID: r.o.IDs.New(), At: r.now(), Actor: actor, Action: action, Subject: subject,
		Detail: detail})
}

// secretPrefix is the prefix of signing secrets (Standard Webhooks, "Signature scheme").
const secretPrefix = "whsec_"

func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return secretPrefix + base64.StdEncoding.EncodeToString(b[:])
}

// AddWebhook adds a receiver. Only this call returns its secret.
func (r *Service) AddWebhook(ctx context.Context, actor string, n model.NewWebhook) (model.Webhook, error) {
	w := model.Webhook{Name: n.Name, URL: n.URL, Secret: newSecret(), Enabled: true, CreatedAt: r.now()}
	if err := valid.CheckID("webhook's name", w.Name); err != nil {
		return w, err
	}
	if err := r.o.Poster.CheckURL(w.URL); err != nil {
		return w, err
	}
	var err error
	if w.Events, err = cleanEvents(n.Events); err != nil {
		return w, err
	}
	err = r.o.Store.Write(ctx, func(tx *store.Tx) error {
		kept := w
		kept.Secret = r.o.Vault.Seal(w.Secret, w.Name)
		err := tx.AddWebhook(kept)
		if fault.Is(err, fault.Exists) {
			return fault.E("notify.AddWebhook", fault.Exists, "A webhook %q already exists.", w.Name)
		} else if err != nil {
			return err
		}
		return r.audit(tx, actor, "webhook.add", w.Name,
			map[string]string{"url": w.URL, "events": strings.Join(w.Events, " ")})
	})
	return w, err
}

// cleanEvents validates event types and removes duplicates. No types mean all.
func cleanEvents(in []string) ([]string, error) {
	known := []string{model.EventReceived, model.EventPublished, model.EventCollected, model.EventRejected,
		model.EventExpiring, model.EventRemoved, model.EventLeft, model.EventLimit, model.EventUserRenamed,
		model.EventAlarm, model.EventNeed, model.EventNeedOver, model.EventGap, model.EventMissed, model.EventMet,
		model.EventLarger, model.EventRefused,
		model.EventTest, model.EventRetention, model.EventAccountsAll, model.EventKeysAll,
		model.EventRequestsAll, "file.*", "expectation.*", "need.*", "*"}
	out := []string{}
	for _, t := range in {
		t = strings.TrimSpace(t)
		if !slices.Contains(known, t) && !strings.HasPrefix(t, "key.") && !strings.HasPrefix(t, "account.") &&
			!strings.HasPrefix(t, "request.") {
			return nil, fault.E("notify.cleanEvents", fault.Invalid, "There is no event %q.", valid.Printable(t)).
				WithHint("events are %s", strings.Join(known, ", "))
		}
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		out = []string{"*"}
	}
	return out, nil
}

// wants reports whether a receiver is enabled and subscribes to an event type.
func wants(w model.Webhook, kind string) bool {
	return w.Enabled && slices.ContainsFunc(w.Events, func(have string) bool {
		prefix, many := strings.CutSuffix(have, "*")
		return have == kind || many && strings.HasPrefix(kind, prefix)
	})
}

// Webhooks lists the receivers without their secrets.
func (r *Service) Webhooks(ctx context.Context, f model.EveryFilter) ([]model.Webhook, error) {
	list, err := r.o.Store.Read(ctx).Webhooks(f.Paging)
	for i := range list {
		list[i].Secret = ""
	}
	return list, err
}

// SetWebhook changes a receiver. If the secret is rotated, only this call returns the new one.
func (r *Service) SetWebhook(ctx context.Context, actor, name string, e model.EditWebhook) (model.Webhook, error) {
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) (model.Webhook, error) {
		w, err := tx.Webhook(name)
		if err != nil {
			return w, noWebhook(err, name)
		}
		detail := map[string]string{}
		if e.URL != nil {
			if err := r.o.Poster.CheckURL(*e.URL); err != nil {
				return w, err
			}
			detail["url"], w.URL = w.URL+" → "+*e.URL, *e.URL
		}
		if e.Events != nil {
			if w.Events, err = cleanEvents(*e.Events); err != nil {
				return w, err
			}
			detail["events"] = strings.Join(w.Events, " ")
		}
		if e.Enabled != nil {
			w.Enabled, w.Note = *e.Enabled, ""
			detail["enabled"] = map[bool]string{true: "yes", false: "no"}[w.Enabled]
		}
		secret := ""
		if e.Rotate {
			secret = newSecret()
			w.OldSecret, w.Secret = w.Secret, r.o.Vault.Seal(secret, name)
			detail["secret"] = "new"
		}
		if e.Retire {
			w.OldSecret, detail["old_secret"] = "", "dropped"
		}
		if err := tx.SetWebhook(w); err != nil {
			return w, err
		}
		w.Secret = secret
		return w, r.audit(tx, actor, "webhook.set", name, detail)
	})
}

func noWebhook(err error, name string) error {
	if fault.Is(err, fault.NotFound) {
		return fault.E("notify", fault.NotFound, "There is no webhook %q.", valid.Printable(name))
	}
	return err
}

// RemoveWebhook deletes a receiver and its unsent messages.
func (r *Service) RemoveWebhook(ctx context.Context, actor, name string) error {
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.RemoveWebhook(name); err != nil {
			return noWebhook(err, name)
		}
		return r.audit(tx, actor, "webhook.remove", name, nil)
	})
}

// TestWebhook queues a test event for a receiver.
func (r *Service) TestWebhook(ctx context.Context, actor, name string) (model.Message, error) {
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) (m model.Message, err error) {
		w, err := tx.Webhook(name)
		if err != nil {
			return m, noWebhook(err, name)
		}
		e := model.Event{ID: r.o.IDs.New(), Type: model.EventTest, At: r.now(), Data: model.WebhookTest{Webhook: name}}
		if m, err = r.webhookMessage(w, e); err != nil {
			return m, err
		}
		if err := tx.AddMessage(m); err != nil {
			return m, err
		}
		return m, r.audit(tx, actor, "webhook.test", name, map[string]string{"message": m.ID})
	})
}

// Messages lists messages, newest first.
func (r *Service) Messages(ctx context.Context, f model.MessageFilter) ([]model.Message, error) {
	return r.o.Store.Read(ctx).Messages(f)
}

// Message finds one message.
func (r *Service) Message(ctx context.Context, id string) (model.Message, error) {
	q := r.o.Store.Read(ctx)
	m, err := q.Message(id)
	if err == nil {
		m.Files, _, err = q.Enclosed(id)
	}
	return m, noMessage(err, id)
}

func noMessage(err error, id string) error {
	if fault.Is(err, fault.NotFound) {
		return fault.E("notify", fault.NotFound, "There is no such message to send: %q.", valid.Printable(id))
	}
	return err
}

// Replay queues a message again under the same id.
func (r *Service) Replay(ctx context.Context, actor, id string) error {
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		m, err := tx.Message(id)
		if err != nil {
			return noMessage(err, id)
		}
		if handsOver(m.Kind) && m.State == model.MessageSent {
			return fault.E("notify.Replay", fault.Conflict, "The link of this mail is not kept, so it can't be sent again.").
				WithHint("make a new link")
		}
		if err := tx.Resend(id); err != nil {
			return noMessage(err, id)
		}
		return r.audit(tx, actor, "message.replay", id, nil)
	})
}

// ReplayDead queues every dead message of a receiver again, and returns their number. target ""
// is all receivers.
func (r *Service) ReplayDead(ctx context.Context, actor, target string) (n int, err error) {
	const page = 500
	for {
		list, err := r.Messages(ctx, model.MessageFilter{State: model.MessageDead, Target: target,
			Paging: model.Paging{Limit: page}})
		if err != nil || len(list) == 0 {
			return n, err
		}
		err = r.o.Store.Write(ctx, func(tx *store.Tx) error {
			for _, m := range list {
				if err := tx.Resend(m.ID); err != nil && !fault.Is(err, fault.NotFound) {
					return err
				}
			}
			return r.audit(tx, actor, "message.replay", target, map[string]string{"messages": itoa(len(list))})
		})
		if err != nil {
			return n, err
		}
		n += len(list)
	}
}

// Queue returns how many messages wait to be sent.
func (r *Service) Queue(ctx context.Context) (model.Queue, error) { return r.o.Store.Read(ctx).Queue() }
