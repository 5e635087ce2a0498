package inbox

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Arrived records drops, all of one user, in the transaction that gives their files final
// names.
func (r *Service) Arrived(tx *store.Tx, list []exchange.Arrival) error {
	drops := make([]store.NewDrop, len(list))
	for i, a := range list {
		drops[i] = store.NewDrop{VersionID: a.VersionID, UserID: a.Login.User.ID, Path: a.Path, Size: a.Size,
			SHA256: a.SHA256, Fingerprint: a.Login.Fingerprint, Address: a.Login.Address, ReceivedAt: a.At,
			Scanner: r.o.Scanner}
		if wait := r.wait(a); wait > 0 {
			drops[i].ReadyAt = a.At.Add(wait)
		}
	}
	if err := findDuplicates(tx, drops); err != nil {
		return err
	}
	if err := tx.AddDrops(drops); err != nil {
		return err
	}
	events := make([]model.Event, 0, len(list))
	for i, d := range drops {
		if !d.ReadyAt.IsZero() {
			continue // its event is emitted when it is handed on
		}
		more, err := r.handOn(tx, arriving{NewDrop: d, user: list[i].Login.User, at: list[i].At,
			cleared: d.Scanner == ""}, list[i].At)
		if err != nil {
			return err
		}
		events = append(events, more...)
	}
	return tx.Emit(events...)
}

// wait returns how long an arrival with a doubtful name waits for another name; 0: the name is
// final.
func (r *Service) wait(a exchange.Arrival) time.Duration {
	if r.o.Names == nil {
		return 0
	}
	return r.o.Names(a.Login.User.ID, a.Path).Wait(path.Base(a.Path))
}

// findDuplicates sets for each drop which earlier file of the same user has its content or its
// name. The drops themselves must not be recorded yet under these names.
func findDuplicates(tx *store.Tx, drops []store.NewDrop) error {
	if len(drops) == 0 {
		return nil
	}
	contents, names, err := tx.Twins(drops[0].UserID, drops)
	if err != nil {
		return err
	}
	for i := range drops {
		d := &drops[i]
		name := path.Base(d.Path)
		content, byName := contents[string(d.SHA256)], names[name]
		d.Duplicate, d.DuplicateOf = duplicate(content, byName)
		contents[string(d.SHA256)], names[name] = d.VersionID, d.VersionID // for the drops that follow
	}
	return nil
}

func duplicate(content, name string) (kind, of string) {
	switch {
	case content != "" && name != "":
		return model.DuplicateBoth, content
	case content != "":
		return model.DuplicateContent, content
	case name != "":
		return model.DuplicateName, name
	}
	return "", ""
}

// received returns the event for a drop that is handed on. If it is a duplicate, it also adds a
// digest line for the uploader.
func (r *Service) received(tx *store.Tx, u model.User, d store.NewDrop, at time.Time) (model.Event, error) {
	name := path.Base(d.Path)
	data := model.FileReceived{Drop: d.VersionID, Path: valid.Printable(d.Path), Name: valid.Printable(name), Size: d.Size,
		SHA256: hex.EncodeToString(d.SHA256), Key: d.Fingerprint, Address: d.Address, Vendor: u.Vendor,
		Duplicate: d.Duplicate, DuplicateOf: d.DuplicateOf}
	if d.Duplicate != "" {
		if err := r.digest(tx, d.UserID, at, digestLine{Name: name, Duplicate: d.Duplicate}); err != nil {
			return model.Event{}, err
		}
	}
	return model.Event{ID: r.o.IDs.New(), Type: model.EventReceived, At: at, Account: u.Account, User: u.Name,
		Data: data}, nil
}

// digestLine is a line of the digest for the uploader's technical contacts: why a file was refused,
// or what it shares with an earlier one.
type digestLine struct{ Name, Reason, Advice, Duplicate string }

// digest adds a line to the digest.
func (r *Service) digest(tx *store.Tx, userID string, at time.Time, l digestLine) error {
	l.Name = valid.Printable(l.Name)
	detail, err := json.Marshal(l)
	if err != nil {
		return fault.Wrap("inbox.digest", fault.Internal, err)
	}
	return tx.AddDigest(store.Digest{ID: r.o.IDs.New(), UserID: userID, At: at, Kind: "refused",
		Detail: string(detail)})
}

