package retention

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	planBatch   = 1000
	statePlan   = "planning" // until all items are written
	planEarlier = 24 * time.Hour
)

// nextRun returns the first regular run date that leaves the full notice period.
func (r *Service) nextRun(now time.Time) time.Time {
	earliest := now.Add(r.policy.Load().Notice)
	at := time.Date(earliest.Year(), earliest.Month(), r.policy.Load().Day, r.policy.Load().Hour, 0, 0, 0, time.UTC)
	if at.Before(earliest) {
		at = time.Date(earliest.Year(), earliest.Month()+1, r.policy.Load().Day, r.policy.Load().Hour, 0, 0, 0, time.UTC)
	}
	return at
}

// planRegular plans the next regular run, from one day before its notice is due.
func (r *Service) planRegular(ctx context.Context) error {
	now := r.now()
	due := r.nextRun(now)
	if due.Sub(now) > r.policy.Load().Notice+planEarlier {
		return nil
	}
	if _, err := r.o.Store.Read(ctx).RunAt(due); !fault.Is(err, fault.NotFound) {
		return err
	}
	confirm, err := r.o.Store.Read(ctx).Setting(confirmSetting)
	if err != nil {
		return err
	}
	run := model.RetentionRun{ID: r.o.IDs.New(), Kind: model.RunRegular, DueAt: due, State: statePlan, Confirm: confirm,
		CreatedAt: now, Planner: r.o.Node}
	return r.plan(ctx, run, func(add func(store.Kept) error) error { return r.eachDue(ctx, due, add) })
}

// planClosings plans a last run for every closed account without one.
func (r *Service) planClosings(ctx context.Context) error {
	accounts, err := r.o.Store.Read(ctx).Accounts(model.Paging{})
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if a.State != model.AccountClosed {
			continue
		}
		if _, err := r.o.Store.Read(ctx).ClosingRun(a); fault.Is(err, fault.NotFound) {
			if _, err = r.closing(ctx, a); err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
		} else if err != nil {
			return err
		}
	}
	return nil
}

// PlanClosing plans the removal of all files of a closed account and notifies its people. If a
// run exists, it returns that.
func (r *Service) PlanClosing(ctx context.Context, account string) (model.RetentionRun, error) {
	r.running.Lock()
	defer r.running.Unlock()
	a, err := r.o.Store.Read(ctx).Account(account)
	if err != nil {
		return model.RetentionRun{}, err
	}
	if run, err := r.o.Store.Read(ctx).ClosingRun(a); !fault.Is(err, fault.NotFound) {
		return run, err
	}
	run, err := r.closing(ctx, a)
	if err != nil {
		return run, err
	}
	return run, r.notifyDue(ctx)
}

func (r *Service) closing(ctx context.Context, a model.Account) (model.RetentionRun, error) {
	now := r.now()
	run := model.RetentionRun{ID: r.o.IDs.New(), Kind: model.RunClosing, Account: a.ID,
		DueAt: now.Add(r.policy.Load().AfterClose), State: statePlan, CreatedAt: now, Planner: r.o.Node}
	if a.FilesUntil != nil {
		run.DueAt = *a.FilesUntil
	}
	err := r.plan(ctx, run, func(add func(store.Kept) error) error {
		for after := ""; ; {
			page, err := r.o.Store.Read(ctx).Patient().KeptOfAccount(a.ID, after, planBatch)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, k := range page {
				after = k.ID
				if err := add(k); err != nil {
					return err
				}
			}
		}
	})
	if err != nil {
		return run, err
	}
	planned, err := r.o.Store.Read(ctx).Run(run.ID)
	return planned, fault.Missing("retention.closing", err, "The account %s was reopened meanwhile.", a.ID)
}

// eachDue visits every version that is due at a time under the current policies. It does not
// read the others.
func (r *Service) eachDue(ctx context.Context, at time.Time, visit func(store.Kept) error) error {
	q := r.o.Store.Read(ctx).Patient()
	rules, err := readRules(q, r.policy.Load().Keep)
	if err != nil {
		return err
	}
	classes, err := q.Classes()
	if err != nil {
		return err
	}
	for _, class := range classes {
		before, err := valid.Before(at, rules.period(class))
		if err != nil {
			return err
		}
		since, after := time.Time{}, ""
		for ctx.Err() == nil {
			page, err := q.Due(class, before, since, after, planBatch)
			if err != nil {
				return err
			}
			for _, k := range page {
				since, after = k.StoredAt, k.ID
				if err := visit(k); err != nil {
					return err
				}
			}
			if len(page) < planBatch {
				break
			}
		}
	}
	return ctx.Err()
}

