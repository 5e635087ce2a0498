package retention

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// runBatch is how many versions one transaction handles. After each batch the run pauses as
// long as the batch took, so that transfers are not slowed down.
const runBatch = 100

// runDue executes the runs that are due and, where needed, confirmed.
func (r *Service) runDue(ctx context.Context) error {
	open, err := r.o.Store.Read(ctx).OpenRuns()
	if err != nil {
		return err
	}
	for _, run := range open {
		if run.State == statePlan || r.now().Before(run.DueAt) || run.Confirm != "" && run.ConfirmedAt == nil {
			continue
		}
		if err := r.execute(ctx, run.ID); err != nil {
			return err
		}
	}
	return nil
}

// RunNow does what is due without waiting for the next minute. It returns the runs that changed
// state or were announced, and those that are due and wait for a confirmation. It skips no date and no
// notice. It is a Conflict if another node has the lease.
func (r *Service) RunNow(ctx context.Context) ([]model.RetentionRun, error) {
	before, err := r.o.Store.Read(ctx).OpenRuns()
	if err != nil {
		return nil, err
	}
	if ok, err := r.lead(ctx); err != nil {
		return nil, err
	} else if !ok {
		return nil, fault.E("retention.RunNow", fault.Conflict, "Another node is looking after retention at this moment.").
			WithHint("it does what is due once a minute")
	}
	if err := r.Step(ctx); err != nil {
		return nil, err
	}
	after, err := r.o.Store.Read(ctx).Runs(model.Paging{Limit: maxReturned})
	if err != nil {
		return nil, err
	}
	out := []model.RetentionRun{}
	for _, run := range after {
		waits := run.State == model.RunAnnounced && run.Confirm != "" && run.ConfirmedAt == nil && !r.now().Before(run.DueAt)
		was := slices.IndexFunc(before, func(b model.RetentionRun) bool { return b.ID == run.ID })
		if waits || was >= 0 && before[was].State != run.State || was < 0 && run.State == model.RunAnnounced {
			run.Report = ""
			out = append(out, run)
		}
	}
	return out, nil
}

// maxReturned bounds how many runs are returned.
const maxReturned = 100

// Confirm confirms a run that waits for an administrator. It is a Conflict before the notice
// period is over.
func (r *Service) Confirm(ctx context.Context, who, id string) (model.RetentionRun, error) {
	const op = "retention.Confirm"
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) (model.RetentionRun, error) {
		run, err := tx.LockRun(id)
		if err != nil {
			return run, fault.Missing("retention", err, "There is no run %q.", valid.Printable(id))
		}
		now := r.now()
		switch earliest := run.CreatedAt.Add(r.policy.Load().Notice); {
		case run.State != model.RunAnnounced:
			return run, fault.E(op, fault.Conflict, "The run is %s.", run.State)
		case run.Confirm == "":
			return run, fault.E(op, fault.Conflict, "The run needs no confirmation.")
		case run.ConfirmedAt != nil:
			return run, fault.E(op, fault.Conflict, "The run was confirmed already, by %s.", run.ConfirmedBy)
		case now.Before(earliest):
			return run, fault.E(op, fault.Conflict, "The run can be confirmed from %s on: its notices need their time.",
				earliest.In(exchange.ReaderZone(ctx, r.o.Zone)).Format("2006-01-02 15:04 MST"))
		}
		run.ConfirmedAt, run.ConfirmedBy = &now, who
		if err := tx.PutRun(run); err != nil {
			return run, err
		}
		if why, err := tx.Setting(confirmSetting); err != nil {
			return run, err
		} else if why == run.Confirm { // no further reason since it was planned
			if err := tx.SetSetting(confirmSetting, ""); err != nil {
				return run, err
			}
		}
		return run, r.audit(tx, who, "retention.confirm", id,
			map[string]string{"why": run.Confirm, "files": fmt.Sprint(run.Files)})
	})
}