// Renamed records another name of a version. A drop that nobody has claimed gets the new name,
// since programs upload under temporary names of their own and then rename, and no list has all
// of those names. For a claimed drop the name is only remembered. A version that is not a drop
// becomes one if this is its first final name.
func (r *Service) Renamed(tx *store.Tx, first bool, a exchange.Arrival) error {
	d, err := tx.LockDrop(a.VersionID)
	if fault.Is(err, fault.NotFound) {
		if !first {
			return nil
		}
		if _, err := tx.DeliveryOf(a.VersionID); !fault.Is(err, fault.NotFound) {
			return err // it is a delivered file that its user has moved
		}
		return r.Arrived(tx, []exchange.Arrival{a})
	} else if err != nil {
		return err
	}
	was := pathOf(d)
	if was == a.Path {
		return nil
	}
	if !unclaimed(d.State) {
		return tx.AddDropName(d.ID, a.Path, a.At)
	}
	if err := tx.AddDropName(d.ID, was, d.ReceivedAt); err != nil {
		return err
	}
	now, err := r.newName(tx, d, a)
	if err != nil {
		return err
	}
	if err := tx.RenameDrop(now); err != nil {
		return err
	}
	named := arriving{NewDrop: now, user: uploader(d), at: d.ReceivedAt, cleared: d.Cleared, flag: d.Flag}
	switch {
	case !now.ReadyAt.IsZero():
		return nil
	case d.ReadyAt != nil: // its event was not emitted yet
		events, err := r.handOn(tx, named, a.At)
		if err != nil {
			return err
		}
		return tx.Emit(events...)
	}
	events, refused, err := r.odd(tx, named)
	if err != nil || refused {
		return errors.Join(err, tx.Emit(events...))
	}
	return tx.Emit(append(events, model.Event{ID: r.o.IDs.New(), Type: model.EventRenamed, At: a.At, Account: d.Account,
		User: d.User,
		Data: model.FileRenamed{
			Drop: d.ID, Path: valid.Printable(a.Path), Name: valid.Printable(path.Base(a.Path)), Size: d.Size, SHA256: d.SHA256,
			Was: valid.Printable(was)}})...)
}

// uploader returns what a drop says of the user who sent it.
func uploader(d model.Drop) model.User {
	return model.User{ID: d.UserID, Account: d.Account, Name: d.User, Vendor: d.Vendor}
}

// newName returns the row of a drop under another path: whether it is a duplicate by that name,
// and whether it still waits for a final name.
func (r *Service) newName(tx *store.Tx, d model.Drop, a exchange.Arrival) (store.NewDrop, error) {
	now, err := rowOf(d)
	if err != nil {
		return now, err
	}
	now.Path = a.Path
	if d.ReadyAt != nil && r.wait(a) > 0 {
		now.ReadyAt = *d.ReadyAt
	}
	content, byName := "", ""
	if content, err = tx.TwinByContent(d.UserID, now.SHA256, d.ID); err == nil {
		byName, err = tx.TwinByName(d.UserID, path.Base(a.Path), d.ID)
	}
	now.Duplicate, now.DuplicateOf = duplicate(content, byName)
	return now, err
}

// rowOf returns a drop as a new row that waits for no other name.
func rowOf(d model.Drop) (store.NewDrop, error) {
	sum, err := hex.DecodeString(d.SHA256)
	if err != nil {
		return store.NewDrop{}, fault.Wrap("inbox.rowOf", fault.Internal, err)
	}
	return store.NewDrop{VersionID: d.ID, UserID: d.UserID, Path: pathOf(d), Size: d.Size, SHA256: sum,
		Fingerprint: d.Fingerprint, Address: d.Address, Duplicate: d.Duplicate, DuplicateOf: d.DuplicateOf}, nil
}

// unclaimed reports whether a drop in this state was never claimed, or was released.
func unclaimed(state model.DropState) bool {
	return state == model.DropNew || state == model.DropUnscanned
}

// ripenAtOnce is how many drops one transaction hands on.
const ripenAtOnce = 100

// ripen hands on the drops with doubtful names whose time for a rename is over.
func (r *Service) ripen(ctx context.Context) error {
	for {
		now := r.now()
		ids, err := r.o.Store.Read(ctx).RipeDrops(now, ripenAtOnce)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := r.o.Store.Write(ctx, func(tx *store.Tx) error { return r.ripenSome(tx, ids, now) }); err != nil ||
			len(ids) < ripenAtOnce {
			return err
		}
	}
}

func (r *Service) ripenSome(tx *store.Tx, ids []string, now time.Time) error {
	var ripe []model.Drop
	for _, id := range slices.Sorted(slices.Values(ids)) { // lock order: all drops come first
		d, err := tx.LockDrop(id)
		if err != nil {
			return err
		}
		if d.ReadyAt != nil && !now.Before(*d.ReadyAt) {
			ripe = append(ripe, d)
		}
	}
	var events []model.Event
	for _, d := range ripe {
		if err := tx.Ripen(d.ID); err != nil {
			return err
		}
		if !unclaimed(d.State) {
			continue // superseded, or accepted by its id
		}
		row, err := rowOf(d)
		if err != nil {
			return err
		}
		more, err := r.handOn(tx, arriving{NewDrop: row, user: uploader(d), at: d.ReceivedAt, cleared: d.Cleared,
			flag: d.Flag}, now)
		if err != nil {
			return err
		}
		events = append(events, more...)
	}
	return tx.Emit(events...)
}

// Gone records, in the transaction, that a name no longer shows a version. A replaced drop that
// nobody claimed is superseded. A drop whose name was removed stays, marked as withdrawn. held
// reports whether the version is still needed.
func (r *Service) Gone(tx *store.Tx, versionID string, replaced bool) (held bool, err error) {
	state, err := tx.LockDropState(versionID)
	if err != nil || state == "" {
		return false, err
	}
	if !replaced {
		return state != model.DropSuperseded, tx.WithdrawDrop(versionID)
	}
	return !unclaimed(state) && state != model.DropSuperseded, tx.SupersedeDrop(versionID)
}
