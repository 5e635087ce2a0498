package account

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// InactivePolicy ends log-ins that nobody uses any more. A user that never logged in counts from when it was
// made; enabling one counts as a log-in.
type InactivePolicy struct {
	After  time.Duration    // without a log-in, a user is disabled; 0: never
	Notice time.Duration    // how long before that its people are told
	Kinds  []model.UserKind // whom it concerns
}

// Kinds of notices about inactive users.
const (
	noticeInactive = "user.inactive"
	noticeEnded    = "user.ended"
)

const (
	inactiveEvery = time.Hour
	inactivePage  = 200
)

// idleSince returns the time before which a user that is inactive for a period was used last; zero if
// the period is "".
func (r *Service) idleSince(period string) (time.Time, error) {
	if period == "" {
		return time.Time{}, nil
	}
	return valid.Before(r.now(), period)
}

// KeepInactive notifies of inactive users and disables them, as the policy says, until ctx ends. live
// reports whether a user is logged in.
func (r *Service) KeepInactive(ctx context.Context, log *slog.Logger, live func(userID string) bool) {
	exchange.Task{Every: inactiveEvery, Do: func(ctx context.Context) error { return r.EndInactive(ctx, live) },
		Failure: "inactive users could not be ended", Log: log}.Run(ctx)
}

// EndInactive does what KeepInactive does, once.
func (r *Service) EndInactive(ctx context.Context, live func(userID string) bool) error {
	p := r.policy.Load().Inactive
	if p.After == 0 {
		return nil
	}
	idle := r.now().Add(p.Notice - p.After)
	for f := (model.UserFilter{Paging: model.Paging{Limit: inactivePage}}); ; {
		users, err := r.store.Read(ctx).UsersIdle(f, idle)
		if err != nil {
			return err
		}
		for _, u := range users {
			f.Cursor = u.Name
			if !u.Enabled || !slices.Contains(p.Kinds, u.Kind) || live(u.ID) {
				continue
			}
			if err := r.endInactive(ctx, u); err != nil {
				return err
			}
		}
		if len(users) < inactivePage {
			return nil
		}
	}
}

// endInactive notifies a user's people or, if they were told long enough ago, disables it.
func (r *Service) endInactive(ctx context.Context, u model.User) error {
	q, now, p := r.store.Read(ctx), r.now(), r.policy.Load().Inactive
	since, err := q.ActiveAt(u.ID)
	if err != nil {
		return err
	}
	mark := since.Format(time.RFC3339Nano)
	told, err := q.NoticedAt(u.ID, noticeInactive, mark)
	if err != nil {
		return err
	}
	if told.IsZero() {
		return r.noteInactive(ctx, u, since, mark)
	}
	due := since.Add(p.After)
	if later := told.Add(p.Notice); later.After(due) {
		due = later // its people were told late: it was made or the policy was set meanwhile
	}
	if now.Before(due) {
		return nil
	}
	row := model.AuditRow{Actor: keeperName, Action: "user.disable", Subject: u.Name, User: u.ID,
		Detail: map[string]string{"reason": "inactive since " + since.Format(time.DateOnly)}}
	err = r.write(ctx, row, func(tx *store.Tx, row *model.AuditRow) error {
		u, err := tx.UserByID(u.ID)
		if err != nil {
			return err
		}
		again, err := tx.ActiveAt(u.ID)
		if err != nil {
			return err
		}
		if !again.Equal(since) || !u.Enabled {
			return errNothingToDo
		}
		u.Enabled = false
		if err := tx.SetUser(u); err != nil {
			return err
		}
		text := fmt.Sprintf("User %s of account %s was disabled today, because nobody has logged in with it since %s. Its "+
			"files are still here. If you need it, tell us and we enable it again.", u.Name, u.Account,
			since.Format(time.DateOnly))
		if err := r.inactiveNotice(tx, u, noticeEnded, mark, text); err != nil {
			return err
		}
		return tx.Revoke(store.Revocation{UserID: u.ID, Reason: "the user was inactive"}, row.At)
	})
	if err == errNothingToDo || fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// noteInactive tells a user's people that it is going to be disabled.
func (r *Service) noteInactive(ctx context.Context, u model.User, since time.Time, mark string) error {
	due := r.now().Add(r.policy.Load().Inactive.Notice)
	if later := since.Add(r.policy.Load().Inactive.After); later.After(due) {
		due = later
	}
	text := fmt.Sprintf("Nobody has logged in as user %s of account %s since %s. If nobody does, we disable it on %s, "+
		"because an unused log-in is a risk and no use. If you still need it, log in once before then, or tell us. If you "+
		"don't, there is nothing to do.", u.Name, u.Account, since.Format(time.DateOnly), due.Format(time.DateOnly))
	return r.store.Write(ctx, func(tx *store.Tx) error { return r.inactiveNotice(tx, u, noticeInactive, mark, text) })
}

func (r *Service) inactiveNotice(tx *store.Tx, u model.User, kind, mark, text string) error {
	if help := r.help(&tx.Q, u.Account); help != "" {
		text += " Help: " + help + "."
	}
	_, err := tx.AddNotice(model.Notice{ID: r.ids.New(), At: r.now(), Kind: kind, UserID: u.ID, Mark: mark,
		Roles: []string{model.RoleTechnical, model.RoleSecurity}, Text: text})
	return err
}
