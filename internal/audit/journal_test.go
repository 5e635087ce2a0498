package audit_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestAJournalTellsOfWhatWasTakenBack: of that alone, once, without a gap; while its disk is away, it waits.
func TestAJournalTellsOfWhatWasTakenBack(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := &world{World: testkit.NewWorld(t, url)}
		dir := filepath.Join(t.TempDir(), "elsewhere")
		path := filepath.Join(dir, "checkpoints")
		service := audit.New(audit.Options{Store: w.Store, Clock: w.Clock, IDs: w.IDs, Log: slog.New(slog.DiscardHandler),
			Key: w.Key, To: []string{"file:" + path}})
		write := func(action string, n int) {
			t.Helper()
			w.Must(w.Store.Write(ctx, func(tx *store.Tx) error {
				for i := range n {
					if err := tx.Audit(model.AuditRow{ID: w.IDs.New(), At: w.Clock(), Actor: "local:root(0)", Action: action,
						Subject: fmt.Sprint(action, i), Detail: map[string]string{"why": strings.Repeat("x", 3000)}}); err != nil {
						return err
					}
				}
				return nil
			}))
			w.Must(service.Seal(ctx))
		}
		write("user.add", 3)
		if err := service.KeepJournals(ctx); err == nil {
			t.Fatal("its folder is not there, and nothing is said")
		}
		w.Must(os.Mkdir(dir, 0o700))
		w.Must(service.KeepJournals(ctx))
		write("user.add", 5)
		write("key.revoke", 450)
		write("user.add", 5)
		w.Must(service.KeepJournals(ctx))
		w.Must(service.KeepJournals(ctx))
		write("user.add", 5)
		w.Must(service.SendCheckpoint(ctx))

		f, err := os.Open(path + audit.JournalEnd)
		w.Must(err)
		defer f.Close()
		next, rows := int64(3), 0
		faults, err := proof.ReadJournal(f, w.Key.Public(), func(j proof.Journal) error {
			if j.From != next {
				t.Errorf("an entry begins with row %d, and the one before ends before %d", j.From, next)
			}
			next = j.To
			for _, r := range j.Rows {
				if r.Subject != fmt.Sprint("key.revoke", rows) || r.Action != "key.revoke" {
					t.Fatalf("row %d is %+v", rows, r)
				}
				rows++
			}
			return nil
		})
		w.Must(err)
		if len(faults) > 0 || rows != 450 || next != 3+5+450+5+5 {
			t.Errorf("%d rows up to %d, faults %q", rows, next, faults)
		}
	})
}

// A mailbox and a webhook get what was taken back, too: at once, then gathered for a while. Of edits, they get those of
// networks.
func TestAJournalIsMailedAndPosted(t *testing.T) {
	w := &world{World: testkit.NewWorld(t, "")}
	now := w.Clock()
	var mailed, posted []proof.Journal
	note := func(to *[]proof.Journal) func(string) error {
		return func(signed string) error {
			j, err := proof.OpenJournal(signed, w.Key.Public())
			*to = append(*to, j)
			return err
		}
	}
	service := audit.New(audit.Options{Store: w.Store, Clock: func() time.Time { return now }, IDs: w.IDs,
		Log: slog.New(slog.DiscardHandler), Key: w.Key, To: []string{"mail:auditor@example.com", "webhook:siem"},
		MailJournal: func(_ context.Context, _, _ string, _ int, s string) error { return note(&mailed)(s) },
		PostJournal: func(_ context.Context, _, s string) error { return note(&posted)(s) }})
	write := func(action string, detail map[string]string, mails, posts int) {
		t.Helper()
		w.Must(w.Store.Write(ctx, func(tx *store.Tx) error {
			return tx.Audit(model.AuditRow{ID: w.IDs.New(), At: w.Clock(), Actor: "local:root(0)", Action: action,
				Subject: "acme", Detail: detail})
		}))
		w.Must(service.Seal(ctx))
		w.Must(service.KeepJournals(ctx))
		if len(mailed) != mails || len(posted) != posts {
			t.Fatalf("after %s: %d mails, %d posts", action, len(mailed), len(posted))
		}
	}
	write("user.add", nil, 0, 0)
	write("key.revoke", nil, 1, 1)
	write("user.set", map[string]string{"quota_bytes": "5"}, 1, 1)
	write("user.set", map[string]string{"allow_ips": "192.0.2.0/24"}, 1, 1)
	now = now.Add(2 * time.Minute)
	write("key.revoke", nil, 1, 2)
	now = now.Add(time.Hour)
	write("user.add", nil, 2, 2)
	for _, list := range [][]proof.Journal{mailed, posted} {
		if len(list[0].Rows) != 1 || len(list[1].Rows) != 2 || list[1].From != list[0].To ||
			list[1].Rows[0].Detail["allow_ips"] == "" {
			t.Errorf("journals: %+v", list)
		}
	}
}

// Names that a partner chose make no entry that cannot be read back, and an entry that a full disk cut short does not
// take the next one along.
func TestAJournalCanBeReadBack(t *testing.T) {
	w := &world{World: testkit.NewWorld(t, "")}
	path := filepath.Join(t.TempDir(), "checkpoints")
	service := audit.New(audit.Options{Store: w.Store, Clock: w.Clock, IDs: w.IDs, Log: slog.New(slog.DiscardHandler),
		Key: w.Key, To: []string{"file:" + path}})
	remove := func(name string, n int) {
		t.Helper()
		w.Must(w.Store.Write(ctx, func(tx *store.Tx) error {
			for range n {
				if err := tx.Audit(model.AuditRow{ID: w.IDs.New(), At: w.Clock(), Actor: "user:acme", Action: "file.remove",
					Subject: strings.Repeat(name, 4096), Detail: map[string]string{"version": "v"}}); err != nil {
					return err
				}
			}
			return nil
		}))
		w.Must(service.Seal(ctx))
		w.Must(service.KeepJournals(ctx))
	}
	w.Must(service.KeepJournals(ctx)) // it begins here
	remove("<", 124)
	remove("\x01", 124)
	f, err := os.OpenFile(path+audit.JournalEnd, os.O_WRONLY|os.O_APPEND, 0)
	w.Must(err)
	_, err = f.WriteString("sallyport journal of files.example.com\n300 3")
	w.Must(err)
	w.Must(f.Close())
	remove("\u2028", 10)

	f, err = os.Open(path + audit.JournalEnd)
	w.Must(err)
	defer f.Close()
	rows := 0
	faults, err := proof.ReadJournal(f, w.Key.Public(), func(j proof.Journal) error {
		for _, r := range j.Rows {
			if rows++; r.Detail["version"] != "v" || r.Seq != int64(rows-1) {
				t.Fatalf("row %d: %.100v", rows, r)
			}
		}
		return nil
	})
	w.Must(err)
	if rows != 258 || len(faults) != 1 {
		t.Errorf("%d rows, faults %q", rows, faults)
	}
}

// TestTheJournalsActionsExist: an action that is renamed must not fall out of the journal.
func TestTheJournalsActionsExist(t *testing.T) {
	for _, a := range audit.TakenBack {
		known := a == "account.active" || a == "account.closed" || a == "account.read_only" || a == "account.suspended"
		for _, k := range model.AuditActions {
			known = known || a == k
		}
		if !known {
			t.Errorf("there is no action %s", a)
		}
	}
}
