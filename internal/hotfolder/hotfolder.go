// Package hotfolder publishes what programs on the server's own machine put
// into a folder: <dir>/<feed>/<account>/, or <dir>/<feed>/all/ for every
// subscriber.
//
// A file is picked up when it has stood still for a while, by a rename into
// .work, so that it is published once whatever happens: after a stop the same
// file is published again under the same idempotency key, which does nothing.
// Then it moves to processed, or to failed with the reason beside it. What is
// still being written goes back and waits. Links, and whatever else is not a
// plain file, are refused; nothing outside the folder is ever opened (os.Root).
package hotfolder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/feed"
)

// Folders beside the files of one account.
const (
	work      = ".work"
	processed = "processed"
	failed    = "failed"
	all       = "all" // publishes to every subscriber; a reserved word
)

// Actor is how audit rows name this room.
const Actor = "system:folder"

// Options are what the room is made of.
type Options struct {
	Dir       string
	Feeds     *feed.Room
	Clock     exchange.Clock
	Log       *slog.Logger
	Every     time.Duration // between looks
	Settle    time.Duration // that a file must have stood still
	Keep      time.Duration // that processed files stay
	Temporary func(name string) bool
}

// Room watches one folder.
type Room struct {
	o     Options
	root  *os.Root
	stood map[string]still // path → since when it looks like this
	again map[string]time.Time
}

// still is what a file looked like.
type still struct {
	size  int64
	mtime time.Time
	since time.Time
}

// retryAfter is how long a file waits that could not be published for want of
// space or of the database.
const retryAfter = 30 * time.Second

// New makes the folder if it is missing.
func New(o Options) (*Room, error) {
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, exchange.E("hotfolder.New", exchange.Invalid, "The folder for files to publish cannot be made: %v.", err)
	}
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, exchange.E("hotfolder.New", exchange.Invalid, "The folder for files to publish cannot be used: %v.", err)
	}
	return &Room{o: o, root: root, stood: map[string]still{}, again: map[string]time.Time{}}, nil
}

