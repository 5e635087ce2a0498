package overview_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/overview"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// world has the service, and stands in for what other services would tell it.
type world struct {
	*testkit.World
	s        *overview.Service
	free     int64
	audit    model.AuditStatus
	queue    model.Queue
	expected []model.Expectation
	partials []model.Partial
	until    time.Time // of the certificate
	// endpoints are the listeners with old algorithms.
	endpoints []model.Endpoint
	notice    time.Duration
	sessions  []model.Session

	tried, good  time.Time // backups
	expectBackup bool

	heard map[string]bool // ids of events that told has returned
}

func begin(w *world, t testing.TB) *world {
	w.Begin(t)
	w.free, w.audit, w.queue, w.expected, w.partials, w.until = 1e12, model.AuditStatus{}, model.Queue{}, nil, nil,
		time.Time{}
	w.endpoints = nil
	w.tried, w.good, w.expectBackup = time.Time{}, time.Time{}, false
	w.open(false)
	return w
}

func (w *world) open(checkpoints bool) {
	w.s = overview.New(overview.Options{Store: w.Store, Clock: w.Clock, IDs: w.IDs, Review: "6mo",
		Policy: func() overview.Policy {
			return overview.Policy{Limits: exchange.DefaultLimits{QuotaBytes: 1000, QuotaFiles: 10, KeptPercent: 150},
				Account: exchange.AccountLimits{Bytes: 1e6, Items: 1000}, Floor: 1e9, KeepPartials: 7 * testkit.Day,
				Notice: w.notice}
		},
		Free: func() (int64, error) { return w.free, nil },
		Partials: func(user string, before time.Time) []model.Partial {
			return slices.DeleteFunc(slices.Clone(w.partials), func(p model.Partial) bool {
				return user != "" && p.UserID != user || !p.At.Before(before)
			})
		},
		Sessions: func() []model.Session { return w.sessions }, Flush: func() {}, Checkpoints: checkpoints,
		Audit:        func(context.Context) (model.AuditStatus, error) { return w.audit, nil },
		Queue:        func(context.Context) (model.Queue, error) { return w.queue, nil },
		Expectations: func(context.Context) ([]model.Expectation, error) { return w.expected, nil },
		Endpoints:    func(context.Context) ([]model.Endpoint, error) { return w.endpoints, nil },
		Backups: func(context.Context) (newest, good time.Time, why string, err error) {
			return w.tried, w.good, "The disk is full.", nil
		}, BackupAge: 26 * time.Hour, BackupExpected: w.expectBackup,
		Certificate: func() (time.Time, error) { return w.until, nil }})
}

// status returns the topics of what needs a person, in order, and the sentences by topic.
func (w *world) status() (topics []string, says map[string]string, all model.Status) {
	w.Helper()
	all, err := w.s.Status(context.Background(), model.StatusQuery{Uncollected: "3d", Unclaimed: "1d"})
	w.Must(err)
	says = map[string]string{}
	for _, n := range all.Needs {
		topics = append(topics, n.Topic)
		says[n.Topic] += n.Text
	}
	return topics, says, all
}

// delivers puts a file into a user's mailbox that nobody has downloaded.
func (w *world) delivers(u model.User, name string) {
	w.Helper()
	id := w.IDs.New()
	at := w.Clock().UnixMicro()
	w.Exec(`INSERT INTO feeds (name, kind, types, retention, created_at) VALUES ('cdr', 'cdr', '[]', '', 0)
		ON CONFLICT DO NOTHING`)
	w.Exec(`INSERT INTO publications (id, feed, account_id, name, size, sha256, actor, published_at)
		VALUES ($1, 'cdr', $2, $3, 5, $4, 'test', $5)`, id, u.Account, name, []byte(strings.Repeat("\x01", 32)), at)
	w.Exec(`INSERT INTO deliveries (id, publication_id, subscription_id, user_id, version_id, state, published_at,
		fingerprint, path) VALUES ($1, $1, $1, $2, $1, 'published', $3, '', $4)`, id, u.ID, at, []byte("/download/"+name))
}

