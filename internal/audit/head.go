package audit

import (
	"context"
	"errors"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// The newest checkpoint is also kept outside the database, beside the signing key. Somebody who can
// write to the database alone can remove rows from the log's end together with their checkpoints.
// The log is then shorter than the checkpoint kept here, and sealing stops.

// Head keeps the newest checkpoint outside the database.
type Head interface {
	// Load returns what was saved last; "" if nothing was.
	Load() (note string, err error)
	// Save keeps a note, durably.
	Save(note string) error
}

// errBroken is in the chain of every error about a log that does not extend its head.
var errBroken = errors.New("the audit log does not extend what was signed")

func broken(format string, args ...any) error {
	e := fault.E("audit.head", fault.Conflict, format, args...)
	e.Err = errBroken
	return e.WithHint("if the database was restored from a backup, say so: sallyport serve --accept-log REASON")
}

// extends loads the log's tree. It fails unless the tree equals the head or adds rows to it.
// Without Options.Head it only loads the tree.
func (r *Service) extends(q *store.Q, size int64) (t proof.Tree, err error) {
	if t, err = loadTree(q, size); err != nil && !fault.Is(err, fault.NotFound) {
		return t, err
	} else if err != nil {
		return t, broken("The audit log has %d rows by its count, and hashes of some are missing.", size)
	}
	if r.o.Head == nil {
		return t, nil
	}
	if r.head == nil {
		if err := r.loadHead(q); err != nil {
			return t, err
		}
	}
	return t, r.follows(q, t)
}

// follows compares a log's tree with the head.
func (r *Service) follows(q *store.Q, t proof.Tree) error {
	h := *r.head
	if t.Size() < h.Size {
		return broken(
			"The audit log has %d rows, and had %d on %s, as signed beside the key: rows were removed from its end.", t.Size(),
			h.Size, h.At)
	}
	if t.Size() == h.Size {
		if h.Size > 0 && t.Root() != h.Root {
			return broken("The audit log's %d rows are not those that were signed on %s.", h.Size, h.At)
		}
		return nil
	}
	// Rows were sealed, and the process stopped before it saved the head.
	was, err := loadTree(q, h.Size)
	if err != nil {
		return absent(err)
	}
	if h.Size > 0 && was.Root() != h.Root {
		return broken("The audit log's first %d rows are not those that were signed on %s.", h.Size, h.At)
	}
	levels, positions := proof.Cover(h.Size, t.Size()) // a few hashes, however many rows
	for i, level := range levels {
		hash, err := readHash(q, level, positions[i])
		if err != nil {
			return absent(err)
		}
		if err := was.Add(proof.Subtree{Level: level, Hash: hash}); err != nil {
			return err
		}
	}
	if was.Root() != t.Root() {
		return broken("The audit log's rows from %d on do not agree with its hashes.", h.Size)
	}
	return nil
}

// absent turns missing hashes into an errBroken. Other errors pass.
func absent(err error) error {
	if fault.Is(err, fault.NotFound) {
		return broken("Hashes of the audit log are missing.")
	}
	return err
}

// loadHead reads the head. If none was saved, as in a deployment of an earlier release, the newest
// checkpoint becomes the head.
func (r *Service) loadHead(q *store.Q) error {
	note, err := r.o.Head.Load()
	if err != nil {
		return err
	}
	if note == "" {
		c, err := q.LastCheckpoint()
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if note = c.Note; note == "" {
			r.head = &proof.Checkpoint{}
			return nil
		}
		r.o.Log.Warn("the audit log's newest size and root are kept beside the signing key from now on", "rows", c.Size)
	}
	c, err := proof.OpenCheckpoint(note, r.o.Key.Known())
	if err != nil {
		return broken("What is kept of the audit log beside the signing key is not signed by it: %s", fault.PublicText(err))
	}
	r.head = &c
	return nil
}

// saveHead saves the checkpoint of rows that were just sealed as the new head.
func (r *Service) saveHead(note string) error {
	if r.o.Head == nil {
		return nil
	}
	c, err := proof.OpenCheckpoint(note, r.o.Key.Known())
	if err != nil {
		return err
	}
	if err := r.o.Head.Save(note); err != nil {
		return fault.Wrap("audit.saveHead", fault.Unavailable, err)
	}
	r.head = &c
	return nil
}

// Accept makes the log's present state the new head, although it does not extend the old one. It
// writes an audit row with the operator's reason, the old head and the present size. It fails with
// a conflict if the log extends its head.
func (r *Service) Accept(ctx context.Context, reason string) error {
	const op = "audit.Accept"
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.o.Store.Read(ctx)
	size, err := q.Counter(sealedCounter)
	if err != nil {
		return err
	}
	_, err = r.extends(q, size)
	if err == nil {
		return fault.E(op, fault.Conflict, "The audit log extends what was signed; there is nothing to accept.").
			WithHint("start without --accept-log")
	}
	if !errors.Is(err, errBroken) {
		return err
	}
	was := proof.Checkpoint{}
	if r.head != nil {
		was = *r.head
	}
	t, err := loadTree(q, size)
	if err != nil {
		return err
	}
	now := r.now()
	note, err := r.o.Key.SignCheckpoint(proof.Checkpoint{Size: size, Root: t.Root(), At: now.Format(time.RFC3339)})
	if err != nil {
		return err
	}
	row := model.AuditRow{ID: r.o.IDs.New(), At: now, Actor: "system:audit", Action: "audit.accept",
		Subject: strconv.FormatInt(size, 10),
		Detail: map[string]string{"reason": reason, "had": strconv.FormatInt(was.Size, 10), "had_root": rootText(was),
			"had_at": was.At}}
	if err := r.o.Store.Write(ctx, func(tx *store.Tx) error { return tx.Audit(row) }); err != nil {
		return err
	}
	r.o.Log.Warn("the audit log was accepted as it is", "rows", size, "had", was.Size, "reason", reason)
	return r.saveHead(note)
}

func rootText(c proof.Checkpoint) string {
	if c.Root == (tlog.Hash{}) {
		return ""
	}
	return c.Root.String()
}

// alarm logs and emits an event, once, when sealing stops. When sealing works again, it logs that.
func (r *Service) alarm(ctx context.Context, cause error) {
	text := ""
	if cause != nil {
		text = fault.PublicText(cause)
	}
	if before, _ := r.stopped.Load().(string); before == text {
		return
	}
	if text == "" {
		r.stopped.Store(text)
		r.o.Log.Info("the audit log is sealed again")
		return
	}
	r.o.Log.Error("the audit log is not sealed any more", "reason", text)
	e := model.Event{ID: r.o.IDs.New(), Type: model.EventAlarm, At: r.now(), Data: model.Alarm{About: "audit log",
		Words: "The audit log is not sealed any more. " + text +
			"\n\nRows that are written from now on wait. Find out who changed the database, and compare with a checkpoint " +
			"that left the machine: sallyport audit verify --against FILE."}}
	if err := r.o.Store.Write(ctx, func(tx *store.Tx) error { return tx.Emit(e) }); err != nil {
		r.o.Log.Error("the alarm could not be sent; it is tried again", "err", err)
		return
	}
	r.stopped.Store(text)
}
