package notify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// stored returns a webhook's secrets as the database has them.
func (w *world) stored(name string) (secret, old string) {
	w.Helper()
	w.Must(w.DB.QueryRow("SELECT secret, old_secret FROM webhooks WHERE name = $1", name).Scan(&secret, &old))
	return secret, old
}

var secretStories = stories{
	"the database does not tell a secret": func(t *testing.T, w *world) {
		w.hook("billing", "https://127.0.0.1:9/")
		for range 2 {
			if secret, old := w.stored("billing"); strings.Contains(secret+old, "whsec_") || !w.vault.Sealed(secret) {
				t.Errorf("it tells %q, %q", secret, old)
			}
			_, err := w.service.SetWebhook(ctx, "op:jo", "billing", model.EditWebhook{Rotate: true})
			testkit.Must(t, err)
		}
	},
	"secrets that were stored as they are get sealed, and sign as before": func(t *testing.T, w *world) {
		r := newReceiver(t)
		w.hook("billing", r.URL)
		const secret, before = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx"
		w.Exec("UPDATE webhooks SET secret = '" + secret + "', old_secret = '" + before + "'")
		for range 2 { // the second run has nothing to do
			lost, err := w.service.SealSecrets(ctx)
			testkit.Must(t, err)
			if s, old := w.stored("billing"); len(lost) != 0 || !w.vault.Sealed(s) || !w.vault.Sealed(old) {
				t.Fatalf("%q, %q, %v", s, old, lost)
			}
		}
		w.emit(model.EventReceived, nil)
		w.until(model.MessageSent, 1)
		signed(t, r.posts()[0], secret)
		signed(t, r.posts()[0], before)
	},
	"a secret whose key is lost is told, and a new one sends what waits": func(t *testing.T, w *world) {
		r := newReceiver(t)
		w.hook("billing", r.URL)
		w.stop()
		w.vault = newVault(t)
		w.open()
		if lost, err := w.service.SealSecrets(ctx); err != nil || len(lost) != 1 || lost[0] != "billing" {
			t.Fatalf("lost are %v, %v", lost, err)
		}
		w.emit(model.EventReceived, nil)
		testkit.Eventually(t, "it was tried",
			func() bool { l := w.messages(model.MessageQueued); return len(l) == 1 && l[0].Attempts == 1 })
		if m := w.messages(model.MessageQueued)[0]; !strings.Contains(m.Error, "cannot be opened") || len(r.posts()) != 0 {
			t.Fatalf("%+v, %d posts", m, len(r.posts()))
		}
		now, err := w.service.SetWebhook(ctx, "op:jo", "billing", model.EditWebhook{Rotate: true})
		testkit.Must(t, err)
		w.Pass(10 * time.Second)
		w.until(model.MessageSent, 1)
		signed(t, r.posts()[0], now.Secret)
	},
	"a secret of another webhook's row does not sign": func(t *testing.T, w *world) {
		r := newReceiver(t)
		w.hook("billing", r.URL)
		w.hook("erp", "https://127.0.0.1:9/")
		w.Exec("UPDATE webhooks SET secret = (SELECT secret FROM webhooks WHERE name = 'erp') WHERE name = 'billing'")
		if lost, err := w.service.SealSecrets(ctx); err != nil || len(lost) != 1 || lost[0] != "billing" {
			t.Fatalf("lost are %v, %v", lost, err)
		}
	},
}