// plan writes the items that a run will remove. The run is announced only when all are written.
// A server stop before that discards it.
func (r *Service) plan(ctx context.Context, run model.RetentionRun,
	visit func(add func(store.Kept) error) error) error {
	err := r.o.Store.Write(ctx, func(tx *store.Tx) error {
		tx.Unaudited("a plan is told of when it is announced")
		return tx.PutRun(run)
	})
	if err != nil {
		return err
	}
	rules, err := readRules(r.o.Store.Read(ctx), r.policy.Load().Keep)
	if err != nil {
		return err
	}
	n := naming{r: r, ctx: ctx, run: &run, rules: rules,
		paths: pathReader{q: r.o.Store.Read(ctx), dirs: map[string]string{}}}
	if err = visit(n.add); err == nil {
		err = n.flush()
	}
	if err != nil {
		return err
	}
	return r.announce(ctx, run)
}

// naming collects the items of a run.
type naming struct {
	r     *Service
	ctx   context.Context
	run   *model.RetentionRun
	rules *rules
	paths pathReader
	items []model.RetentionItem
}

func (n *naming) add(k store.Kept) error {
	full, err := n.paths.of(k)
	if err != nil {
		return err
	}
	// The file's folder may have been renamed, so that another policy applies.
	if class := n.rules.class(k.UserID, full, k.Feed); n.run.Kind == model.RunRegular && class != k.Class {
		if err := n.r.o.Store.Write(n.ctx, func(tx *store.Tx) error { return tx.SetClass(k.ID, class) }); err != nil &&
			!fault.Is(err, fault.NotFound) {
			return err
		}
		return nil // the next run applies the right policy
	}
	n.run.Files, n.run.Bytes = n.run.Files+1, n.run.Bytes+k.Size
	n.items = append(n.items, model.RetentionItem{Account: k.Account, UserID: k.UserID, Version: k.ID, Path: full,
		Size: k.Size, Sum: k.Sum, Class: k.Class, StoredAt: k.StoredAt,
		Fetched: cmp.Or(string(k.Delivery), string(k.Drop)), State: model.ItemNamed})
	if len(n.items) < planBatch {
		return nil
	}
	return n.flush()
}

func (n *naming) flush() error {
	batch := n.items
	n.items = nil
	if len(batch) == 0 {
		return nil
	}
	return n.r.o.Store.Write(n.ctx, func(tx *store.Tx) error { return tx.AddItems(n.run.ID, batch) })
}

// announce turns a complete plan into an announced run.
func (r *Service) announce(ctx context.Context, run model.RetentionRun) error {
	run.State = model.RunAnnounced
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		if open, err := reopened(tx, run); err != nil {
			return err
		} else if open {
			tx.Unaudited("a plan that was discarded was never told of")
			return tx.DropRun(run.ID)
		}
		if is, err := tx.LockRun(run.ID); err != nil {
			return err
		} else if is.State != statePlan {
			return fault.E("retention.plan", fault.Conflict, "The plan was discarded meanwhile.")
		}
		if err := tx.PutRun(run); err != nil {
			return err
		}
		if run.Confirm != "" {
			if err := tx.Emit(model.Event{ID: r.o.IDs.New(), Type: model.EventRetention, At: run.CreatedAt,
				Data: model.RunToConfirm{Run: run.ID,
					Due: run.DueAt.Truncate(time.Second), Files: run.Files, Bytes: run.Bytes, Why: run.Confirm,
					Words: "The retention run of " + run.DueAt.Format(time.DateOnly) +
						" removes nothing until you have confirmed it, because " + run.Confirm + ". It names " +
						strconv.FormatInt(run.Files, 10) + " files."}}); err != nil {
				return err
			}
		}
		return r.audit(tx, actor, "retention.plan", run.ID,
			map[string]string{"kind": string(run.Kind), "account": run.Account, "due": run.DueAt.Format(time.RFC3339),
				"files": strconv.FormatInt(run.Files, 10), "bytes": strconv.FormatInt(run.Bytes, 10), "confirm": run.Confirm})
	})
}

// reopened holds the account of a closing run, and reports whether the account is closed no more.
func reopened(tx *store.Tx, run model.RetentionRun) (bool, error) {
	if run.Kind != model.RunClosing {
		return false, nil
	}
	a, err := tx.LockAccount(run.Account)
	return a.State != model.AccountClosed || a.ClosedAt != nil && a.ClosedAt.After(run.CreatedAt), err
}

// discardHalfPlanned deletes plans that a server stop left incomplete. The caller holds
// r.running, so this process has no plan in progress.
func (r *Service) discardHalfPlanned(ctx context.Context) error {
	open, err := r.o.Store.Read(ctx).OpenRuns()
	if err != nil {
		return err
	}
	for _, run := range open {
		if run.State != statePlan || run.Planner != r.o.Node && r.now().Sub(run.CreatedAt).Abs() < leaseFor {
			continue // another node may be planning it
		}
		if err := r.o.Store.Write(ctx, func(tx *store.Tx) error { return tx.DropRun(run.ID) }); err != nil {
			return err
		}
	}
	return nil
}
