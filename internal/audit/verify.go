package audit

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

const (
	expireAction = "audit.expire"
	verifyPage   = 4000
	maxNamed     = 100 // faults listed in a report
)

// Report is the result of a verification.
type Report struct {
	OK          bool     `json:"ok"`
	Rows        int64    `json:"rows" doc:"Sealed rows that were checked"`
	Expired     int64    `json:"expired" doc:"Rows whose content is gone by age; their hashes were checked"`
	Waiting     int64    `json:"waiting" doc:"Rows that are not sealed yet, and so not proven"`
	Checkpoints int64    `json:"checkpoints" doc:"Signed checkpoints that the rows agree with"`
	Signer      string   `json:"signer"`
	Size        int64    `json:"size" doc:"Rows of the newest checkpoint"`
	At          string   `json:"at,omitempty" doc:"When it was made"`
	Against     string   `json:"against,omitempty" doc:"The checkpoint given from elsewhere"`
	Head        string   `json:"head,omitempty" doc:"The checkpoint kept beside the signing key"`
	Unproven    string   `json:"unproven,omitempty" doc:"What this could not show"`
	Chosen      bool     `json:"chosen,omitempty" doc:"It cannot show whether rows were left out"`
	Faults      []string `json:"faults"`
}

func (r *Report) fault(format string, args ...any) {
	if len(r.Faults) < maxNamed {
		r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
	}
}

// Verifier checks the log in a database. It changes nothing.
type Verifier struct {
	Store    *store.Store
	Public   string // the key that signed the checkpoints
	Against  string // a signed checkpoint from elsewhere; "" for none
	Head     string // the checkpoint kept beside the signing key, read before Verify; "" for none
	Progress func(done, total int64)

	q *store.Q
	pass
}

// pass is the state of one pass through the log.
type pass struct {
	report  Report
	size    int64
	expired int64 // rows below this number may be gone
	tree    proof.Tree
	against proof.Checkpoint
	head    proof.Checkpoint
	marks   []store.Checkpoint // checkpoints not reached yet
	// State since the last checkpoint that agreed:
	agreed proof.Tree
	names  map[int64]string // rows' ids by number, to name them
}

// maxPasses bounds how often Verify starts again. Rows expire once an hour, so it rarely must.
const maxPasses = 3

// Verify computes the log's tree anew from the rows, and compares it with every checkpoint. Faults
// of the log are in the report; an error is the database's. Rows that expire during a pass look
// like removed rows, so Verify then starts again.
func (v *Verifier) Verify(ctx context.Context) (Report, error) {
	v.q = v.Store.Read(ctx).Patient()
	if v.Progress == nil {
		v.Progress = func(int64, int64) {}
	}
	for n := 1; ; n++ {
		v.pass = pass{}
		report, err := v.once(ctx)
		if err != nil || report.OK || n == maxPasses {
			return report, err
		}
		if now, err := v.q.Counter(expiredCounter); err != nil || now == v.expired {
			return report, err
		}
	}
}

// once goes through the log from its beginning.
func (v *Verifier) once(ctx context.Context) (Report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // the reader ends with this pass
	if err := v.begin(); err != nil {
		return v.report, err
	}
	v.Progress(0, v.size)
	pages, fail := v.read(ctx)
	next := int64(0)
	for page := range pages {
		for _, row := range page {
			if err := v.row(row, &next); err != nil {
				return v.report, err
			}
		}
		v.Progress(min(next, v.size), v.size)
	}
	if err := <-fail; err != nil {
		return v.report, err
	}
	if err := v.skip(next, v.size); err != nil {
		return v.report, err
	}
	return v.finish()
}

// begin reads the log's counters, and opens the checkpoints to compare with.
func (v *Verifier) begin() (err error) {
	v.report.Faults = []string{}
	if v.expired, err = v.q.Counter(expiredCounter); err != nil { // before the size, which then covers its row
		return err
	}
	if v.size, err = v.q.Counter(sealedCounter); err != nil {
		return err
	}
	if v.Against != "" {
		if v.against, err = proof.OpenCheckpoint(v.Against, v.Public); err != nil {
			return err
		}
		v.report.Against = fmt.Sprintf("%d rows, %s", v.against.Size, v.against.At)
		if v.against.Size > v.size {
			v.report.fault("The log has %d rows, and had %d when the checkpoint was made: rows were removed from its end.",
				v.size, v.against.Size)
		}
	}
	if v.Head != "" {
		if v.head, err = proof.OpenCheckpoint(v.Head, v.Public); err != nil {
			v.report.fault("What is kept of the log beside the signing key cannot be trusted: %s", fault.PublicText(err))
		}
		v.report.Head = fmt.Sprintf("%d rows, %s", v.head.Size, v.head.At)
		if v.head.Size > v.size {
			v.report.fault("The log has %d rows, and had %d on %s, as signed beside the key: rows were removed from its end.",
				v.size, v.head.Size, v.head.At)
		}
	}
	v.report.Unproven = v.unproven()
	v.names = map[int64]string{}
	return v.moreMarks()
}

