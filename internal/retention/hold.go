package retention

import (
	"cmp"
	"context"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Hold protects files from removal, whatever their age, until it is released: the files of an
// account, a user or a feed, or one file (user:/path).
func (r *Service) Hold(ctx context.Context, who string, n model.NewHold) (model.Hold, error) {
	const op = "retention.Hold"
	if err := valid.CheckLabel("reason", n.Reason); err != nil {
		return model.Hold{}, err
	}
	if noun := heldNouns[n.Kind]; noun != "" {
		if _, err := r.o.Store.Known(ctx, noun, n.Target); err != nil { // it has the nearest name
			return model.Hold{}, err
		}
	}
	label := n.Target // for a file it contains a path, which may be any bytes
	h := model.Hold{ID: r.o.IDs.New(), Kind: n.Kind, Label: valid.Printable(label), Reason: n.Reason, Actor: who,
		At: r.now()}
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) (model.Hold, error) {
		h := h
		var err error
		switch h.Kind {
		case model.HoldAccount:
			var a model.Account
			a, err = tx.Account(h.Label)
			h.Target, err = a.ID, fault.Missing("retention", err, "There is no account %q.", valid.Printable(h.Label))
			h.Label = cmp.Or(a.ID, h.Label) // the stored spelling
		case model.HoldUser:
			var u model.User
			u, err = tx.User(h.Label)
			h.Target, err = u.ID, fault.Missing("retention", err, "There is no user %q.", valid.Printable(h.Label))
			h.Label = cmp.Or(u.Name, h.Label)
		case model.HoldFeed:
			var f model.Feed
			f, err = tx.Feed(valid.Fold(h.Label))
			h.Target, err = f.Name, fault.Missing("retention", err, "There is no feed %q.", valid.Printable(h.Label))
		case model.HoldFile:
			h.Target, err = fileOf(tx, label)
		default:
			err = fault.E(op, fault.Invalid, "A hold is on an account, a user, a feed or a file.")
		}
		if err != nil {
			return h, err
		}
		if err := tx.AddHold(h); err != nil {
			return h, err
		}
		return h, r.audit(tx, who, "retention.hold", h.ID,
			map[string]string{"kind": string(h.Kind), "target": h.Label, "reason": h.Reason})
	})
}

// heldNouns are what holds are on, as nouns.
var heldNouns = map[model.HoldKind]string{model.HoldAccount: model.NounAccount, model.HoldUser: model.NounUser,
	model.HoldFeed: model.NounFeed}

// fileOf returns the file id for user:/path or for the id of a version. A hold on a file holds
// all its versions.
func fileOf(tx *store.Tx, label string) (string, error) {
	const op = "retention.Hold"
	user, full, ok := strings.Cut(label, ":")
	if !ok {
		f, err := tx.FileIDOfVersion(label)
		return f, fault.Missing("retention", err, "There is no file %q.", valid.Printable(label))
	}
	u, err := tx.User(user)
	if err != nil {
		return "", fault.Missing("retention", err, "There is no user %q.", valid.Printable(user))
	}
	clean, err := valid.CleanPath("/", full)
	if err != nil {
		return "", err
	}
	names := store.SplitPath(clean)
	found, err := tx.Look(u.ID, names)
	if err != nil {
		return "", err
	}
	if found.File == nil {
		return "", fault.E(op, fault.NotFound, "User %s has no file %q.", u.Name, valid.Printable(clean)).
			WithHint("name it user:/path, or by the id of a version")
	}
	return found.File.FileID, nil
}

// Holds lists holds.
func (r *Service) Holds(ctx context.Context, f model.HoldFilter) ([]model.Hold, error) {
	return r.o.Store.Read(ctx).Holds(f)
}

// Release ends a hold. It returns NotFound if it was released already.
func (r *Service) Release(ctx context.Context, who, id string) (model.Hold, error) {
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) (model.Hold, error) {
		h, err := tx.LockHold(id)
		if err != nil {
			return h, fault.Missing("retention", err, "There is no hold %q.", valid.Printable(id))
		}
		now := r.now()
		if err := tx.ReleaseHold(id, who, now); err != nil {
			return h, fault.Missing("retention", err, "The hold was released already.")
		}
		h.ReleasedAt, h.ReleasedBy = &now, who
		return h, r.audit(tx, who, "retention.release", id,
			map[string]string{"kind": string(h.Kind), "target": h.Label, "reason": h.Reason})
	})
}

// holding returns the first hold that covers a version, or nil.
func holding(holds []model.Hold, account, userID, feed, fileID string) *model.Hold {
	for i, h := range holds {
		on := map[model.HoldKind]string{model.HoldAccount: account, model.HoldUser: userID, model.HoldFeed: feed,
			model.HoldFile: fileID}[h.Kind]
		if on != "" && on == h.Target {
			return &holds[i]
		}
	}
	return nil
}

// Held reports whether a hold protects a version. It must be called in the transaction that
// would drop the version.
func (r *Service) Held(tx *store.Tx, versionID string) (bool, error) {
	if err := tx.ShareCounter(store.HoldsGate); err != nil { // waits for a concurrent Hold
		return false, err
	}
	any, err := tx.AnyHold()
	if err != nil || !any {
		return false, err
	}
	k, err := tx.KeptVersion(versionID)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	holds, err := tx.Holds(model.HoldFilter{})
	if err != nil {
		return false, err
	}
	return holding(holds, k.Account, k.UserID, k.Feed, k.FileID) != nil, nil
}
