package audit_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// export exports a selection.
func (w *world) export(s audit.Selection) string {
	w.Helper()
	var b bytes.Buffer
	w.Must(w.service.Export(ctx, &b, s))
	return b.String()
}

// offline verifies an export with the public key alone.
func (w *world) offline(export, against string) (audit.Report, error) {
	return audit.VerifyExport(strings.NewReader(export), w.Key.Public(), against, nil)
}

// fine fails unless an export verifies, with this number of rows.
func (w *world) fine(export string, rows int64) audit.Report {
	w.Helper()
	r, err := w.offline(export, "")
	if err != nil || !r.OK || r.Rows+r.Expired != rows {
		w.Fatalf("an export of %d rows: %v %+v", rows, err, r)
	}
	return r
}

// refused fails unless an export is found to be wrong.
func (w *world) refused(what, export string) {
	w.Helper()
	if r, err := w.offline(export, ""); err == nil && r.OK {
		w.Errorf("nobody saw it: %s: %+v", what, r)
	}
}

// timed makes a log of 20 rows. The second ten are an hour later than the first. It returns a time
// between.
func (w *world) timed() time.Time {
	w.Helper()
	w.sealed(3, 7)
	w.Pass(time.Hour)
	middle := w.Clock()
	w.Pass(time.Second)
	w.sealed(9, 1)
	return middle
}

