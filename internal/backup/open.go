package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/datadir"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// OpenOptions say how a restored data folder is opened.
type OpenOptions struct {
	Services
	Data     string
	Public   string   // public halves of the deployment's signing keys
	Journals []string // files from outside the machine
	Reason   string   // why a journal that is damaged or has a gap is enough; "": it is not
	Dry      bool     // only say what would be done
}

// Opened says what happened after the backup was made, and what was done about it.
type Opened struct {
	Snapshot    string       `json:"snapshot"`
	Taken       time.Time    `json:"taken"`
	LogRows     int64        `json:"log_rows" doc:"Of the restored audit log"`
	Had         int64        `json:"had_rows" doc:"What the log had, as the newest journal entry says"`
	Until       *time.Time   `json:"until,omitempty" doc:"When the newest journal entry was written"`
	Differences []Difference `json:"differences"`
	Warnings    []string     `json:"warnings"`
	Messages    int64        `json:"messages" doc:"Mails and webhooks that waited, and are given up"`
	Open        bool         `json:"open"`
}

// margin is how much older than the snapshot a row may be and still be replayed: clocks of several machines differ.
const margin = 24 * time.Hour

// Open replays what was taken back after the backup was made, writes the break of the audit log down, and opens the
// data folder. It may run again after it was cut short.
func Open(ctx context.Context, o OpenOptions) (*Opened, error) {
	const op = "backup.Open"
	mark, err := Closed(o.Data)
	if err != nil {
		return nil, err
	}
	if mark == nil {
		return nil, fault.E(op, fault.Conflict, "%s was not restored, or is open already.", o.Data).
			WithHint("name the folder of the restore: --to FOLDER")
	}
	out := &Opened{Snapshot: mark.Snapshot, Taken: mark.Taken, LogRows: mark.LogRows, Differences: []Difference{},
		Warnings: []string{}}
	rows, gaps, err := o.journals(ctx, mark, out)
	if err != nil {
		return out, err
	}
	out.Warnings = append(out.Warnings, gaps...)
	if len(gaps) > 0 && o.Reason == "" && !o.Dry {
		return out, fault.E(op, fault.Conflict, "The journal is not whole: %s.", few(gaps)).
			WithHint("find a whole copy of it; or go on with --reason TEXT, which the audit log will have")
	}
	if out.Differences, err = o.replay(ctx, rows, o.Dry); err != nil || o.Dry {
		return out, err
	}
	if out.Messages, err = o.settle(ctx, mark, out); err != nil {
		return out, err
	}
	err = errors.Join(os.Remove(filepath.Join(o.Data, MarkFile)), datadir.SyncDir(o.Data))
	out.Open = err == nil
	return out, inWords(op, "The folder cannot be opened", err)
}

// journals reads the rows that the restored database does not have, and says where a journal has gaps.
func (o OpenOptions) journals(ctx context.Context, mark *Mark, out *Opened) (rows []proof.JournalRow, gaps []string,
	err error) {
	if len(o.Journals) == 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("There is no journal from outside this machine. What was revoked, "+
			"blocked, disabled, removed or used after %s works again: keys, users, links, tokens, files",
			mark.Taken.Format("2006-01-02 15:04:05 MST")))
		return nil, nil, nil
	}
	seen := map[string]bool{}
	var told stretches
	for _, path := range o.Journals {
		f, err := os.Open(path)
		if err != nil {
			return nil, nil, fault.E("backup.journals", fault.NotFound, "The journal cannot be read: %v.", fault.InWords(err)).
				WithHint("name a copy: --journal FILE")
		}
		end := int64(-1)
		faults, err := proof.ReadJournal(f, o.Public, func(j proof.Journal) error {
			end = max(end, j.To)
			// What is older than the backup and tells of later rows is about a log that an earlier restore cut off.
			if old := j.To > mark.LogRows && j.At.Before(mark.Taken.Add(-time.Minute)); !old {
				told = append(told, stretch{j.From, j.To})
			}
			if at := j.At; out.Until == nil || at.After(*out.Until) {
				out.Until, out.Had = &at, j.To
			}
			for _, r := range j.Rows {
				there, err := o.Store.Read(ctx).Audited(r.ID)
				if err != nil {
					return err
				}
				if !there && !seen[r.ID] && r.At.After(mark.Taken.Add(-margin)) {
					seen[r.ID] = true
					rows = append(rows, r)
				}
			}
			return nil
		})
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, nil, err
		}
		for _, f := range faults {
			gaps = append(gaps, path+", "+f)
		}
		if end < 0 && len(faults) == 0 {
			gaps = append(gaps, path+" has no entry")
		}
		gaps = append(gaps, o.behind(path, end)...)
	}
	// The last row about something counts. An earlier restore used numbers again, so time comes first.
	slices.SortStableFunc(rows, func(a, b proof.JournalRow) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Seq, b.Seq))
	})
	return rows, append(gaps, told.lacks(mark.LogRows)...), nil
}

