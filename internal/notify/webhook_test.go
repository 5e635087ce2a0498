package notify_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// signed fails unless a request is signed with a secret.
func signed(t testing.TB, p post, secret string) {
	t.Helper()
	v, err := standardwebhooks.NewWebhook(secret)
	testkit.Must(t, err)
	if err := v.VerifyIgnoringTimestamp(p.body, p.head); err != nil {
		t.Errorf("the signature: %v", err)
	}
}

// hanging returns the URL of a receiver that accepts requests and never answers.
func hanging(t testing.TB) string {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() {
		close(release)
		s.Close()
	})
	return s.URL
}

var hookStories = stories{
	"an event arrives once, signed": func(t *testing.T, w *world) {
		r := newReceiver(t)
		h := w.hook("billing", r.URL)
		id := w.emit(model.EventReceived, map[string]any{"path": "/a"})
		w.until(model.MessageSent, 1)
		got := r.posts()
		if len(got) != 1 || got[0].head.Get("Webhook-Id") != id || got[0].head.Get("Content-Type") != "application/json" {
			t.Fatalf("it got %+v", got)
		}
		signed(t, got[0], h.Secret)
		var body struct {
			Type    string
			Account string
			Data    map[string]any
		}
		testkit.Must(t, json.Unmarshal(got[0].body, &body))
		if body.Type != model.EventReceived || body.Account != "acme" || body.Data["path"] != "/a" {
			t.Errorf("it says %+v", body)
		}
		q, err := w.service.Queue(ctx)
		testkit.Must(t, err)
		if q.Events+q.Waiting+q.Dead != 0 {
			t.Errorf("the queue is %+v", q)
		}
		list, err := w.service.Webhooks(ctx, model.EveryFilter{})
		testkit.Must(t, err)
		if list[0].Secret != "" {
			t.Error("the list tells the secret")
		}
	},
	"each gets what it asked for": func(t *testing.T, w *world) {
		r := newReceiver(t)
		for name, events := range map[string][]string{"every": nil, "files": {"file.*"}, "one": {"file.received"},
			"keys": {"key.*"}, "both": {"file.received", "*"}} {
			w.hook(name, r.URL, events...)
		}
		off := false
		w.hook("off", r.URL)
		_, err := w.service.SetWebhook(ctx, "op:jo", "off", model.EditWebhook{Enabled: &off})
		testkit.Must(t, err)
		for event, want := range map[string]string{"file.received": "both every files one",
			"file.collected": "both every files", "key.add": "both every keys", "expectation.missed": "both every"} {
			id := w.emit(event, nil)
			n := len(strings.Fields(want))
			var names []string
			testkit.Eventually(t, event+" was handed out", func() bool {
				names = nil
				for _, m := range w.messages("") {
					if m.EventID == id && m.Channel == model.ChannelWebhook {
						names = append(names, m.Target)
					}
				}
				return len(names) >= n
			})
			slices.Sort(names)
			if got := strings.Join(names, " "); got != want {
				t.Errorf("%s goes to %s, want %s", event, got, want)
			}
		}
		for _, bad := range []string{"file", "nothing.here", "file.x", ""} {
			_, err := w.service.AddWebhook(ctx, "op:jo", model.NewWebhook{Name: "bad", URL: r.URL, Events: []string{bad}})
			testkit.WantKind(t, err, fault.Invalid)
		}
	},
	"a new secret signs beside the old one, until that is retired": func(t *testing.T, w *world) {
		r := newReceiver(t)
		old := w.hook("billing", r.URL)
		now, err := w.service.SetWebhook(ctx, "op:jo", "billing", model.EditWebhook{Rotate: true})
		testkit.Must(t, err)
		w.emit(model.EventReceived, nil)
		w.until(model.MessageSent, 1)
		signed(t, r.posts()[0], old.Secret)
		signed(t, r.posts()[0], now.Secret)
		again, err := w.service.SetWebhook(ctx, "op:jo", "billing", model.EditWebhook{Retire: true})
		testkit.Must(t, err)
		_, err = w.service.TestWebhook(ctx, "op:jo", "billing")
		testkit.Must(t, err)
		w.until(model.MessageSent, 2)
		last := r.posts()[1]
		signed(t, last, now.Secret)
		if again.Secret != "" || strings.Contains(last.head.Get("Webhook-Signature"), " ") {
			t.Error("the old secret signs still, or the new one is told again")
		}
	},
	"410 switches a receiver off": func(t *testing.T, w *world) {
		r := newReceiver(t)
		w.hook("billing", r.URL)
		r.set(http.StatusGone)
		w.emit(model.EventReceived, nil)
		w.until(model.MessageDead, 1)
		list, err := w.service.Webhooks(ctx, model.EveryFilter{})
		testkit.Must(t, err)
		if list[0].Enabled || !strings.Contains(list[0].Note, "410") {
			t.Errorf("it is %+v", list[0])
		}
	},
	"a redirect is not followed": func(t *testing.T, w *world) {
		inner := newReceiver(t)
		outer := httptest.NewServer(http.RedirectHandler(inner.URL, http.StatusTemporaryRedirect))
		defer outer.Close()
		w.hook("billing", outer.URL)
		w.emit(model.EventReceived, nil)
		testkit.Eventually(t, "it was tried", func() bool { l := w.messages(""); return len(l) == 1 && l[0].Attempts > 0 })
		if m := w.messages("")[0]; len(inner.posts()) > 0 || !strings.Contains(m.Error, "redirect") {
			t.Errorf("%+v", m)
		}
	},
	"a receiver that hangs stops no other": func(t *testing.T, w *world) {
		r := newReceiver(t)
		w.hook("slow", hanging(t))
		w.hook("quick", r.URL)
		for range 40 {
			w.emit(model.EventReceived, nil)
		}
		testkit.Eventually(t, "the other got its events", func() bool {
			w.Pass(500 * time.Millisecond)
			return len(r.posts()) == 40
		})
	},
	"the longer messages wait for a receiver that hangs, the less often they are looked at": func(t *testing.T, w *world) {
		w.hook("slow", hanging(t))
		for range 8 {
			w.emit(model.EventReceived, nil)
		}
		testkit.Eventually(t, "one waits longer than the first time, and the second", func() bool {
			w.Pass(time.Second)
			var at time.Time
			err := w.DB.QueryRow("SELECT scheduled_at FROM river_job WHERE attempt = 0 ORDER BY scheduled_at DESC LIMIT 1").
				Scan(&at)
			return err == nil && time.Until(at) > 10*time.Second
		})
	},
	"a receiver that is removed gets nothing more": func(t *testing.T, w *world) {
		r := newReceiver(t)
		w.hook("billing", r.URL)
		r.set(500)
		w.emit(model.EventReceived, nil)
		testkit.Eventually(t, "it was tried", func() bool { return len(r.posts()) == 1 })
		testkit.Must(t, w.service.RemoveWebhook(ctx, "op:jo", "billing"))
		testkit.WantKind(t, w.service.RemoveWebhook(ctx, "op:jo", "billing"), fault.NotFound)
		if l := w.messages(""); len(l) != 0 {
			t.Errorf("it waits still: %+v", l)
		}
		q, err := w.service.Queue(ctx)
		testkit.Must(t, err)
		if q.Waiting+q.Dead != 0 {
			t.Errorf("%+v", q)
		}
	},
	"what was written before the process died is sent by the next": func(t *testing.T, w *world) {
		r := newReceiver(t)
		w.hook("billing", r.URL)
		w.stop()
		for range 20 {
			w.emit(model.EventReceived, nil)
		}
		w.open()
		testkit.Eventually(t, "some were sent", func() bool { return len(r.posts()) > 0 })
		w.stop()
		for range 20 {
			w.emit(model.EventReceived, nil)
		}
		w.open()
		w.until(model.MessageSent, 40)
		seen := map[string]bool{}
		for _, p := range r.posts() {
			seen[p.head.Get("Webhook-Id")] = true
		}
		if len(seen) != 40 {
			t.Errorf("%d different events arrived", len(seen))
		}
	},
	"a stop ends a try that hangs, and the next process tries again": func(t *testing.T, w *world) {
		began, release := make(chan struct{}), make(chan struct{})
		first := sync.OnceFunc(func() { close(began); <-release })
		s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { first() }))
		defer s.Close()
		w.hook("slow", s.URL)
		w.emit(model.EventReceived, nil)
		<-began
		w.stop()
		close(release)
		if strings.Contains(w.log.String(), "did not stop in time") || len(w.messages(model.MessageQueued)) != 1 {
			t.Errorf("messages are %+v", w.messages(""))
		}
		w.open()
		w.until(model.MessageSent, 1)
	},
	"an answer in another script is shortened between its letters": func(t *testing.T, w *world) {
		r := newReceiver(t)
		r.text = "x" + strings.Repeat("ж", 300)
		w.hook("billing", r.URL)
		r.set(500)
		w.emit(model.EventReceived, nil)
		testkit.Eventually(t, "it was tried", func() bool { return len(r.posts()) > 0 })
		testkit.Eventually(t, "the try was noted",
			func() bool { l := w.messages(""); return len(l) == 1 && l[0].Attempts > 0 })
	},
}

