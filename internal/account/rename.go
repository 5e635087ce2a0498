package account

import (
	"context"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// RenameUser gives a user another username. Everything else stays: its keys, its mailbox and its history
// belong to the user's id. Its sessions end, since they began under the old name. Nobody else may take the
// old name for Policy.KeepNames.
func (r *Service) RenameUser(ctx context.Context, actor, name string, to model.RenameUser) (model.User, error) {
	const op = "account.RenameUser"
	if err := valid.CheckUserName("username", to.Name); err != nil {
		return model.User{}, err
	}
	row := model.AuditRow{Actor: actor, Action: "user.rename", Subject: name}
	return change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) (model.User, error) {
		u, err := tx.User(name)
		if err != nil {
			return u, r.noUser(&tx.Q, err, name)
		}
		if u.Name == to.Name {
			return u, fault.E(op, fault.Conflict, "The user is called %q already.", u.Name)
		}
		if err := r.nameIsFree(tx, u.ID, to.Name, row.At); err != nil {
			return u, err
		}
		row.Subject, row.User, row.Detail = u.Name, u.ID, map[string]string{"name": u.Name + " → " + to.Name}
		old := u.Name
		u.Name = to.Name
		if err := taken(op, tx.RenameUser(u.ID, to.Name), "The username %q is taken.", to.Name); err != nil {
			return u, err
		}
		if valid.Fold(old) != valid.Fold(to.Name) {
			if err := tx.AddFormerName(u.ID, old, row.At); err != nil {
				return u, err
			}
		}
		if err := tx.Emit(model.Event{ID: r.ids.New(), Type: model.EventUserRenamed, At: row.At, Account: u.Account,
			User: u.Name, Data: model.UserRenamed{From: old, To: u.Name}}); err != nil {
			return u, err
		}
		u.Limits = r.limitsOf(u)
		return u, tx.Revoke(store.Revocation{UserID: u.ID, Reason: "the user was renamed"}, row.At)
	})
}

// nameIsFree refuses a name that another user had until lately. Records of connections speak of users by
// name, and would be taken for those of its new owner.
func (r *Service) nameIsFree(tx *store.Tx, userID, name string, now time.Time) error {
	was, err := tx.FormerName(name)
	if fault.Is(err, fault.NotFound) || err == nil && was.UserID == userID {
		return nil
	} else if err != nil {
		return err
	}
	if free := was.At.Add(r.policy.Load().KeepNames); now.Before(free) {
		return fault.E("account.nameIsFree", fault.Exists,
			"%q was the name of the user %s until %s. Nobody else can have it before %s.", was.From, was.To,
			was.At.Format(time.DateOnly), free.Format(time.DateOnly)).WithHint("choose another username")
	}
	return nil
}

// noUser replaces a NotFound by a sentence. If a user had that name, it says the new one.
func (r *Service) noUser(q *store.Q, err error, name string) error {
	if fault.Is(err, fault.NotFound) {
		if was, werr := q.FormerName(name); werr == nil {
			return fault.E("account.User", fault.NotFound, "There is no user %q: it was renamed to %q on %s.",
				valid.Printable(name), was.To, was.At.Format(time.DateOnly))
		}
	}
	return fault.Missing("account.User", err, "There is no user %q.", name)
}