// stretch is a part of the log that an entry of a journal is about: rows [from, to).
type stretch struct{ from, to int64 }

// stretches are those of all journals together: what one lacks another may have.
type stretches []stretch

// lacks says which rows no entry is about, from a number on.
func (s stretches) lacks(next int64) (gaps []string) {
	slices.SortFunc(s, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	for _, e := range s {
		if e.from > next {
			gaps = append(gaps, fmt.Sprintf("no entry tells of rows %d to %d", next, e.from-1))
		}
		next = max(next, e.to)
	}
	return gaps
}

// behind says whether a journal ends before the newest checkpoint beside it.
func (o OpenOptions) behind(path string, end int64) []string {
	text, err := os.ReadFile(strings.TrimSuffix(path, ".journal"))
	if err != nil || !strings.HasSuffix(path, ".journal") {
		return nil // a copy of the journal alone
	}
	newest, first := int64(0), ""
	for line := range strings.Lines(string(text)) { // unverified: a false one can only warn
		if strings.HasPrefix(first, "sallyport audit log of ") {
			n, _ := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
			newest = max(newest, n)
		}
		first = line
	}
	if end >= 0 && newest > end {
		return []string{fmt.Sprintf("%s ends before row %d, and a checkpoint beside it has %d rows", path, end, newest)}
	}
	return nil
}

// settle ends what a restored deployment must not go on with: sessions of operators, and messages that may have been
// sent already. It records the restore.
func (o OpenOptions) settle(ctx context.Context, mark *Mark, out *Opened) (messages int64, err error) {
	messages, err = store.Change(ctx, o.Store, func(tx *store.Tx) (int64, error) {
		n, err := tx.SettleRestored(replayer, "restored from a backup: it may have been sent already", o.now())
		if err != nil {
			return 0, err
		}
		detail := map[string]string{"from": mark.From, "taken": mark.Taken.Format(time.RFC3339),
			"rows": strconv.FormatInt(mark.LogRows, 10), "had": strconv.FormatInt(out.Had, 10),
			"replayed": strconv.Itoa(len(out.Differences)), "reason": o.Reason}
		if len(o.Journals) == 0 {
			detail["journal"] = "none"
		}
		return n, tx.Audit(o.row("backup.restore", mark.Snapshot, detail))
	})
	return messages, err
}

// Write prints it for people.
func (o *Opened) Write(w io.Writer) error {
	var b strings.Builder
	const form = "2006-01-02 15:04:05 MST"
	fmt.Fprintf(&b, "The backup of %s has %d rows of the audit log.\n", o.Taken.Format(form), o.LogRows)
	if o.Until != nil {
		fmt.Fprintf(&b, "The journal tells of row %d, written at %s.\n", o.Had, o.Until.Format(form))
	}
	for _, t := range o.Warnings {
		fmt.Fprintf(&b, "WARNING: %s\n", valid.Printable(t))
	}
	if len(o.Differences) > 0 {
		fmt.Fprintf(&b, "\nTaken back after the backup was made:\n")
	}
	for _, d := range o.Differences {
		fmt.Fprintf(&b, "  %s  %s %s: %s\n", d.At.UTC().Format(form), d.Action, valid.Printable(d.What), d.Done)
	}
	if o.Messages > 0 {
		fmt.Fprintf(&b, "%s that waited may have been sent already, and are given up: "+
			"sallyport message list --state dead\n", countText(int(o.Messages), "mail or webhook", "mails and webhooks"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
