package notify_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/notify"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var letterStories = stories{
	"a first key is welcomed, with the guide, and later keys are told of": func(t *testing.T, w *world) {
		w.customer("acme", "a@example.com")
		first, second := w.Enrol("acme"), w.Enrol("acme")
		w.until(model.MessageSent, 2)
		got := w.sink.to("a@example.com")
		if len(got) != 2 {
			t.Fatalf("%d mails", len(got))
		}
		slices.SortFunc(got, func(a, b string) int { return strings.Compare(subject(b), subject(a)) })
		if subject(got[0]) != "Your file access for acme is ready" || !strings.Contains(got[0], "sftp.example.com") ||
			!strings.Contains(got[0], `filename="acme.guide.html"`) || strings.Contains(got[0], "tell us at once") {
			t.Errorf("the welcome says %s", got[0])
		}
		if subject(got[1]) != "A key was added to acme" || !strings.Contains(got[1], second.Print[:20]) ||
			strings.Contains(got[1], first.Print[:20]) {
			t.Errorf("the other says %s", got[1])
		}
	},
	"a vendor's people are welcomed, and the account holder's hear of it": func(t *testing.T, w *world) {
		w.customer("acme", "a@example.com")
		u := w.Vendor("telco", "acme")[0]
		_, err := w.Accounts.AddContact(ctx, "test", model.NewContact{Vendor: "telco", Name: "Vic", Email: "v@example.com"})
		w.Must(err)
		w.card = func(string) (notify.WelcomeFacts, []model.MessageFile, error) {
			return notify.WelcomeFacts{Host: "sftp.example.com", Vendor: "Telco Ltd"},
				[]model.MessageFile{{Name: "guide.html", Type: "text/html"}}, nil
		}
		w.Enrol(u.Name)
		w.until(model.MessageSent, 2)
		if m := w.sink.to("v@example.com"); len(m) != 1 || !strings.Contains(m[0], "sftp.example.com") ||
			!strings.Contains(m[0], "guide.html") {
			t.Errorf("the vendor got %q", m)
		}
		if m := w.sink.to("a@example.com"); len(m) != 1 || subject(m[0]) != "Telco Ltd can now log in for acme" ||
			strings.Contains(m[0], "guide.html") {
			t.Errorf("the account holder got %q", m)
		}
	},
	"without a guide people hear of their key": func(t *testing.T, w *world) {
		w.customer("acme", "a@example.com")
		w.card = func(string) (notify.WelcomeFacts, []model.MessageFile, error) {
			return notify.WelcomeFacts{}, nil, fault.E("guide", fault.Conflict, "The server has no public name.")
		}
		w.Enrol("acme")
		w.until(model.MessageSent, 1)
		if m := w.sink.to("a@example.com"); subject(m[0]) != "A key was added to acme" {
			t.Errorf("they got %q", m)
		}
		if !strings.Contains(w.log.String(), "The server has no public name") && !strings.Contains(w.log.String(), "guide") {
			t.Errorf("the log says %s", w.log.String())
		}
	},
	"a received file is told at once, or daily, to those who asked": func(t *testing.T, w *world) {
		w.stop()
		w.customer("acme", "a@example.com", "b@example.com", "c@example.com")
		vendor := w.Vendor("telco", "acme")[0]
		_, err := w.Accounts.AddContact(ctx, "test", model.NewContact{Vendor: "telco", Name: "Vic", Email: "v@example.com",
			Received: model.ToldEach})
		w.Must(err)
		for email, e := range map[string]model.EditContact{
			"a@example.com": {Received: new("each")},
			"b@example.com": {Received: new("daily"), ReceivedVendors: new(true)}} {
			_, err := w.Accounts.SetContact(ctx, "test", email, e)
			w.Must(err)
		}
		w.Exec("DELETE FROM outbox")
		w.open()
		for _, f := range []struct{ user, vendor, name string }{{"acme", "", "own.csv"}, {vendor.Name, "telco", "cdr.csv"}} {
			w.Write(func(tx *store.Tx) error {
				return tx.Emit(model.Event{ID: w.IDs.New(), Type: model.EventReceived, At: w.Clock(), Account: "acme", User: f.user,
					Data: model.FileReceived{Drop: "01KB10SWWC66V2R0H1XQ2D6Y8N", Name: f.name, Size: 1234567, SHA256: "9f86d0",
						Vendor: f.vendor}})
			})
		}
		w.until(model.MessageSent, 2)
		if m := w.sink.to("a@example.com"); len(m) != 1 || subject(m[0]) != "We received own.csv" ||
			!strings.Contains(m[0], "1.2 MB (1234567 bytes)") || !strings.Contains(m[0], "9f86d0") ||
			!strings.Contains(m[0], "2 Mar 2026, 09:00 UTC") || !strings.Contains(m[0], "01KB10SWWC66V2R0H1XQ2D6Y8N") {
			t.Errorf("at once: %q", m)
		}
		if m := w.sink.to("v@example.com"); len(m) != 1 || subject(m[0]) != "We received cdr.csv" {
			t.Errorf("the vendor: %q", m)
		}
		w.Pass(24 * time.Hour)
		testkit.Eventually(t, "the digests came", func() bool { return len(w.sink.to("b@example.com")) == 2 })
		got := strings.Join(w.sink.to("b@example.com"), "")
		if !strings.Contains(got, "Subject: We received 1 file from acme\r\n") ||
			!strings.Contains(got, "Subject: We received 1 file from acme-telco\r\n") || len(w.sink.to("a@example.com")) != 1 {
			t.Errorf("daily: %q", got)
		}
		if m := w.sink.to("c@example.com"); len(m) != 0 {
			t.Errorf("who did not ask got %q", m)
		}
	},
	"a link is mailed, and not kept": func(t *testing.T, w *world) {
		w.customer("acme")
		c := w.Person("acme", "a@example.com")
		w.sink.refusing(func(string) error {
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}
		})
		l := model.Link{ID: w.IDs.New(), Kind: model.LinkKey, User: "acme", ContactID: c.ID,
			ExpiresAt: w.Clock().Add(72 * time.Hour)}
		w.Must(w.Store.Write(ctx, func(tx *store.Tx) error {
			return w.service.MailLink(tx, l, c, "https://files.example.com/handover/", "s3cr3t-0f-a-l1nk")
		}))
		testkit.Eventually(w, "it was tried",
			func() bool { l := w.messages(model.MessageQueued); return len(l) == 1 && l[0].Attempts == 1 })
		m := w.messages("")[0]
		kept := strings.Join(w.Texts(`SELECT subject || body || html || secret FROM messages`), "")
		if strings.Contains(kept, "s3cr3t") || !strings.Contains(m.Body, notify.LinkPlaceholder) ||
			w.Count(`messages WHERE secret <> ''`) != 1 {
			t.Errorf("the database has %s", kept)
		}
		w.sink.refusing(nil)
		w.again(m.ID)
		got := w.sink.to("a@example.com")
		if len(got) != 1 || subject(got[0]) != "Your key file for acme" ||
			!strings.Contains(strings.ReplaceAll(got[0], "=\r\n", ""), "https://files.example.com/handover/s3cr3t-0f-a-l1nk") {
			t.Fatalf("it says %q", got)
		}
		if w.Count(`messages WHERE secret <> ''`) != 0 {
			t.Error("the secret was kept")
		}
		testkit.WantKind(t, w.service.Replay(ctx, "op:jo", m.ID), fault.Conflict)
	},
	"a link that waited too long for the mail server is not sent": func(t *testing.T, w *world) {
		w.customer("acme")
		c := w.Person("acme", "a@example.com")
		w.sink.refusing(func(string) error {
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}
		})
		w.Must(w.Store.Write(ctx, func(tx *store.Tx) error {
			return w.service.MailLink(tx, model.Link{ID: w.IDs.New(), Kind: model.LinkVerify, ContactID: c.ID}, c,
				"https://files.example.com/handover/", "s3cr3t")
		}))
		testkit.Eventually(w, "it was tried",
			func() bool { l := w.messages(model.MessageQueued); return len(l) == 1 && l[0].Attempts == 1 })
		w.World.Pass(73 * time.Hour)
		testkit.Eventually(t, "its secret is erased", func() bool { return w.Count(`messages WHERE secret <> ''`) == 0 })
		w.sink.refusing(nil)
		w.Pass(0)
		w.nearer(time.Hour, func(string) string { return `'available'` })
		if m := w.until(model.MessageDead, 1)[0]; !strings.Contains(m.Error, "The link expired") {
			t.Errorf("%+v", m)
		}
		if m := w.sink.to("a@example.com"); len(m) != 0 {
			t.Errorf("it was sent: %q", m)
		}
	},
	"a letter is in its reader's language, or in the account's": func(t *testing.T, w *world) {
		w.customer("acme", "a@example.com", "b@example.com")
		_, err := w.Accounts.SetAccount(ctx, "test", "acme", model.EditAccount{Language: new("de")})
		w.Must(err)
		_, err = w.Accounts.SetContact(ctx, "test", "b@example.com", model.EditContact{Language: new("fr")})
		w.Must(err)
		for _, wrong := range []string{"deutsch!", "DE", "../en"} {
			_, err = w.Accounts.SetAccount(ctx, "test", "acme", model.EditAccount{Language: &wrong})
			testkit.WantKind(t, err, fault.Invalid)
		}
		w.emit("key.revoke", nil)
		w.until(model.MessageSent, 2)
		for who, lang := range map[string]string{"a@example.com": `lang=3D"de"`, "b@example.com": `lang=3D"fr"`} {
			if m := w.sink.to(who); len(m) != 1 || !strings.Contains(m[0], lang) {
				t.Errorf("%s got %q", who, m)
			}
		}
	},
	"a mail is previewed with a sample, or with a user's own facts, and not sent": func(t *testing.T, w *world) {
		w.customer("acme", "a@example.com")
		for _, k := range notify.Kinds {
			p, err := w.service.Preview(ctx, model.PreviewMail{Kind: k.Name})
			w.Must(err)
			if p.Subject == "" || p.Text == "" || !strings.Contains(p.HTML, "</html>") || !p.Sample {
				t.Errorf("%s: %+v", k.Name, p)
			}
		}
		p, err := w.service.Preview(ctx, model.PreviewMail{Kind: "welcome", User: "acme"})
		if err != nil || p.Sample || len(p.Files) != 1 || !strings.Contains(p.Text, "/upload") {
			t.Errorf("%+v, %v", p, err)
		}
		k := w.Enrol("acme")
		w.until(model.MessageSent, 1)
		if p, err := w.service.Preview(ctx, model.PreviewMail{Kind: "key-added", User: "ACME"}); err != nil ||
			!strings.Contains(p.Text, k.Print) || p.Subject != "A key was added to acme" {
			t.Errorf("%+v, %v", p, err)
		}
		for _, wrong := range []model.PreviewMail{{Kind: "welcom"}, {Kind: "welcome", User: "nobody"}} {
			_, err := w.service.Preview(ctx, wrong)
			testkit.WantKind(t, err, fault.NotFound)
		}
		if n := w.Count(`messages`); n != 1 {
			t.Errorf("%d mails were queued", n)
		}
	},
}
