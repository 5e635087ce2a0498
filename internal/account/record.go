package account

import (
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// record writes a change's audit row. For changes of accounts and keys it also emits an event,
// for keys one for each user concerned.
func (r *Service) record(tx *store.Tx, row model.AuditRow) error {
	if err := tx.Audit(row); err != nil {
		return err
	}
	data := model.RecordChanged{"actor": row.Actor}
	e := model.Event{Type: row.Action, At: row.At, Data: data}
	users := []string{}
	for name, value := range row.Detail {
		if user, ok := strings.CutPrefix(name, "user."); ok {
			users = append(users, user)
		} else if value != "" {
			data[name] = value
		}
	}
	switch {
	case strings.HasPrefix(row.Action, "account."):
		e.ID, e.Account = r.ids.New(), row.Subject
		return tx.Emit(e)
	case !strings.HasPrefix(row.Action, "key.") || row.Action == "key.set":
		return nil
	}
	if valid.IsFingerprint(row.Subject) {
		data["fingerprint"] = row.Subject
	}
	if len(users) == 0 && row.User != "" {
		u, err := tx.UserByID(row.User)
		if err != nil {
			return err
		}
		users = append(users, u.Name)
	}
	if len(users) == 0 { // a key that no user has
		e.ID = r.ids.New()
		return tx.Emit(e)
	}
	for _, name := range users {
		u, err := tx.User(name)
		if err != nil {
			return err
		}
		e.ID, e.User, e.Account = r.ids.New(), u.Name, u.Account
		if err := tx.Emit(e); err != nil {
			return err
		}
	}
	return nil
}
