package hotfolder

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// phase is what inotify last reported of a file.
type phase int

const (
	unheard phase = iota // no report: it may be written on another machine, or before the server started
	writing
	closed // by its writer
)

const (
	// heldOpen is how long a file may be open for writing before the operator is notified.
	heldOpen = time.Hour
	// leftBehind is how long a file may have a temporary name before the operator is notified.
	leftBehind = 24 * time.Hour
	// looksBack is how long a published file is checked for changes.
	looksBack = time.Hour
)

// notice notifies the operator of a path, once as long as it exists.
func (r *Service) notice(ctx context.Context, full, why string) {
	r.seen[full] = true
	if r.noticed[full] {
		return
	}
	r.noticed[full] = true
	r.o.Log.Warn("in the folder of files to publish: "+why, "path", valid.Printable(full))
	if r.o.Tell == nil {
		return
	}
	if err := r.o.Tell(ctx, valid.Printable(full), why); err != nil {
		delete(r.noticed, full) // the next look tries again
	}
}

// namedInside is how many files a notice about a folder lists.
const namedInside = 3

// noticeFolder notifies the operator of a folder in the place of a file, unless it is empty.
func (r *Service) noticeFolder(ctx context.Context, full string) {
	list, err := r.names(full)
	if err != nil || len(list) == 0 {
		return
	}
	named := valid.Printable(strings.Join(list[:min(len(list), namedInside)], ", "))
	if len(list) > namedInside {
		named += ", …"
	}
	r.notice(ctx, full,
		fmt.Sprintf("files are published from the account's own folder; what lies in a folder inside is not looked at (%d "+
			"here: %s)", len(list), named))
}

// forgetGone deletes the state of paths that the current look did not find.
func (r *Service) forgetGone() {
	for p := range r.noticed {
		if !r.seen[p] {
			delete(r.noticed, p)
		}
	}
	for p := range r.stood {
		if !r.seen[p] {
			delete(r.stood, p)
			delete(r.again, p)
		}
	}
}

// sent is a published file with its state in processed.
type sent struct {
	feed, account, name string // name: the published name
	at                  string // current path
	size                int64
	mtime               time.Time
	until               time.Time // end of the checks
}

// remember starts checking a published file for changes. A program may still have it open and
// write more than was published.
func (r *Service) remember(feedName, account, name, at string, read int64) {
	info, err := r.root.Lstat(at)
	if err != nil {
		return
	}
	r.sent[at] = sent{feedName, account, name, at, read, info.ModTime(), r.o.Clock().Add(looksBack)}
}

// lookBack checks recently published files. If a file has changed, only a part of it was
// published, so it goes back and is published again when it is complete.
func (r *Service) lookBack(ctx context.Context) {
	now := r.o.Clock()
	for at, s := range r.sent {
		info, err := r.root.Lstat(at)
		if err != nil || !info.Mode().IsRegular() || now.After(s.until) {
			delete(r.sent, at)
			continue
		}
		if info.Size() == s.size && info.ModTime().Equal(s.mtime) {
			continue
		}
		dir := path.Join(s.feed, s.account)
		r.notice(ctx, at, "the file was written on after it was published; it is published again, whole, when it is closed")
		to := path.Join(dir, s.name)
		if err := r.root.Link(at, to); err != nil {
			continue // a newer file has its name: the next look tries again
		}
		_ = r.root.Remove(at)
		delete(r.sent, at)
		r.stood[to] = still{info.Size(), info.ModTime(), now}
		r.seen[to] = true
	}
}

// isOpen reports whether a program on this machine has a file open for writing.
func (r *Service) isOpen(full string) bool {
	f, err := r.root.OpenFile(full, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return false // publishing it will return the error
	}
	defer f.Close()
	return openForWriting(f)
}
