// Package hotfolder publishes files that programs on the server's machine put into a folder:
// <dir>/<feed>/<account>/, or <dir>/<feed>/all/ for every subscriber.
//
// A file is picked up soon after its writer closed it, as inotify reports. Without such a
// report it is picked up once it has not changed for a longer time and no program has it open
// for writing. It is picked up by a rename into .work. After a stop of the server, files in
// .work are published again with the same idempotency keys, so that each is published only
// once. Then a file moves to processed, or to failed together with a note of the reason. A file
// that is still being written goes back and waits. Links, including hard links, and everything
// else that is not a plain file are refused. Nothing outside the folder is ever opened
// (os.Root).
//
// A file that changes after it was published is published again. The operator is notified once
// of each file or folder that does not belong here (notice.go).
//
// hotfolder.go finds files and picks them up. publish.go publishes them and moves them.
// watch.go receives inotify events.
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

// Names of folders.
const (
	work      = ".work"
	processed = "processed"
	failed    = "failed"
	all       = "all" // stands for every subscriber; a reserved name
)

// Modes that let the group of a folder's writers read.
const (
	folderMode = 0o750
	noteMode   = 0o640
)

// Actor is the actor of this package's audit rows.
const Actor = "system:folder"

// Options configure the service.
type Options struct {
	Dir    string
	Feeds  *feed.Service
	Clock  exchange.Clock
	Log    *slog.Logger
	Every  time.Duration // interval between two looks
	Settle time.Duration // how long a file must be unchanged if inotify reported nothing
	Keep   time.Duration // how long processed files are kept
	Names  exchange.NameRules
	// Tell emits an event about something that an operator should look at. May be nil.
	Tell func(ctx context.Context, path, why string) error
}

// Service watches one folder. It is not safe for concurrent use.
type Service struct {
	o       Options
	root    *os.Root
	kernel  *watcher         // nil if inotify is not available
	stood   map[string]still // path → state, and since when it is unchanged
	again   map[string]time.Time
	sent    map[string]sent // recently published files, by their current path
	noticed map[string]bool // paths that the operator was notified of
	seen    map[string]bool // paths found by the current look
}

// still is the state of a file at a look.
type still struct {
	size  int64
	mtime time.Time
	since time.Time
}

// afterClose is how long a file must be unchanged after its writer closed it.
const afterClose = 2 * time.Second

// retryAfter is the delay after a temporary failure to publish, such as no space or no
// database.
const retryAfter = 30 * time.Second

// New opens the folder. It creates it if it is missing.
func New(o Options) (*Service, error) {
	_, absent := os.Stat(o.Dir)
	if err := os.MkdirAll(o.Dir, folderMode); err != nil {
		return nil, fault.E("hotfolder.New", fault.Invalid, "The folder for files to publish cannot be made: %v.",
			fault.InWords(err))
	}
	root, err := os.OpenRoot(o.Dir)
	if err == nil && absent != nil {
		err = root.Chmod(".", folderMode)
	}
	if err != nil {
		return nil, fault.E("hotfolder.New", fault.Invalid, "The folder for files to publish cannot be used: %v.",
			fault.InWords(err))
	}
	return &Service{o: o, root: root, stood: map[string]still{}, again: map[string]time.Time{}, sent: map[string]sent{},
		noticed: map[string]bool{}}, nil
}

// Watch publishes files until ctx ends. It must be called once; it closes the folder at its
// end.
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

// Look looks once at the folders of all accounts.
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

// names lists a folder, sorted, without hidden files.
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

// lookIn picks up and publishes the files of one account's folder that are ready.
func (r *Service) lookIn(ctx context.Context, feedName, account string) error {
	dir := path.Join(feedName, account)
	if r.kernel != nil {
		_ = r.kernel.add(r.root, dir) // if it fails, unchanged files are still published
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
			continue // it was removed
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
			continue // it was removed, or the next look tries again
		}
		r.publish(ctx, feedName, account, name)
	}
	r.clean(path.Join(dir, processed), now)
	return nil
}

// ready reports whether a file is complete: its writer closed it, or it is unchanged for long
// enough and no program is known to have it open for writing.
func (r *Service) ready(ctx context.Context, full string, info os.FileInfo, now time.Time) bool {
	was, known := r.stood[full]
	if !known || was.size != info.Size() || !was.mtime.Equal(info.ModTime()) {
		was = still{info.Size(), info.ModTime(), now}
		r.stood[full] = was
	}
	heard, settle := r.kernel.phase(full), r.o.Settle
	if heard == closed { // another writer may continue at once
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

// resume publishes the files in .work, which an earlier look or process picked up.
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

// dropDouble removes the second name of a file if a stop interrupted giveBack after it had made
// it.
func (r *Service) dropDouble(dir, name string) {
	at, atErr := r.root.Lstat(path.Join(dir, work, name))
	back, backErr := r.root.Lstat(path.Join(dir, name))
	if atErr == nil && backErr == nil && os.SameFile(at, back) {
		_ = r.root.Remove(path.Join(dir, name)) // if it fails, the file is refused as a hard link
	}
}

// mkdir creates a folder with folderMode, whatever the umask is.
func (r *Service) mkdir(dir string) error {
	if err := r.root.Mkdir(dir, folderMode); errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	return r.root.Chmod(dir, folderMode)
}

// pick moves a file into .work.
func (r *Service) pick(dir, full, name string) error {
	if err := r.mkdir(path.Join(dir, work)); err != nil {
		return err
	}
	return r.root.Rename(full, path.Join(dir, work, name))
}