// Cancel cancels an announced run. Its files are named again by the next month's run, with new
// notices. Those of a closed account stay as long as their policies say.
func (r *Service) Cancel(ctx context.Context, who, id, reason string) (model.RetentionRun, error) {
	if err := valid.CheckLabel("reason", reason); err != nil {
		return model.RetentionRun{}, err
	}
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) (model.RetentionRun, error) {
		run, err := tx.LockRun(id)
		if err != nil {
			return run, fault.Missing("retention", err, "There is no run %q.", valid.Printable(id))
		}
		if run.State != model.RunAnnounced {
			return run, fault.E("retention.Cancel", fault.Conflict, "The run is %s.", run.State)
		}
		run.State = model.RunCancelled
		if err := tx.PutRun(run); err != nil {
			return run, err
		}
		return run, r.audit(tx, who, "retention.cancel", id, map[string]string{"reason": reason})
	})
}

// execute handles all items of a run and then writes its report. After a server stop it
// continues.
func (r *Service) execute(ctx context.Context, id string) error {
	run, err := store.Change(ctx, r.o.Store, func(tx *store.Tx) (model.RetentionRun, error) {
		run, err := tx.LockRun(id)
		if err != nil || run.State == model.RunRunning {
			return run, err
		}
		// it was cancelled, or another node was faster
		if run.State != model.RunAnnounced || run.Confirm != "" && run.ConfirmedAt == nil {
			return run, nil
		}
		now := r.now()
		run.State, run.StartedAt = model.RunRunning, &now
		if err := tx.PutRun(run); err != nil {
			return run, err
		}
		if err := endAccess(tx, run, now); err != nil {
			return run, err
		}
		return run, r.audit(tx, actor, "retention.run", id, map[string]string{"files": fmt.Sprint(run.Files)})
	})
	if err != nil || run.State != model.RunRunning {
		return err
	}
	told, err := r.notifiedAt(ctx, run)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		began := time.Now()
		items, err := r.o.Store.Read(ctx).ItemsToDo(id, runBatch)
		if err != nil {
			return err
		}
		if len(items) == 0 {
			return r.report(ctx, id)
		}
		if err := r.o.Store.Write(ctx, func(tx *store.Tx) error { return r.removeSome(tx, run, items, told) }); err != nil {
			return err
		}
		if ok, err := r.lead(ctx); err != nil || !ok { // renew the lease
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Since(began)):
		}
	}
	return ctx.Err()
}

// endAccess ends the sessions of a closed account, which may have been let in to download, before its files
// are removed.
func endAccess(tx *store.Tx, run model.RetentionRun, at time.Time) error {
	if run.Kind != model.RunClosing {
		return nil
	}
	users, err := tx.Users(model.UserFilter{Account: run.Account})
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := tx.Revoke(store.Revocation{UserID: u.ID, Reason: "the files of the account are removed"}, at); err != nil {
			return err
		}
	}
	return nil
}

// notifiedAt returns, by account, when its people were first notified of a run. With
// RequireNotice, notices that were not delivered do not count.
func (r *Service) notifiedAt(ctx context.Context, run model.RetentionRun) (map[string]time.Time, error) {
	list, err := r.o.Store.Read(ctx).RetentionNotices(run.ID, "", model.Paging{})
	out := map[string]time.Time{}
	for _, n := range list {
		if at, known := out[n.Account]; (n.Reached || !r.policy.Load().RequireNotice) && (!known || n.At.Before(at)) {
			out[n.Account] = n.At
		}
	}
	return out, err
}

// removeSome handles one batch in one transaction. A concurrent Hold either waits for its end
// or is seen by it.
func (r *Service) removeSome(tx *store.Tx, run model.RetentionRun, items []model.RetentionItem,
	told map[string]time.Time) error {
	boxes, err := lockAll(tx, items)
	if err != nil {
		return err
	}
	if _, err := tx.LockCounter(store.HoldsGate); err != nil {
		return err
	}
	holds, err := tx.Holds(model.HoldFilter{})
	if err != nil {
		return err
	}
	rules, err := readRules(&tx.Q, r.policy.Load().Keep)
	if err != nil {
		return err
	}
	var removed []string
	for _, i := range items {
		k, err := tx.KeptVersion(i.Version)
		switch {
		case fault.Is(err, fault.NotFound):
			i.State, i.Why = model.ItemGone, "somebody else removed it first"
		case err != nil:
			return err
		default:
			i.State, i.Why = r.judge(run, k, holds, rules, told, r.now())
		}
		err = tx.ItemDone(run.ID, i)
		if fault.Is(err, fault.NotFound) { // another node handled it
			continue
		}
		if err == nil && i.State == model.ItemRemoved {
			removed = append(removed, k.ID)
			if k.Current {
				err = boxes[k.UserID].Remove(store.File{DirID: k.DirID, Name: k.Name, Size: k.Size})
			}
			if err == nil {
				err = r.expired(tx, run, k, i)
			}
		}
		if err != nil {
			return err
		}
	}
	return mailbox.Drop(tx, removed, r.now())
}

