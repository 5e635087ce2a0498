package account

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// SetState suspends, reinstates or closes an account. Its sessions end if they may do less in the new state.
// A closed account is a Conflict; Reopen opens it.
func (r *Service) SetState(ctx context.Context, actor, id string, state model.AccountState) (model.Account, error) {
	return r.setState(ctx, actor, id, state, "")
}

// Close closes an account. keep is how long its files stay; "" is the configured time. Until they are
// removed, the account can be reopened.
func (r *Service) Close(ctx context.Context, actor, id, keep string) (model.Account, error) {
	return r.setState(ctx, actor, id, model.AccountClosed, keep)
}

func (r *Service) setState(ctx context.Context, actor, id string, state model.AccountState,
	keep string) (model.Account, error) {
	const op = "account.SetState"
	row := model.AuditRow{Actor: actor, Action: "account." + string(state), Subject: id}
	return change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) (model.Account, error) {
		a, err := tx.LockAccount(id)
		if err != nil {
			return a, noAccount(op, &tx.Q, err, id)
		}
		if a.State == model.AccountClosed {
			return a, fault.E(op, fault.Conflict, "The account %q is closed.", a.ID).
				WithAction("reopen-account", "account", a.ID)
		}
		row.Subject, row.Detail = a.ID, map[string]string{"state": string(a.State + " → " + state)}
		less := mayLess(a.State, state)
		if state == model.AccountClosed {
			if a.FilesUntil, err = r.filesUntil(row.At, keep); err != nil {
				return a, err
			}
			if a.FilesUntil != nil {
				row.Detail["files_until"] = a.FilesUntil.Format(time.RFC3339)
			}
			a.ClosedAt, a.ClosedFrom = &row.At, a.State
		}
		a.State = state
		if err := tx.SetAccount(a); err != nil || !less {
			return a, err
		}
		return a, endSessions(tx, a.ID, "the account's state changed to "+string(state), nil, row.At)
	})
}

// mayLess reports whether users may do less in the new state than in the old one. If not, their sessions go on;
// those that began read-only stay so.
func mayLess(old, new model.AccountState) bool {
	return new == model.AccountSuspended || new == model.AccountClosed ||
		new == model.AccountReadOnly && old == model.AccountActive
}

// filesUntil returns when the files of an account that is closed now are removed. Nil is the time that
// retention is configured to.
func (r *Service) filesUntil(now time.Time, keep string) (*time.Time, error) {
	if keep == "" && r.policy.Load().AfterClose == 0 {
		return nil, nil
	}
	until := now.Add(r.policy.Load().AfterClose)
	if keep != "" {
		var err error
		if until, err = valid.After(now, keep); err != nil {
			return nil, err
		}
	}
	return &until, nil
}

// noAccount replaces a NotFound by a sentence. If the name is a vendor's, it says so.
func noAccount(op string, q *store.Q, err error, id string) error {
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	if v, verr := q.Vendor(id); verr == nil {
		return fault.E(op, fault.NotFound, "%s is a vendor (%s), not an account. A vendor has no state of its own.", v.Short,
			v.Name).WithHint("disable its users one by one: they are named ACCOUNT-%s", v.Short)
	}
	return fault.Missing(op, err, "There is no account %q.", id)
}

// Reopen opens a closed account again, in the state that it had before. The removal of its files is called
// off. It is a Conflict once the removal is due.
func (r *Service) Reopen(ctx context.Context, actor, id string) (model.Account, error) {
	const op = "account.Reopen"
	row := model.AuditRow{Actor: actor, Action: "account.reopened", Subject: id}
	return change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) (model.Account, error) {
		a, err := tx.LockAccount(id)
		if err != nil {
			return a, noAccount(op, &tx.Q, err, id)
		}
		switch {
		case a.State != model.AccountClosed:
			return a, fault.E(op, fault.Conflict, "The account %q is not closed, but %s.", a.ID, a.State)
		case a.ClosedAt == nil || a.FilesUntil == nil:
			return a, fault.E(op, fault.Conflict, "The account %q was closed by an earlier version of this server, for good.",
				a.ID)
		case !row.At.Before(*a.FilesUntil):
			return a, fault.E(op, fault.Conflict, "The account %q was closed on %s and could be reopened until %s.", a.ID,
				a.ClosedAt.Format(time.DateOnly), a.FilesUntil.Format(time.DateOnly)).
				WithHint("add a new account")
		}
		run, err := r.callOff(tx, row, a)
		if err != nil {
			return a, err
		}
		row.Subject = a.ID
		row.Detail = map[string]string{"state": string(a.State + " → " + a.ClosedFrom), "called_off": run}
		a.State, a.ClosedFrom, a.ClosedAt, a.FilesUntil = a.ClosedFrom, "", nil, nil
		return a, tx.SetAccount(a)
	})
}

