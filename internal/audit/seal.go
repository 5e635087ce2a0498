package audit

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	sealedCounter  = "audit.sealed"  // rows that have numbers
	expiredCounter = "audit.expired" // rows below this number may be gone
	sealEvery      = time.Second
	sealBatch      = 1000 // rows per transaction, so that other writers are not blocked for long
	keepEvery      = time.Hour
	sendEvery      = 24 * time.Hour
	thinAfter      = 7 * 24 * time.Hour // for older ones, one checkpoint a day is enough
	thinBatch      = 5000
)

// Keep runs until ctx ends. It seals every second. Once an hour it expires old rows, drops surplus
// old checkpoints, and sends the newest one off the machine if that is due. Several nodes may run
// it: the lock on the counter's row lets one seal at a time.
func (r *Service) Keep(ctx context.Context) {
	var kept time.Time
	do := func(ctx context.Context) error {
		err := r.Seal(ctx)
		if err == nil || errors.Is(err, errBroken) {
			r.alarm(ctx, err)
		}
		if err == nil {
			err = r.KeepJournals(ctx) // a place that takes nothing hinders nothing else
			if now := r.now(); now.Sub(kept) >= keepEvery {
				kept = now
				err = errors.Join(err, r.tidy(ctx, now))
			}
		}
		if errors.Is(err, errBroken) { // alarm has reported it
			return nil
		}
		return err
	}
	exchange.Task{Every: sealEvery, Do: do, Failure: "the audit log could not be sealed or kept", Log: r.o.Log}.Run(ctx)
}

// Seal numbers every row that has no number yet. It works in batches, and signs a checkpoint for
// each. If no row waits, it checks that the log still extends its head.
func (r *Service) Seal(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		waiting, err := r.o.Store.Read(ctx).Unsealed(1)
		if err != nil {
			return err
		}
		if len(waiting) == 0 {
			return r.look(ctx)
		}
		if err := r.sealSome(ctx); err != nil {
			return err
		}
	}
}

// look fails unless the log still extends its head. Callers hold mu.
func (r *Service) look(ctx context.Context) error {
	if r.o.Head == nil {
		return nil
	}
	q := r.o.Store.Read(ctx)
	size, err := q.Counter(sealedCounter)
	if err == nil {
		_, err = r.extends(q, size)
	}
	return err
}

// sealSome seals one batch. Callers hold mu.
func (r *Service) sealSome(ctx context.Context) error {
	note, err := store.ChangeFor(ctx, r.o.Store, store.Behind, func(tx *store.Tx) (note string, err error) {
		size, err := tx.LockCounter(sealedCounter)
		if err != nil {
			return "", err
		}
		sealed, err := r.extends(&tx.Q, size)
		if err != nil {
			return "", err
		}
		rows, err := tx.Unsealed(sealBatch)
		if err != nil || len(rows) == 0 {
			return "", err
		}
		hashes := make([]tlog.Hash, 0, 2*len(rows)+64)
		for _, row := range rows {
			e := entry(row)
			hashes = sealed.AddLeaf(e.Leaf(), hashes)
		}
		bytes := make([][]byte, len(hashes))
		for i := range hashes {
			bytes[i] = hashes[i][:]
		}
		if err := tx.NumberRows(rows, size); err != nil {
			return "", err
		}
		if err := tx.AddHashes(tlog.StoredHashIndex(0, size), bytes); err != nil {
			return "", err
		}
		if err := tx.SetCounter(sealedCounter, sealed.Size()); err != nil {
			return "", err
		}
		now := r.now()
		if note, err = r.o.Key.SignCheckpoint(proof.Checkpoint{Size: sealed.Size(), Root: sealed.Root(),
			At: now.Format(time.RFC3339)}); err != nil {
			return "", err
		}
		return note, tx.AddCheckpoint(store.Checkpoint{Size: sealed.Size(), At: now, Note: note})
	})
	if err != nil || note == "" {
		return err
	}
	return r.saveHead(note)
}

// loadTree reads the subtrees that make up the log's first size rows.
func loadTree(q *store.Q, size int64) (t proof.Tree, err error) {
	levels, positions := proof.Cover(0, size)
	for i, level := range levels {
		h, err := readHash(q, level, positions[i])
		if err != nil {
			return t, err
		}
		if err := t.Add(proof.Subtree{Level: level, Hash: h}); err != nil {
			return t, err
		}
	}
	return t, nil
}

