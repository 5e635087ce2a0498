package platform

import (
	"context"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Remove accepts a received file that was read, or discards an outgoing one that is on
// hold.
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
	if _, waits := f.o.Feeds.HeldAt(f.login.User.ID, clean); waits {
		if err := f.mayWrite(); err != nil {
			return err
		}
		in, err := f.o.Feeds.TakeHeld(f.login.User.ID, clean)
		if err != nil {
			return err
		}
		return in.Discard()
	}
	if _, ok := f.done[clean]; ok {
		return denied("The file was published already; an operator can withdraw it.")
	}
	return notFound()
}

// accept accepts the drop that a name shows, if it was read to its last byte. A name may
// show another drop later, so if this session has opened the name, the drop must be the one
// that it opened. If this session has not, the drop may have been read and closed in other
// sessions of the same user, because some programs use several connections.
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

// Rename gives a file its final name and publishes it. The file is either on hold, or was
// published under another name in this session: no list can have every program's temporary
// names. The latter fails if a recipient has opened the file. A file on hold that gets
// another temporary name stays on hold.
func (f *FS) Rename(from, to string, _ bool) error {
	names, clean, err := split(from)
	if err != nil {
		return err
	}
	toNames, toClean, err := split(to)
	if err != nil {
		return err
	}
	if len(names) > 0 && names[0] == Inbox {
		return denied("Received files stay where they are; removing one that was read accepts it.")
	}
	_, waits := f.o.Feeds.HeldAt(f.login.User.ID, clean)
	done, isDone := f.done[clean]
	if !waits && !isDone {
		return notFound()
	}
	if len(toNames) != 4 || toNames[0] != Outbound {
		return denied("A file goes to /outbound/<feed>/<account>.")
	}
	if err := f.target(toNames[1], toNames[2]); err != nil {
		return err
	}
	if f.o.Names(f.login.User.ID, toClean).IsIgnored(toNames[3]) {
		return denied("Files of this name are never published (ignored_names).")
	}
	if !waits {
		return f.republish(done, clean, toNames, toClean)
	}
	if err := f.mayWrite(); err != nil {
		return err
	}
	in, err := f.o.Feeds.TakeHeld(f.login.User.ID, clean)
	if err != nil {
		return err
	}
	defer in.GiveBack()
	rules := f.o.Names(f.login.User.ID, toClean)
	if wait := rules.Wait(toNames[3]); wait > 0 || rules.IsTemporary(toNames[3]) {
		return f.hold(in, toNames, toClean, wait) // after an error, GiveBack restores the old name
	}
	return f.publish(in, toNames, toClean)
}

// republish publishes a file under another name and withdraws the first publication.
func (f *FS) republish(was published, clean string, toNames []string, toClean string) error {
	if err := f.mayWrite(); err != nil {
		return err
	}
	if clean == toClean {
		return nil
	}
	if f.o.Names(f.login.User.ID, toClean).IsTemporary(toNames[3]) {
		return denied("The file was published already; an operator can withdraw it.")
	}
	out, err := f.o.Feeds.Republish(context.Background(), f.login.Actor(), was.id, f.publication(toNames))
	if err != nil {
		return err
	}
	delete(f.done, clean)
	f.remember(out, toNames, toClean)
	return nil
}

func (f *FS) mayWrite() error {
	if f.login.ReadOnly {
		return denied(exchange.OnlyFetches)
	}
	return f.o.MayWrite(&f.login)
}

// maxDone is how many published and how many read files a session remembers. At the limit
// it forgets all of them.
const maxDone = 10_000

// hold keeps a file on hold under a name. After wait it is published under that name; with
// wait 0 it stays on hold until it is renamed or removed.
func (f *FS) hold(in *feed.Incoming, names []string, clean string, wait time.Duration) error {
	u := f.login.User
	p := f.publication(names)
	h := feed.Held{UserID: u.ID, User: u.Name, Account: u.Account, Service: f.own == "", Fingerprint: f.login.Fingerprint,
		Address: f.login.Address, Revocation: f.login.Revocation, Path: clean, Feed: p.Feed, To: p.Account, Name: p.Name}
	if wait > 0 {
		h.Due = f.o.Clock().Add(wait)
	}
	return f.o.Feeds.Hold(in, h)
}

// publication returns the publication that a path below /outbound asks for.
func (f *FS) publication(names []string) feed.Publication {
	p := feed.Publication{Feed: names[1], Account: names[2], Name: names[3], Via: "sftp", Guard: f.guard}
	if p.Account == All {
		p.Account, p.All = "", true
	}
	return p
}

// remember makes a published file visible in this session's listings.
func (f *FS) remember(out model.Publication, names []string, clean string) {
	if len(f.done) >= maxDone {
		clear(f.done)
	}
	f.done[clean] = published{model.FileInfo{Name: names[3], Size: out.Size, Mode: 0o444, Mtime: out.PublishedAt}, out.ID}
}

// publish publishes a written file in its feed.
func (f *FS) publish(in *feed.Incoming, names []string, clean string) error {
	if err := f.mayWrite(); err != nil {
		return err
	}
	if err := f.target(names[1], names[2]); err != nil { // it may have changed since the file was opened
		return err
	}
	out, err := in.Publish(context.Background(), f.login.Actor(), f.publication(names))
	if err != nil {
		f.o.Log.Warn("a file could not be published", "user", f.login.User.Name, "path", valid.Printable(clean), "err", err)
		return err
	}
	f.remember(out, names, clean)
	return nil
}

// Mkdir always fails, because directories here are feeds, accounts and users. For an
// existing directory it fails with Exists, since clients often make a directory without
// looking first.
func (f *FS) Mkdir(p string) error {
	names, _, err := split(p)
	if err != nil {
		return err
	}
	if dir, err := f.directory(names); err == nil && dir {
		return fault.E("platform.Mkdir", fault.Exists, "The directory exists already.")
	}
	return denied("Directories here are feeds, accounts and users; an operator makes them.")
}

// Rmdir always fails with Denied.
func (f *FS) Rmdir(string) error {
	return denied("This directory belongs to the server and stays where it is.")
}

// Setstat ignores times and modes, which many clients set. A change of the size is Denied.
func (f *FS) Setstat(p string, c exchange.Change) error {
	if _, err := f.Stat(p); err != nil {
		return err
	}
	if c.Size != nil {
		return denied("A file that is there does not change.")
	}
	return nil
}
