package retention

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// report writes a run's list of files to the blob store and signs a report with the list's
// hash.
func (r *Service) report(ctx context.Context, id string) error {
	run, err := r.o.Store.Read(ctx).Run(id)
	if err != nil {
		return err
	}
	counts, err := r.o.Store.Read(ctx).CountItems(id)
	if err != nil {
		return err
	}
	list, err := deposit.Receive(r.o.Blobs, r.o.IDs.New(), func(w io.Writer) error {
		out := bufio.NewWriterSize(w, 64<<10)
		return errors.Join(r.writeItems(ctx, out, id), out.Flush())
	})
	if err != nil {
		return err
	}
	b, now := list.Blob, r.now()
	b.Key = blob.Key("reports", b.ID, "removal-"+run.DueAt.Format(time.DateOnly)+".csv", now)
	run.State, run.FinishedAt, run.ListKey = model.RunDone, &now, b.Key
	if run.Report, err = r.sign(ctx, &run, counts, hex.EncodeToString(b.SHA256)); err != nil {
		return errors.Join(err, list.Discard())
	}
	err = r.o.Desk.Commit(deposit.Deposit{Stage: list.Stage, Blob: b, Late: list.End,
		Record: func(tx *store.Tx, b store.Blob) error { return r.close(tx, run, b, counts) }})
	if errors.Is(err, deposit.ErrUnknown) {
		return err // the next step finds the run done, or makes the report again
	}
	if list.End(err); err != nil {
		return err
	}
	return r.dropItems(ctx, id)
}

// close records that a run is done, and emits its events and letters.
func (r *Service) close(tx *store.Tx, run model.RetentionRun, b store.Blob, counts []store.ItemCount) error {
	now := *run.FinishedAt
	if is, err := tx.LockRun(run.ID); err != nil {
		return err
	} else if is.State != model.RunRunning {
		return fault.E("retention.close", fault.Conflict, "Another node has finished the run.")
	}
	if err := tx.AddBlob(b, 1, now); err != nil {
		return err
	}
	if err := tx.PutRun(run); err != nil {
		return err
	}
	for _, c := range counts {
		if c.State != model.ItemRemoved {
			continue
		}
		if err := tx.Emit(model.Event{ID: r.o.IDs.New(), Type: model.EventRemoved, At: now, Account: c.Account,
			Data: model.FilesRemoved{
				Run: run.ID, Kind: string(run.Kind), Files: c.Files, Bytes: c.Bytes, Uncollected: c.Uncollect}}); err != nil {
			return err
		}
		if run.Kind == model.RunClosing && r.o.Tell != nil {
			l := Letter{Kind: "removed", Account: c.Account, Ref: run.ID, Signed: run.Report, Files: c.Files,
				Text: fmt.Sprintf("The account %s was closed, and its files were removed: %s. This is the signed report of it.",
					c.Account, countFiles(c.Files))}
			if _, err := r.o.Tell(tx, l); err != nil {
				return err
			}
		}
	}
	return r.audit(tx, actor, "retention.done", run.ID,
		map[string]string{"removed_files": fmt.Sprint(run.RemovedFiles), "removed_bytes": fmt.Sprint(run.RemovedBytes)})
}

// sign returns the signed report and sets the run's totals.
func (r *Service) sign(ctx context.Context, run *model.RetentionRun, counts []store.ItemCount,
	listSum string) (string, error) {
	type tally struct{ files, bytes int64 }
	states, why := map[model.ItemState]tally{}, []proof.Field{}
	for _, c := range counts {
		s := states[c.State]
		states[c.State] = tally{s.files + c.Files, s.bytes + c.Bytes}
		if c.State == model.ItemHeld || c.State == model.ItemKept {
			why = append(why, proof.Field{Name: "spared",
				Value: fmt.Sprintf("%s, %s: %s", c.Account, countFiles(c.Files), c.Why)})
		}
	}
	run.RemovedFiles, run.RemovedBytes = states[model.ItemRemoved].files, states[model.ItemRemoved].bytes
	policies, err := r.Policies(ctx)
	if err != nil {
		return "", err
	}
	d := proof.Document{Title: proof.RemovalTitle}
	add := func(name, value string) { d.Fields = append(d.Fields, proof.Field{Name: name, Value: value}) }
	add("run", run.ID)
	add("kind", string(run.Kind))
	if run.Account != "" {
		add("account", run.Account)
	}
	add("announced", run.CreatedAt.Format(time.RFC3339))
	add("due", run.DueAt.Format(time.RFC3339))
	if run.ConfirmedAt != nil {
		add("confirmed", run.ConfirmedAt.Format(time.RFC3339)+" by "+run.ConfirmedBy+", because "+run.Confirm)
	}
	add("started", run.StartedAt.Format(time.RFC3339))
	add("finished", run.FinishedAt.Format(time.RFC3339))
	add("named", fmt.Sprintf("%d files, %d bytes", run.Files, run.Bytes))
	for _, s := range []model.ItemState{model.ItemRemoved, model.ItemHeld, model.ItemKept, model.ItemGone} {
		add(string(s), fmt.Sprintf("%d files, %d bytes", states[s].files, states[s].bytes))
	}
	for _, p := range policies {
		add("policy", p.Class+" keeps files "+periodWords(p.Keep))
	}
	const maxSpared = 500
	d.Fields = append(d.Fields, why[:min(len(why), maxSpared)]...)
	add("list", "CSV of every file named, with its size, SHA-256 and what became of it")
	add("list sha256", listSum)
	return r.o.Key.Sign(d)
}

// writeItems writes a run's items as CSV.
func (r *Service) writeItems(ctx context.Context, out io.Writer, id string) error {
	w := csv.NewWriter(out)
	// w.Error below returns a write error
	_ = w.Write([]string{"account", "user", "path", "size", "sha256", "stored_at", "policy", "fetched", "outcome", "why",
		"version"})
	for account, version := "", ""; ; {
		page, err := r.o.Store.Read(ctx).Items(id, account, version, planBatch)
		if err != nil {
			return err
		}
		for _, i := range page {
			account, version = i.Account, i.Version
			row := []string{i.Account, i.User, i.Path, strconv.FormatInt(i.Size, 10), i.SHA256, i.StoredAt.Format(time.RFC3339),
				i.Class, i.Fetched, string(i.State), i.Why, i.Version}
			for c := range row {
				row[c] = valid.Cell(row[c])
			}
			_ = w.Write(row)
		}
		if len(page) < planBatch {
			w.Flush()
			return w.Error()
		}
	}
}

// dropItems deletes the items of a finished run, which its list contains.
func (r *Service) dropItems(ctx context.Context, id string) error {
	for ctx.Err() == nil {
		n, err := store.Change(ctx, r.o.Store, func(tx *store.Tx) (int64, error) { return tx.DropItems(id) })
		if err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// List writes a run's files as CSV. For an open run it reads the items. For a finished run it
// returns the list whose hash is in the report.
func (r *Service) List(ctx context.Context, w io.Writer, id string) error {
	run, err := r.Run(ctx, id)
	if err != nil {
		return err
	}
	if run.ListKey == "" {
		return r.writeItems(ctx, w, id)
	}
	b, err := r.o.Blobs.Open(run.ListKey, -1)
	if err != nil {
		return err
	}
	defer b.Close()
	_, err = io.Copy(w, io.NewSectionReader(b, 0, b.Size()))
	return fault.Wrap("retention.List", fault.Unavailable, err)
}
