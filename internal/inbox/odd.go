package inbox

import (
	"encoding/hex"
	"path"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// arriving is a drop that gets its final name.
type arriving struct {
	store.NewDrop
	user    model.User
	at      time.Time // when it was received
	cleared bool      // no scanner has to accept it first
	flag    string    // what was not as expected of it under the name before
}

// odd compares a drop with what is expected of its user. It marks what is not as expected, and returns the event that
// tells of it, if there is one. refused says that the drop was refused.
func (r *Service) odd(tx *store.Tx, a arriving) (events []model.Event, refused bool, err error) {
	if r.o.Odd == nil {
		return nil, false, nil
	}
	a.user.ID = a.UserID
	odd, err := r.o.Odd(&tx.Q, exchange.Received{User: a.user, Name: path.Base(a.Path), Size: a.Size, At: a.at})
	if err != nil || odd.Words == a.flag {
		return nil, false, err
	}
	if err := tx.FlagDrop(a.VersionID, odd.Words); err != nil {
		return nil, false, err
	}
	if odd.Tell != nil {
		events = append(events, *odd.Tell)
	}
	if !odd.Refuse {
		return events, false, nil
	}
	text, raw := valid.Text(a.Path)
	d := model.Drop{ID: a.VersionID, UserID: a.UserID, User: a.user.Name, Account: a.user.Account, Path: text, Raw: raw,
		Size: a.Size, SHA256: hex.EncodeToString(a.SHA256), Consumer: exchange.OddConsumer, Cleared: a.cleared,
		Reason: odd.Reason, Advice: odd.Advice}
	return events, true, r.reject(tx, exchange.OddConsumer, d)
}

// handOn hands on a drop that has its final name, unless it is refused for what was expected. It returns the events.
func (r *Service) handOn(tx *store.Tx, a arriving, now time.Time) ([]model.Event, error) {
	events, refused, err := r.odd(tx, a)
	if err != nil || refused {
		return events, err
	}
	e, err := r.received(tx, a.user, a.NewDrop, now)
	return append(events, e), err
}
