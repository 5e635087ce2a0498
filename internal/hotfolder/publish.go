package hotfolder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// noFollow makes open fail on a symbolic link, and not block, for example on a pipe without a
// writer.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// errMoving means that a file is still being written.
var errMoving = fault.E("hotfolder.read", fault.Conflict, "The file is still being written.")

// steady reads a file. At its end, it returns errMoving if the file changed during the read.
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

// publish publishes a file that was picked up, and then moves it to processed, to failed or
// back.
func (r *Service) publish(ctx context.Context, feedName, account, name string) {
	dir := path.Join(feedName, account)
	at := path.Join(dir, work, name)
	log := r.o.Log.With("feed", valid.Printable(feedName), "account", valid.Printable(account), "name",
		valid.Printable(name))
	out, read, err := r.send(ctx, feedName, account, name, at)
	switch {
	case err == nil:
		log.Info("a file was published from its folder", "publication", out.ID, "deliveries", out.Deliveries, "repeated",
			out.Repeated)
		if to := r.move(at, path.Join(dir, processed), name); to != "" {
			r.remember(feedName, account, name, to, read)
		}
	case errors.Is(err, fs.ErrNotExist): // it was removed
	case ctx.Err() != nil: // the next start continues
	case errors.Is(err, errMoving):
		delete(r.stood, path.Join(dir, name))
		r.giveBack(at, path.Join(dir, name))
	case fault.Is(err, fault.Unavailable), fault.Is(err, fault.NoSpace), fault.Is(err, fault.Busy),
		fault.Is(err, fault.Internal):
		log.Warn("a file could not be published now", "err", err)
		r.again[path.Join(dir, name)] = r.o.Clock().Add(retryAfter)
		r.giveBack(at, path.Join(dir, name))
	default:
		log.Warn("a file was refused", "err", err)
		reason := fault.PublicText(err)
		if hint := fault.HintIn(err); hint != "" {
			reason += "\nHint: " + hint
		}
		r.fail(dir, at, name, reason)
	}
}

// giveBack moves a file back to its place. If a newer file is there, it stays in .work, and the
// next look publishes it from there.
func (r *Service) giveBack(at, to string) {
	if err := r.root.Link(at, to); err == nil {
		_ = r.root.Remove(at) // if it fails, dropDouble does it later
	}
}

// send opens the file, checks that it is a plain one, and publishes it. read is its size in
// bytes.
func (r *Service) send(ctx context.Context, feedName, account, name,
	at string) (out model.Publication, read int64, err error) {
	const op = "hotfolder.send"
	f, err := r.root.OpenFile(at, os.O_RDONLY|noFollow, 0)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return out, 0, err
		}
		return out, 0, fault.E(op, fault.Invalid, "The file cannot be read: %v.", fault.InWords(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return out, 0, fault.E(op, fault.Invalid, "It is not a plain file.")
	}
	// A writer of this folder could link to a file that only the server may read.
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Nlink > 1 {
		return out, 0, fault.E(op, fault.Invalid, "It is a hard link: the file has another name elsewhere.").
			WithHint("copy the file, or move it")
	}
	if openForWriting(f) { // it was opened since the last check
		return out, 0, errMoving
	}
	p := feed.Publication{Feed: feedName, Account: account, Name: name, Body: steady{f, info}, Size: info.Size(),
		Via: "folder", IdempotencyKey: key(account, name, info)}
	if account == all {
		p.Account, p.All = "", true
	}
	out, err = r.o.Feeds.Publish(ctx, Actor, p)
	return out, info.Size(), err
}

// key returns an idempotency key that is the same whenever one file is picked up, and differs
// for a later file of the same name.
func key(account, name string, info os.FileInfo) string {
	inode := uint64(0)
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = st.Ino
	}
	k := fmt.Sprintf("folder/%s/%d-%d-%d/%s", account, inode, info.ModTime().UnixNano(), info.Size(),
		valid.Printable(name))
	for len(k) > 200 { // the start of the key distinguishes files
		k = strings.ToValidUTF8(k[:len(k)-1], "")
	}
	return k
}

// fail moves a file or another entry to failed, and writes the reason beside it.
func (r *Service) fail(dir, at, name, reason string) {
	to := r.move(at, path.Join(dir, failed), name)
	if to == "" {
		return
	}
	text := fmt.Sprintf("%s was not published (%s UTC).\nReason: %s\n", valid.Printable(name),
		r.o.Clock().UTC().Format("2006-01-02 15:04:05"), reason)
	f, err := r.createNote(to)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		r.o.Log.Error("the reason of a refusal could not be written", "path", valid.Printable(to), "err", err)
	}
	delete(r.stood, path.Join(dir, name))
}

// createNote creates the file for a reason, beside the refused one.
func (r *Service) createNote(beside string) (*os.File, error) {
	dir, name := path.Split(beside)
	name = valid.CutName(name, valid.MaxName-8)
	for n := 0; ; n++ {
		tail := ".txt"
		if n > 0 {
			tail = fmt.Sprintf("-%d.txt", n)
		}
		f, err := r.root.OpenFile(dir+name+tail, os.O_WRONLY|os.O_CREATE|os.O_EXCL, noteMode)
		if err == nil {
			err = f.Chmod(noteMode)
		}
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// move moves a file into a folder under a free name, and returns its new path; "" if it failed.
func (r *Service) move(at, folder, name string) string {
	if err := r.mkdir(folder); err != nil {
		r.o.Log.Error("a folder could not be made", "path", valid.Printable(folder), "err", err)
		return ""
	}
	to := path.Join(folder, name)
	for n := 1; ; n++ {
		if _, err := r.root.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			break
		}
		short := valid.CutName(name, valid.MaxName-8)
		to = path.Join(folder, fmt.Sprintf("%d-%s", n, short))
	}
	if err := r.root.Rename(at, to); err != nil {
		r.o.Log.Error("a file could not be moved", "path", valid.Printable(at), "err", err)
		return ""
	}
	now := r.o.Clock()
	_ = r.root.Chtimes(to, now, now) // Keep counts from now; this has no effect on a link
	return to
}

// clean removes processed files that are older than Keep.
func (r *Service) clean(folder string, now time.Time) {
	list, err := r.names(folder)
	if err != nil {
		return // the folder does not exist yet
	}
	for _, name := range list {
		full := path.Join(folder, name)
		if info, err := r.root.Lstat(full); err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > r.o.Keep {
			if err := r.root.Remove(full); err != nil {
				r.o.Log.Warn("a processed file could not be removed", "path", valid.Printable(full), "err", err)
			}
		}
	}
}
