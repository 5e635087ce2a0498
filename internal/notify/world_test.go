package notify_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/notify"
	"github.com/sallyport-sftp/sallyport/internal/notify/mail"
	"github.com/sallyport-sftp/sallyport/internal/notify/webhook"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var ctx = context.Background()

// world is the service on a real database, with a mail server.
type world struct {
	*testkit.World
	service *notify.Service
	vault   *keys.Vault
	sink    *sink
	notices []model.Notice
	card    func(user string) (notify.WelcomeFacts, []model.MessageFile, error) // of a welcome
	log     testkit.Log
	stop    func()
}

func newWorld(t *testing.T, url string) *world { return &world{World: testkit.NewWorld(t, url)} }

// Pass advances the service's clock. River uses the system clock, so its planned times are
// moved back instead. Jobs that are due become available at once, as River's scheduler does
// every 5 s.
func (w *world) Pass(d time.Duration) {
	w.Helper()
	now := `now()`
	if w.Store.Single() {
		now = `strftime('%Y-%m-%d %H:%M:%f', 'now')`
	}
	w.nearer(d, func(at string) string {
		return `CASE WHEN ` + at + ` <= ` + now + ` THEN 'available' ELSE state END`
	})
}

// nearer moves back the times that River has planned, and may change its state. Before River
// has created its tables, it does nothing.
func (w *world) nearer(d time.Duration, state func(at string) string) {
	w.Helper()
	w.World.Pass(d)
	at := `scheduled_at - make_interval(secs => $1)`
	if w.Store.Single() {
		at = `strftime('%Y-%m-%d %H:%M:%f', scheduled_at, -$1 || ' seconds')`
	}
	_, err := w.DB.Exec(`UPDATE river_job SET scheduled_at = `+at+`, state = `+state(at)+
		` WHERE state IN ('available', 'scheduled', 'retryable')`, d.Seconds())
	if err != nil && !strings.Contains(err.Error(), "no such") && !strings.Contains(err.Error(), "does not exist") {
		w.Fatal(err)
	}
}

// begin starts a story with an empty world and a running service.
func (w *world) begin(t testing.TB) *world {
	t.Helper()
	w.Begin(t)
	_, _ = w.DB.Exec("DELETE FROM river_job") // the first service creates the table
	w.prepare()
	w.open()
	testkit.Eventually(t, "River has its tables",
		func() bool { _, err := w.DB.Exec("SELECT id FROM river_job"); return err == nil })
	t.Cleanup(func() {
		w.stop()
		if t.Failed() {
			for _, m := range w.messages("") {
				t.Logf("message to %s: %s after %d tries: %s", m.Target, m.State, m.Attempts, m.Error)
			}
			t.Logf("log:\n%s", w.log.String())
		}
	})
	return w
}

// prepare sets the clock and the options of a service.
func (w *world) prepare() {
	w.Set(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	w.notices = nil
	w.card = func(user string) (notify.WelcomeFacts, []model.MessageFile, error) {
		return notify.WelcomeFacts{Host: "sftp.example.com", Port: 2022, Start: "/",
				Folders: []notify.FolderFacts{{Path: "/upload", Sends: true}}},
			[]model.MessageFile{{Name: user + ".guide.html", Type: "text/html", Content: []byte("steps")}}, nil
	}
	w.vault = newVault(w)
	w.sink = newSink(w)
}

// newVault returns a vault with a random key.
func newVault(t testing.TB) *keys.Vault {
	t.Helper()
	key := make([]byte, keys.VaultKeySize)
	_, _ = rand.Read(key)
	v, err := keys.NewVault(key)
	testkit.Must(t, err)
	return v
}

// welcome is what the guide says.
func (w *world) welcome(_ context.Context, user string) (notify.WelcomeFacts, []model.MessageFile, error) {
	return w.card(user)
}

// open starts a service, as a restart does.
func (w *world) open() {
	w.Helper()
	host, port, err := net.SplitHostPort(w.sink.addr)
	w.Must(err)
	number, err := strconv.Atoi(port)
	w.Must(err)
	words, err := mail.NewWriter(mail.WriterConfig{Operator: "Files"})
	w.Must(err)
	mailer, err := mail.New(mail.Config{Host: host, Port: number, TLS: mail.TLSNone, From: "files@example.com",
		Writer: func() *mail.Writer { return words }})
	w.Must(err)
	hooks := webhook.New(webhook.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, AllowHTTP: true},
		w.Clock)
	w.service = notify.New(notify.Options{Store: w.Store, Clock: w.Clock, IDs: w.IDs,
		Log: slog.New(slog.NewTextHandler(&w.log, nil)), Writer: words, Mailer: mailer,
		Poster: hooks, Welcome: w.welcome, Vault: w.vault,
		Operators: []string{"ops@example.com"}, Node: "node", Keep: 90 * 24 * time.Hour,
		Every: 20 * time.Millisecond, Poll: 20 * time.Millisecond,
		Notices: func(_ context.Context, after string) ([]model.Notice, error) {
			return slices.DeleteFunc(slices.Clone(w.notices), func(n model.Notice) bool { return n.ID <= after }), nil
		}})
	run, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { w.service.Run(run); close(ended) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		hooks.Close()
	})
}

