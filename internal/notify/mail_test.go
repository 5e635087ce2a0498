package notify_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// customer creates an account with a user and contacts.
func (w *world) customer(name string, people ...string) model.User {
	w.Helper()
	u := w.Customer(name)
	for _, email := range people {
		w.Person(name, email, model.RoleTechnical)
	}
	w.Exec("DELETE FROM outbox")
	return u
}

// digest adds a line to a user's next digest.
func (w *world) digest(u model.User, kind, name string) {
	w.Helper()
	w.Write(func(tx *store.Tx) error {
		return tx.AddDigest(store.Digest{ID: w.IDs.New(), UserID: u.ID, At: w.Clock(), Kind: kind,
			Detail: fmt.Sprintf(`{"name": %q, "reason": "bad", "feed": "inv"}`, name)})
	})
}

// bounced counts the contacts whose mail bounces.
func (w *world) bounced(email string) bool {
	w.Helper()
	list, err := w.Store.Read(ctx).ContactsAt(email)
	w.Must(err)
	return len(list) == 1 && list[0].BouncedAt != nil
}

// putOff creates a mail to a@example.com that the server temporarily refused once.
func (w *world) putOff() {
	w.Helper()
	w.customer("acme", "a@example.com")
	w.sink.refusing(func(string) error {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}
	})
	w.emit("key.revoke", nil)
	testkit.Eventually(w, "it was tried",
		func() bool { l := w.messages(model.MessageQueued); return len(l) == 1 && l[0].Attempts == 1 })
}

// subject returns a mail's subject, if it is ASCII.
func subject(mail string) string {
	_, rest, _ := strings.Cut(mail, "Subject: ")
	line, _, _ := strings.Cut(rest, "\r\nFrom:")
	return strings.ReplaceAll(line, "\r\n", "")
}