// unproven says what cannot be proven with the given checkpoints.
func (v *Verifier) unproven() string {
	switch {
	case v.Against != "":
		return ""
	case v.Head != "":
		return "Without a checkpoint from elsewhere (--against), this cannot show whether somebody with both the database " +
			"and the signing key wrote the log anew."
	}
	return "Without the checkpoint beside the signing key and one from elsewhere (--against), this cannot show whether " +
		"rows were removed from the log's end together with their checkpoints."
}

// moreMarks reads the next checkpoints.
func (v *Verifier) moreMarks() (err error) {
	if len(v.marks) == 0 {
		v.marks, err = v.q.CheckpointsAfter(v.tree.Size(), verifyPage)
	}
	return err
}

// read streams the sealed rows ahead of their check.
func (v *Verifier) read(ctx context.Context) (<-chan []store.LogRow, <-chan error) {
	pages, fail := make(chan []store.LogRow, 2), make(chan error, 1)
	go func() {
		defer close(pages)
		for from := int64(0); ; {
			var page []store.LogRow
			var err error
			if from < v.size { // later rows were sealed since
				page, err = v.q.LogRows(from, int(min(verifyPage, v.size-from)))
			}
			if err != nil || len(page) == 0 {
				fail <- err
				return
			}
			from = page[len(page)-1].Seq + 1
			select {
			case pages <- page:
			case <-ctx.Done():
				fail <- ctx.Err()
				return
			}
		}
	}()
	return pages, fail
}

// row checks the next stored row, after the missing rows before it.
func (v *Verifier) row(row store.LogRow, next *int64) error {
	if row.Seq >= v.size {
		return nil // sealed since; or a fault, which finish finds
	}
	if err := v.skip(*next, row.Seq); err != nil {
		return err
	}
	*next = row.Seq + 1
	if row.Action == expireAction {
		if err := v.expiry(row); err != nil {
			return err
		}
	}
	e := entry(row)
	v.names[row.Seq] = row.ID
	v.report.Rows++
	return v.leaf(e.Leaf())
}

// expiry checks a row that states an expiry. The statement counts if the key signed it, and if no
// checkpoint shows that the rows were sealed later than it claims.
func (v *Verifier) expiry(row store.LogRow) error {
	var detail map[string]string
	_ = json.Unmarshal([]byte(row.Detail), &detail) // without a note it counts as unsigned
	note, _ := base64.StdEncoding.DecodeString(detail["note"])
	e, err := proof.OpenExpiry(string(note), v.Public)
	if err != nil || row.Subject != strconv.FormatInt(e.Until, 10) {
		v.report.fault("Row %d says that rows below %s expired, and the key did not sign that.", row.Seq,
			valid.Printable(row.Subject))
		return nil
	}
	mark, err := v.q.CheckpointBelow(e.Until)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if c, bad := proof.OpenCheckpoint(mark.Note, v.Public); err == nil && bad == nil {
		if at, bad := time.Parse(time.RFC3339, c.At); bad == nil && at.After(e.Edge) {
			v.report.fault("Row %d says that rows below %d were sealed before %s, and those from %d on were not.", row.Seq,
				e.Until, e.Edge.Format(time.RFC3339), c.Size)
			return nil
		}
	}
	v.report.Expired = max(v.report.Expired, e.Until)
	return nil
}

// skip handles missing rows. Expired rows are represented by their stored hashes. Other missing
// rows are faults; their stored hashes are used, too, so that the rest can be checked.
func (v *Verifier) skip(from, to int64) error {
	for ; from < to; from++ {
		if from >= v.expired {
			v.report.fault("Row %d is missing.", from)
		}
		h, err := readHash(v.q, 0, from)
		if fault.Is(err, fault.NotFound) {
			v.report.fault("Row %d and its hash are missing.", from)
		} else if err != nil {
			return err
		}
		if err := v.leaf(h); err != nil {
			return err
		}
	}
	return nil
}

