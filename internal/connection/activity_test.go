package connection_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

var activityStories = stories{
	"a report has all that was done, in order": func(t *testing.T, w *world) {
		u, k := w.customer("acme")
		enrolled := w.Clock()
		step := func() { w.Pass(time.Second) }
		step()
		r := w.login("203.0.113.7", u, k)
		l := &exchange.Login{User: u, Fingerprint: k.Fingerprint, Session: r.Session}
		step()
		w.service.Seen(l, model.ActivityList, "/reports", 0)
		step()
		w.service.Seen(l, model.ActivityRead, "/reports/a.csv", 500)
		step()
		w.audit(u, "file.store", "/upload/b.csv", k.Fingerprint, r.Session, "size", "77", "sha256", "abc")
		step()
		w.audit(u, "file.rename", "/upload/b.csv", k.Fingerprint, r.Session, "to", "/upload/c.csv")
		step()
		w.audit(u, "dir.make", "/upload/d", k.Fingerprint, r.Session)
		step()
		w.audit(u, "file.remove", "/upload/c.csv", k.Fingerprint, r.Session)
		w.audit(u, "dir.remove", "/upload/d", k.Fingerprint, r.Session)
		step()
		end := w.Clock()
		r.EndedAt, r.Received, r.Sent = &end, 100, 600
		w.service.Note(r)
		step()
		w.login("203.0.113.9", u, k)

		a := w.activity(k.Fingerprint)
		want := []string{"acme session  1×700", "acme list /reports 1×0", "acme read /reports/a.csv 1×500",
			"acme write /upload/b.csv 1×77", "acme change /upload/b.csv 1×0", "acme change /upload/d 1×0",
			"acme remove /upload/c.csv 1×0", "acme remove /upload/d 1×0", "acme session  1×0"}
		if got := lines(a); !slices.Equal(got, want) {
			t.Fatalf("the report:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if a.Sessions != 2 || !slices.Equal(a.Addresses, []string{"203.0.113.7", "203.0.113.9"}) ||
			!slices.Equal(a.Users, []string{"acme"}) || a.Lost != 0 ||
			a.Since.After(enrolled) || a.Since.Before(enrolled.Add(-time.Minute)) || a.Made.Before(end) {
			t.Fatalf("%+v", a)
		}
		for _, row := range a.Rows[:8] {
			if row.Session != r.Session || row.Address != "203.0.113.7" || row.Client != "SSH-2.0-x" {
				t.Errorf("%+v", row)
			}
		}
		for i, note := range map[int]string{3: "SHA-256 abc", 4: "renamed to /upload/c.csv", 5: "dir.make",
			8: "still open, or cut off"} {
			if a.Rows[i].Note != note {
				t.Errorf("row %d notes %q, want %q", i, a.Rows[i].Note, note)
			}
		}
		if got := a.Rows[0].Until; got == nil || got.UnixMicro() != end.UnixMicro() {
			t.Errorf("the session ended at %v", got)
		}
	},
	"what was done again is counted": func(t *testing.T, w *world) {
		u, k := w.customer("acme")
		l := &exchange.Login{User: u, Fingerprint: k.Fingerprint, Session: "one"}
		for range 50 {
			w.service.Seen(l, model.ActivityRead, "/a", 10)
			w.service.Seen(l, model.ActivityList, "/", 0)
		}
		w.service.Seen(&exchange.Login{User: u, Fingerprint: k.Fingerprint, Session: "two"}, model.ActivityRead, "/a", 7)
		reads, bytes := map[string]int64{}, map[string]int64{}
		for _, r := range w.activity(k.Fingerprint).Rows { // the service may have written in between
			reads[r.Session+r.Action] += r.Times
			bytes[r.Session+r.Action] += r.Bytes
		}
		if reads["oneread"] != 50 || bytes["oneread"] != 500 || reads["onelist"] != 50 || reads["tworead"] != 1 ||
			bytes["tworead"] != 7 {
			t.Fatalf("times %v, bytes %v", reads, bytes)
		}
		if n := w.Count("activity"); n > 6 {
			t.Fatalf("%d rows of 101 doings", n)
		}
	},
	"other keys' doings stay out": func(t *testing.T, w *world) {
		u, k := w.customer("acme")
		mine := w.Enrol("acme").Key
		other, theirs := w.customer("globex")
		w.audit(u, "file.store", "/before", mine.Fingerprint, "s1", "size", "1")
		for i, c := range []struct {
			u model.User
			k model.Key
		}{{u, k}, {u, mine}, {other, theirs}} {
			r := w.login(fmt.Sprintf("203.0.113.%d", i), c.u, c.k)
			w.service.Seen(&exchange.Login{User: c.u, Fingerprint: c.k.Fingerprint, Session: r.Session}, model.ActivityRead,
				fmt.Sprint("/read", i), 1)
			w.audit(c.u, "file.store", fmt.Sprint("/store", i), c.k.Fingerprint, r.Session, "size", "1")
		}
		w.audit(u, "file.store", "/by-the-operator", "", "", "size", "1")
		w.failed("203.0.113.66", "acme", model.ReasonUnknownKey)
		a := w.activity(k.Fingerprint)
		if got, want := lines(a), []string{"acme session  1×0", "acme read /read0 1×1",
			"acme write /store0 1×1"}; !slices.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
		if !slices.Equal(a.Addresses, []string{"203.0.113.0"}) {
			t.Fatalf("%v", a.Addresses)
		}
	},
	"a vendor's key has the doings of all its users": func(t *testing.T, w *world) {
		_, err := w.Accounts.AddVendor(ctx, "test", model.NewVendor{Short: "telco", Name: "Telco"})
		testkit.Must(t, err)
		text := testkit.NewPair(t).Line
		var k model.Key
		for _, name := range []string{"globex", "acme"} {
			w.customer(name)
			_, err = w.Accounts.AddUser(ctx, "test", model.NewUser{Account: name, Vendor: "telco"})
			testkit.Must(t, err)
			u, err := w.Accounts.User(ctx, name+"-telco")
			testkit.Must(t, err)
			w.Pass(time.Second)
			k = w.Enrol(u.Name, func(n *model.NewKey) { n.Text = text }).Key
			r := w.login("203.0.113.7", u, k)
			w.Pass(time.Second)
			w.service.Seen(&exchange.Login{User: u, Fingerprint: k.Fingerprint, Session: r.Session}, model.ActivityList,
				"/upload", 0)
			w.Pass(time.Second)
			w.audit(u, "file.store", "/upload/x", k.Fingerprint, r.Session, "size", "5")
		}
		_, err = w.Accounts.RevokeKey(ctx, "test", k.Fingerprint, "lost", false)
		testkit.Must(t, err)
		a := w.activity(k.Fingerprint) // the key is revoked, as when a report is usually needed
		want := []string{"globex-telco session  1×0", "globex-telco list /upload 1×0", "globex-telco write /upload/x 1×5",
			"acme-telco session  1×0", "acme-telco list /upload 1×0", "acme-telco write /upload/x 1×5"}
		if got := lines(a); !slices.Equal(got, want) || !slices.Equal(a.Users, []string{"acme-telco", "globex-telco"}) ||
			a.Sessions != 2 {
			t.Fatalf("%q\n%+v", got, a)
		}
	},
	"an outage loses nothing, as far as there is room": func(t *testing.T, w *world) {
		u, k := w.customer("acme")
		l := &exchange.Login{User: u, Fingerprint: k.Fingerprint, Session: "s"}
		_, err := w.DB.Exec("ALTER TABLE activity RENAME TO away")
		testkit.Must(t, err)
		for i := range 5 {
			w.service.Seen(l, model.ActivityRead, fmt.Sprint("/", i), 1)
		}
		_, err = w.service.Activity(ctx, k.Fingerprint)
		testkit.WantKind(t, err, fault.Unavailable)
		_, err = w.DB.Exec("ALTER TABLE away RENAME TO activity")
		testkit.Must(t, err)
		w.service.Seen(l, model.ActivityRead, "/later", 1)
		if a := w.activity(k.Fingerprint); a.Lost != 0 || len(a.Rows) != 6 {
			t.Fatalf("%+v", a)
		}
	},
	"names of any bytes": func(t *testing.T, w *world) {
		u, k := w.customer("acme")
		l := &exchange.Login{User: u, Fingerprint: k.Fingerprint, Session: "s"}
		w.service.Seen(l, model.ActivityRead, "/\xff\x00\x1b[2J", 1)
		w.service.Seen(l, model.ActivityRead, "/"+strings.Repeat("ü", 2000), 1)
		w.Pass(time.Second)
		w.audit(u, "file.rename", "/\xff\x00", k.Fingerprint, "s", "to", "/\xfe\n")
		a := w.activity(k.Fingerprint)
		if len(a.Rows) != 3 || a.Rows[0].Path != `/\xff\x00\x1b[2J` || len(a.Rows[1].Path) > 600 ||
			a.Rows[2].Path != `/\xff\x00` ||
			!strings.HasPrefix(a.Rows[2].Note, "renamed to /") || valid.Printable(a.Rows[2].Note) != a.Rows[2].Note {
			t.Fatalf("%q", lines(a))
		}
	},
	"a key that nobody has or had": func(t *testing.T, w *world) {
		w.customer("acme")
		for _, fp := range []string{"", "SHA256:x", "acme", "\x00", "\xff"} {
			_, err := w.service.Activity(ctx, fp)
			testkit.WantKind(t, err, fault.NotFound)
		}
	},
}

// audit writes the audit row of a change, as the tree does.
func (w *world) audit(u model.User, action, path, key, session string, more ...string) {
	w.Helper()
	row := model.AuditRow{ID: w.IDs.New(), At: w.Clock(), Actor: "user:" + u.Name, Action: action, Subject: path,
		User: u.ID, Detail: map[string]string{"key": key, "session": session, "address": "203.0.113.7"}}
	for i := 0; i+1 < len(more); i += 2 {
		row.Detail[more[i]] = more[i+1]
	}
	w.Must(w.Store.Write(ctx, func(tx *store.Tx) error { return tx.Audit(row) }))
}

// activity returns a key's report.
func (w *world) activity(fingerprint string) model.KeyActivity {
	w.Helper()
	a, err := w.service.Activity(ctx, fingerprint)
	w.Must(err)
	return a
}

// lines formats a report's rows.
func lines(a model.KeyActivity) (out []string) {
	for _, r := range a.Rows {
		out = append(out, fmt.Sprintf("%s %s %s %d×%d", r.User, r.Action, r.Path, r.Times, r.Bytes))
	}
	return out
}

func activityLost(t *testing.T, w *world) {
	w.policy.KeepSeen = 100_000
	w.open()
	u, k := w.customer("acme")
	l := &exchange.Login{User: u, Fingerprint: k.Fingerprint, Session: "s"}
	const many = 60_000
	for i := range many {
		w.service.Seen(l, model.ActivityRead, fmt.Sprint("/", i), 1)
	}
	a := w.activity(k.Fingerprint)
	if a.Lost == 0 || a.Lost+int64(len(a.Rows)) != many {
		t.Fatalf("%d rows, and %d lost, of %d", len(a.Rows), a.Lost, many)
	}
	if again := w.activity(k.Fingerprint); again.Lost != a.Lost {
		t.Fatalf("the second report has lost %d, the first %d", again.Lost, a.Lost)
	}
}
