package audit_test

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// row returns a sealed row's id.
func (w *world) row(seq int64) (id string) {
	w.Helper()
	w.Must(w.DB.QueryRow(`SELECT id FROM audit WHERE seq = $1`, seq).Scan(&id))
	return id
}

// columnStories change one column of one row within a checkpoint.
func columnStories() stories {
	out := stories{}
	for column, value := range map[string]any{"id": "01AAAAAAAAAAAAAAAAAAAAAAAA", "at": int64(1), "actor": "op:mallory",
		"action": "key.revoke", "subject": "/etc", "user_id": "U9", "detail": `{"sha256": "abc"}`} {
		out["a changed "+column+" is found, and its row named"] = func(t *testing.T, w *world) {
			w.sealed(5, 8, 4)
			w.good(17)
			w.tamper(`UPDATE audit SET `+column+` = $1 WHERE seq = 9`, value)
			r := w.bad("", "Row 9 ("+w.row(9)+") is not what was sealed")
			if len(r.Faults) != 1 || r.Checkpoints != 2 {
				t.Errorf("more than that: %+v", r)
			}
		}
	}
	return out
}

var tamperStories = func() stories {
	out := columnStories()
	for name, story := range rowStories {
		out[name] = story
	}
	return out
}()

// forget deletes the end of the log, with everything in the database that shows that it existed.
func (w *world) forget(from int64) {
	w.tamper(`DELETE FROM audit WHERE seq >= $1`, from)
	w.tamper(`DELETE FROM audit_hashes WHERE idx >= $1`, tlog.StoredHashIndex(0, from))
	w.tamper(`DELETE FROM checkpoints WHERE size > $1`, from)
	w.tamper(`UPDATE counters SET value = $1 WHERE name = 'audit.sealed'`, from)
}

