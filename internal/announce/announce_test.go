package announce_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/announce"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

type world struct {
	*testkit.World
	s     *announce.Service
	fails int // how many mails fail
}

func begin(w *world, t testing.TB) *world {
	w.Begin(t)
	w.fails = 0
	w.open(true)
	return w
}

func (w *world) open(mails bool) {
	o := announce.Options{Store: w.Store, Clock: w.Clock, IDs: w.IDs, Regions: []string{"eu", "us"}}
	if mails {
		o.Mail = func(tx *store.Tx, a model.Announcement, to model.Contact) error {
			if w.fails > 0 {
				w.fails--
				return fault.E("test", fault.Unavailable, "no")
			}
			return tx.AddMessage(model.Message{ID: w.IDs.New(), Channel: model.ChannelMail, Target: to.Email, Ref: a.ID,
				CreatedAt: w.Clock()})
		}
	}
	w.s = announce.New(o)
}

// mailed returns whom mails were written to.
func (w *world) mailed() []string {
	w.Helper()
	w.Must(w.s.Step(context.Background()))
	return w.Texts(`SELECT target FROM messages ORDER BY target`)
}

func (w *world) announce(n model.NewAnnouncement) (model.Announced, error) {
	n.Subject, n.Text = "Work tonight", "From ten.\n\nUploads go on afterwards."
	return w.s.Announce(context.Background(), "kim", n)
}

// people are two accounts in two regions, with a vendor for one.
func (w *world) people() {
	w.Customer("acme", func(a *model.NewAccount) { a.Region = "eu" })
	w.Customer("globex", func(a *model.NewAccount) { a.Region = "us" })
	w.Vendor("carrier", "acme")
	w.Person("acme", "jo@acme.example", model.RoleBilling)
	w.Person("acme", "ann@acme.example")
	w.Person("globex", "JO@acme.example")
	w.Person("globex", "gone@globex.example")
	w.Exec(`UPDATE contacts SET left_at = 1 WHERE email = 'gone@globex.example'`)
	_, err := w.Accounts.AddContact(context.Background(), "test",
		model.NewContact{Vendor: "carrier", Name: "Vic", Email: "vic@carrier.example"})
	w.Must(err)
}

func TestAnnounce(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		testkit.Tell(t, &world{World: testkit.NewWorld(t, url)}, begin, stories)
	})
}

