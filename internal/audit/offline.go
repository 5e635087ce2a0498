package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// maxLine bounds a line of an export.
const maxLine = 4 << 20

// VerifyExport checks an export with the public key alone. against is a signed checkpoint of the
// same log from elsewhere, or "". One of another size than the export's own checkpoint cannot be
// compared, and is reported as a fault.
func VerifyExport(in io.Reader, public, against string, progress func(done, total int64)) (Report, error) {
	report := Report{Faults: []string{}}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	if !lines.Scan() {
		return report, notExport(lines.Err())
	}
	var h header
	if err := json.Unmarshal(lines.Bytes(), &h); err != nil || h.Form != exportForm {
		return report, notExport(err)
	}
	c, err := proof.OpenCheckpoint(h.Checkpoint, public)
	if err != nil {
		return report, err
	}
	if h.From < 0 || h.To < h.From || c.Size < h.To {
		return report, notExport(nil)
	}
	report.Signer, report.Size, report.At, report.Checkpoints = c.Signer, c.Size, c.At, 1
	report.Chosen = h.Chosen
	if against != "" {
		a, err := proof.OpenCheckpoint(against, public)
		if err != nil {
			return report, err
		}
		report.Against = fmt.Sprintf("%d rows, %s", a.Size, a.At)
		switch {
		case a.Size == c.Size && a.Root != c.Root:
			report.fault("The export's checkpoint and the one given speak of different logs.")
		case a.Size != c.Size:
			report.fault("The checkpoint given is of %d rows and the export's of %d: an export cannot show that one grew out "+
				"of the other; verify the whole log against it.", a.Size, c.Size)
		}
	}
	check := checkWhole
	if h.Chosen {
		check = checkChosen
	}
	if err := check(lines, h, c, &report, progress); err != nil {
		return report, err
	}
	report.OK = len(report.Faults) == 0
	return report, nil
}

func notExport(err error) error {
	return &fault.Error{Op: "audit.VerifyExport", Kind: fault.Invalid,
		Public: "This is not an export of an audit log, or it is damaged.", Err: err}
}

// checkWhole checks an export of consecutive rows: it computes the checkpoint's root from them.
func checkWhole(lines *bufio.Scanner, h header, c proof.Checkpoint, report *Report,
	progress func(done, total int64)) error {
	var t proof.Tree
	add := func(list []subtree, end int64) error {
		for _, s := range list {
			if err := t.Add(proof.Subtree{Level: s.Level, Hash: s.Hash}); err != nil {
				return err
			}
		}
		if t.Size() != end {
			return notExport(nil)
		}
		return nil
	}
	if err := add(h.Left, h.From); err != nil {
		return err
	}
	for lines.Scan() {
		var l Line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return notExport(err)
		}
		if l.Seq != t.Size() || l.Seq >= h.To {
			report.fault("Row %d stands where row %d should be: rows were removed, added or moved.", l.Seq, t.Size())
			return nil
		}
		if l.Expired != nil && report.Rows > 0 {
			report.fault("Row %d is called expired, and older ones are not: its content was hidden.", l.Seq)
		}
		leaf, err := l.leaf(report)
		if err != nil {
			return err
		}
		_ = t.AddLeaf(leaf, nil)
		if t.Size()%verifyPage == 0 && progress != nil {
			progress(t.Size()-h.From, h.To-h.From)
		}
	}
	if err := lines.Err(); err != nil {
		return notExport(err)
	}
	if t.Size() != h.To {
		report.fault("The export ends at row %d, and says that it goes on to row %d.", t.Size()-1, h.To-1)
		return nil
	}
	if err := add(h.Right, c.Size); err != nil {
		return err
	}
	if t.Root() != c.Root {
		report.fault("The rows are not those that were sealed: at least one was changed.")
	}
	return nil
}

func (l *Line) leaf(report *Report) (tlog.Hash, error) {
	if l.Expired != nil {
		if l.ID+l.At+l.Actor+l.Action+l.Subject+l.User != "" || len(l.Detail) > 0 || l.Proof != nil {
			return tlog.Hash{}, notExport(nil) // an expired row has no content
		}
		report.Expired++
		return *l.Expired, nil
	}
	e, err := l.entry()
	if err != nil {
		return tlog.Hash{}, notExport(err)
	}
	report.Rows++
	return e.Leaf(), nil
}

// checkChosen checks an export of selected rows, each of which has its own proof.
func checkChosen(lines *bufio.Scanner, h header, c proof.Checkpoint, report *Report,
	progress func(done, total int64)) error {
	last := int64(-1)
	for lines.Scan() {
		var l Line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return notExport(err)
		}
		e, err := l.entry()
		if err != nil {
			return notExport(err)
		}
		if report.Rows++; l.Seq <= last || l.Seq < h.From || l.Seq >= h.To {
			report.fault("Row %d stands out of its order.", l.Seq)
		}
		last = l.Seq
		if l.Seq < 0 || l.Seq >= c.Size || tlog.CheckRecord(l.Proof, c.Size, c.Root, l.Seq, e.Leaf()) != nil {
			report.fault("Row %d (%s) is not what was sealed.", l.Seq, valid.Printable(l.ID))
		}
		if progress != nil {
			progress(l.Seq-h.From, h.To-h.From)
		}
	}
	return notExportUnless(lines.Err())
}

func notExportUnless(err error) error {
	if err == nil {
		return nil
	}
	return notExport(err)
}

// Sample draws up to n sealed rows at random, and proves each under the newest checkpoint.
func (r *Service) Sample(ctx context.Context, n int) ([]model.SampledLine, error) {
	q := r.o.Store.Read(ctx).Patient()
	stored, err := q.LastCheckpoint()
	if fault.Is(err, fault.NotFound) {
		return []model.SampledLine{}, nil
	} else if err != nil {
		return nil, err
	}
	c, err := proof.OpenCheckpoint(stored.Note, r.o.Key.Known())
	if err != nil {
		return nil, err
	}
	expired, err := q.Counter(expiredCounter)
	if err != nil {
		return nil, err
	}
	hashes := storedHashes(q)
	out, drawn := []model.SampledLine{}, map[int64]bool{}
	for left := c.Size - expired; left > 0 && len(out) < n; {
		seq := expired + rand.Int64N(c.Size-expired)
		if drawn[seq] {
			continue
		}
		drawn[seq] = true
		left--
		s, err := sampleOne(q, seq, c, hashes)
		if err != nil {
			return nil, err
		}
		if s != nil {
			out = append(out, *s)
		}
	}
	return out, nil
}

// sampleOne proves a row. It returns nil if the row expired meanwhile.
func sampleOne(q *store.Q, seq int64, c proof.Checkpoint, hashes tlog.HashReader) (*model.SampledLine, error) {
	page, err := q.LogRows(seq, 1)
	if err != nil {
		return nil, err
	}
	if len(page) == 0 || page[0].Seq != seq {
		if expired, err := q.Counter(expiredCounter); err != nil || seq < expired {
			return nil, err
		}
		return &model.SampledLine{AuditLine: model.AuditLine{Seq: seq}, Why: "the row is missing"}, nil
	}
	s := &model.SampledLine{AuditLine: shown(page[0])}
	e := entry(page[0])
	p, err := tlog.ProveRecord(c.Size, seq, hashes)
	if err == nil {
		err = tlog.CheckRecord(p, c.Size, c.Root, seq, e.Leaf())
	}
	switch {
	case err == nil:
		s.Proven = true
	case errors.Is(err, context.Canceled):
		return nil, err
	default:
		s.Why = "it is not what was sealed"
	}
	return s, nil
}
