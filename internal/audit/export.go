package audit

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Selection chooses rows to export or list: those of a time range, whose fields equal the fields
// that are set here.
type Selection struct {
	Since, Until        time.Time // zero: from the beginning, to the end
	Actor, Action, User string    // Action may end in "*"; User is an id
	Subject             string

	filtered bool
	from, to int64 // row numbers, set by toNumbers
}

func (s *Selection) wants(v store.LogRow) bool {
	action := s.Action == "" || v.Action == s.Action
	if prefix, ok := strings.CutSuffix(s.Action, "*"); ok {
		action = strings.HasPrefix(v.Action, prefix)
	}
	return action && (s.Actor == "" || v.Actor == s.Actor) && (s.User == "" || v.User == s.User) &&
		(s.Subject == "" || v.Subject == s.Subject)
}

// header is the first line of an export. It describes the content, and has the hashes that are
// needed to compute the checkpoint's root from the rows.
type header struct {
	Form       string    `json:"form"`
	Checkpoint string    `json:"checkpoint"`
	From       int64     `json:"from"`
	To         int64     `json:"to"`
	Left       []subtree `json:"left"`  // covers the rows before From
	Right      []subtree `json:"right"` // covers the rows from To up to the checkpoint
	Chosen     bool      `json:"chosen,omitempty"`
}

type subtree struct {
	Level int       `json:"level"`
	Hash  tlog.Hash `json:"hash"`
}

const exportForm = "sallyport audit export v1"

// Line is one row of an export. An expired row has only its hash. In an export of selected rows
// each line has its own proof.
type Line struct {
	Seq     int64            `json:"seq"`
	ID      string           `json:"id,omitempty"`
	At      string           `json:"at,omitempty"` // RFC 3339 with microseconds
	Actor   string           `json:"actor,omitempty"`
	Action  string           `json:"action,omitempty"`
	Subject string           `json:"subject,omitempty"`
	User    string           `json:"user_id,omitempty"`
	Detail  json.RawMessage  `json:"detail,omitempty"`
	Expired *tlog.Hash       `json:"expired,omitempty"`
	Proof   tlog.RecordProof `json:"proof,omitempty"`
}

const microTime = "2006-01-02T15:04:05.000000Z07:00"

func line(v store.LogRow) Line {
	return Line{Seq: v.Seq, ID: v.ID, At: v.At.Format(microTime), Actor: v.Actor, Action: v.Action,
		Subject: v.Subject, User: v.User, Detail: json.RawMessage(v.Detail)}
}

// shown converts a row to the form that lists show.
func shown(v store.LogRow) model.AuditLine {
	l := model.AuditLine{Seq: v.Seq, ID: v.ID, At: v.At.Format(microTime), Actor: v.Actor,
		Action: v.Action, Subject: v.Subject, UserID: v.User}
	_ = json.Unmarshal([]byte(v.Detail), &l.Detail) // a tampered row may have unreadable details; then there are none
	return l
}

func (l *Line) entry() (proof.Entry, error) {
	at, err := time.Parse(time.RFC3339Nano, l.At)
	return proof.Entry{ID: l.ID, At: at.UnixMicro(), Actor: l.Actor, Action: l.Action, Subject: l.Subject,
		User: l.User, Detail: string(l.Detail)}, err
}

// toNumbers sets a selection's range of row numbers, within the newest checkpoint.
func (r *Service) toNumbers(q *store.Q, s *Selection) (store.Checkpoint, error) {
	c, err := q.LastCheckpoint()
	if fault.Is(err, fault.NotFound) {
		return c, fault.E("audit.Export", fault.NotFound, "The log is empty: nothing was sealed yet.")
	} else if err != nil {
		return c, err
	}
	s.from, s.to = 0, c.Size
	if !s.Since.IsZero() {
		if s.from, err = q.LogAt(s.Since, c.Size); err != nil {
			return c, err
		}
	}
	if !s.Until.IsZero() {
		if s.to, err = q.LogAt(s.Until, c.Size); err != nil {
			return c, err
		}
	}
	s.to = min(s.to, c.Size) // Until may find rows that were sealed since
	s.from = min(s.from, s.to)
	s.filtered = s.Actor != "" || s.Action != "" || s.User != "" || s.Subject != ""
	return c, nil
}