var rowStories = stories{
	"each of several changed rows is named": func(t *testing.T, w *world) {
		w.sealed(5, 8, 4)
		w.tamper(`UPDATE audit SET actor = 'x' WHERE seq IN (0, 4, 5, 16)`)
		if r := w.bad("", "Row 0 (", "Row 4 (", "Row 5 (", "Row 16 ("); len(r.Faults) != 4 {
			t.Errorf("the faults are %q", r.Faults)
		}
	},
	"a deleted row is named": func(t *testing.T, w *world) {
		w.sealed(5, 8)
		w.tamper(`DELETE FROM audit WHERE seq IN (0, 7, 12)`)
		if r := w.bad("", "Row 0 is missing.", "Row 7 is missing.", "Row 12 is missing."); len(r.Faults) != 3 {
			t.Errorf("the faults are %q", r.Faults)
		}
	},
	"a deleted row beside a changed one is found as well": func(t *testing.T, w *world) {
		w.sealed(5, 8)
		w.tamper(`DELETE FROM audit WHERE seq = 7`)
		w.tamper(`UPDATE audit SET actor = 'x' WHERE seq = 8`)
		w.bad("", "Row 7 is missing.", "Row 8 (")
	},
	"two rows that changed places are named": func(t *testing.T, w *world) {
		w.sealed(5, 8)
		w.tamper(`UPDATE audit SET seq = -7 WHERE seq = 6`)
		w.tamper(`UPDATE audit SET seq = 6 WHERE seq = 10`)
		w.tamper(`UPDATE audit SET seq = 10 WHERE seq = -7`)
		w.bad("", "Row 6 ("+w.row(6)+")", "Row 10 ("+w.row(10)+")")
	},
	"a row that lost its number is missed, even when it is sealed anew": func(t *testing.T, w *world) {
		w.sealed(5, 8)
		w.tamper(`UPDATE audit SET seq = NULL WHERE seq = 6`)
		w.bad("", "Row 6 is missing.")
		w.seal()
		w.bad("", "Row 6 is missing.")
	},
	"an end that was cut off with all traces is found by a checkpoint from elsewhere": func(t *testing.T, w *world) {
		w.sealed(5, 8, 4)
		elsewhere := w.checkpoint()
		w.forget(13)
		w.good(13) // the database alone cannot show it
		w.bad(elsewhere, "rows were removed from its end")
		w.open()
		w.sealed(4) // the log continues differently
		w.good(17)
		w.bad(elsewhere, "The first 17 rows are not what they were")
	},
	"an end that was cut off is found here while a checkpoint is left": func(t *testing.T, w *world) {
		w.sealed(5, 8)
		w.tamper(`DELETE FROM audit WHERE seq >= 10`)
		w.bad("", "Row 10 is missing.", "Row 12 is missing.")
		w.tamper(`UPDATE counters SET value = 10 WHERE name = 'audit.sealed'`)
		w.bad("", "There is a checkpoint of 13 rows, and the log has 10")
		w.tamper(`DELETE FROM checkpoints WHERE size = 13`)
		w.bad("", "Rows 5 to 9 are under no checkpoint.")
	},
	"a row changed with its hash is found": func(t *testing.T, w *world) {
		w.sealed(5, 8)
		w.tamper(`UPDATE audit SET actor = 'op:mallory' WHERE seq = 6`)
		rows, err := w.Store.Read(ctx).LogRows(6, 1)
		testkit.Must(t, err)
		v := rows[0]
		e := proof.Entry{ID: v.ID, At: v.At.UnixMicro(), Actor: v.Actor, Action: v.Action, Subject: v.Subject, User: v.User,
			Detail: v.Detail}
		leaf := e.Leaf()
		w.tamper(`UPDATE audit_hashes SET hash = $1 WHERE idx = $2`, leaf[:], tlog.StoredHashIndex(0, 6))
		w.bad("", "Rows 5 to 12 do not agree")
	},
	"a changed leaf hash alone changes nothing that is claimed": func(t *testing.T, w *world) {
		w.sealed(5)
		zero := make([]byte, 32)
		w.tamper(`UPDATE audit_hashes SET hash = $1 WHERE idx = 0`, zero)
		w.good(5) // the rows agree with what the checkpoint signs
	},
	"a checkpoint of another key is not trusted": func(t *testing.T, w *world) {
		w.sealed(5, 8)
		w.tamper(`UPDATE checkpoints SET note = $1 WHERE size = 13`, forgery(t, 13))
		w.bad("", "The checkpoint of 13 rows cannot be trusted")
		w.tamper(`UPDATE checkpoints SET note = 'hello' WHERE size = 13`)
		w.bad("", "The checkpoint of 13 rows cannot be trusted")
	},
	"a checkpoint in another's place is found": func(t *testing.T, w *world) {
		w.sealed(5)
		first := w.checkpoint()
		w.sealed(8)
		w.tamper(`UPDATE checkpoints SET note = $1 WHERE size = 13`, first)
		w.bad("", "The checkpoint stored for 13 rows is one of 5.")
	},
	"a missing checkpoint in the middle costs nothing": func(t *testing.T, w *world) {
		w.sealed(5, 8, 4)
		w.tamper(`DELETE FROM checkpoints WHERE size = 13`)
		w.good(17)
		w.tamper(`DELETE FROM checkpoints`)
		w.bad("", "are under no checkpoint")
	},
	"a row with a number past the end is named": func(t *testing.T, w *world) {
		w.sealed(5)
		for i, seq := range []int64{5, 900} {
			id := fmt.Sprintf("01AAAAAAAAAAAAAAAAAAAAAAA%d", i)
			w.tamper(`INSERT INTO audit (id, at, actor, action, subject, user_id, detail, seq)
				VALUES ($1, 1, 'x', 'key.add', 's', '', '{}', $2)`, id, seq)
			w.bad("", fmt.Sprintf("Row %d (%s) has a number past the end of the log (5 rows).", seq, id))
			w.tamper(`DELETE FROM audit WHERE id = $1`, id)
		}
		w.good(5)
	},
	"a row with a number below the beginning is found": func(t *testing.T, w *world) {
		w.sealed(5)
		w.tamper(`INSERT INTO audit (id, at, actor, action, subject, user_id, detail, seq)
			VALUES ('01A', 1, 'x', 'key.add', 's', '', '{}', -3)`)
		if r := w.verify(""); r.OK {
			t.Errorf("a row that is neither sealed nor waits: %+v", r)
		}
	},
	"the faults listed are bounded": func(t *testing.T, w *world) {
		w.sealed(1500)
		w.tamper(`DELETE FROM audit WHERE seq > 2`)
		if r := w.bad(""); len(r.Faults) > 101 {
			t.Errorf("%d faults are listed", len(r.Faults))
		}
	},
	"sealing never goes on from another history unseen": func(t *testing.T, w *world) {
		w.sealed(5)
		w.tamper(`DELETE FROM audit_hashes WHERE idx > 3`)
		w.open()
		w.note(1)
		if err := w.service.Seal(ctx); err == nil {
			w.bad("")
		}
	},
}

// forgery returns a checkpoint of the same log, signed with another key of the same name.
func forgery(t *testing.T, size int64) string {
	t.Helper()
	private, public, err := proof.NewKey(zeroes{}, "files.example.com")
	testkit.Must(t, err)
	k, err := proof.ReadKey(private, public)
	testkit.Must(t, err)
	note, err := k.SignCheckpoint(proof.Checkpoint{Size: size, At: time.UnixMicro(0).UTC().Format(time.RFC3339)})
	testkit.Must(t, err)
	return note
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }
