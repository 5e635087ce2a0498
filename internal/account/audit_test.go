package account_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"fmt"
	"slices"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/keys"
)

var auditStories = stories{
	"every change has one audit row, with its actor":       auditOnce,
	"what was refused has none, but a private key has":     auditRefused,
	"no cell of the database has a private key's text":     auditNoSecrets,
	"a change that fails late leaves neither row nor mark": auditRollsBack,
}

// audit is a row of the log.
type audit struct{ actor, action, subject, detail string }

// audits reads the whole log, in its order.
func (w *world) audits() (out []audit) {
	w.t.Helper()
	rows, err := w.db.Query(`SELECT actor, action, subject, detail FROM audit ORDER BY id`)
	must(w.t, err)
	defer rows.Close()
	for rows.Next() {
		var a audit
		must(w.t, rows.Scan(&a.actor, &a.action, &a.subject, &a.detail))
		out = append(out, a)
	}
	must(w.t, rows.Err())
	return out
}

func auditOnce(t *testing.T, w *world) {
	r, a := w.room, "unix:root"
	var jo, ann exchange.Contact
	k, old, fresh, frozen, gone := newPair(t), newPair(t), newPair(t), newPair(t), newPair(t)
	enrol := func(p pair, change ...func(*account.NewKey)) error {
		n := account.NewKey{User: "acme", Text: []byte(p.line)}
		for _, c := range change {
			c(&n)
		}
		_, err := r.AddKeys(ctx, a, n)
		return err
	}
	for _, step := range []struct {
		action, subject string
		do              func() error
	}{
		{"account.add", "acme", func() error { _, err := r.AddAccount(ctx, a, exchange.Account{ID: "acme", Name: "Acme"}); return err }},
		{"account.set", "acme", func() error { _, err := r.SetAccount(ctx, a, "acme", account.Edit{Name: ptr("ACME")}); return err }},
		{"vendor.add", "telco", func() error {
			_, err := r.AddVendor(ctx, a, exchange.Vendor{Short: "telco", Name: "Telco"})
			return err
		}},
		{"user.add", "acme", func() error { _, err := r.AddUser(ctx, a, account.NewUser{Account: "acme"}); return err }},
		{"user.disable", "acme", func() error { _, err := r.SetUser(ctx, a, "acme", account.UserEdit{Enabled: ptr(false)}); return err }},
		{"user.enable", "acme", func() error { _, err := r.SetUser(ctx, a, "acme", account.UserEdit{Enabled: ptr(true)}); return err }},
		{"user.set", "acme", func() error {
			_, err := r.SetUser(ctx, a, "acme", account.UserEdit{QuotaFiles: ptr(int64(7))})
			return err
		}},
		{"contact.add", "acme", func() (err error) {
			jo, err = r.AddContact(ctx, a, exchange.Contact{Account: "acme", Name: "Jo", Email: "jo@acme.example"})
			return err
		}},
		{"contact.add", "telco", func() (err error) {
			ann, err = r.AddContact(ctx, a, exchange.Contact{Vendor: "telco", Name: "Ann", Email: "ann@telco.example"})
			return err
		}},
		{"contact.set", "telco", func() error {
			_, err := r.SetContact(ctx, a, ann.ID, account.ContactEdit{Verified: ptr("phone")})
			return err
		}},
		{"contact.leave", "telco", func() error { _, err := r.ContactLeaves(ctx, a, "ann@telco.example"); return err }},
		{"key.add", "acme", func() error { return enrol(k) }},
		{"key.set", "acme", func() error { _, err := r.SetKey(ctx, a, "acme", k.print, account.KeyEdit{Holder: &jo.ID}); return err }},
		{"key.add", "acme", func() error { return enrol(old) }},
		{"key.rotate", "acme", func() error { return enrol(fresh, replaces(old)) }},
		{"key.revoke", k.print, func() error { _, err := r.RevokeKey(ctx, a, k.print, "lost", false); return err }},
		{"key.burn", gone.print, func() error { _, err := r.RevokeKey(ctx, a, gone.print, "copied", true); return err }},
		{"key.add", "acme", func() error { return enrol(frozen) }},
		{"key.freeze", frozen.print, func() error { _, err := r.FreezeKey(ctx, a, frozen.print, jo.ID); return err }},
		{"contact.add", "acme", func() error {
			_, err := r.AddContact(ctx, a, exchange.Contact{Account: "acme", Name: "Sam", Email: "sam@acme.example"})
			return err
		}},
		{"key.thaw", frozen.print, func() error { _, err := r.ThawKey(ctx, a, frozen.print, "sam@acme.example"); return err }},
		{"key.flag", frozen.print, func() error { _, err := r.KeyExposed(ctx, a, "acme", keys.Examine(frozen.file(t, "x"))); return err }},
		{"notice.done", "", func() error {
			list, err := r.Notices(ctx, false)
			must(t, err)
			return r.NoticeDone(ctx, a, list[0].ID)
		}},
		{"key.refuse", "acme", func() error {
			p := newPair(t)
			w.offer("acme", p)
			return r.RefuseKey(ctx, a, "acme", p.print)
		}},
		{"key.add", "acme", func() error {
			p := newPair(t)
			w.offer("acme", p)
			_, err := r.ApproveKey(ctx, a, "acme", p.print, account.NewKey{})
			return err
		}},
		{"account.suspended", "acme", func() error { _, err := r.SetState(ctx, a, "acme", exchange.AccountSuspended); return err }},
	} {
		before := len(w.audits())
		must(t, step.do())
		rows := w.audits()[before:]
		if len(rows) != 1 || rows[0].actor != a || rows[0].action != step.action || step.subject != "" && rows[0].subject != step.subject {
			t.Fatalf("%s of %s wrote %+v", step.action, step.subject, rows)
		}
	}
	two := newPair(t)
	before := len(w.audits())
	_, err := r.AddKeys(ctx, a, account.NewKey{User: "acme", Text: []byte(two.line + newPair(t).line)})
	if must(t, err); len(w.audits()) != before+2 {
		t.Fatal("two keys did not write two rows")
	}
}