var stories = testkit.Stories[*world]{
	"everyone is told once": func(t *testing.T, w *world) {
		w.people()
		v, err := w.announce(model.NewAnnouncement{All: true})
		w.Must(err)
		want := []string{"ann@acme.example", "jo@acme.example", "vic@carrier.example"}
		if got := w.mailed(); !slices.Equal(got, want) || v.Contacts != 3 || v.Accounts != 2 {
			t.Errorf("%v, %+v", got, v)
		}
		if _, err := w.announce(model.NewAnnouncement{All: true}); !fault.Is(err, fault.Exists) {
			t.Error("a repeated request:", err)
		}
		if got := w.mailed(); len(got) != 3 {
			t.Error("told again:", got)
		}
		if got := w.Audited("announcement.add"); !slices.Equal(got, []string{"kim"}) {
			t.Error(got)
		}
	},
	"a region, a tag and a feed": func(t *testing.T, w *world) {
		w.people()
		_, err := w.Accounts.EditTags(context.Background(), "kim", model.EditTags{User: "globex", Add: []string{"gold"}})
		w.Must(err)
		w.Exec(`INSERT INTO feeds (name, kind, types, retention, created_at) VALUES ('cdr', 'cdr', '[]', '', 1)`)
		w.Exec(`INSERT INTO subscriptions (id, feed, user_id, types, dir, created_at)
			SELECT 's', 'cdr', id, '[]', '/x', 1 FROM users WHERE name = 'globex'`)
		for _, c := range []struct {
			n    model.NewAnnouncement
			want string
		}{{model.NewAnnouncement{Region: "eu"}, "ann@acme.example jo@acme.example vic@carrier.example"},
			{model.NewAnnouncement{Region: "us"}, "JO@acme.example"}, {model.NewAnnouncement{Tag: "gold"}, "JO@acme.example"},
			{model.NewAnnouncement{Feed: "cdr"}, "JO@acme.example"}} {
			w.Exec(`DELETE FROM messages`)
			_, err := w.announce(c.n)
			w.Must(err)
			if got := strings.Join(w.mailed(), " "); got != c.want {
				t.Errorf("%+v: %s, want %s", c.n, got, c.want)
			}
		}
	},
	"a dry run tells nobody": func(t *testing.T, w *world) {
		w.people()
		w.Exec(`UPDATE contacts SET bounced_at = 1 WHERE account_id = 'acme'`)
		v, err := w.announce(model.NewAnnouncement{All: true, DryRun: true})
		w.Must(err)
		if len(w.mailed()) > 0 || len(v.First) != 2 || !slices.Equal(v.Unreached, []string{"acme"}) ||
			w.Count("announcements") > 0 {
			t.Errorf("%+v", v)
		}
	},
	"many are mailed some at a time, each once, though some tries fail": func(t *testing.T, w *world) {
		w.Customer("acme")
		for i := range 120 {
			w.Person("acme", fmt.Sprintf("p%03d@acme.example", i))
		}
		_, err := w.announce(model.NewAnnouncement{All: true})
		w.Must(err)
		w.fails = 1
		if err := w.s.Step(context.Background()); err == nil {
			t.Error("the failure was lost")
		}
		if got := slices.Compact(w.mailed()); len(got) != 120 || w.Count("messages") != 120 {
			t.Errorf("%d people, %d mails", len(got), w.Count("messages"))
		}
	},
	"what is shown at log-in, to whom and until when": func(t *testing.T, w *world) {
		w.people()
		from, until := w.Clock().Add(time.Hour), w.Clock().Add(2*time.Hour)
		v, err := w.announce(model.NewAnnouncement{Region: "eu", From: &from, Until: &until})
		w.Must(err)
		ctx := context.Background()
		if w.s.Greeting(ctx, "acme") != "" {
			t.Error("it is shown too early")
		}
		w.Pass(90 * time.Minute)
		want := "Work tonight (until 2026-01-05 11:00 UTC)\r\nFrom ten.\r\nUploads go on afterwards.\r\n"
		if got := w.s.Greeting(ctx, "acme"); got != want {
			t.Errorf("%q", got)
		}
		if got := w.s.Greeting(ctx, "globex") + w.s.Public("us") + w.s.Public(""); got != "" {
			t.Errorf("others are shown %q", got)
		}
		if w.s.Public("eu") != want {
			t.Error("at the region's own listener, it is shown when a log-in fails, too")
		}
		_, err = w.s.End(ctx, "kim", v.Announcement.ID)
		w.Must(err)
		if w.s.Greeting(ctx, "acme") != "" {
			t.Error("it is shown after it was ended")
		}
		if _, err := w.s.End(ctx, "kim", v.Announcement.ID); !fault.Is(err, fault.Conflict) {
			t.Error(err)
		}
	},
	"another node's announcement is shown, too": func(t *testing.T, w *world) {
		w.people()
		_, err := w.announce(model.NewAnnouncement{All: true, Until: new(w.Clock().Add(time.Hour)), NoMail: true})
		w.Must(err)
		w.open(true)
		w.Must(w.s.Step(context.Background()))
		if w.s.Greeting(context.Background(), "acme") == "" || len(w.mailed()) > 0 {
			t.Error("it is not shown, or was mailed")
		}
		w.Pass(2 * time.Hour)
		if w.s.Greeting(context.Background(), "acme") != "" {
			t.Error("it is shown after its time")
		}
	},
	"what can't be announced": func(t *testing.T, w *world) {
		w.people()
		now := w.Clock()
		for want, n := range map[string]model.NewAnnouncement{
			"Say whom": {}, "Say whom ": {All: true, Tag: "x"}, `No account has the region "e"`: {Region: "e"},
			`There is no feed "x"`: {Feed: "x"}, "for ever": {All: true, From: &now},
			"is over already": {All: true, Until: &now}, "31 days": {All: true, Until: new(now.Add(40 * testkit.Day))},
			"Nobody would be mailed": {All: true, NoMail: true}} {
			_, err := w.announce(n)
			if err == nil || !strings.Contains(fault.PublicText(err), strings.TrimSpace(want)) {
				t.Errorf("%+v: %v, want %s", n, err, want)
			}
		}
		for subject, text := range map[string]string{"": "t", "s": "", "a\x1b[2J": "t", "s ": "a\x1bb",
			"long": strings.Repeat("a", 5000)} {
			_, err := w.s.Announce(context.Background(), "kim", model.NewAnnouncement{All: true, Subject: subject, Text: text})
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%q, %.9q: %v", subject, text, err)
			}
		}
		w.open(false)
		if _, err := w.announce(model.NewAnnouncement{All: true}); !fault.Is(err, fault.Conflict) {
			t.Error("without a mail server:", err)
		}
	},
}