// Watch publishes what comes, until ctx ends.
func (r *Room) Watch(ctx context.Context) {
	defer r.root.Close()
	tick := time.NewTicker(r.o.Every)
	defer tick.Stop()
	for failing := false; ; {
		err := r.Look(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			r.o.Log.Error("the folder of files to publish could not be read", "err", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Look looks once at every folder of an account.
func (r *Room) Look(ctx context.Context) error {
	seen := map[string]bool{}
	feeds, err := r.names(".")
	if err != nil {
		return err
	}
	for _, f := range feeds {
		accounts, err := r.names(f)
		if err != nil {
			continue // a file where a folder belongs
		}
		for _, a := range accounts {
			if ctx.Err() != nil {
				return nil
			}
			if err := r.lookIn(ctx, f, a, seen); err != nil {
				r.o.Log.Warn("a folder of files to publish could not be read", "feed", exchange.Printable(f), "account", exchange.Printable(a), "err", err)
			}
		}
	}
	for p := range r.stood { // gone, or picked up
		if !seen[p] {
			delete(r.stood, p)
			delete(r.again, p)
		}
	}
	return nil
}

// names lists a folder, without what is hidden.
func (r *Room) names(dir string) ([]string, error) {
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
func (r *Room) lookIn(ctx context.Context, feedName, account string, seen map[string]bool) error {
	dir := path.Join(feedName, account)
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
		if name == processed || name == failed || r.o.Temporary(name) {
			continue
		}
		info, err := r.root.Lstat(full)
		if err != nil {
			continue // it vanished
		}
		seen[full] = true
		if !info.Mode().IsRegular() {
			if !info.IsDir() {
				r.fail(dir, full, name, "it is not a plain file ("+info.Mode().Type().String()+"); links are never followed")
			}
			continue
		}
		was, known := r.stood[full]
		if !known || was.size != info.Size() || !was.mtime.Equal(info.ModTime()) {
			r.stood[full] = still{info.Size(), info.ModTime(), now}
			continue
		}
		if now.Sub(was.since) < r.o.Settle || now.Before(r.again[full]) {
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

// resume publishes what an earlier process had picked up.
func (r *Room) resume(ctx context.Context, feedName, account string) error {
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
		r.publish(ctx, feedName, account, name)
	}
	return err
}

// pick takes a file out of its writer's sight.
func (r *Room) pick(dir, full, name string) error {
	if err := r.root.Mkdir(path.Join(dir, work), 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return r.root.Rename(full, path.Join(dir, work, name))
}

// errMoving says that a file is still being written.
var errMoving = exchange.E("hotfolder.read", exchange.Conflict, "The file is still being written.")

// steady reads a file, and fails at its end if it changed meanwhile.
type steady struct {
	f   *os.File
	was os.FileInfo
}

func (s steady) Read(p []byte) (int, error) {
	n, err := s.f.Read(p)
	if errors.Is(err, io.EOF) {
		if now, statErr := s.f.Stat(); statErr != nil || now.Size() != s.was.Size() || !now.ModTime().Equal(s.was.ModTime()) {
			return n, errMoving
		}
	}
	return n, err
}

// publish publishes a file that was picked up, and puts it where it then belongs.
func (r *Room) publish(ctx context.Context, feedName, account, name string) {
	dir := path.Join(feedName, account)
	at := path.Join(dir, work, name)
	log := r.o.Log.With("feed", exchange.Printable(feedName), "account", exchange.Printable(account), "name", exchange.Printable(name))
	out, err := r.send(ctx, feedName, account, name, at)
	switch {
	case err == nil:
		log.Info("a file was published from its folder", "publication", out.ID, "deliveries", out.Deliveries, "repeated", out.Repeated)
		r.move(at, path.Join(dir, processed), name)
	case errors.Is(err, fs.ErrNotExist): // somebody took it
	case ctx.Err() != nil: // the next start goes on
	case errors.Is(err, errMoving):
		delete(r.stood, path.Join(dir, name))
		r.giveBack(at, path.Join(dir, name))
	case exchange.Is(err, exchange.Unavailable), exchange.Is(err, exchange.NoSpace), exchange.Is(err, exchange.Busy), exchange.Is(err, exchange.Internal):
		log.Warn("a file could not be published now", "err", err)
		r.again[path.Join(dir, name)] = r.o.Clock().Add(retryAfter)
		r.giveBack(at, path.Join(dir, name))
	default:
		log.Warn("a file was refused", "err", err)
		reason := exchange.PublicText(err)
		if hint := exchange.HintIn(err); hint != "" {
			reason += "\nHint: " + hint
		}
		r.fail(dir, at, name, reason)
	}
}

// giveBack puts a file where it was, unless a newer one is there by now: then it
// stays in .work, from where the next look takes it.
func (r *Room) giveBack(at, to string) {
	if err := r.root.Link(at, to); err == nil {
		_ = r.root.Remove(at) // else it is published under the same key as its other name
	}
}

// send opens the file, making sure that it is one, and publishes it.
func (r *Room) send(ctx context.Context, feedName, account, name, at string) (out exchange.Publication, err error) {
	const op = "hotfolder.send"
	f, err := r.root.OpenFile(at, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return out, err
		}
		return out, exchange.E(op, exchange.Invalid, "The file cannot be read: %v.", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return out, exchange.E(op, exchange.Invalid, "It is not a plain file.")
	}
	p := feed.Publication{Feed: feedName, Account: account, Name: name, Body: steady{f, info}, Size: info.Size(), Via: "folder", IdempotencyKey: key(account, name, info)}
	if account == all {
		p.Account, p.All = "", true
	}
	return r.o.Feeds.Publish(ctx, Actor, p)
}

// key is the same for one file however often it is picked up, and another for
// a later one of its name.
func key(account, name string, info os.FileInfo) string {
	inode := uint64(0)
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = st.Ino
	}
	k := fmt.Sprintf("folder/%s/%d-%d-%d/%s", account, inode, info.ModTime().UnixNano(), info.Size(), exchange.Printable(name))
	for len(k) > 200 { // the start tells files apart
		k = strings.ToValidUTF8(k[:len(k)-1], "")
	}
	return k
}

// fail moves a file, or what is called one, to failed, with the reason.
func (r *Room) fail(dir, at, name, reason string) {
	to := r.move(at, path.Join(dir, failed), name)
	if to == "" {
		return
	}
	text := fmt.Sprintf("%s was not published (%s UTC).\nReason: %s\n", exchange.Printable(name), r.o.Clock().UTC().Format("2006-01-02 15:04:05"), reason)
	f, err := r.note(to)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		r.o.Log.Error("the reason of a refusal could not be written", "path", exchange.Printable(to), "err", err)
	}
	delete(r.stood, path.Join(dir, name))
}

// note makes the file for a reason, beside what was refused.
func (r *Room) note(beside string) (*os.File, error) {
	dir, name := path.Split(beside)
	name = name[:min(len(name), exchange.MaxName-8)]
	for n := 0; ; n++ {
		tail := ".txt"
		if n > 0 {
			tail = fmt.Sprintf("-%d.txt", n)
		}
		f, err := r.root.OpenFile(dir+name+tail, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// move puts a file into a folder, under a name that is free there, and returns
// its path; "" if it could not be moved.
func (r *Room) move(at, folder, name string) string {
	if err := r.root.Mkdir(folder, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		r.o.Log.Error("a folder could not be made", "path", exchange.Printable(folder), "err", err)
		return ""
	}
	to := path.Join(folder, name)
	for n := 1; ; n++ {
		if _, err := r.root.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			break
		}
		short := name[:min(len(name), exchange.MaxName-8)]
		to = path.Join(folder, fmt.Sprintf("%d-%s", n, short))
	}
	if err := r.root.Rename(at, to); err != nil {
		r.o.Log.Error("a file could not be moved", "path", exchange.Printable(at), "err", err)
		return ""
	}
	now := r.o.Clock()
	_ = r.root.Chtimes(to, now, now) // how long it stays counts from here; of a link, nothing changes
	return to
}

// clean removes processed files that have stayed long enough.
func (r *Room) clean(folder string, now time.Time) {
	list, err := r.names(folder)
	if err != nil {
		return // there is none yet
	}
	for _, name := range list {
		full := path.Join(folder, name)
		if info, err := r.root.Lstat(full); err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > r.o.Keep {
			if err := r.root.Remove(full); err != nil {
				r.o.Log.Warn("a processed file could not be removed", "path", exchange.Printable(full), "err", err)
			}
		}
	}
}