func auditRefused(t *testing.T, w *world) {
	w.customer("acme")
	w.customer("globex")
	p := w.enrolled("globex")
	before := len(w.audits())
	_, err := w.add("acme", newPair(t).line+p.line)
	wantKind(t, err, exchange.Denied)
	_, err = w.room.AddContact(ctx, "test", exchange.Contact{Account: "acme", Name: "Jo", Email: "jo"})
	wantKind(t, err, exchange.Invalid)
	_, err = w.room.FreezeKey(ctx, "test", p.print, "nobody")
	wantKind(t, err, exchange.NotFound)
	if rows := w.audits()[before:]; len(rows) > 0 {
		t.Fatalf("refusals wrote %+v", rows)
	}
	w.sent("acme", []byte("-----BEGIN RSA PRIVATE KEY-----\n"))
	if rows := w.audits()[before:]; len(rows) != 1 || rows[0].action != "key.exposed" || rows[0].subject != "acme" {
		t.Fatalf("a private key wrote %+v", rows)
	}
}

func auditRollsBack(t *testing.T, w *world) {
	w.customer("acme")
	p := w.enrolled("acme")
	before := len(w.audits())
	number, err := w.store.Read(ctx).RevocationNumber()
	must(t, err)
	_, err = w.add("acme", newPair(t).line+newPair(t).line+p.line) // the third has a holder
	wantKind(t, err, exchange.Exists)
	_, err = w.room.RevokeKey(ctx, "test", newPair(t).print, "nobody's", false)
	wantKind(t, err, exchange.NotFound)
	after, err := w.store.Read(ctx).RevocationNumber()
	if err != nil || after != number || len(w.audits()) != before || len(w.states("acme")) != 1 {
		t.Fatalf("revocation number %d → %d, rows %+v, keys %v", number, after, w.audits()[before:], w.states("acme"))
	}
}

// auditNoSecrets sends private keys by every way, and then looks at every cell.
func auditNoSecrets(t *testing.T, w *world) {
	w.customer("acme")
	live := w.enrolled("acme")
	var secrets [][]byte
	for _, p := range []pair{live, newPair(t)} {
		encrypted, plain := p.file(t, "secret"), p.file(t, "")
		ppk, err := keys.MarshalPPK(p.private, "laptop", "", 3)
		must(t, err)
		seed := p.private.Seed()
		secrets = append(secrets, seed, []byte(fmt.Sprintf("%x", seed)), []byte(base64.StdEncoding.EncodeToString(seed)), []byte("PRIVATE KEY"), []byte("PuTTY-User-Key-File"))
		for _, file := range [][]byte{encrypted, plain, ppk} {
			for line := range bytes.Lines(file) {
				// Of what a file has, the public half is no secret.
				if line = bytes.TrimSpace(line); len(line) > 30 && !bytes.Contains([]byte(p.line), line[:30]) {
					secrets = append(secrets, line)
				}
			}
			w.sent("acme", file)
			w.sent("acme", append([]byte(live.line), file...))
			w.sent("nobody", bytes.ReplaceAll(file, []byte("-----"), nil))
			u, err := w.room.User(ctx, "acme")
			must(t, err)
			must(t, w.room.Offered(ctx, exchange.PendingKey{UserID: u.ID, Public: string(file)}))
			_, err = w.room.KeyExposed(ctx, "test", "acme", keys.Examine(file))
			must(t, err)
		}
	}
	cells := 0
	w.cells(func(where string, cell []byte) {
		cells++
		for _, s := range secrets {
			if bytes.Contains(cell, s) {
				t.Errorf("%s has %.20q… of a private key: %.80q", where, s, cell)
			}
		}
	})
	if cells < 200 {
		t.Fatalf("only %d cells were looked at", cells)
	}
}

// cells shows every cell of every table.
func (w *world) cells(see func(where string, cell []byte)) {
	w.t.Helper()
	tables := `SELECT name FROM sqlite_master WHERE type = 'table'`
	if _, err := w.db.Exec(`SELECT 1 FROM sqlite_master`); err != nil {
		tables = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`
	}
	names := w.strings(tables)
	if !slices.Contains(names, "keys") || !slices.Contains(names, "audit") {
		w.t.Fatalf("the tables are %v", names)
	}
	for _, name := range names {
		rows, err := w.db.Query(`SELECT * FROM ` + name)
		must(w.t, err)
		columns, err := rows.Columns()
		must(w.t, err)
		row, dest := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
		for i := range row {
			dest[i] = &row[i]
		}
		for rows.Next() {
			must(w.t, rows.Scan(dest...))
			for i, cell := range row {
				see(name+"."+columns[i], cell)
			}
		}
		must(w.t, rows.Err())
	}
}

// strings runs a query for one column.
func (w *world) strings(query string) (out []string) {
	w.t.Helper()
	rows, err := w.db.Query(query)
	must(w.t, err)
	defer rows.Close()
	for rows.Next() {
		var s string
		must(w.t, rows.Scan(&s))
		out = append(out, s)
	}
	return out
}