// lockAll locks what a batch may remove, so that it cannot change meanwhile. It follows the
// global lock order: first all mailboxes, then all drops. It also sorts items by version, in
// which order deliveries and versions are then locked.
func lockAll(tx *store.Tx, items []model.RetentionItem) (map[string]*mailbox.Box, error) {
	users, versions := make([]string, len(items)), make([]string, len(items))
	for n, i := range items {
		users[n], versions[n] = i.UserID, i.Version
	}
	boxes, err := mailbox.LockAll(tx, users)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(items, func(a, b model.RetentionItem) int { return strings.Compare(a.Version, b.Version) })
	return boxes, tx.LockDrops(versions)
}

// reachedNobody is why files stay whose people were not told.
const reachedNobody = "its notice reached nobody"

// holdText says which hold keeps a file.
func holdText(h *model.Hold) string {
	return "hold " + h.ID + " on " + string(h.Kind) + " " + h.Label + ": " + h.Reason
}

// judge decides whether a named version is removed by a run at a time.
func (r *Service) judge(run model.RetentionRun, k store.Kept, holds []model.Hold, rules *rules,
	told map[string]time.Time, at time.Time) (state model.ItemState, why string) {
	if h := holding(holds, k.Account, k.UserID, k.Feed, k.FileID); h != nil {
		return model.ItemHeld, holdText(h)
	}
	since, known := told[k.Account]
	if !known {
		return model.ItemKept, reachedNobody
	}
	if run.Kind == model.RunRegular && at.Sub(since) < r.policy.Load().Reminder {
		return model.ItemKept, "its notice came too late"
	}
	if k.Drop == model.DropClaimed && k.ClaimUntil.After(at) {
		return model.ItemKept, "a consumer is working on it"
	}
	if run.Kind == model.RunRegular {
		before, err := valid.Before(run.DueAt, rules.period(k.Class))
		if err != nil || !k.StoredAt.Before(before) {
			return model.ItemKept, "its policy keeps it longer by now"
		}
	}
	return model.ItemRemoved, ""
}

// expired ends the delivery or the drop of a removed version and writes the audit row. The
// caller drops the version itself.
func (r *Service) expired(tx *store.Tx, run model.RetentionRun, k store.Kept, i model.RetentionItem) error {
	at := r.now()
	if k.Delivery != "" && k.Delivery != model.DeliveryWithdrawn && k.Delivery != model.DeliveryReplaced {
		if err := tx.EndDelivery(k.ID, model.DeliveryExpired, at); err != nil {
			return err
		}
	}
	if k.Drop != "" {
		if err := tx.DropRemoved(k.ID, at); err != nil {
			return err
		}
	}
	return tx.Audit(model.AuditRow{ID: r.o.IDs.New(), At: at, Actor: actor, Action: "file.expire", Subject: i.Path,
		User: k.UserID, Detail: map[string]string{"version": k.ID, "sha256": k.SHA256, "run": run.ID}})
}

// Runs lists runs, newest first, without their reports.
func (r *Service) Runs(ctx context.Context, f model.EveryFilter) ([]model.RetentionRun, error) {
	list, err := r.o.Store.Read(ctx).Runs(f.Paging)
	for i := range list {
		list[i].Report = ""
	}
	return list, err
}

// Run finds one run.
func (r *Service) Run(ctx context.Context, id string) (model.RetentionRun, error) {
	run, err := r.o.Store.Read(ctx).Run(id)
	return run, fault.Missing("retention", err, "There is no run %q.", valid.Printable(id))
}
