package platform

import (
	"context"
	"errors"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/feed"
)

// Remove accepts a received file that was read, or takes back one that waits
// under a temporary name.
func (f *FS) Remove(p string) error {
	names, clean, err := split(p)
	if err != nil {
		return err
	}
	if len(names) != 4 {
		return denied("This directory belongs to the server and stays where it is.")
	}
	if names[0] == Inbox {
		return f.accept(names, clean)
	}
	if in := f.waiting[clean]; in != nil {
		delete(f.waiting, clean)
		return in.Discard()
	}
	if _, ok := f.done[clean]; ok {
		return denied("The file was published already; an operator can withdraw it.")
	}
	return notFound()
}

// accept accepts a received file by its name: only the drop that was read, to its
// last byte. Names come back, so it is the drop that this session opened under
// the name; a session that opened none may speak for what others of the same
// user have read and closed, as programs do that use several connections.
func (f *FS) accept(names []string, clean string) error {
	d, err := f.drop(names)
	if err != nil {
		return err
	}
	if err := f.mayWrite(); err != nil {
		return err
	}
	k := f.reading(d)
	own, mine := f.read[clean]
	whole, open := f.o.Readings.state(k, d.Size)
	switch {
	case mine && own != d.ID:
		return denied("The name shows another file now than the one that was read in this session; read it first.")
	case !whole:
		return denied("Read the file to its end first; removing it then accepts it.")
	case !mine && open:
		return denied("Another session is reading this file; it is accepted when it was read.")
	}
	if err := f.o.Inbox.AckOwn(context.Background(), f.guard, f.login.Actor(), f.login.User.Name, d.ID); err != nil {
		return err
	}
	f.o.Readings.forget(k)
	return nil
}

// Rename publishes a file that was written under a temporary name.
func (f *FS) Rename(from, to string, _ bool) error {
	names, clean, err := split(from)
	if err != nil {
		return err
	}
	toNames, toClean, err := split(to)
	if err != nil {
		return err
	}
	in := f.waiting[clean]
	if in == nil {
		if len(names) > 0 && names[0] == Inbox {
			return denied("Received files stay where they are; removing one that was read accepts it.")
		}
		return notFound()
	}
	if len(toNames) != 4 || toNames[0] != Outbound {
		return denied("A file goes to /outbound/<feed>/<account>.")
	}
	if err := f.target(toNames[1], toNames[2]); err != nil {
		return err
	}
	if f.o.Temporary(toNames[3]) {
		delete(f.waiting, clean)
		return f.wait(toClean, in)
	}
	err = f.publish(in, toNames, toClean)
	if in.Over() {
		delete(f.waiting, clean)
	}
	return err
}

func (f *FS) mayWrite() error {
	if f.login.ReadOnly {
		return denied("This account may fetch files, but not send any.")
	}
	return f.o.MayWrite(&f.login)
}

// maxWaiting bounds the files of a session under temporary names, each of which
// is open; maxDone, what it remembers of what it published.
const (
	maxWaiting = 64
	maxDone    = 10_000
)

// wait keeps a file under a temporary name, in place of one that was there.
func (f *FS) wait(clean string, in *feed.Incoming) error {
	old := f.waiting[clean]
	if old == nil && len(f.waiting) >= maxWaiting {
		return errors.Join(exchange.E("platform.wait", exchange.Busy, "%d files wait under temporary names in this session; rename some first.", maxWaiting), in.Discard())
	}
	f.waiting[clean] = in
	if old == nil || old == in {
		return nil
	}
	return old.Discard()
}

// publish hands a written file to its feed.
func (f *FS) publish(in *feed.Incoming, names []string, clean string) error {
	if err := f.mayWrite(); err != nil {
		return err
	}
	if err := f.target(names[1], names[2]); err != nil { // it may have changed since the file was opened
		return err
	}
	p := feed.Publication{Feed: names[1], Account: names[2], Name: names[3], Via: "sftp", Guard: f.guard}
	if p.Account == All {
		p.Account, p.All = "", true
	}
	out, err := in.Publish(context.Background(), f.login.Actor(), p)
	if err != nil {
		f.o.Log.Warn("a file could not be published", "user", f.login.User.Name, "path", exchange.Printable(clean), "err", err)
		return err
	}
	if len(f.done) >= maxDone {
		clear(f.done)
	}
	f.done[clean] = exchange.FileInfo{Name: names[3], Size: out.Size, Mode: 0o444, Mtime: out.PublishedAt}
	return nil
}

// Mkdir is refused: the tree is made of what rooms know. One that is there
// already says so, since clients ask before they look.
func (f *FS) Mkdir(p string) error {
	names, _, err := split(p)
	if err != nil {
		return err
	}
	if dir, err := f.directory(names); err == nil && dir {
		return exchange.E("platform.Mkdir", exchange.Exists, "The directory exists already.")
	}
	return denied("Directories here are feeds, accounts and users; an operator makes them.")
}

// Rmdir is refused, as Mkdir.
func (f *FS) Rmdir(string) error {
	return denied("This directory belongs to the server and stays where it is.")
}

// Setstat does nothing to times and modes, which clients set by habit.
func (f *FS) Setstat(p string, c exchange.Change) error {
	if _, err := f.Stat(p); err != nil {
		return err
	}
	if c.Size != nil {
		return denied("A file that is there does not change.")
	}
	return nil
}