func readHash(q *store.Q, level int, position int64) (h tlog.Hash, err error) {
	b, err := q.Hash(tlog.StoredHashIndex(level, position))
	if err != nil {
		return h, err
	}
	copy(h[:], b)
	return h, nil
}

// tidy does the hourly work.
func (r *Service) tidy(ctx context.Context, now time.Time) error {
	if err := r.expire(ctx, now); err != nil {
		return err
	}
	if err := r.pruneCheckpoints(ctx, now); err != nil {
		return err
	}
	return r.sendCheckpoint(ctx, now)
}

// expire removes the content of rows that are older than the policy. Before that, stateExpiry
// writes a row with a note, signed by the key, that says which rows expire.
func (r *Service) expire(ctx context.Context, now time.Time) error {
	if r.o.Keep == "" {
		return nil
	}
	edge, err := valid.Before(now, r.o.Keep)
	if err != nil {
		return err
	}
	q := r.o.Store.Read(ctx)
	until, err := r.old(q, edge)
	if err != nil {
		return err
	}
	done, err := q.Counter(expiredCounter)
	if err != nil {
		return err
	}
	if until > done {
		if err := r.stateExpiry(ctx, proof.Expiry{Until: until, Policy: r.o.Keep, Edge: edge, At: now}); err != nil {
			return err
		}
		done = until
	}
	for ctx.Err() == nil {
		n, err := store.Change(ctx, r.o.Store, func(tx *store.Tx) (int64, error) { return tx.ExpireAudit(done) })
		if err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// old returns the number below which all rows are older than edge. A checkpoint signed by then must
// cover them, too, because anybody who can write to the database can set the rows' own times.
func (r *Service) old(q *store.Q, edge time.Time) (until int64, err error) {
	size, err := q.Counter(sealedCounter)
	if err != nil {
		return 0, err
	}
	if until, err = q.LogAt(edge, size); err != nil {
		return 0, err
	}
	mark, err := q.CheckpointUntil(edge)
	if fault.Is(err, fault.NotFound) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	c, err := proof.OpenCheckpoint(mark.Note, r.o.Key.Known())
	if err != nil {
		return 0, err
	}
	at, err := time.Parse(time.RFC3339, c.At)
	if err != nil || at.After(edge) {
		return 0, fault.E("audit.old", fault.Conflict, "The checkpoint of %d rows was signed on %s, and is stored as older.",
			c.Size, c.At)
	}
	return min(until, c.Size), nil
}

// stateExpiry writes and seals the row that says what expires. Then it advances the counter, which
// lets expire remove it.
func (r *Service) stateExpiry(ctx context.Context, e proof.Expiry) error {
	note, err := r.o.Key.SignExpiry(e)
	if err != nil {
		return err
	}
	// base64, because rows have one line
	err = r.Note(ctx, model.AuditRow{Actor: "system:audit", Action: expireAction, Subject: strconv.FormatInt(e.Until, 10),
		Detail: map[string]string{"keep": e.Policy, "note": base64.StdEncoding.EncodeToString([]byte(note))}})
	if err == nil {
		err = r.Seal(ctx)
	}
	if err == nil {
		err = r.o.Store.Write(ctx, func(tx *store.Tx) error { return tx.SetCounter(expiredCounter, e.Until) })
	}
	return err
}

// pruneCheckpoints keeps one checkpoint a day of those older than thinAfter, and all that were
// sent.
func (r *Service) pruneCheckpoints(ctx context.Context, now time.Time) error {
	day := func(t time.Time) string { return t.Format(time.DateOnly) }
	for after := int64(-1); ctx.Err() == nil; {
		list, err := r.o.Store.Read(ctx).CheckpointsAfter(after, thinBatch)
		if err != nil {
			return err
		}
		var drop []int64
		for i, c := range list {
			after = c.Size
			if i+1 < len(list) && day(c.At) == day(list[i+1].At) && now.Sub(c.At) > thinAfter && !c.Sent {
				drop = append(drop, c.Size)
			}
		}
		if len(drop) > 0 {
			if err := r.o.Store.Write(ctx, func(tx *store.Tx) error { return tx.DropCheckpoints(drop) }); err != nil {
				return err
			}
		}
		if len(list) < thinBatch {
			return nil
		}
	}
	return nil
}
