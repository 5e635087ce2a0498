package account_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"fmt"
	"slices"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var auditStories = stories{
	"every change has one audit row, with its actor": func(t *testing.T, w *world) {
		for _, c := range append(w.peopleChanges(), w.keyChanges()...) {
			before := len(w.audits())
			testkit.Must(t, c.do())
			rows := w.audits()[before:]
			if len(rows) != 1 || rows[0].actor != byRoot || rows[0].action != c.action || c.subject != "" &&
				rows[0].subject != c.subject {
				t.Fatalf("%s of %s wrote %+v", c.action, c.subject, rows)
			}
		}
		two := testkit.NewPair(t)
		before := len(w.audits())
		_, err := w.Accounts.AddKeys(ctx, byRoot, "acme", model.NewKey{Text: two.Line + testkit.NewPair(t).Line})
		if testkit.Must(t, err); len(w.audits()) != before+2 {
			t.Fatal("two keys did not write two rows")
		}
	},
	"what was refused has none, but a private key has": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Customer("globex")
		p := w.Enrol("globex")
		before := len(w.audits())
		_, err := w.add("acme", testkit.NewPair(t).Line+p.Line)
		testkit.WantKind(t, err, fault.Denied)
		_, err = w.Accounts.AddContact(ctx, "test", model.NewContact{Account: "acme", Name: "Jo", Email: "jo"})
		testkit.WantKind(t, err, fault.Invalid)
		_, err = w.Accounts.FreezeKey(ctx, "test", p.Print, "nobody")
		testkit.WantKind(t, err, fault.NotFound)
		if rows := w.audits()[before:]; len(rows) > 0 {
			t.Fatalf("refusals wrote %+v", rows)
		}
		w.sent("acme", []byte("-----BEGIN RSA PRIVATE KEY-----\n"))
		if rows := w.audits()[before:]; len(rows) != 1 || rows[0].action != "key.exposed" || rows[0].subject != "acme" {
			t.Fatalf("a private key wrote %+v", rows)
		}
	},
	// The story sends private keys over every channel, and then looks for them in every cell.
	"no cell of the database has a private key's text": func(t *testing.T, w *world) {
		w.Customer("acme")
		live := w.Enrol("acme")
		var secrets [][]byte
		for _, p := range []testkit.Pair{live, testkit.NewPair(t)} {
			encrypted, plain := p.File(t, "secret"), p.File(t, "")
			ppk, err := keys.MarshalPPK(p.Private, "laptop", "", 3)
			testkit.Must(t, err)
			seed := p.Private.Seed()
			secrets = append(secrets, seed, []byte(fmt.Sprintf("%x", seed)), []byte(base64.StdEncoding.EncodeToString(seed)),
				[]byte("PRIVATE KEY"), []byte("PuTTY-User-Key-File"))
			for _, file := range [][]byte{encrypted, plain, ppk} {
				for line := range bytes.Lines(file) {
					// Only the public half of a file may be stored.
					if line = bytes.TrimSpace(line); len(line) > 30 && !bytes.Contains([]byte(p.Line), line[:30]) {
						secrets = append(secrets, line)
					}
				}
				w.sent("acme", file)
				w.sent("acme", append([]byte(live.Line), file...))
				w.sent("nobody", bytes.ReplaceAll(file, []byte("-----"), nil))
				u, err := w.Accounts.User(ctx, "acme")
				testkit.Must(t, err)
				testkit.Must(t, w.Accounts.Offered(ctx, model.PendingKey{UserID: u.ID, Public: string(file)}))
				_, err = w.Accounts.KeyExposed(ctx, "test", "acme", keys.Examine(file))
				testkit.Must(t, err)
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
	},
	"a change that fails late leaves neither row nor mark": func(t *testing.T, w *world) {
		w.Customer("acme")
		p := w.Enrol("acme")
		before := len(w.audits())
		number, err := w.Store.Read(ctx).RevocationNumber()
		testkit.Must(t, err)
		_, err = w.add("acme", testkit.NewPair(t).Line+testkit.NewPair(t).Line+p.Line) // the third key has a holder already
		testkit.WantKind(t, err, fault.Exists)
		_, err = w.Accounts.RevokeKey(ctx, "test", testkit.NewPair(t).Print, "nobody's", false)
		testkit.WantKind(t, err, fault.NotFound)
		after, err := w.Store.Read(ctx).RevocationNumber()
		if err != nil || after != number || len(w.audits()) != before || len(w.states("acme")) != 1 {
			t.Fatalf("revocation number %d → %d, rows %+v, keys %v", number, after, w.audits()[before:], w.states("acme"))
		}
	},
}

// audit is a row of the audit log.
type audit struct{ actor, action, subject, detail string }

// audits reads the whole audit log in order.
func (w *world) audits() (out []audit) {
	w.Helper()
	rows, err := w.DB.Query(`SELECT actor, action, subject, detail FROM audit ORDER BY id`)
	w.Must(err)
	defer rows.Close()
	for rows.Next() {
		var a audit
		w.Must(rows.Scan(&a.actor, &a.action, &a.subject, &a.detail))
		out = append(out, a)
	}
	w.Must(rows.Err())
	return out
}

// change is an operation and the audit row that it must write.
type change struct {
	action, subject string
	do              func() error
}

// byRoot is the actor of the changes.
const byRoot = "unix:root"

// last returns only the error of a change.
func last[T any](_ T, err error) error { return err }

// peopleChanges are the changes of accounts, vendors, users and contacts.
func (w *world) peopleChanges() []change {
	r, a := w.Accounts, byRoot
	return []change{
		{"account.add", "acme",
			func() error { return last(r.AddAccount(ctx, a, model.NewAccount{ID: "acme", Name: "Acme"})) }},
		{"account.set", "acme",
			func() error { return last(r.SetAccount(ctx, a, "acme", model.EditAccount{Name: new("ACME")})) }},
		{"vendor.add", "telco",
			func() error { return last(r.AddVendor(ctx, a, model.NewVendor{Short: "telco", Name: "Telco"})) }},
		{"vendor.set", "telco",
			func() error { return last(r.SetVendor(ctx, a, "telco", model.EditVendor{Name: new("Telco Ltd")})) }},
		{"vendor.add", "postco",
			func() error { return last(r.AddVendor(ctx, a, model.NewVendor{Short: "postco", Name: "Postco"})) }},
		{"vendor.remove", "postco", func() error { return r.RemoveVendor(ctx, a, "postco") }},
		{"account.add", "typo",
			func() error { return last(r.AddAccount(ctx, a, model.NewAccount{ID: "typo", Name: "Typo"})) }},
		{"account.remove", "typo", func() error { return r.RemoveAccount(ctx, a, "typo") }},
		{"user.add", "acme-old", func() error {
			return last(r.AddUser(ctx, a, model.NewUser{Account: "acme", Name: "acme-old"}))
		}},
		{"user.remove", "acme-old", func() error { return r.RemoveUser(ctx, a, "acme-old") }},
		{"user.add", "acmee", func() error { return last(r.AddUser(ctx, a, model.NewUser{Account: "acme", Name: "acmee"})) }},
		{"user.rename", "acmee", func() error { return last(r.RenameUser(ctx, a, "acmee", model.RenameUser{Name: "acme"})) }},
		{"dir.add", "/in", func() error {
			return last(r.AddDir(ctx, a, "acme", model.NewDirectory{Path: "/in", Rights: []string{"all"}}))
		}},
		{"dir.set", "/in", func() error {
			return last(r.EditDir(ctx, a, "acme", model.EditDirectory{Path: "/in", Rights: &[]string{"read", "list"}}))
		}},
		{"dir.set", "/", func() error {
			return last(r.EditDir(ctx, a, "acme", model.EditDirectory{Path: "/", Rights: &[]string{"all"}}))
		}},
		{"user.template", "acme", func() error { return last(r.ApplyTemplate(ctx, a, "acme", model.ApplyTemplate{})) }},
		{"user.disable", "acme",
			func() error { return last(r.SetUser(ctx, a, "acme", model.EditUser{Enabled: new(false)})) }},
		{"user.enable", "acme", func() error { return last(r.SetUser(ctx, a, "acme", model.EditUser{Enabled: new(true)})) }},
		{"user.set", "acme",
			func() error { return last(r.SetUser(ctx, a, "acme", model.EditUser{QuotaFiles: new(int64(7))})) }},
		{"contact.add", "acme", func() error {
			return last(r.AddContact(ctx, a, model.NewContact{Account: "acme", Name: "Jo", Email: "jo@acme.example"}))
		}},
		{"contact.add", "telco", func() error {
			return last(r.AddContact(ctx, a, model.NewContact{Vendor: "telco", Name: "Ann", Email: "ann@telco.example"}))
		}},
		{"contact.set", "telco", func() error {
			return last(r.SetContact(ctx, a, "ann@telco.example", model.EditContact{Verified: new("phone")}))
		}},
		{"contact.leave", "telco", func() error { return last(r.ContactLeaves(ctx, a, "ann@telco.example")) }},
		{"contact.add", "acme", func() error {
			return last(r.AddContact(ctx, a, model.NewContact{Account: "acme", Name: "Sam", Email: "sam@acme.example"}))
		}},
		{"contact.add", "acme", func() error {
			return last(r.AddContact(ctx, a, model.NewContact{Account: "acme", Name: "Typo", Email: "typo@acme.example"}))
		}},
		{"contact.remove", "acme", func() error { return r.RemoveContact(ctx, a, "typo@acme.example") }},
		{"account.closed", "acme", func() error { return last(r.Close(ctx, a, "acme", "")) }},
		{"account.reopened", "acme", func() error { return last(r.Reopen(ctx, a, "acme")) }},
		{"account.read_only", "acme", func() error { return last(r.SetState(ctx, a, "acme", model.AccountReadOnly)) }},
	}
}

// keyChanges are the changes of keys and notices.
func (w *world) keyChanges() []change {
	r, a := w.Accounts, byRoot
	k, old, fresh, frozen, gone, refused, approved := testkit.NewPair(w), testkit.NewPair(w), testkit.NewPair(w),
		testkit.NewPair(w), testkit.NewPair(w),
		testkit.NewPair(w), testkit.NewPair(w)
	enrol := func(p testkit.Pair, more ...func(*model.NewKey)) error {
		n := model.NewKey{Text: p.Line}
		for _, m := range more {
			m(&n)
		}
		return last(r.AddKeys(ctx, a, "acme", n))
	}
	return []change{
		{"key.add", "acme", func() error { return enrol(k) }},
		{"key.set", "acme", func() error {
			return last(r.SetKey(ctx, a, "acme", model.EditKey{Fingerprint: k.Print, Holder: new("jo@acme.example")}))
		}},
		{"key.add", "acme", func() error { return enrol(old) }},
		{"key.rotate", "acme", func() error { return enrol(fresh, replaces(old)) }},
		{"key.revoke", k.Print, func() error { return last(r.RevokeKey(ctx, a, k.Print, "lost", false)) }},
		{"key.burn", gone.Print, func() error { return last(r.RevokeKey(ctx, a, gone.Print, "copied", true)) }},
		{"key.add", "acme", func() error { return enrol(frozen) }},
		{"key.freeze", frozen.Print, func() error { return last(r.FreezeKey(ctx, a, frozen.Print, "jo@acme.example")) }},
		{"key.thaw", frozen.Print, func() error { return last(r.ThawKey(ctx, a, frozen.Print, "sam@acme.example")) }},
		{"key.flag", frozen.Print,
			func() error { return last(r.KeyExposed(ctx, a, "acme", keys.Examine(frozen.File(w, "x")))) }},
		{"key.bar", refused.Print,
			func() error { return last(r.KeyExposed(ctx, a, "acme", keys.Examine(refused.File(w, "x")))) }},
		{"key.burn", frozen.Print,
			func() error { return last(r.KeyExposed(ctx, a, "acme", keys.Examine(frozen.File(w, "")))) }},
		{"notice.done", "", func() error {
			list, err := r.Notices(ctx, model.NoticeFilter{})
			w.Must(err)
			return r.NoticeDone(ctx, a, list[0].ID)
		}},
		{"key.refuse", "acme",
			func() error { w.offer("acme", approved); return r.RefuseKey(ctx, a, "acme", approved.Print) }},
		{"key.add", "acme", func() error {
			w.offer("acme", approved)
			return last(r.ApproveKey(ctx, a, "acme", model.ApproveKey{Fingerprint: approved.Print}))
		}},
	}
}

// cells returns every cell of every table.
func (w *world) cells(see func(where string, cell []byte)) {
	w.Helper()
	tables := `SELECT name FROM sqlite_master WHERE type = 'table'`
	if _, err := w.DB.Exec(`SELECT 1 FROM sqlite_master`); err != nil {
		tables = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`
	}
	names := w.Texts(tables)
	if !slices.Contains(names, "keys") || !slices.Contains(names, "audit") {
		w.Fatalf("the tables are %v", names)
	}
	for _, name := range names {
		rows, err := w.DB.Query(`SELECT * FROM ` + name)
		w.Must(err)
		columns, err := rows.Columns()
		w.Must(err)
		row, dest := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
		for i := range row {
			dest[i] = &row[i]
		}
		for rows.Next() {
			w.Must(rows.Scan(dest...))
			for i, cell := range row {
				see(name+"."+columns[i], cell)
			}
		}
		w.Must(rows.Err())
		w.Must(rows.Close())
	}
}
