package proof_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

var journalAt = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

func entryOf(t testing.TB, k *proof.Key, from, to int64, subjects ...string) string {
	t.Helper()
	j := proof.Journal{From: from, To: to, At: journalAt}
	for _, s := range subjects {
		j.Rows = append(j.Rows, proof.JournalRow{ID: "01J" + s, At: journalAt, Action: "key.revoke", Subject: s,
			Detail: map[string]string{"reason": "a\n\n— h AAAA\n" + s}})
	}
	signed, err := k.SignJournal(j)
	testkit.Must(t, err)
	return signed + "\n"
}

func readJournal(t testing.TB, text, public string) (out []proof.Journal, faults []string) {
	t.Helper()
	faults, err := proof.ReadJournal(strings.NewReader(text), public, func(j proof.Journal) error {
		out = append(out, j)
		return nil
	})
	testkit.Must(t, err)
	return out, faults
}

// TestAJournalIsReadAsItWasWritten: in order, whatever a row's text has, with the line ends of mail programs, too.
func TestAJournalIsReadAsItWasWritten(t *testing.T) {
	k := newKey(t, "h")
	text := entryOf(t, k, 0, 5, "a", "b") + entryOf(t, k, 5, 5) + entryOf(t, k, 5, 9, "c")
	for _, form := range []string{text, strings.ReplaceAll(text, "\n", "\r\n")} {
		got, faults := readJournal(t, form, k.Public())
		if len(faults) > 0 || len(got) != 3 || len(got[0].Rows) != 2 || got[0].Rows[1].Subject != "b" || got[2].To != 9 ||
			!got[2].At.Equal(journalAt) || got[0].Rows[0].Detail["reason"] != "a\n\n— h AAAA\na" {
			t.Fatalf("%+v, faults %q", got, faults)
		}
	}
}

// TestADamagedEntryIsNamed: one that was cut short by a crash, changed, or signed by another; the others count.
func TestADamagedEntryIsNamed(t *testing.T) {
	k := newKey(t, "h")
	one, two := entryOf(t, k, 0, 5, "a"), entryOf(t, k, 5, 9, "b")
	for name, text := range map[string]string{
		"cut, then another": one[:len(one)/2] + "\n" + two,
		"cut in a line":     one[:len(one)/2] + two,
		"cut at its end":    two + one[:len(one)-20],
		"changed":           strings.Replace(one, "01Ja", "01Jx", 1) + two,
		"another's":         entryOf(t, newKey(t, "h"), 0, 5, "a") + two,
		"garbage":           "hello\n" + two,
	} {
		got, faults := readJournal(t, text, k.Public())
		want := 1
		if name == "cut in a line" { // the second begins in the middle of a line
			want = 0
		}
		if len(got) != want || len(faults) == 0 {
			t.Errorf("%s: %d entries, faults %q", name, len(got), faults)
		}
	}
}

// FuzzReadJournal: whatever a file has, no row is read that was not signed.
func FuzzReadJournal(f *testing.F) {
	k := newKey(f, "h")
	f.Add(entryOf(f, k, 0, 5, "a", "b"))
	f.Add(entryOf(f, k, 0, 5, "a")[:40])
	f.Add(strings.Repeat("sallyport journal of h\n", 50))
	f.Add("— h AAAA\n\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		faults, err := proof.ReadJournal(strings.NewReader(text), k.Public(), func(j proof.Journal) error {
			for _, r := range j.Rows {
				if r.Subject != "a" && r.Subject != "b" {
					t.Fatalf("a row that nobody signed: %+v", r)
				}
			}
			return nil
		})
		if err != nil || len(faults) > 100 {
			t.Fatalf("%v, %d faults", err, len(faults))
		}
	})
}