// sends puts a received file into the inbox.
func (w *world) sends(u model.User, name string, state model.DropState) string {
	w.Helper()
	id := w.IDs.New()
	w.Exec(`INSERT INTO drops (id, user_id, path, size, sha256, fingerprint, address, state, withdrawn, received_at, name,
		consumer, claim_until, claim) VALUES ($1, $2, $3, 5, $4, '', '', $5, 0, $6, $7, 'erp', $8, 'secret')`, id, u.ID,
		[]byte("/upload/"+name), []byte(strings.Repeat("\x02", 32)), state, w.Clock().UnixMicro(), []byte(name),
		w.Clock().Add(15*time.Minute).UnixMicro())
	return id
}

func TestOverview(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := &world{World: testkit.NewWorld(t, url)}
		testkit.Tell(t, w, begin, statusStories, findStories, pageStories)
	})
}

var statusStories = testkit.Stories[*world]{
	"a quiet server needs nobody": func(t *testing.T, w *world) {
		if topics, _, _ := w.status(); len(topics) > 0 {
			t.Error(topics)
		}
	},
	"files wait for a customer and for us": func(t *testing.T, w *world) {
		acme, globex := w.Customer("acme"), w.Customer("globex")
		w.Person("acme", "jo@acme.example")
		w.Person("globex", "jo@globex.example")
		w.delivers(acme, "a.csv")
		w.delivers(acme, "b.csv")
		w.delivers(globex, "c.csv")
		w.sends(acme, "in.csv", model.DropNew)
		w.sends(globex, "claimed.csv", model.DropClaimed)
		w.sends(globex, "virus.exe", model.DropUnscanned)
		if topics, _, _ := w.status(); len(topics) > 0 {
			t.Error("too early:", topics)
		}
		w.Pass(4 * testkit.Day)
		w.delivers(acme, "fresh.csv")
		topics, says, all := w.status()
		if want := []string{"unscanned", "claims_expired", "unclaimed", "uncollected"}; !slices.Equal(topics, want) {
			t.Errorf("%v, want %v", topics, want)
		}
		if s := says["uncollected"]; !strings.Contains(s, "3 files have waited more than 3 days") ||
			!strings.Contains(s, "acme (2) and globex (1)") {
			t.Error(s)
		}
		if s := says["claims_expired"]; !strings.Contains(s, "by erp (1)") {
			t.Error(s)
		}
		if !all.Urgent() {
			t.Error("a scanner that stands still is urgent")
		}
		w.Exec(`UPDATE accounts SET state = 'closed' WHERE id = 'acme'`)
		if _, says, _ = w.status(); !strings.Contains(says["uncollected"], "1 file has waited") {
			t.Error(says["uncollected"])
		}
	},
	"the disk": func(t *testing.T, w *world) {
		for free, want := range map[int64]string{5e8: "Uploads are refused, because", 15e8: "once it has less than 1.0 GB",
			5e9: ""} {
			w.free = free
			if _, says, _ := w.status(); want == "" && says["disk"] != "" || !strings.Contains(says["disk"], want) {
				t.Errorf("%d free: %q, want %q", free, says["disk"], want)
			}
		}
		w.free = 5e9
		w.Exec(`INSERT INTO blobs (id, key, size, sha256, refs, state, created_at) VALUES ($1, 'k', 7000000000, $2, 1,
			'live', $3)`, w.IDs.New(), []byte{1}, w.Clock().UnixMicro())
		w.Pass(time.Hour)
		_, says, _ := w.status()
		if s := says["disk"]; !strings.Contains(s, "1.0 GB a day") || !strings.Contains(s, "in about 4 days") {
			t.Error(s)
		}
	},
	"people and keys": func(t *testing.T, w *world) {
		w.Customers("acme", "globex", "initech")
		jo := w.Person("acme", "jo@acme.example")
		w.Person("globex", "jo@globex.example")
		w.Exec(`UPDATE contacts SET bounced_at = 1 WHERE id = $1`, jo.ID)
		soon, late := w.Clock().Add(20*testkit.Day), w.Clock().Add(testkit.Day)
		w.Enrol("globex", func(k *model.NewKey) { k.ExpiresAt = &soon })
		w.Enrol("acme", func(k *model.NewKey) { k.ExpiresAt = &late })
		flagged := w.Enrol("initech")
		w.Exec(`UPDATE keys SET flag = 'sent by mail' WHERE fingerprint = $1`, flagged.Print)
		w.Exec(`INSERT INTO pending_keys (user_id, fingerprint, type, bits, public, address, client, first_at, last_at,
			times) SELECT id, 'SHA256:x', 'ssh-ed25519', 256, '', '', '', 1, 1, 1 FROM users WHERE name = 'initech'`)
		w.Pass(2 * testkit.Day)
		topics, says, _ := w.status()
		want := []string{"keys_pending", "keys_flagged", "unreachable", "contacts_bounced", "keys_expired", "keys_expiring"}
		if !slices.Equal(topics, want) {
			t.Errorf("%v, want %v", topics, want)
		}
		for topic, part := range map[string]string{"unreachable": "2 accounts have no contact whom mail reaches: acme and " +
			"initech", "contacts_bounced": "jo@acme.example of acme", "keys_expired": "of acme (2026-01-06)",
			"keys_expiring": "1 key expires within 30 days: of globex (2026-01-25)", "keys_flagged": "(sent by mail)"} {
			if !strings.Contains(says[topic], part) {
				t.Errorf("%s: %q, want %q", topic, says[topic], part)
			}
		}
	},
	"API tokens that nobody uses, and those that end soon": func(t *testing.T, w *world) {
		add := func(name string, made, ends time.Duration, used any) {
			w.Exec(`INSERT INTO tokens (id, name, role, prefix, hash, allow_ips, created_at, created_by, expires_at,
				last_used_at) VALUES ($1, $1, 'admin', $1, '', '[]', $2, '', $3, $4)`, name,
				w.Clock().Add(-made).UnixMicro(), w.Clock().Add(ends).UnixMicro(), used)
		}
		add("fresh", testkit.Day, 300*testkit.Day, nil)
		add("idle", 100*testkit.Day, 300*testkit.Day, nil)
		add("busy", 100*testkit.Day, 20*testkit.Day, w.Clock().Add(-testkit.Day).UnixMicro())
		add("over", 100*testkit.Day, -testkit.Day, nil)
		_, says, _ := w.status()
		for topic, want := range map[string]string{
			"tokens_unused":   "1 API token was not used for 90 days: idle. Revoke what nobody needs.",
			"tokens_expiring": "1 API token in use ends soon: busy (2026-01-25). Make the next one in time."} {
			if says[topic] != want {
				t.Errorf("%s: %q, want %q", topic, says[topic], want)
			}
		}
	},
	"who has access is to be signed off twice a year": func(t *testing.T, w *world) {
		if _, says, _ := w.status(); says["review"] != "" {
			t.Errorf("nobody has access: %q", says["review"])
		}
		w.Exec(`INSERT INTO tokens (id, name, role, prefix, hash, allow_ips, created_at, created_by, expires_at)
			VALUES ('a', 'a', 'admin', 'a', '', '[]', $1, '', $2)`, w.Clock().UnixMicro(),
			w.Clock().Add(365*testkit.Day).UnixMicro())
		w.Pass(182 * testkit.Day)
		_, says, _ := w.status()
		want := "Who has access was never signed off; the first was given on 2026-01-05."
		if !strings.HasPrefix(says["review"], want) {
			t.Errorf("after half a year: %q", says["review"])
		}
		w.Exec(`INSERT INTO reviews (id, made_at, made_by, operators, tokens, keys, content, signed_at, signed_by, note)
			VALUES ('r', 1, 'kim', 0, 1, 0, '[]', $1, 'kim', '')`, w.Clock().UnixMicro())
		if _, says, _ = w.status(); says["review"] != "" {
			t.Errorf("signed off today: %q", says["review"])
		}
	},
	"what the server does for itself": func(t *testing.T, w *world) {
		at, old := w.Clock(), w.Clock().Add(-time.Hour)
		w.audit = model.AuditStatus{Waiting: 3, OldestAt: &old, Sealed: 10}
		w.queue = model.Queue{Events: 1, Waiting: 2, OldestAt: &old}
		w.until = at.Add(testkit.Day)
		w.endpoints = []model.Endpoint{{Name: "old", Listen: ":2200", State: model.EndpointFailed,
			Error: "Port 2200 is taken."},
			{Name: "acme-old", State: model.EndpointOpen, Needing: 2, Until: at.Add(10 * testkit.Day)},
			{Name: "unused", State: model.EndpointOpen, Until: at.Add(10 * testkit.Day)},
			{Name: "later", State: model.EndpointOpen, Needing: 2, Until: at.Add(20 * testkit.Day)}}
		w.expected = []model.Expectation{{Name: "daily", State: model.ExpectMissed, DueAt: &old},
			{Name: "weekly", State: model.ExpectMet, NextAt: new(at.Add(time.Hour))},
			{Name: "monthly", State: model.ExpectMet, NextAt: new(at.Add(40 * testkit.Day))}}
		w.Exec(`INSERT INTO messages (id, channel, target, event_id, kind, ref, contact_id, subject, body, html, state,
			attempts, error, created_at) VALUES ('m', 'webhook', 'erp', '', '', '', '', '', '', '', 'dead', 9, '', 1)`)
		w.Exec(`INSERT INTO webhooks (name, url, secret, old_secret, events, enabled, created_at, note)
			VALUES ('erp', '', '', '', '[]', 0, 1, 'it answered 410')`)
		w.Exec(`INSERT INTO retention_runs (id, kind, account_id, due_at, state, confirm, confirmed_by, created_at, files,
			bytes, removed_files, removed_bytes, report, list_key, planner)
			VALUES ('r', 'regular', '', $1, 'announced', 'the policy was shortened', '', 1, 7, 7000, 0, 0, '', '', '')`,
			at.Add(2*testkit.Day).UnixMicro())
		w.Exec(`INSERT INTO bans (address, since, until, failures, refused, reason) VALUES ('192.0.2.7', 1, $1, 20, 0, 'x'),
			('192.0.2.8', 1, $1, 20, 0, 'x')`, at.Add(time.Hour).UnixMicro())
		w.Exec(`INSERT INTO addresses (address, last_ok) VALUES ('192.0.2.8', $1)`, at.UnixMicro())
		u := w.Customer("acme")
		w.Person("acme", "jo@acme.example")
		w.partials = []model.Partial{{UserID: u.ID, DirID: u.ID, Path: "half.csv", At: at.Add(-2 * testkit.Day)}}
		topics, says, _ := w.status()
		want := []string{"audit", "retention", "expectations_missed", "bans", "queue", "webhooks", "endpoints",
			"messages_dead", "certificate", "endpoints", "bans", "expectations_due", "unfinished"}
		if !slices.Equal(topics, want) {
			t.Errorf("%v, want %v", topics, want)
		}
		for topic, part := range map[string]string{"audit": "3 rows of the audit log are not sealed",
			"retention": "7 files (7.0 KB), due 2026-01-07 09:00 UTC, waits for your confirmation: the policy was shortened",
			"bans":      "192.0.2.8", "queue": "3 webhooks and mails wait", "messages_dead": "to erp (1)",
			"unfinished":       "acme:/half.csv",
			"endpoints":        "acme-old closes on 2026-01-15 09:00 UTC, and 2 users still need it",
			"expectations_due": "weekly (10:00 UTC)"} {
			if !strings.Contains(says[topic], part) {
				t.Errorf("%s: %q, want %q", topic, says[topic], part)
			}
		}
	},
	"a run was to be confirmed before it could be": func(t *testing.T, w *world) {
		w.notice = 2 * testkit.Day
		w.open(false)
		defer func() { w.notice = 0 }()
		at := w.Clock()
		w.Exec(`INSERT INTO retention_runs (id, kind, account_id, due_at, state, confirm, confirmed_by, created_at, files,
			bytes, removed_files, removed_bytes, report, list_key, planner)
			VALUES ('r', 'regular', '', $1, 'announced', 'the policy was shortened', '', $2, 7, 7000, 0, 0, '', '', '')`,
			at.Add(2*testkit.Day).UnixMicro(), at.UnixMicro())
		_, says, all := w.status()
		if all.Urgent() || all.Needs[0].Action.Operation != "show-run" ||
			!strings.Contains(says["retention"], "It can be confirmed from 2026-01-07 09:00 UTC on") {
			t.Errorf("%+v", all.Needs)
		}
		w.Pass(2 * testkit.Day)
		if _, _, all := w.status(); !all.Urgent() || all.Needs[0].Action.Operation != "confirm-run" {
			t.Errorf("once it can be: %+v", all.Needs)
		}
	},
	"find knew nothing of uploads that failed": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		at := w.Clock()
		w.partials = []model.Partial{{UserID: u.ID, DirID: u.ID, Path: "broken.bin", Size: 7, At: at.Add(-time.Minute)}}
		for _, path := range []string{"/upload/toolarge.bin", "/upload/toolarge.bin"} {
			w.Must(w.Store.Write(context.Background(), func(tx *store.Tx) error {
				return tx.NoteRefusedUpload(store.RefusedUpload{ID: w.IDs.New(), UserID: u.ID, Path: path, Reason: "quota",
					Said: "It is too large.", Times: 1, Until: at})
			}))
		}
		for text, want := range map[string]string{"broken": "unfinished upload", "TOOLARGE.bin": "upload that failed"} {
			v, err := w.s.Find(context.Background(), model.FindQuery{Text: text})
			w.Must(err)
			if len(v.Groups) != 1 || v.Groups[0].Kind != want || len(v.Groups[0].Hits) != 1 {
				t.Errorf("%s: %+v", text, v.Groups)
			}
		}
	},
	"numbers that are missing in a feed are listed": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Person("acme", "jo@acme.example")
		w.Exec(`INSERT INTO feed_sequences (feed, account_id, last, missing, state) VALUES
			('cdr', '', 9, '[{"from":2,"to":3}]', '{}'), ('inv', 'acme', 5, '[{"from":4,"to":4}]', '{}'),
			('whole', '', 5, '[]', '{}'), ('new', '', 5, 'null', '{}')`)
		topics, says, _ := w.status()
		if !slices.Equal(topics, []string{"gaps"}) || !strings.Contains(says["gaps"],
			": of cdr (2-3) and inv for acme (4). ") {
			t.Errorf("%v: %q", topics, says["gaps"])
		}
	},
	"checkpoints that stay at home": func(t *testing.T, w *world) {
		sent := w.Clock()
		w.audit = model.AuditStatus{Sealed: 1, SentAt: &sent}
		w.open(true)
		if topics, _, _ := w.status(); len(topics) > 0 {
			t.Error(topics)
		}
		w.Pass(3 * testkit.Day)
		if topics, _, _ := w.status(); !slices.Equal(topics, []string{"checkpoints"}) {
			t.Error(topics)
		}
	},
	"a length of time that is none": func(t *testing.T, w *world) {
		for _, bad := range []string{"", "soon", "-3d", "0h"} {
			_, err := w.s.Status(context.Background(), model.StatusQuery{Uncollected: bad, Unclaimed: "1d"})
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: %v", bad, err)
			}
		}
	},
}

// found returns the names that were found, by kind.
func (w *world) found(text string) map[string][]string {
	w.Helper()
	f, err := w.s.Find(context.Background(), model.FindQuery{Text: text})
	w.Must(err)
	out := map[string][]string{}
	for _, g := range f.Groups {
		for _, h := range g.Hits {
			out[g.Kind] = append(out[g.Kind], h.Name)
		}
	}
	if len(f.Near) > 0 {
		out["near"] = f.Near
	}
	return out
}

var findStories = testkit.Stories[*world]{
	"everything has a name": func(t *testing.T, w *world) {
		acme := w.Customer("Acme-7", func(a *model.NewAccount) { a.Name = "Acme Müller Ltd" })
		w.Vendor("carrier", "Acme-7")
		jo := w.Person("Acme-7", "jo.hill@acme.example")
		key := w.Enrol("Acme-7")
		w.delivers(acme, "Invoice-2026.pdf")
		drop := w.sends(acme, "CDR_001.csv", model.DropNew)
		w.Exec(`INSERT INTO connections (reference, at, address, user_name, client, algorithms, offered, methods, outcome,
			seconds) VALUES ('abcd-2345', 1, '192.0.2.9', 'Acme-7', '', '', '[]', '[]', 'unknown_key', 0)`)
		for text, want := range map[string]struct{ kind, name string }{
			"acme-7": {"account", "Acme-7"}, "müller": {"account", "Acme-7"}, "ACME-7-c": {"user", "Acme-7-carrier"},
			"carrier": {"vendor", "carrier"}, "HILL@acme": {"contact", "jo.hill@acme.example"},
			"Jo Hill": {"contact", "jo.hill@acme.example"}, key.Print: {"key", key.Print},
			key.Print[7:]:  {"key", key.Print},
			key.Print[:13]: {"key", key.Print}, key.Print[7:15]: {"key", key.Print}, key.Print + "=": {"key", key.Print},
			"cdr": {"feed", "cdr"}, "Invoice-2026.pdf": {"published file", "Invoice-2026.pdf"},
			"invoice": {"published file", "Invoice-2026.pdf"}, "2026.PDF": {"published file", "Invoice-2026.pdf"},
			"cdr_001": {"received file", "CDR_001.csv"}, "/upload/CDR_0": {"received file", "CDR_001.csv"},
			"_001": {"received file", "CDR_001.csv"}, drop: {"received file", drop}, jo.ID: {"contact", jo.ID},
			"ABCD-2345": {"reference", "abcd-2345"}, "192.0.2.9": {"address", "192.0.2.9"},
			strings.Repeat("02", 32): {"received file with this content", "CDR_001.csv"},
			strings.Repeat("01", 5):  {"publication with this content", "Invoice-2026.pdf"},
			"carier":                 {"near", "carrier"}, "ACMEE-7": {"near", "Acme-7"},
		} {
			if found := w.found(text); !slices.Contains(found[want.kind], want.name) {
				t.Errorf("%q: %v, want %s %s", text, found, want.kind, want.name)
			}
		}
	},
	"a file that has had another name": func(t *testing.T, w *world) {
		id := w.sends(w.Customer("acme"), "final.csv", model.DropAcked)
		w.Exec(`INSERT INTO drop_names (drop_id, path, name, at) VALUES ($1, $2, $3, 1)`, id, []byte("/u/old"), []byte("old"))
		if found := w.found("old"); !slices.Equal(found["received file"], []string{"old"}) {
			t.Error(found)
		}
	},
	"wildcards are letters": func(t *testing.T, w *world) {
		w.Customer("acme")
		for _, text := range []string{"%%", "__", "a%e", "' OR 1=1 --", "\x00\x00", "\xff\xff"} {
			if found := w.found(text); len(found) > 0 && text != "a%e" {
				t.Errorf("%q: %v", text, found)
			}
		}
	},
	"many are cut, and it is said": func(t *testing.T, w *world) {
		for i := range 12 {
			w.Customer("acme" + string(rune('a'+i)))
		}
		f, err := w.s.Find(context.Background(), model.FindQuery{Text: "acme"})
		w.Must(err)
		if len(f.Groups) == 0 || !f.Groups[0].More || len(f.Groups[0].Hits) != 10 {
			t.Errorf("%+v", f.Groups)
		}
	},
	"too short, too long": func(t *testing.T, w *world) {
		for _, text := range []string{"", " a ", strings.Repeat("a", 301)} {
			if _, err := w.s.Find(context.Background(), model.FindQuery{Text: text}); !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: %v", text, err)
			}
		}
	},
}

var pageStories = testkit.Stories[*world]{
	"who an account is": func(t *testing.T, w *world) {
		acme := w.Customer("acme")
		vendors := w.Vendor("carrier", "acme")
		w.Customer("child", func(a *model.NewAccount) { a.Parent = "acme" })
		w.Person("acme", "jo@acme.example")
		w.Enrol("acme")
		w.delivers(acme, "a.csv")
		w.sends(vendors[0], "b.csv", model.DropNew)
		_, err := w.Accounts.AddNote(context.Background(), "kim", model.NewNote{Account: "ACME", Text: "Calls on Mondays.\n"})
		w.Must(err)
		_, err = w.Accounts.EditTags(context.Background(), "kim", model.EditTags{Account: "acme", Add: []string{"gold"}})
		w.Must(err)
		w.Pass(4 * testkit.Day)
		p, err := w.s.AccountPage(context.Background(), "ACME")
		w.Must(err)
		if len(p.Users) != 2 || p.Users[0].Keys != 1 || p.Users[1].Keys != 0 || len(p.Contacts) != 1 ||
			!slices.Equal(p.Children, []string{"child"}) || len(p.Waiting.Uncollected) != 1 || len(p.Waiting.Received) != 1 ||
			len(p.Notes) != 1 || p.Notes[0].Text != "Calls on Mondays." || !slices.Equal(p.Account.Tags, []string{"gold"}) {
			t.Errorf("%+v", p)
		}
		if p.Waiting.Received[0].Claim != "" {
			t.Error("the page tells the secret of a claim")
		}
		var says []string
		for _, f := range p.Findings {
			says = append(says, f.Text)
		}
		want := []string{"User acme-carrier has no key that works.",
			"1 file has waited more than 3 days to be downloaded."}
		if !slices.Equal(says, want) {
			t.Errorf("%q", says)
		}
		if _, err := w.s.AccountPage(context.Background(), "nobody"); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
	},
	"a user that was renamed logged in under its former name": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Customer("other")
		for i, name := range []string{"acme", "acme", "other"} {
			w.Exec(`INSERT INTO connections (reference, at, address, user_name, client, algorithms, offered, methods, outcome,
				seconds, logged_in) VALUES ($1, $2, '192.0.2.9', $3, '', '', '[]', '[]', 'unknown_key', 0, $4)`,
				string(rune('a'+i)), w.Clock().Add(time.Duration(i)*time.Minute).UnixMicro(), name, (i+1)%2)
		}
		look := func(user, login string, failures ...string) {
			t.Helper()
			p, err := w.s.UserPage(context.Background(), user)
			w.Must(err)
			var failed []string
			for _, c := range p.Failures {
				failed = append(failed, c.Reference)
			}
			if p.LastLogin == nil || p.LastLogin.Reference != login || !slices.Equal(failed, failures) {
				t.Errorf("%s: %+v, %v", user, p.LastLogin, failed)
			}
		}
		look("acme", "a", "b")
		_, err := w.Accounts.RenameUser(context.Background(), "test", "acme", model.RenameUser{Name: "acme-new"})
		w.Must(err)
		w.Exec(`INSERT INTO connections (reference, at, address, user_name, client, algorithms, offered, methods, outcome,
			seconds, logged_in) VALUES ('d', $1, '192.0.2.9', 'acme-new', '', '', '[]', '[]', 'unknown_key', 0, 0)`,
			w.Clock().Add(time.Hour).UnixMicro())
		look("acme-new", "a", "d", "b")
		look("other", "c")
		w.Exec(`UPDATE users SET name = 'acme', folded = 'acme' WHERE name = 'other'`) // once nobody's records have the name
		p, err := w.s.UserPage(context.Background(), "acme-new")
		w.Must(err)
		if p.LastLogin != nil || len(p.Failures) != 1 {
			t.Errorf("another user's log-ins: %+v", p.LastLogin)
		}
	},
	"who a user is": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		w.Person("acme", "jo@acme.example")
		key := w.Enrol("acme", func(k *model.NewKey) { k.ExpiresAt = new(w.Clock().Add(10 * testkit.Day)) })
		for i, in := range []int{0, 1, 0} {
			w.Exec(`INSERT INTO connections (reference, at, address, user_name, client, algorithms, offered, methods, outcome,
				seconds, logged_in) VALUES ($1, $2, '192.0.2.9', 'acme', '', '', '[]', '[]', 'unknown_key', 0, $3)`,
				string(rune('a'+i)), w.Clock().Add(time.Duration(i)*time.Minute).UnixMicro(), in)
		}
		w.Exec(`UPDATE mailboxes SET used_bytes = 900 WHERE user_id = $1`, u.ID)
		w.partials = []model.Partial{{UserID: u.ID, DirID: u.ID, Path: "half.csv", At: w.Clock().Add(-time.Hour)},
			{UserID: "another", Path: "x", At: w.Clock().Add(-time.Hour)}}
		p, err := w.s.UserPage(context.Background(), "ACME")
		w.Must(err)
		if p.LastLogin == nil || p.LastLogin.Reference != "b" || len(p.Failures) != 2 || p.Failures[0].Reference != "c" ||
			len(p.Keys) != 1 || p.Keys[0].Fingerprint != key.Print || len(p.Folders) != 1 ||
			!slices.Equal(p.Folders[0].Rights, []string{"read", "list"}) || len(p.Waiting.Unfinished) != 1 ||
			p.Waiting.Unfinished[0].Path != "/half.csv" {
			t.Errorf("%+v", p)
		}
		var says []string
		for _, f := range p.Findings {
			says = append(says, f.Text)
		}
		for i, want := range []string{"expires on 2026-01-15", "The files of acme take 900 bytes of 1.0 KB",
			"The latest try to log in, on 2026-01-05 09:02 UTC, failed (unknown key).", "1 upload broke off: /half.csv."} {
			if i >= len(says) || !strings.Contains(says[i], want) {
				t.Errorf("%q, want %q", says, want)
			}
		}
	},
	"a suspended account is said of its users": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Person("acme", "jo@acme.example")
		w.Enrol("acme")
		_, err := w.Accounts.SetState(context.Background(), "test", "acme", model.AccountSuspended)
		w.Must(err)
		p, err := w.s.UserPage(context.Background(), "acme")
		w.Must(err)
		if len(p.Findings) != 1 || !strings.Contains(p.Findings[0].Text, "is suspended") {
			t.Error(p.Findings)
		}
	},
}