// callOff cancels the removal of a closed account's files, and returns the id of the run if it was announced. A
// plan that is not announced yet discards itself when it finds the account open.
func (r *Service) callOff(tx *store.Tx, row *model.AuditRow, a model.Account) (string, error) {
	run, err := tx.ClosingRun(a)
	if fault.Is(err, fault.NotFound) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	run, err = tx.LockRun(run.ID)
	switch {
	case err != nil:
		return "", err
	case run.State == model.RunRunning || run.State == model.RunDone:
		return "", fault.E("account.Reopen", fault.Conflict, "The files of the account %q are being removed, or are removed.",
			a.ID).WithHint("add a new account")
	case run.State != model.RunAnnounced:
		return "", nil
	}
	run.State = model.RunCancelled
	if err := tx.PutRun(run); err != nil {
		return "", err
	}
	return run.ID, tx.Audit(model.AuditRow{ID: r.ids.New(), At: row.At, Actor: row.Actor, Action: "retention.cancel",
		Subject: run.ID, Detail: map[string]string{"reason": "the account " + a.ID + " was reopened"}})
}

// Closing says what closing an account would do, or what it did if the account is closed.
func (r *Service) Closing(ctx context.Context, ask model.ClosingQuery) (out model.Closing, err error) {
	const op = "account.Closing"
	q := r.store.Read(ctx)
	a, err := q.Account(ask.Account)
	if err != nil {
		return out, noAccount(op, q, err, ask.Account)
	}
	out = model.Closing{Account: a, Access: r.policy.Load().CloseAccess, Users: []string{}}
	until := a.FilesUntil
	if a.State != model.AccountClosed {
		if until, err = r.filesUntil(r.now(), ask.KeepFiles); err != nil {
			return out, err
		}
		if a.State == model.AccountSuspended {
			out.Access = model.CloseNone
		}
	} else if a.ClosedFrom == model.AccountSuspended {
		out.Access = model.CloseNone
	}
	if until != nil {
		out.Until = *until
	}
	users, err := q.Users(model.UserFilter{Account: a.ID})
	if err != nil {
		return out, err
	}
	for _, u := range users {
		out.Users = append(out.Users, u.Name)
		out.Files, out.Bytes = out.Files+u.UsedFiles, out.Bytes+u.UsedBytes
	}
	if out.Uncollected, err = q.CountUncollected(a.ID); err != nil {
		return out, err
	}
	if out.Feeds, err = q.FeedNames(a.ID); err != nil {
		return out, err
	}
	if out.Publishes, err = q.FeedsOfProducer(a.ID); err != nil {
		return out, err
	}
	if out.Children, err = q.Children(a.ID); err != nil {
		return out, err
	}
	holds, err := q.Holds(model.HoldFilter{})
	out.Holds = holdsOf(holds, out, users)
	return out, err
}

// holdsOf names the holds that keep files of an account, whatever is closed.
func holdsOf(holds []model.Hold, c model.Closing, users []model.User) []string {
	out := []string{}
	for _, h := range holds {
		concerns := h.Kind == model.HoldAccount && h.Target == c.Account.ID ||
			h.Kind == model.HoldFeed && slices.Contains(c.Feeds, h.Target) ||
			slices.ContainsFunc(users, func(u model.User) bool {
				return h.Kind == model.HoldUser && h.Target == u.ID ||
					h.Kind == model.HoldFile && strings.HasPrefix(h.Label, u.Name+":")
			})
		words := string(h.Kind) + " " + h.Label
		if h.Kind == model.HoldAccount || h.Kind == model.HoldFeed {
			words = string(h.Kind) + " " + h.Target // in its own spelling
		}
		for _, u := range users {
			if h.Kind == model.HoldUser && h.Target == u.ID {
				words = string(h.Kind) + " " + u.Name
			}
		}
		if concerns && !slices.Contains(out, words) { // it may be held for several reasons
			out = append(out, words)
		}
	}
	return out
}

// mayDownload reports whether a user of a closed account may still log in to download.
func (r *Service) mayDownload(c *store.Credential) bool {
	a := model.Account{ClosedFrom: c.ClosedFrom, FilesUntil: c.FilesUntil}
	return c.User.Kind != model.KindService && a.MayDownload(r.policy.Load().CloseAccess, r.clock())
}
