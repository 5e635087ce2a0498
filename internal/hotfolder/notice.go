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

// phase is what the kernel has said of a file.
type phase int

const (
	unheard phase = iota // nothing: it may be written on another machine, or before the server came
	writing
	closed // by whoever wrote it
)

const (
	// heldOpen is how long a file may be open for writing before somebody is told.
	heldOpen = time.Hour
	// leftBehind is how long a file may have a temporary name before somebody is told.
	leftBehind = 24 * time.Hour
	// looksBack is how long a published file is watched for changes.
	looksBack = time.Hour
)

// notice tells the operator of a path, once while it is there.
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
		delete(r.noticed, full) // the next look tells
	}
}

// namedInside is how many files in a folder are named when it is told of.
const namedInside = 3

// noticeFolder tells of a folder where files belong, unless it is empty.
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

// forgetGone forgets what was noticed of paths that a look did not see again.
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

// sent is a published file as it lay in processed.
type sent struct {
	feed, account, name string // name: as it was published
	at                  string // where it lies
	size                int64
	mtime               time.Time
	until               time.Time // it is watched until then
}

// remember watches a published file for changes: a program may have it open still, and may
// have written more than was read.
func (r *Service) remember(feedName, account, name, at string, read int64) {
	info, err := r.root.Lstat(at)
	if err != nil {
		return
	}
	r.sent[at] = sent{feedName, account, name, at, read, info.ModTime(), r.o.Clock().Add(looksBack)}
}

// lookBack looks at what was published lately. A file that has changed since goes back, to
// be published again when it is whole: what was published was a part of it.
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
			continue // a newer one of its name is there: the next look tries again
		}
		_ = r.root.Remove(at)
		delete(r.sent, at)
		r.stood[to] = still{info.Size(), info.ModTime(), now}
		r.seen[to] = true
	}
}

// isOpen reports whether a program of this machine still writes a file.
func (r *Service) isOpen(full string) bool {
	f, err := r.root.OpenFile(full, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return false // publishing it tells why
	}
	defer f.Close()
	return openForWriting(f)
}