var exportStories = stories{
	"a whole export verifies with the key alone": func(t *testing.T, w *world) {
		w.timed()
		r := w.fine(w.export(audit.Selection{}), 20)
		if r.Size != 20 || r.Signer != "files.example.com" || r.Checkpoints != 1 {
			t.Errorf("%+v", r)
		}
		r, err := w.offline(w.export(audit.Selection{}), w.checkpoint())
		if err != nil || !r.OK || r.Against == "" {
			t.Errorf("against its own checkpoint: %v %+v", err, r)
		}
	},
	"parts of the log verify with the key alone": func(t *testing.T, w *world) {
		middle := w.timed()
		for name, c := range map[string]struct {
			s    audit.Selection
			rows int64
		}{
			"since":       {audit.Selection{Since: middle}, 10},
			"until":       {audit.Selection{Until: middle}, 10},
			"nothing yet": {audit.Selection{Since: middle.Add(day)}, 0},
			"before all":  {audit.Selection{Until: middle.Add(-day)}, 0},
			"all":         {audit.Selection{Since: middle.Add(-day), Until: middle.Add(day)}, 20},
			"between":     {audit.Selection{Since: middle.Add(-time.Minute), Until: middle}, 0},
		} {
			t.Run(name, func(t *testing.T) { w.TB = t; w.fine(w.export(c.s), c.rows) })
		}
		w.TB = t
	},
	"chosen rows each bring their proof": func(t *testing.T, w *world) {
		w.timed()
		for rows, s := range map[int64]audit.Selection{4: {Action: "key.add", User: "U1"}, 7: {Action: "key.*"},
			20: {Actor: "op:jo"}, 2: {Subject: "/upload/2.csv"}, 0: {Actor: "x"}} {
			export := w.export(s)
			if got := int64(strings.Count(export, "\n")) - 1; got < 1 != (rows == 0) {
				t.Errorf("%+v chooses %d rows", s, got)
			}
			if r, err := w.offline(export, ""); err != nil || !r.OK {
				t.Errorf("%+v: %v %+v", s, err, r)
			}
			w.refused("a chosen row by another", strings.ReplaceAll(export+"\n{}", `"op:jo"`, `"op:al"`))
		}
	},
	"no single byte of an export can become another": func(t *testing.T, w *world) {
		w.sealed(2, 3)
		middle := w.Clock()
		w.sealed(2)
		for _, s := range []audit.Selection{{Since: middle.Add(-time.Millisecond)}, {}} {
			export := w.export(s)
			w.refused("its end is missing", export[:strings.LastIndex(strings.TrimSpace(export), "\n")+1])
			for i := range export {
				for _, with := range []byte{export[i] ^ 1, export[i] ^ 0x20, '0', '"'} {
					changed := export[:i] + string(with) + export[i+1:]
					r, err := w.offline(changed, "")
					if changed != export && err == nil && r.OK && !sameExport(export, changed) {
						t.Fatalf("byte %d, %q became %q, and nobody saw it: …%q…", i, export[i], with,
							changed[max(0, i-40):min(len(changed), i+40)])
					}
				}
			}
		}
	},
	"rows that are taken out, doubled, added or moved are found": func(t *testing.T, w *world) {
		w.sealed(6)
		lines := strings.SplitAfter(strings.TrimSpace(w.export(audit.Selection{}))+"\n", "\n")[:7]
		for what, order := range map[string][]int{"a row is out": {0, 1, 2, 4, 5, 6}, "twice": {0, 1, 2, 2, 3, 4, 5, 6},
			"moved": {0, 1, 3, 2, 4, 5, 6}, "more": {0, 1, 2, 3, 4, 5, 6, 6}, "no head": {1, 2, 3, 4, 5, 6},
			"the head alone": {0}, "two heads": {0, 0, 1, 2, 3, 4, 5, 6}} {
			var b strings.Builder
			for _, i := range order {
				b.WriteString(lines[i])
			}
			w.refused(what, b.String())
		}
		w.refused("nothing", "")
	},
	"an export is told from that of another history": func(t *testing.T, w *world) {
		w.sealed(6)
		export, early := w.export(audit.Selection{}), w.checkpoint()
		w.sealed(1)
		r, err := w.offline(export, w.checkpoint())
		if err != nil || r.OK {
			t.Errorf("a checkpoint of another length shows nothing, and it says %+v (%v)", r, err)
		}
		w.forget(0)
		w.open()
		w.sealed(6)
		if r, err := w.offline(w.export(audit.Selection{}), early); err != nil || r.OK ||
			!strings.Contains(r.Faults[0], "different logs") {
			t.Errorf("%+v %v", r, err)
		}
	},
	"a changed row is exported as it is, and found": func(t *testing.T, w *world) {
		w.sealed(6)
		w.tamper(`UPDATE audit SET actor = 'op:mallory' WHERE seq = 3`)
		w.refused("whole", w.export(audit.Selection{}))
		w.refused("chosen", w.export(audit.Selection{Actor: "op:mallory"}))
	},
	"a deleted row is not exported as one that expired": func(t *testing.T, w *world) {
		w.sealed(6)
		w.tamper(`DELETE FROM audit WHERE seq = 3`)
		var b bytes.Buffer
		if err := w.service.Export(ctx, &b, audit.Selection{}); err == nil {
			w.refused("a deleted row", b.String())
		}
	},
	"a row cannot say one thing and be proven by the hash of another": func(t *testing.T, w *world) {
		w.sealed(6)
		lines := strings.Split(w.export(audit.Selection{}), "\n")
		b, err := w.Store.Read(ctx).Hash(tlog.StoredHashIndex(0, 3))
		testkit.Must(t, err)
		var l audit.Line
		testkit.Must(t, json.Unmarshal([]byte(lines[4]), &l))
		leaf := tlog.Hash(b)
		l.Actor, l.Expired = "op:mallory", &leaf
		forged, err := json.Marshal(l)
		testkit.Must(t, err)
		lines[4] = string(forged)
		w.refused("a forged row with the true hash", strings.Join(lines, "\n"))
	},
	"a sample proves what it draws, and finds what was changed": func(t *testing.T, w *world) {
		if s, err := w.service.Sample(ctx, 5); err != nil || len(s) != 0 {
			t.Fatalf("of an empty log: %v %v", s, err)
		}
		w.sealed(4, 5)
		s, err := w.service.Sample(ctx, 100)
		testkit.Must(t, err)
		seen := map[int64]bool{}
		for _, v := range s {
			seen[v.Seq] = true
			if !v.Proven || v.Why != "" {
				t.Errorf("row %d: %+v", v.Seq, v)
			}
		}
		if len(s) != 9 || len(seen) != 9 {
			t.Errorf("%d rows were drawn, %d different ones", len(s), len(seen))
		}
		if s, err := w.service.Sample(ctx, 3); err != nil || len(s) != 3 {
			t.Errorf("three of nine: %v %v", s, err)
		}
		w.tamper(`UPDATE audit SET detail = '{}' WHERE seq = 4`)
		w.tamper(`DELETE FROM audit WHERE seq = 7`)
		s, err = w.service.Sample(ctx, 100)
		testkit.Must(t, err)
		for _, v := range s {
			if want := v.Seq != 4 && v.Seq != 7; v.Proven != want || want != (v.Why == "") {
				t.Errorf("row %d is proven: %v (%s)", v.Seq, v.Proven, v.Why)
			}
		}
	},
	"no cell of a spreadsheet is a formula": func(t *testing.T, w *world) {
		for _, hostile := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|'/c calc'!A0", "a,\"b\"\nc"} {
			testkit.Must(t,
				w.service.Note(ctx, model.AuditRow{Actor: hostile, Action: "file.store", Subject: hostile, User: hostile}))
		}
		w.seal()
		var b bytes.Buffer
		testkit.Must(t, w.service.ExportCSV(ctx, &b, audit.Selection{}))
		rows, err := csv.NewReader(&b).ReadAll()
		testkit.Must(t, err)
		if len(rows) != 9 || len(rows[0]) != 8 {
			t.Fatalf("%d rows", len(rows))
		}
		for _, row := range rows[1:] {
			for i, cell := range row {
				if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") {
					t.Errorf("column %s has %q", rows[0][i], cell)
				}
			}
		}
	},
}

// sameExport reports whether two exports have the same content. They may differ in a key's case, in
// escapes, and in unused bits of base 64.
func sameExport(a, b string) bool {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := 0; i < max(len(x), len(y)); i++ {
		if i >= len(x) || i >= len(y) {
			return false
		}
		var l, m audit.Line
		var h, g struct {
			Form     string
			From, To int64
			Chosen   bool
		}
		if x[i] == y[i] {
			continue
		}
		for _, v := range []any{&l, &h} {
			_ = json.Unmarshal([]byte(x[i]), v) // it was written as valid JSON
		}
		for _, v := range []any{&m, &g} {
			if json.Unmarshal([]byte(y[i]), v) != nil {
				return false
			}
		}
		at, errA := time.Parse(time.RFC3339Nano, l.At)
		was, errB := time.Parse(time.RFC3339Nano, m.At)
		if l.At != m.At && (errA != nil || errB != nil || !at.Equal(was)) {
			return false
		}
		l.At = m.At
		if !reflect.DeepEqual(l, m) || h != g {
			return false
		}
	}
	return true
}