var mailStories = stories{
	"the operator's people hear of a missed file": func(t *testing.T, w *world) {
		w.emit(model.EventMissed, map[string]any{"expectation": "cdr-daily", "feed": "cdr", "at_least": 2, "came": 1,
			"due":  "2026-03-02T08:00:00Z",
			"zone": "Australia/Sydney", "too_small": []string{"cdr-2.csv (0 bytes)"}, "again": true})
		testkit.Eventually(t, "they got a mail", func() bool { return len(w.sink.to("ops@example.com")) == 1 })
		if m := w.sink.to("ops@example.com")[0]; !strings.Contains(m, "cdr-daily was missed, 1 of 2 came") ||
			!strings.Contains(m, "2 Mar 2026, 19:00 AEDT") ||
			!strings.Contains(m, "It was missed the time before, too.") || !strings.Contains(m, "cdr-2.csv (0 bytes)") ||
			!strings.Contains(m, "Auto-Submitted: auto-generated") {
			t.Errorf("it says %s", m)
		}
	},
	"the partner hears of it, too, when that was asked for": func(t *testing.T, w *world) {
		w.customer("acme", "a@example.com")
		w.emit(model.EventMissed, map[string]any{"text": "It did not come."})
		w.emit(model.EventMissed, map[string]any{"text": "It did not come.",
			"partner_text": "Please upload what is missing."})
		testkit.Eventually(t, "the partner got a mail",
			func() bool { return len(w.sink.to("a@example.com")) == 1 && len(w.sink.to("ops@example.com")) == 2 })
		if m := w.sink.to("a@example.com")[0]; !strings.Contains(m, "Please upload what is missing") ||
			strings.Contains(m, "explain") {
			t.Errorf("it says %s", m)
		}
	},
	"people who were told of a removal hear that it is called off": func(t *testing.T, w *world) {
		w.customer("acme", "a@example.com")
		w.emit("account.reopened", map[string]any{"called_off": ""}) // nothing was announced
		w.emit("account.reopened", map[string]any{"called_off": "RUN"})
		w.until(model.MessageSent, 1)
		if m := w.sink.to("a@example.com"); len(m) != 1 || !strings.Contains(m[0], "Subject: The files of acme stay") ||
			!strings.Contains(m[0], "is no longer closed") {
			t.Errorf("%q", m)
		}
	},
	"what happened under a name that the user has no more reaches its people": func(t *testing.T, w *world) {
		w.customer("acme", "a@example.com")
		_, err := w.Accounts.RenameUser(ctx, "test", "acme", model.RenameUser{Name: "acme-au"})
		testkit.Must(t, err)
		w.until(model.MessageSent, 1)
		if m := w.sink.to("a@example.com"); len(m) != 1 ||
			!strings.Contains(m[0], "Subject: The username acme is acme-au now") ||
			!strings.Contains(m[0], "The username acme is acme-au now") {
			t.Errorf("%q", m)
		}
		w.emit("key.add", map[string]any{"fingerprint": "SHA256:abc"}) // under the name acme
		w.until(model.MessageSent, 2)
		if m := w.sink.to("a@example.com"); len(m) != 2 {
			t.Errorf("%q", m)
		}
	},
	"one of three who is refused for good has bounced, and the others have their mail": func(t *testing.T, w *world) {
		w.customer("acme", "a@example.com", "gone@example.com", "c@example.com")
		w.sink.refusing(func(to string) error {
			if to == "gone@example.com" {
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
			}
			return nil
		})
		w.emit("key.add", map[string]any{"fingerprint": "SHA256:abc"})
		w.until(model.MessageSent, 2)
		m := w.until(model.MessageBounced, 1)[0]
		if len(w.sink.to("a@example.com")) != 1 || len(w.sink.to("c@example.com")) != 1 ||
			!strings.Contains(m.Error, "no such user") || m.Attempts != 1 {
			t.Errorf("%+v", m)
		}
		if !w.bounced("gone@example.com") || w.bounced("a@example.com") {
			t.Error("the wrong contacts have bounced")
		}
	},
	"a message whose job was lost gets another": func(t *testing.T, w *world) {
		w.putOff()
		w.stop()
		w.Exec("DELETE FROM river_job") // as if a process died during its last try
		w.sink.refusing(nil)
		w.open()
		w.Pass(47 * time.Hour)
		w.emit(model.EventMissed, nil)
		testkit.Eventually(t, "it looked", func() bool { return len(w.sink.to("ops@example.com")) == 1 })
		if got := w.sink.to("a@example.com"); len(got) != 0 {
			t.Fatal("it had a job")
		}
		w.Pass(2 * time.Hour)
		testkit.Eventually(t, "the mail came", func() bool { return len(w.sink.to("a@example.com")) == 1 })
	},
	"a refusal for now is tried again": func(t *testing.T, w *world) {
		w.putOff()
		w.sink.refusing(nil)
		if m := w.again(w.messages("")[0].ID); m.State != model.MessageSent || w.bounced("a@example.com") {
			t.Errorf("%+v", m)
		}
		if got := w.sink.to("a@example.com"); len(got) != 1 {
			t.Errorf("it came %d times", len(got))
		}
	},
	"a mail that comes back later counts as not reached": func(t *testing.T, w *world) {
		w.customer("acme", "a@example.com")
		w.emit("key.revoke", nil)
		w.until(model.MessageSent, 1)
		w.Pass(time.Hour)
		n, err := w.service.Bounced(ctx, "op:jo", model.Bounce{Address: "A@Example.com", Why: "5.1.1 no such user"})
		if err != nil || n.Mails != 1 || len(n.Contacts) != 1 || !w.bounced("a@example.com") ||
			len(w.messages(model.MessageBounced)) != 1 {
			t.Errorf("%+v (%v)", n, err)
		}
		_, err = w.service.Bounced(ctx, "op:jo", model.Bounce{Address: "nobody", Why: "x"})
		testkit.WantKind(t, err, fault.Invalid)
		_, err = w.service.Bounced(ctx, "op:jo", model.Bounce{Address: "stranger@example.com", Why: "x"})
		testkit.WantKind(t, err, fault.NotFound)
	},
	"a report about a mail of ours counts, whatever address it names": func(t *testing.T, w *world) {
		w.customer("acme", "a@example.com", "b@example.com")
		w.emit("key.revoke", nil)
		w.until(model.MessageSent, 2)
		id := ""
		for _, m := range w.messages("") {
			if m.Target == "a@example.com" {
				id = m.ID
			}
		}
		m, err := w.service.Reported(ctx, "op:jo", []string{"01KABCDEFGHJKMNPQRSTVWXYZ0", id},
			[]model.MailFailure{{Address: "forwarded@example.org", Why: "5.1.1 no such user"}})
		if err != nil || m.Target != "a@example.com" || !w.bounced("a@example.com") || w.bounced("b@example.com") ||
			len(w.messages(model.MessageBounced)) != 1 {
			t.Errorf("%+v, %v", m, err)
		}
	},
	"a full mailbox is no wrong address": func(t *testing.T, w *world) {
		w.customer("acme", "a@example.com")
		w.emit("key.revoke", nil)
		w.until(model.MessageSent, 1)
		m, err := w.service.Reported(ctx, "op:jo", []string{w.messages("")[0].ID},
			[]model.MailFailure{{Address: "a@example.com", Why: "5.2.2 over quota", Full: true}})
		if err != nil || m.State != model.MessageBounced || w.bounced("a@example.com") {
			t.Errorf("%+v, %v", m, err)
		}
	},
	"a forged report changes nothing and is told": func(t *testing.T, w *world) {
		w.customer("acme", "a@example.com")
		w.emit("key.revoke", nil)
		w.until(model.MessageSent, 1)
		for _, ids := range [][]string{nil, {"01KABCDEFGHJKMNPQRSTVWXYZ0"}, {w.messages("")[0].EventID}} {
			for range 20 {
				_, err := w.service.Reported(ctx, "op:jo", ids,
					[]model.MailFailure{{Address: "a@example.com", Why: "5.1.1 no such user"}})
				testkit.WantKind(t, err, fault.NotFound)
			}
		}
		if w.bounced("a@example.com") || len(w.messages(model.MessageBounced)) != 0 {
			t.Error("it changed something")
		}
		if n := w.Count(`audit WHERE action = 'mail.report_refused'`); n != 1 {
			t.Errorf("60 forged reports are %d rows", n)
		}
		w.Pass(2 * time.Hour)
		m := w.messages("")[0]
		w.Pass(31 * 24 * time.Hour)
		// long after it was sent
		_, err := w.service.Reported(ctx, "op:jo", []string{m.ID}, []model.MailFailure{{Address: "a@example.com", Why: "x"}})
		testkit.WantKind(t, err, fault.NotFound)
	},
	"an event that can't be handed out holds up nothing": func(t *testing.T, w *world) {
		w.stop()
		for i := range 3 {
			w.Exec(`INSERT INTO outbox (id, at, type, body) VALUES ($1, 1, 'key.add', '{"damaged')`,
				fmt.Sprintf("00000000000000000000BROKE%d", i))
		}
		w.open()
		w.emit(model.EventMissed, nil)
		testkit.Eventually(t, "the others' mail came", func() bool { return len(w.sink.to("ops@example.com")) == 1 })
		if n := w.Count(`outbox`); n != 3 {
			t.Errorf("%d events wait", n)
		}
		w.Exec(`UPDATE outbox SET body = $1`, `{"id": "E1", "type": "expectation.missed", "data": {"text": "mended"}}`)
		w.Pass(time.Hour)
		testkit.Eventually(t, "what was mended is handed out, too",
			func() bool { return w.Count(`outbox`) == 0 })
	},
	"what happened in an hour is one mail a user": func(t *testing.T, w *world) {
		w.stop() // the test calls it by hand, once a minute
		u := w.customer("acme", "a@example.com")
		for i := range 60 {
			w.digest(u, "refused", fmt.Sprintf("a%d.csv", i))
		}
		w.digest(u, "new", "INV.pdf")
		w.open()
		w.emit(model.EventMissed, nil) // shows that it ran
		w.until(model.MessageSent, 1)
		if got := w.sink.to("a@example.com"); len(got) != 0 {
			t.Fatalf("the hour is not over, and there is a mail: %s", got)
		}
		w.Pass(time.Hour)
		testkit.Eventually(t, "the digest came", func() bool { return len(w.sink.to("a@example.com")) == 1 })
		if m := w.sink.to("a@example.com")[0]; !strings.Contains(m, "60 files") || !strings.Contains(m, "And 10 more") ||
			strings.Contains(m, "INV.pdf") {
			t.Errorf("it says %s", m)
		}
		w.Pass(15 * time.Hour)
		testkit.Eventually(t, "the day's news came", func() bool { return len(w.sink.to("a@example.com")) == 2 })
		if m := w.sink.to("a@example.com")[1]; !strings.Contains(m, "INV.pdf") || strings.Contains(m, "a1.csv") {
			t.Errorf("it says %s", m)
		}
	},
	"a vendor's refused files are told to the vendor, not to the account": func(t *testing.T, w *world) {
		w.stop()
		w.customer("acme", "a@example.com")
		first, alone := w.Vendor("telco", "acme")[0], w.Vendor("silent", "acme")[0]
		_, err := w.Accounts.AddContact(ctx, "test", model.NewContact{Vendor: "telco", Name: "Vic", Email: "v@example.com"})
		w.Must(err)
		w.Exec("DELETE FROM outbox")
		w.digest(first, "refused", "told.csv")
		w.digest(alone, "refused", "nobody.csv")
		w.open()
		w.Pass(time.Hour)
		testkit.Eventually(t, "the digests came",
			func() bool { return len(w.sink.to("a@example.com"))+len(w.sink.to("v@example.com")) >= 2 })
		w.until(model.MessageSent, 2)
		if m := w.sink.to("v@example.com"); len(m) != 1 || !strings.Contains(m[0], "You sent us this file") ||
			!strings.Contains(m[0], "told.csv") {
			t.Errorf("the vendor: %q", m)
		}
		v, err := w.Store.Read(ctx).Vendor("silent")
		w.Must(err)
		if m := w.sink.to("a@example.com"); len(m) != 1 || !strings.Contains(m[0], "\n"+v.Name+" sent us this file") ||
			!strings.Contains(m[0], "nobody.csv") {
			t.Errorf("the account, for a vendor without contacts: %q", m)
		}
	},
	"the command in a mail about a gap names account and period": func(t *testing.T, w *world) {
		w.stop()
		w.customer("Acme Corp")
		w.Exec("DELETE FROM outbox")
		w.open()
		from := int64(2)
		w.Write(func(tx *store.Tx) error {
			return tx.Emit(model.Event{ID: w.IDs.New(), Type: model.EventGap, At: w.Clock(), Account: "Acme Corp",
				Data: model.FeedGap{Feed: "cdr", Name: "cdr_3.csv", From: &from, To: &from, Period: "20261127"}})
		})
		w.until(model.MessageSent, 1)
		mails := w.messages("")
		want := "sallyport feed sequence accept cdr 2 --account 'Acme Corp' --period 20261127 --reason TEXT"
		if len(mails) != 1 ||
			!strings.Contains(strings.ReplaceAll(mails[0].Body, "\n", " "), want) {
			t.Errorf("it says %v", mails)
		}
	},
	"operators are mailed what cannot wait, and nothing twice": func(t *testing.T, w *world) {
		w.stop()
		w.Exec("DELETE FROM outbox")
		w.open()
		emit := func(kind, topic string, u model.Urgency) {
			w.Write(func(tx *store.Tx) error {
				return tx.Emit(model.Event{ID: w.IDs.New(), Type: kind, At: w.Clock(), Data: model.NeedChanged{Topic: topic,
					Urgency: u, Since: w.Clock(), Words: "This is about " + topic + "."}})
			})
		}
		emit(model.EventNeed, "bans", model.UrgencySoon)     // can wait
		emit(model.EventNeed, "audit", model.UrgencyNow)     // has a mail of its own
		emit(model.EventNeedOver, "queue", model.UrgencyNow) // is over
		emit(model.EventNeed, "disk", model.UrgencyNow)
		w.until(model.MessageSent, 1)
		mails := w.messages("")
		if len(mails) != 1 || !strings.Contains(mails[0].Body, "This is about disk.") {
			t.Errorf("it says %v", mails)
		}
	},
	"news for many do not hold up a digest": func(t *testing.T, w *world) {
		w.stop()
		u := w.customer("acme", "a@example.com")
		for i := range 501 {
			w.digest(model.User{ID: fmt.Sprintf("00%03d", i)}, "new", "x.pdf")
		}
		w.digest(u, "refused", "a.csv")
		w.Pass(time.Hour)
		w.open()
		w.Pass(time.Hour)
		testkit.Eventually(t, "the digest came", func() bool { return len(w.sink.to("a@example.com")) == 1 })
	},
	"what people should be told becomes mails once": func(t *testing.T, w *world) {
		w.stop()
		u := w.customer("acme")
		w.Exec(`INSERT INTO notices (id, at, kind, user_id, fingerprint, mark, roles, text)
			VALUES ('N1', 1, 'key.expiring', $1, '', '', '[]', 'x')`, u.ID)
		w.notices = []model.Notice{{ID: "N1", User: "acme", Text: "Your key expires.",
			To: []string{"a@example.com", "b@example.com"}}, {ID: "N2", User: "acme", Text: "Nobody hears."}}
		w.open()
		w.until(model.MessageSent, 2)
		for range 3 {
			w.Pass(2 * time.Minute)
			w.emit(model.EventMissed, nil)
			n := len(w.sink.to("ops@example.com"))
			testkit.Eventually(t, "it looked again", func() bool { return len(w.sink.to("ops@example.com")) > n })
		}
		if a, b := w.sink.to("a@example.com"), w.sink.to("b@example.com"); len(a) != 1 || len(b) != 1 ||
			!strings.Contains(a[0], "Your key expires.") {
			t.Errorf("they got %q and %q", a, b)
		}
	},
}
