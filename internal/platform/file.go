package platform

import (
	"context"
	"io"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// File is an open file: an outgoing one that is being written, or a received one.
type File struct {
	fs    *FS
	names []string
	clean string

	in     *feed.Incoming // being written
	append bool
	bad    error // the first failed write; if set, Close publishes nothing

	drop   model.Drop
	reader blob.Reader // of a received file
}

// Open opens a file: below /outbound for writing, below /inbox for reading.
func (f *FS) Open(p string, flags exchange.OpenFlags, _ uint32) (*File, error) {
	h, err := f.openFile(p, flags)
	if err == nil {
		f.open[h] = true
	}
	return h, err
}

func (f *FS) openFile(p string, flags exchange.OpenFlags) (*File, error) {
	const op = "platform.Open"
	names, clean, err := split(p)
	if err != nil {
		return nil, err
	}
	if dir, err := f.directory(names); err != nil {
		return nil, err
	} else if dir {
		return nil, fault.E(op, fault.Conflict, "That is a directory.")
	}
	if len(names) != 4 {
		return nil, denied("A file goes to /outbound/<feed>/<account>.")
	}
	write := flags&(exchange.FlagWrite|exchange.FlagAppend) != 0
	file := &File{fs: f, names: names, clean: clean, append: flags&exchange.FlagAppend != 0}
	if names[0] == Inbox {
		if write {
			return nil, denied("Received files are only read here.")
		}
		return file, file.openDrop()
	}
	if err := f.target(names[1], names[2]); err != nil {
		return nil, err
	}
	if !write {
		return nil, denied("What was published is not read here.")
	}
	if err := f.mayWrite(); err != nil {
		return nil, err
	}
	if err := valid.CheckName(names[3]); err != nil {
		return nil, err
	}
	if f.o.Names(f.login.User.ID, clean).IsIgnored(names[3]) {
		return nil, denied("Files of this name are never published (ignored_names).")
	}
	_, waits := f.o.Feeds.HeldAt(f.login.User.ID, clean)
	switch {
	case waits && flags&exchange.FlagExclusive != 0:
		return nil, fault.E(op, fault.Exists, "The file exists already.")
	case waits && flags&exchange.FlagTruncate == 0: // continue the file on hold
		file.in, err = f.o.Feeds.CopyHeld(f.login.User.ID, clean)
		return file, err
	case waits: // the new content will replace the file on hold
	case flags&exchange.FlagCreate == 0:
		return nil, notFound()
	case flags&exchange.FlagTruncate == 0 && f.done[clean].Name != "":
		return nil, fault.E(op, fault.Conflict, "The file was published already; write it anew to publish it again.")
	}
	file.in, err = f.o.Feeds.NewIncoming()
	return file, err
}

// openDrop claims a received file and opens its content.
func (h *File) openDrop() (err error) {
	f := h.fs
	if h.drop, err = f.drop(h.names); err != nil {
		return err
	}
	if err := f.mayWrite(); err != nil { // claiming is a change
		return err
	}
	if h.drop, err = f.o.Inbox.ClaimOne(context.Background(), f.guard, f.login.Actor(), f.login.User.Name,
		h.drop.ID); err != nil {
		return err
	}
	if _, h.reader, err = f.o.Inbox.Open(context.Background(), h.drop.ID, h.drop.Claim); err != nil {
		return err
	}
	if len(f.read) >= maxDone {
		clear(f.read)
	}
	f.read[h.clean] = h.drop.ID
	f.o.Readings.begin(f.reading(h.drop))
	return nil
}

// Ready returns nil: there is nothing to wait for.
func (h *File) Ready() error { return nil }

// ReadAt reads bytes. For a received file it returns io.EOF only if there are none at off.
func (h *File) ReadAt(p []byte, off int64) (int, error) {
	if h.in != nil {
		return h.in.ReadAt(p, off)
	}
	n, err := h.reader.ReadAt(p, off)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// WriteAt writes bytes, at the end if the file was opened to append. It calls done before
// it returns. After an error, Close publishes nothing.
func (h *File) WriteAt(p []byte, off int64, done func(error)) {
	done(h.fail(h.mayWrite(func() error {
		if h.append {
			off = h.in.Size()
		}
		return h.in.WriteAt(p, off)
	})))
}

// Truncate sets the size. It calls done before it returns. After an error, Close publishes
// nothing.
func (h *File) Truncate(size int64, done func(error)) {
	done(h.fail(h.mayWrite(func() error {
		if size == h.in.Size() {
			return nil
		}
		return h.in.Truncate(size)
	})))
}

func (h *File) mayWrite(fn func() error) error {
	if h.in == nil {
		return denied("Received files are only read here.")
	}
	return fn()
}

func (h *File) fail(err error) error {
	if err != nil && h.bad == nil {
		h.bad = err
	}
	return err
}

// SetTimes does nothing: the server sets the time of publication.
func (h *File) SetTimes(*time.Time, *uint32) error { return nil }

// Stat describes the open file.
func (h *File) Stat() (model.FileInfo, error) {
	if h.in != nil {
		return model.FileInfo{Name: h.names[3], Size: h.in.Size(), Mode: 0o644, Mtime: h.fs.o.Clock()}, nil
	}
	return dropInfo(h.drop), nil
}

// Sync makes what was written durable. It does not publish; only Close does.
func (h *File) Sync(done func(error)) {
	if h.in == nil {
		done(nil)
		return
	}
	done(h.fail(h.in.Sync()))
}

// Served notes which bytes of a received file the program's connection accepted. A file
// can be accepted when all of its bytes were served.
func (h *File) Served(off int64, n int) {
	if h.reader != nil {
		h.fs.o.Readings.served(h.fs.reading(h.drop), off, n)
	}
}

// Close publishes what was written; then a nil outcome means that every mailbox has the
// file. A file with a temporary name, or one whose rules ask for a wait, is put on hold
// instead. If a write failed, the file is discarded, and the outcome is Conflict.
func (h *File) Close(done func(error)) {
	delete(h.fs.open, h)
	if h.reader != nil {
		h.fs.o.Readings.end(h.fs.reading(h.drop))
		done(h.reader.Close())
		return
	}
	f := h.fs
	rules := f.o.Names(f.login.User.ID, h.clean)
	switch wait := rules.Wait(h.names[3]); {
	case h.bad != nil:
		_ = h.in.Discard() // if this fails, the next start removes the stage
		done(fault.E("platform.Close", fault.Conflict, "Not published: a part of the file could not be written."))
	case rules.IsTemporary(h.names[3]) || wait > 0:
		err := f.hold(h.in, h.names, h.clean, wait)
		if err != nil {
			_ = h.in.Discard()
		}
		done(err)
	default:
		err := f.publish(h.in, h.names, h.clean)
		if err != nil {
			_ = h.in.Discard()
		} else if in, takeErr := f.o.Feeds.TakeHeld(f.login.User.ID, h.clean); takeErr == nil {
			_ = in.Discard() // the file on hold under this name is replaced
		}
		done(err)
	}
	h.in = nil
}

// abandon ends a file that was not closed, and discards what was written.
func (h *File) abandon() {
	if h.in != nil {
		_ = h.in.Discard()
	}
	if h.reader != nil {
		h.fs.o.Readings.end(h.fs.reading(h.drop))
		_ = h.reader.Close()
	}
}