// again advances the clock almost to a failed message's next try, then past it, and waits for
// the try. It checks that the delay is the documented one.
func (w *world) again(id string) model.Message {
	w.Helper()
	m, err := w.service.Message(ctx, id)
	w.Must(err)
	was := m.Attempts
	tried, next := w.nextTry()
	wait := waits[was-1]
	margin := min(wait/2, time.Minute)
	// On a slow machine a try may take long, or start before its planned time was moved.
	if got := next.Sub(tried); got < wait-3*time.Second || got > wait+30*time.Second {
		w.Errorf("after %d tries the next comes in %s, not in %s", was, got, wait)
	}
	near := max(time.Until(next)-margin, 0)
	w.Pass(near)
	m, err = w.service.Message(ctx, id)
	if early := time.Now().Before(next.Add(-near)); err != nil || early && m.Attempts != was {
		w.Errorf("it was tried too early: %+v (%v)", m, err)
	}
	w.Pass(margin)
	testkit.Eventually(w, "it was tried again", func() bool {
		w.Pass(10 * time.Millisecond)
		m, err = w.service.Message(ctx, id)
		return err == nil && (m.Attempts > was || m.State == model.MessageSent)
	})
	return m
}

// waits are the delays between tries: three days in total (docs/exchange.md).
var waits = []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 18 * time.Hour, 22 * time.Hour}

