package inbox

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"path"
	"slices"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Arrived records drops, all of one user, in the transaction that makes their names final.
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
			continue // told when it is handed on
		}
		e, err := r.received(tx, list[i].Login.User, d, list[i].At)
		if err != nil {
			return err
		}
		events = append(events, e)
	}
	return tx.Emit(events...)
}

// wait is how long an arrival waits for another name.
func (r *Service) wait(a exchange.Arrival) time.Duration {
	if r.o.Names == nil {
		return 0
	}
	return r.o.Names(a.Login.User.ID, a.Path).Wait(path.Base(a.Path))
}

// findDuplicates finds out what the same user sent before. The drops are not recorded yet, or were
// under another name.
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
		contents[string(d.SHA256)], names[name] = d.VersionID, d.VersionID // of those that follow
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

// received is the event of a drop that is handed on. A duplicate's uploader is told, too.
func (r *Service) received(tx *store.Tx, u model.User, d store.NewDrop, at time.Time) (model.Event, error) {
	name := path.Base(d.Path)
	data := model.FileReceived{Drop: d.VersionID, Path: valid.Printable(d.Path), Name: valid.Printable(name), Size: d.Size,
		SHA256: hex.EncodeToString(d.SHA256), Key: d.Fingerprint, Address: d.Address, Vendor: u.Vendor,
		Duplicate: d.Duplicate, DuplicateOf: d.DuplicateOf}
	if d.Duplicate != "" {
		if err := r.digest(tx, d.UserID, at, name, duplicateWords[d.Duplicate],
			"If it was sent twice by mistake, there is nothing to do."); err != nil {
			return model.Event{}, err
		}
	}
	return model.Event{ID: r.o.IDs.New(), Type: model.EventReceived, At: at, Account: u.Account, User: u.Name,
		Data: data}, nil
}

var duplicateWords = map[string]string{
	model.DuplicateName:    "A file of this name had come before, with another content.",
	model.DuplicateContent: "The same content had come before, under another name.",
	model.DuplicateBoth:    "The same file had come before.",
}

// digest remembers a line for the uploader's technical contacts.
func (r *Service) digest(tx *store.Tx, userID string, at time.Time, name, reason, advice string) error {
	detail, err := json.Marshal(map[string]string{"Name": valid.Printable(name), "Reason": reason, "Advice": advice})
	if err != nil {
		return fault.Wrap("inbox.digest", fault.Internal, err)
	}
	return tx.AddDigest(store.Digest{ID: r.o.IDs.New(), UserID: userID, At: at, Kind: "refused",
		Detail: string(detail)})
}

// Renamed gives a drop that nobody has claimed the name that its file has now; programs
// write under names of their own and rename, and no list holds all of those. Of one that
// somebody has claimed, the name is remembered. A version that is no drop becomes one if
// this is its first final name.
func (r *Service) Renamed(tx *store.Tx, first bool, a exchange.Arrival) error {
	d, err := tx.LockDrop(a.VersionID)
	if fault.Is(err, fault.NotFound) {
		if !first {
			return nil
		}
		if _, err := tx.DeliveryOf(a.VersionID); !fault.Is(err, fault.NotFound) {
			return err // it is a file of ours, which its user has moved to and fro
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
	switch {
	case !now.ReadyAt.IsZero():
		return nil
	case d.ReadyAt != nil: // nobody has heard of it yet
		e, err := r.received(tx, model.User{Account: d.Account, Name: d.User, Vendor: d.Vendor}, now, a.At)
		if err != nil {
			return err
		}
		return tx.Emit(e)
	}
	return tx.Emit(model.Event{ID: r.o.IDs.New(), Type: model.EventRenamed, At: a.At, Account: d.Account, User: d.User,
		Data: model.FileRenamed{
			Drop: d.ID, Path: valid.Printable(a.Path), Name: valid.Printable(path.Base(a.Path)), Size: d.Size, SHA256: d.SHA256,
			Was: valid.Printable(was)}})
}

// newName is a drop with another path: what it is a duplicate of by that name, and whether
// it still waits for a better one.
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

// rowOf is a drop as it was recorded; it waits for no other name.
func rowOf(d model.Drop) (store.NewDrop, error) {
	sum, err := hex.DecodeString(d.SHA256)
	if err != nil {
		return store.NewDrop{}, fault.Wrap("inbox.rowOf", fault.Internal, err)
	}
	return store.NewDrop{VersionID: d.ID, UserID: d.UserID, Path: pathOf(d), Size: d.Size, SHA256: sum,
		Fingerprint: d.Fingerprint, Address: d.Address, Duplicate: d.Duplicate, DuplicateOf: d.DuplicateOf}, nil
}

// unclaimed reports whether a drop in a state is still as it came.
func unclaimed(state model.DropState) bool {
	return state == model.DropNew || state == model.DropUnscanned
}

// ripenAtOnce is how many drops one transaction hands on.
const ripenAtOnce = 100

// ripen hands on the drops whose doubtful names nobody has changed in time.
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
	for _, id := range slices.Sorted(slices.Values(ids)) { // every row is held before anything that comes after drops
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
			continue // replaced, or accepted by its id
		}
		row, err := rowOf(d)
		if err != nil {
			return err
		}
		e, err := r.received(tx, model.User{Account: d.Account, Name: d.User, Vendor: d.Vendor}, row, now)
		if err != nil {
			return err
		}
		events = append(events, e)
	}
	return tx.Emit(events...)
}

// Gone is told, in the transaction, that a name no longer shows a version. A
// replaced drop that nobody claimed is superseded; one whose name was removed
// stays, withdrawn. held says that the version is still needed.
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