// Export writes rows as JSON Lines, which VerifyExport can check elsewhere.
func (r *Service) Export(ctx context.Context, w io.Writer, s Selection) error {
	q := r.o.Store.Read(ctx).Patient()
	c, err := r.toNumbers(q, &s)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(out)
	h := header{Form: exportForm, Checkpoint: c.Note, From: s.from, To: s.to, Chosen: s.filtered, Left: []subtree{},
		Right: []subtree{}}
	if !s.filtered {
		if h.Left, err = subtrees(q, 0, s.from); err != nil {
			return err
		}
		if h.Right, err = subtrees(q, s.to, c.Size); err != nil {
			return err
		}
	}
	if err := enc.Encode(h); err != nil {
		return err
	}
	hashes := storedHashes(q)
	err = each(ctx, q, s, func(seq int64, v *store.LogRow) error {
		switch {
		case v == nil && s.filtered:
			return nil
		case v == nil:
			leaf, err := readHash(q, 0, seq)
			if err != nil {
				return err
			}
			return enc.Encode(Line{Seq: seq, Expired: &leaf})
		case s.filtered && !s.wants(*v):
			return nil
		}
		l := line(*v)
		if s.filtered {
			if l.Proof, err = tlog.ProveRecord(c.Size, seq, hashes); err != nil {
				return err
			}
		}
		return enc.Encode(l)
	})
	return errors.Join(err, out.Flush())
}

// storedHashes gives tlog the log's stored hashes.
func storedHashes(q *store.Q) tlog.HashReader {
	return tlog.HashReaderFunc(func(idx []int64) ([]tlog.Hash, error) {
		list := make([]tlog.Hash, len(idx))
		for i := range idx {
			b, err := q.Hash(idx[i])
			if err != nil {
				return nil, err
			}
			copy(list[i][:], b)
		}
		return list, nil
	})
}

func subtrees(q *store.Q, from, to int64) ([]subtree, error) {
	out := []subtree{}
	levels, positions := proof.Cover(from, to)
	for i, level := range levels {
		h, err := readHash(q, level, positions[i])
		if err != nil {
			return nil, err
		}
		out = append(out, subtree{level, h})
	}
	return out, nil
}

// each calls visit for every row number of a selection, in order. For an expired row, v is nil. If
// rows expire meanwhile, it fails with a conflict once it has visited a row with content: the
// export would have a gap. Before that, they count as expired.
func each(ctx context.Context, q *store.Q, s Selection, visit func(seq int64, v *store.LogRow) error) error {
	next, full := s.from, false
	gap := func(to int64) error {
		if next < to {
			expired, err := q.Counter(expiredCounter)
			switch {
			case err != nil:
				return err
			case to > expired:
				return fault.E("audit.Export", fault.Conflict, "Row %d is missing from the log.", max(next, expired)).
					WithHint("verifying the log itself says what else is wrong")
			case full:
				return fault.E("audit.Export", fault.Conflict, "Old rows expired while they were exported. Export them again.")
			}
		}
		for ; next < to; next++ {
			if err := visit(next, nil); err != nil {
				return err
			}
		}
		return nil
	}
	for next < s.to && ctx.Err() == nil {
		page, err := q.LogRows(next, int(min(verifyPage, s.to-next)))
		if err != nil {
			return err
		}
		for i := range page {
			if page[i].Seq >= s.to {
				break
			}
			if err := gap(page[i].Seq); err != nil {
				return err
			}
			if err := visit(next, &page[i]); err != nil {
				return err
			}
			full = true
			next++
		}
		if len(page) == 0 || page[len(page)-1].Seq >= s.to {
			return gap(s.to)
		}
	}
	return ctx.Err()
}

// ExportCSV writes rows as CSV. The result cannot be verified by itself.
func (r *Service) ExportCSV(ctx context.Context, w io.Writer, s Selection) error {
	q := r.o.Store.Read(ctx).Patient()
	if _, err := r.toNumbers(q, &s); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	_ = out.Write([]string{"seq", "at", "actor", "action", "subject", "user_id", "detail", "id"}) // see out.Error
	err := each(ctx, q, s, func(_ int64, v *store.LogRow) error {
		if v == nil || !s.wants(*v) {
			return nil
		}
		row := []string{strconv.FormatInt(v.Seq, 10), v.At.Format(microTime), v.Actor, v.Action,
			v.Subject, v.User, v.Detail, v.ID}
		for i := range row {
			row[i] = valid.Cell(row[i])
		}
		return out.Write(row)
	})
	out.Flush()
	return errors.Join(err, out.Error())
}

// List returns one page of a selection's rows, the newest first. Expired rows are not listed.
func (r *Service) List(ctx context.Context, s Selection, p model.Paging) ([]model.AuditLine, error) {
	rows, err := r.o.Store.Read(ctx).
		LogPage(store.LogFilter{Since: s.Since, Until: s.Until, Actor: s.Actor, Action: s.Action, User: s.User,
			Subject: s.Subject}, p)
	out := make([]model.AuditLine, len(rows))
	for i, v := range rows {
		out[i] = shown(v)
	}
	return out, err
}