// nextTry returns when the only failed job was tried, and when its next try is planned.
func (w *world) nextTry() (tried, next time.Time) {
	w.Helper()
	testkit.Eventually(w, "the next try is planned", func() bool {
		rows, err := w.DB.Query(`SELECT attempted_at, scheduled_at FROM river_job
			WHERE state IN ('retryable', 'available', 'scheduled')`)
		w.Must(err)
		defer rows.Close()
		n := 0
		for ; rows.Next(); n++ {
			w.Must(rows.Scan(&tried, &next))
		}
		w.Must(rows.Err())
		return n == 1
	})
	return tried, next
}

var retryStories = stories{
	"River's own scheduler brings what is due": func(t *testing.T, w *world) {
		testkit.Long(t, "the scheduler looks every 5 s")
		r := newReceiver(t)
		w.hook("billing", r.URL)
		r.set(500)
		w.emit(model.EventReceived, nil)
		for n := range 2 { // the second delay is longer than the scheduler's interval
			testkit.Eventually(t, "it was tried", func() bool { return len(r.posts()) == n+1 })
			w.nextTry()
			w.nearer(waits[n], func(string) string { return "state" })
		}
		testkit.Eventually(t, "it was tried again", func() bool { return len(r.posts()) == 3 })
	},
	"what fails is tried again under the same id, given up after ten tries, and can be sent again": func(t *testing.T,
		w *world) {
		r := newReceiver(t)
		h := w.hook("billing", r.URL)
		r.set(500)
		early := w.emit(model.EventReceived, nil)
		testkit.Eventually(t, "it was tried", func() bool { l := w.messages(""); return len(l) == 1 && l[0].Attempts == 1 })
		m := w.again(w.messages("")[0].ID)
		r.set(200)
		if m = w.again(m.ID); m.State != model.MessageSent || m.Error != "" {
			t.Fatalf("%+v", m)
		}
		for _, p := range r.posts() {
			signed(t, p, h.Secret)
			if p.head.Get("Webhook-Id") != early {
				t.Errorf("a try has the id %s", p.head.Get("Webhook-Id"))
			}
		}
		r.set(503)
		late := w.emit(model.EventCollected, nil)
		testkit.Eventually(t, "it was tried",
			func() bool { l := w.messages(model.MessageQueued); return len(l) == 1 && l[0].Attempts == 1 })
		m = w.messages(model.MessageQueued)[0]
		for range 9 {
			if m.State == model.MessageDead {
				t.Fatalf("given up after %d tries", m.Attempts)
			}
			m = w.again(m.ID)
		}
		if m.State != model.MessageDead || m.Attempts != 10 || !strings.Contains(m.Error, "503") {
			t.Fatalf("%+v", m)
		}
		r.set(200)
		if n, err := w.service.ReplayDead(ctx, "op:jo", "billing"); err != nil || n != 1 {
			t.Fatalf("%d were sent again (%v)", n, err)
		}
		w.until(model.MessageSent, 2)
		all := r.posts()
		if all[len(all)-1].head.Get("Webhook-Id") != late {
			t.Error("it was sent again under another id")
		}
		testkit.WantKind(t, w.service.Replay(ctx, "op:jo", "nothing"), fault.NotFound)
	},
}
