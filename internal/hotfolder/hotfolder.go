// Package hotfolder publishes what programs on the server's own machine put
// into a folder: <dir>/<feed>/<account>/, or <dir>/<feed>/all/ for every
// subscriber.
//
// A file is picked up soon after its writer has closed it, as the kernel says, or when
// it has stood still for longer and nobody has it open, by a rename into .work, so that it is published once whatever
// happens: after a stop the same
// file is published again under the same idempotency key, which does nothing.
// Then it moves to processed, or to failed with the reason beside it. What is
// still being written goes back and waits. Links, hard ones too, and whatever
// else is not a plain file, are refused; nothing outside the folder is ever
// opened (os.Root).
//
// A file that is written on after it was published is published again. What
// belongs nowhere is told once (notice.go).
//
// hotfolder.go looks for files and picks them up; publish.go publishes them and
// puts them where they then belong; watch.go listens to the kernel.
package hotfolder

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
)

// Folders beside the files of one account.
const (
	work      = ".work"
	processed = "processed"
	failed    = "failed"
	all       = "all" // publishes to every subscriber; a reserved word
)

// What the group of a folder's writers may read.
const (
	folderMode = 0o750
	noteMode   = 0o640
)

// Actor is how audit rows name this room.
const Actor = "system:folder"

// Options are what the service is made of.
type Options struct {
	Dir    string
	Feeds  *feed.Service
	Clock  exchange.Clock
	Log    *slog.Logger
	Every  time.Duration // between looks
	Settle time.Duration // that a file must have stood still of which the kernel says nothing
	Keep   time.Duration // that processed files stay
	Names  exchange.NameRules
	// Tell makes an event of something that an operator should look at. May be nil.
	Tell func(ctx context.Context, path, why string) error
}

// Service watches one folder.
type Service struct {
	o       Options
	root    *os.Root
	kernel  *watcher         // nil: nothing is heard
	stood   map[string]still // path → since when it looks like this
	again   map[string]time.Time
	sent    map[string]sent // what was published lately, by where it lies
	noticed map[string]bool // paths that were told of
	seen    map[string]bool // paths of this look
}

// still is what a file looked like.
type still struct {
	size  int64
	mtime time.Time
	since time.Time
}

// afterClose is how long a file must have stood still that its writer has closed.
const afterClose = 2 * time.Second

// retryAfter is how long a file waits that could not be published for want of
// space or of the database.
const retryAfter = 30 * time.Second

// New makes the folder if it is missing.
func New(o Options) (*Service, error) {
	_, absent := os.Stat(o.Dir)
	if err := os.MkdirAll(o.Dir, folderMode); err != nil {
		return nil, fault.E("hotfolder.New", fault.Invalid, "The folder for files to publish cannot be made: %v.", err)
	}
	root, err := os.OpenRoot(o.Dir)
	if err == nil && absent != nil {
		err = root.Chmod(".", folderMode)
	}
	if err != nil {
		return nil, fault.E("hotfolder.New", fault.Invalid, "The folder for files to publish cannot be used: %v.", err)
	}
	return &Service{o: o, root: root, stood: map[string]still{}, again: map[string]time.Time{}, sent: map[string]sent{},
		noticed: map[string]bool{}}, nil
}

// Watch publishes what comes, until ctx ends.
func (r *Service) Watch(ctx context.Context) {
	defer r.root.Close()
	var err error
	if r.kernel, err = newWatcher(); err != nil {
		r.o.Log.Info("the kernel does not say when files are closed: they are published when they have stood still", "err",
			err)
	}
	defer r.kernel.close()
	exchange.Task{Every: r.o.Every, Soon: r.kernel.closed(), Do: r.Look,
		Failure: "the folder of files to publish could not be read", Log: r.o.Log}.Run(ctx)
}

// Look looks once at every folder of an account.
func (r *Service) Look(ctx context.Context) error {
	r.seen = map[string]bool{}
	feeds, err := r.names(".")
	if err != nil {
		return err
	}
	for _, f := range feeds {
		accounts, err := r.names(f)
		if err != nil {
			r.notice(ctx, f, "there should be folders of feeds, and this cannot be read as one")
			continue
		}
		for _, a := range accounts {
			if ctx.Err() != nil {
				return nil
			}
			if err := r.lookIn(ctx, f, a); err != nil {
				r.notice(ctx, path.Join(f, a), "there should be folders of accounts, or all, and this cannot be read as one")
			}
		}
	}
	r.lookBack(ctx)
	r.forgetGone()
	return nil
}