// leaf appends a hash to the tree, and compares the tree with the checkpoints of that size.
func (v *Verifier) leaf(h tlog.Hash) error {
	if err := v.tree.Add(proof.Subtree{Hash: h}); err != nil {
		return err
	}
	size := v.tree.Size()
	if v.against.Size == size && v.Against != "" && v.tree.Root() != v.against.Root {
		v.report.fault("The first %d rows are not what they were when the checkpoint given was made (%s).", size,
			v.against.At)
	}
	if v.head.Size == size && v.tree.Root() != v.head.Root {
		v.report.fault("The first %d rows are not what was signed beside the key on %s.", size, v.head.At)
	}
	if len(v.marks) == 0 || v.marks[0].Size != size {
		return nil
	}
	if err := v.compare(v.marks[0]); err != nil {
		return err
	}
	v.marks = v.marks[1:]
	v.agreed = v.tree.Clone()
	clear(v.names)
	return v.moreMarks()
}

// compare compares the tree with a checkpoint. If they differ, nameChanged finds the rows.
func (v *Verifier) compare(mark store.Checkpoint) error {
	c, err := proof.OpenCheckpoint(mark.Note, v.Public)
	switch {
	case err != nil:
		v.report.fault("The checkpoint of %d rows cannot be trusted: %s", mark.Size, fault.PublicText(err))
		return nil
	case c.Size != mark.Size:
		v.report.fault("The checkpoint stored for %d rows is one of %d.", mark.Size, c.Size)
		return nil
	}
	v.report.Signer, v.report.Size, v.report.At = c.Signer, c.Size, c.At
	if c.Root == v.tree.Root() {
		v.report.Checkpoints++
		return nil
	}
	return v.nameChanged(c)
}

// nameChanged reports the rows since the last agreeing checkpoint that differ from their stored
// hashes. If the stored hashes agree with the checkpoint, the pass continues with the tree that
// they make.
func (v *Verifier) nameChanged(c proof.Checkpoint) error {
	sealed, named := v.agreed.Clone(), 0
	for seq := v.agreed.Size(); seq < c.Size; seq++ {
		was, err := readHash(v.q, 0, seq)
		if fault.Is(err, fault.NotFound) {
			break
		} else if err != nil {
			return err
		}
		if err := sealed.Add(proof.Subtree{Hash: was}); err != nil {
			return err
		}
		id, there := v.names[seq]
		if !there {
			continue
		}
		page, err := v.q.LogRows(seq, 1)
		if err != nil {
			return err
		}
		if len(page) == 1 && page[0].Seq == seq {
			if e := entry(page[0]); e.Leaf() != was {
				named++
				v.report.fault("Row %d (%s) is not what was sealed: %s %s %s by %s.", seq, id,
					page[0].At.Format(time.RFC3339), page[0].Action, page[0].Subject, page[0].Actor)
			}
		}
	}
	if sealed.Size() != c.Size || sealed.Root() != c.Root {
		v.report.fault("Rows %d to %d do not agree with the checkpoint of %s, nor do their stored hashes: the log was "+
			"rewritten there.",
			v.agreed.Size(), c.Size-1, c.At)
		return nil
	}
	if named == 0 && len(v.report.Faults) == 0 {
		v.report.fault("Rows %d to %d do not agree with the checkpoint of %s.", v.agreed.Size(), c.Size-1, c.At)
	}
	v.tree = sealed
	return nil
}

// finish checks what needs the whole log, and completes the report.
func (v *Verifier) finish() (Report, error) {
	if v.expired > v.report.Expired {
		v.report.fault("Rows up to %d count as expired by age, and no row of the log says so.", v.expired)
	}
	v.report.Expired = min(v.expired, v.size)
	least, greatest, err := v.q.SeqRange() // before the counter, since others may seal meanwhile
	if err != nil {
		return v.report, err
	}
	now, err := v.q.Counter(sealedCounter)
	if err != nil {
		return v.report, err
	}
	if least < 0 {
		v.report.fault("Row %d has a number before the log's beginning.", least)
	}
	if greatest >= now {
		past, err := v.q.LogRows(now, maxNamed)
		if err != nil {
			return v.report, err
		}
		for _, row := range past {
			v.report.fault("Row %d (%s) has a number past the end of the log (%d rows).", row.Seq, row.ID, now)
		}
	}
	for _, m := range v.marks {
		if m.Size <= now {
			continue
		}
		v.report.fault("There is a checkpoint of %d rows, and the log has %d: rows were removed from its end.", m.Size,
			v.size)
	}
	if last, err := v.q.LastCheckpoint(); err == nil && last.Size < v.size || fault.Is(err, fault.NotFound) && v.size > 0 {
		v.report.fault("Rows %d to %d are under no checkpoint.", last.Size, v.size-1)
	} else if err != nil && !fault.Is(err, fault.NotFound) {
		return v.report, err
	}
	v.report.Waiting, _, err = v.q.CountUnsealed()
	slices.Sort(v.report.Faults)
	v.report.Faults = slices.Compact(v.report.Faults)
	v.report.OK = len(v.report.Faults) == 0
	return v.report, err
}
