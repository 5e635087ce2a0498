package mailbox

import (
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// MakeDir records a directory; a taken name is Exists. A directory that the user makes is counted; one
// that the operator makes (Fixed) is not.
func (b *Box) MakeDir(d store.Dir) error {
	d.User = b.user
	if err := b.tx.AddDir(d); err != nil || d.Fixed {
		return err
	}
	return b.count(store.Counts{Dirs: 1}, model.StorageLimits{})
}

// MoveDir gives a directory another parent and name; a taken name is Exists.
func (b *Box) MoveDir(id, parent, name string, at time.Time) error {
	return b.tx.MoveDir(id, parent, name, at)
}

// RemoveDir removes a directory; one that is not empty is Exists.
func (b *Box) RemoveDir(id string) error {
	d, err := b.tx.Dir(id)
	if err != nil {
		return err
	}
	empty, err := b.tx.DirEmpty(id)
	if err != nil {
		return err
	}
	if !empty {
		return fault.E("mailbox.RemoveDir", fault.Exists, "The directory is not empty.")
	}
	if err := b.free(d); err != nil {
		return err
	}
	return b.tx.RemoveDir(id)
}

// RemoveWay removes the directories above path that were made only as the way to it, as long as they are empty and
// free, and returns their paths, the deepest first.
func (b *Box) RemoveWay(path string, free func(d store.Dir, path string) (bool, error)) ([]string, error) {
	removed := []string{}
	names := store.SplitPath(path)
	way, err := b.tx.Walk(b.user, names)
	if err != nil {
		return nil, err
	}
	for depth := min(len(way), len(names)) - 1; depth > 0 && way[depth].OnWay; depth-- {
		above := "/" + strings.Join(names[:depth], "/")
		if ok, err := free(way[depth], above); err != nil || !ok {
			return removed, err
		}
		if err := b.RemoveDir(way[depth].ID); fault.Is(err, fault.Exists) {
			return removed, nil
		} else if err != nil {
			return removed, err
		}
		removed = append(removed, above)
	}
	return removed, nil
}

// free subtracts a directory from the counts, unless it is Fixed.
func (b *Box) free(d store.Dir) error {
	if d.Fixed {
		return nil
	}
	return b.count(store.Counts{Dirs: -1}, model.StorageLimits{})
}

// FixDirs has directories belong to the operator, so that partners cannot move them, nor what is below.
func (b *Box) FixDirs(dirs []store.Dir) error {
	for _, d := range dirs {
		if d.Fixed {
			continue
		}
		if err := b.free(d); err != nil {
			return err
		}
		if err := b.tx.FixDir(d.ID); err != nil {
			return err
		}
	}
	return nil
}

// SetDir changes what partners may do in a directory and whether it is a staging folder, and fixes it in place.
func (b *Box) SetDir(d store.Dir, rights exchange.Rights, staging bool) error {
	if err := b.setRights(d, rights); err != nil || staging == d.Staging {
		return err
	}
	return b.tx.SetDirStaging(d.ID, staging)
}

// setRights changes what partners may do in a directory and fixes it in place.
func (b *Box) setRights(d store.Dir, rights exchange.Rights) error {
	if err := b.free(d); err != nil {
		return err
	}
	return b.tx.SetDirRights(d.ID, rights)
}

// NewDirs is a path of directories that partners cannot move. Those that are
// missing are made.
type NewDirs struct {
	Path    string
	Rights  *exchange.Rights // in the last one; nil: as in its parent
	Staging bool             // they are staging folders
	IDs     *exchange.IDs
	At      time.Time
}

// MakeDirs makes a path of directories, gives the last one the rights, and returns its id. Those that are made on the
// way to it are marked as such (RemoveWay).
func (b *Box) MakeDirs(n NewDirs) (id string, err error) {
	names := store.SplitPath(n.Path)
	have, err := b.tx.Walk(b.user, names)
	if err != nil {
		return "", err
	}
	return b.makeMissing(n, names, have)
}

// makeMissing is MakeDirs for names; have are the directories along them that exist, root first.
func (b *Box) makeMissing(n NewDirs, names []string, have []store.Dir) (id string, err error) {
	last, missing := have[len(have)-1], names[len(have)-1:]
	for i, name := range missing {
		last = store.Dir{ID: n.IDs.New(), Parent: last.ID, Name: name, Fixed: true, Staging: n.Staging,
			OnWay: i < len(missing)-1, Mtime: n.At}
		if i == len(missing)-1 {
			last.Rights = n.Rights
		}
		if err := b.MakeDir(last); err != nil {
			return "", err
		}
	}
	if len(missing) > 0 || n.Rights == nil {
		return last.ID, nil
	}
	return last.ID, b.setRights(last, *n.Rights)
}

// FeedDirs makes directories for delivered files, and returns the last one's id.
//
// With n.Rights, the last directory is a subscription's folder, and a new one gets these rights. One
// that exists keeps the rights that the operator gave it, such as those of a partner's own folder for
// uploads, and can be read and listed as well. If partners may not write in it, whether they may
// delete and rename is as n.Rights say.
//
// Without n.Rights, it is a dated folder below a subscription's folder and inherits its rights. If
// these include Write, a new one gets only Read and List.
func (b *Box) FeedDirs(n NewDirs) (id string, err error) {
	look := exchange.Read | exchange.List
	names := store.SplitPath(n.Path)
	have, err := b.tx.Walk(b.user, names)
	if err != nil {
		return "", err
	}
	granted := exchange.Rights(0)
	for _, d := range have {
		if d.Rights != nil {
			granted = *d.Rights
		}
	}
	missing := len(have) <= len(names)
	if missing && n.Rights == nil && granted&exchange.Write != 0 {
		n.Rights = &look
	}
	if missing || n.Rights == nil {
		return b.makeMissing(n, names, have)
	}
	last, want := have[len(names)], FeedDirRights(granted, *n.Rights)
	if last.Fixed && last.Rights != nil && *last.Rights == want {
		return last.ID, nil
	}
	return last.ID, b.setRights(last, want)
}

// FeedDirRights returns the rights in a subscription's folder that the operator gave other rights: partners may
// also read and list it. If they may not write in it, the feed says whether they may delete and rename.
func FeedDirRights(granted, feed exchange.Rights) exchange.Rights {
	want := granted | exchange.Read | exchange.List
	if granted&exchange.Write == 0 {
		want = want&^(exchange.Delete|exchange.Rename) | feed
	}
	return want
}