// names lists a folder, without what is hidden.
func (r *Service) names(dir string) ([]string, error) {
	d, err := r.root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	list, err := d.Readdirnames(-1)
	slices.Sort(list)
	return slices.DeleteFunc(list, func(n string) bool { return strings.HasPrefix(n, ".") }), err
}

// lookIn picks up what has stood still in one account's folder.
func (r *Service) lookIn(ctx context.Context, feedName, account string) error {
	dir := path.Join(feedName, account)
	if r.kernel != nil {
		_ = r.kernel.add(r.root, dir) // without it, what stands still is published
	}
	if err := r.resume(ctx, feedName, account); err != nil {
		return err
	}
	list, err := r.names(dir)
	if err != nil {
		return err
	}
	now := r.o.Clock()
	for _, name := range list {
		full := path.Join(dir, name)
		if name == processed || name == failed || r.o.Names.IsIgnored(name) {
			continue
		}
		info, err := r.root.Lstat(full)
		if err != nil {
			continue // it vanished
		}
		r.seen[full] = true
		switch {
		case info.IsDir():
			r.noticeFolder(ctx, full)
			continue
		case !info.Mode().IsRegular():
			r.fail(dir, full, name, "it is not a plain file ("+info.Mode().Type().String()+"); links are never followed")
			continue
		case r.o.Names.IsTemporary(name):
			if now.Sub(info.ModTime()) > leftBehind {
				r.notice(ctx, full, "the file has had a temporary name for a day, and was not published")
			}
			continue
		}
		if !r.ready(ctx, full, info, now) {
			continue
		}
		if err := r.pick(dir, full, name); err != nil {
			continue // it vanished, or will be there the next time
		}
		r.publish(ctx, feedName, account, name)
	}
	r.clean(path.Join(dir, processed), now)
	return nil
}

// ready reports whether a file is whole: its writer has closed it, or it has stood still and
// nobody is known to have it open.
func (r *Service) ready(ctx context.Context, full string, info os.FileInfo, now time.Time) bool {
	was, known := r.stood[full]
	if !known || was.size != info.Size() || !was.mtime.Equal(info.ModTime()) {
		was = still{info.Size(), info.ModTime(), now}
		r.stood[full] = was
	}
	heard, settle := r.kernel.phase(full), r.o.Settle
	if heard == closed { // by one writer: another may go on at once
		settle = min(settle, afterClose)
	}
	if now.Before(r.again[full]) || now.Sub(was.since) < settle {
		return false
	}
	if heard == writing || r.isOpen(full) {
		if now.Sub(was.since) > heldOpen {
			r.notice(ctx, full, "a program has had the file open for an hour without writing; it is published when it is closed")
		}
		return false
	}
	return true
}

// resume publishes what an earlier process had picked up.
func (r *Service) resume(ctx context.Context, feedName, account string) error {
	d, err := r.root.Open(path.Join(feedName, account, work))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer d.Close()
	list, err := d.Readdirnames(-1)
	for _, name := range list {
		if ctx.Err() != nil {
			return nil
		}
		r.dropDouble(path.Join(feedName, account), name)
		r.publish(ctx, feedName, account, name)
	}
	return err
}

// dropDouble removes the name that giveBack had made when it was cut short.
func (r *Service) dropDouble(dir, name string) {
	at, atErr := r.root.Lstat(path.Join(dir, work, name))
	back, backErr := r.root.Lstat(path.Join(dir, name))
	if atErr == nil && backErr == nil && os.SameFile(at, back) {
		_ = r.root.Remove(path.Join(dir, name)) // else it is refused, with the reason
	}
}

// mkdir makes a folder that the group of its writers may read, whatever the
// process's umask is.
func (r *Service) mkdir(dir string) error {
	if err := r.root.Mkdir(dir, folderMode); errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	return r.root.Chmod(dir, folderMode)
}

// pick takes a file out of its writer's sight.
func (r *Service) pick(dir, full, name string) error {
	if err := r.mkdir(path.Join(dir, work)); err != nil {
		return err
	}
	return r.root.Rename(full, path.Join(dir, work, name))
}