type stories = testkit.Stories[*world]

func TestNotify(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		testkit.Tell(t, newWorld(t, url), (*world).begin, hookStories, secretStories, retryStories, mailStories,
			letterStories)
	})
}

func TestAQueueThatCannotStartYetStartsLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.prepare()
	tx, err := w.DB.Begin()
	testkit.Must(t, err)
	_, err = tx.Exec("UPDATE counters SET value = value") // blocks other writers
	testkit.Must(t, err)
	w.open()
	defer w.stop()
	testkit.Eventually(t, "the log says that nothing is sent yet",
		func() bool { return strings.Contains(w.log.String(), "the queue does not start") })
	testkit.Must(t, tx.Rollback())
	w.emit(model.EventMissed, map[string]any{"text": "It did not come."})
	testkit.Eventually(t, "the mail is sent", func() bool { return len(w.sink.to("ops@example.com")) == 1 })
}

// emit writes an event, and returns its id.
func (w *world) emit(kind string, data map[string]any) string {
	w.Helper()
	e := model.Event{ID: w.IDs.New(), Type: kind, At: w.Clock(), Account: "acme", User: "acme", Data: data}
	w.Must(w.Store.Write(ctx, func(tx *store.Tx) error { return tx.Emit(e) }))
	return e.ID
}

// messages lists messages of a state; "" is all.
func (w *world) messages(state model.MessageState) []model.Message {
	w.Helper()
	list, err := w.service.Messages(ctx, model.MessageFilter{State: state, Paging: model.Paging{Limit: 100}})
	w.Must(err)
	return list
}

// until waits for this many messages of a state.
func (w *world) until(state model.MessageState, n int) []model.Message {
	w.Helper()
	testkit.Eventually(w, fmt.Sprintf("%d messages are %s", n, state), func() bool {
		w.Pass(500 * time.Millisecond) // messages for a busy receiver become due again
		return len(w.messages(state)) == n
	})
	return w.messages(state)
}

// hook adds a receiver.
func (w *world) hook(name, url string, events ...string) model.Webhook {
	w.Helper()
	h, err := w.service.AddWebhook(ctx, "op:jo", model.NewWebhook{Name: name, URL: url, Events: events})
	w.Must(err)
	return h
}

// post is a request that a receiver got.
type post struct {
	head http.Header
	body []byte
}

// receiver is a program that accepts webhooks.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []post
	answer int
	text   string
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{answer: 200}
	r.Server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		body, _ := io.ReadAll(in.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, post{in.Header.Clone(), body})
		out.WriteHeader(r.answer)
		_, _ = io.WriteString(out, r.text)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) set(answer int) { r.mu.Lock(); defer r.mu.Unlock(); r.answer = answer }

func (r *receiver) posts() []post {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]post(nil), r.got...)
}

// sink is a mail server that keeps the mails that it gets.
type sink struct {
	addr   string
	mu     sync.Mutex
	got    map[string][]string // recipient → mails
	refuse func(to string) error
}

func newSink(t testing.TB) *sink {
	s := &sink{got: map[string][]string{}}
	server := smtp.NewServer(
		smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &sinkSession{sink: s}, nil }))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	testkit.Must(t, err)
	s.addr = l.Addr().String()
	server.Domain, server.ErrorLog = "localhost", slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return s
}

func (s *sink) to(who string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.got[who]...)
}

func (s *sink) refusing(f func(string) error) { s.mu.Lock(); defer s.mu.Unlock(); s.refuse = f }

type sinkSession struct {
	sink *sink
	to   []string
}

func (s *sinkSession) Reset()                               { s.to = nil }
func (s *sinkSession) Logout() error                        { return nil }
func (s *sinkSession) Mail(string, *smtp.MailOptions) error { return nil }
func (s *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	if s.sink.refuse != nil {
		if err := s.sink.refuse(to); err != nil {
			return err
		}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *sinkSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	for _, to := range s.to {
		s.sink.got[to] = append(s.sink.got[to], string(b))
	}
	return err
}
