package sftpd

import (
	"sync"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// ErrUnfinished is told of an upload that was open when its session ended.
var ErrUnfinished = fault.E("sftpd.Noted", fault.Unavailable, "The connection ended before the file was complete.")

// Noted is a FileSystem that tells of refused requests. Both functions must be given. They are called from any
// goroutine.
type Noted struct {
	FileSystem
	uploads map[*notedFile]struct{} // open ones; the session's goroutine alone uses it
	// Refused is called for each request that is refused for lack of rights or of room. did is the request, such as
	// "list".
	Refused func(did, path string, err error)
	// Upload is called if an upload fails: once for each open file, and again, with again, when more of it was sent. end
	// is how far the upload had come, with the bytes that were refused.
	Upload func(path string, end int64, err error, again bool)
}

// noted returns err, and calls Refused if it is a refusal.
func (m *Noted) noted(err error, did, path string) error {
	if fault.Is(err, fault.Denied) || fault.Is(err, fault.Quota) {
		m.Refused(did, m.clean(path), err)
	}
	return err
}

// clean returns a path as the session's user sees it, from the root.
func (m *Noted) clean(path string) string {
	if full, err := m.RealPath(path); err == nil {
		return full
	}
	return path
}

// Open opens a file.
func (m *Noted) Open(path string, flags exchange.OpenFlags, mode uint32) (File, error) {
	f, err := m.FileSystem.Open(path, flags, mode)
	if flags&(exchange.FlagWrite|exchange.FlagAppend) == 0 {
		return f, m.noted(err, "read", path)
	}
	if err != nil {
		m.Upload(m.clean(path), 0, err, false)
		return nil, m.noted(err, "write", path)
	}
	n := &notedFile{File: f, m: m, path: m.clean(path)}
	if m.uploads == nil {
		m.uploads = map[*notedFile]struct{}{}
	}
	m.uploads[n] = struct{}{}
	return n, nil
}

// End tells of uploads that are still open. It is called when the session has ended.
func (m *Noted) End() {
	for f := range m.uploads {
		f.mu.Lock()
		began := f.end > 0
		f.mu.Unlock()
		if began {
			f.note(ErrUnfinished, "write")
		}
	}
}

// OpenDir opens a directory.
func (m *Noted) OpenDir(path string) (Dir, error) {
	d, err := m.FileSystem.OpenDir(path)
	return d, m.noted(err, "list", path)
}

// Setstat changes attributes.
func (m *Noted) Setstat(path string, c exchange.Change) error {
	err := m.FileSystem.Setstat(path, c)
	if fault.Is(err, fault.Quota) { // programs set times everywhere, and do without if they may not
		m.Refused("change", m.clean(path), err)
	}
	return err
}

// Mkdir makes a directory.
func (m *Noted) Mkdir(path string) error {
	return m.noted(m.FileSystem.Mkdir(path), "make", path)
}

// Rmdir removes a directory.
func (m *Noted) Rmdir(path string) error {
	return m.noted(m.FileSystem.Rmdir(path), "remove", path)
}

// Remove removes a file.
func (m *Noted) Remove(path string) error {
	return m.noted(m.FileSystem.Remove(path), "remove", path)
}

// Rename moves a file or directory.
func (m *Noted) Rename(from, to string, replace bool) error {
	err := m.FileSystem.Rename(from, to, replace)
	if fault.Is(err, fault.Denied) || fault.Is(err, fault.Quota) {
		m.Refused("rename", m.clean(from)+" to "+m.clean(to), err)
	}
	return err
}

// notedFile is a file that is open for writing.
type notedFile struct {
	File
	m    *Noted
	path string

	mu     sync.Mutex
	end    int64 // furthest byte that the client sent
	failed error // the first refusal
	told   int64 // end when Upload was called last
}

// WriteAt writes bytes.
func (f *notedFile) WriteAt(p []byte, off int64, done func(error)) {
	f.mu.Lock()
	if off >= 0 {
		f.end = max(f.end, off+int64(len(p)))
	}
	f.mu.Unlock()
	f.File.WriteAt(p, off, func(err error) { f.note(err, "write"); done(err) })
}

// Truncate sets the size.
func (f *notedFile) Truncate(size int64, done func(error)) {
	f.File.Truncate(size, func(err error) {
		if err != nil {
			f.mu.Lock()
			f.end = max(f.end, size)
			f.mu.Unlock()
		}
		f.note(err, "write")
		done(err)
	})
}

// Close closes the file, which stores it.
func (f *notedFile) Close(done func(error)) {
	delete(f.m.uploads, f)
	f.File.Close(func(err error) {
		f.mu.Lock()
		failed, end, more := f.failed, f.end, f.end > f.told
		f.mu.Unlock()
		switch {
		case failed == nil:
			f.note(err, "store")
		case more: // the client had sent more before it saw the refusal
			f.m.Upload(f.path, end, failed, true)
		}
		done(err)
	})
}

// note tells of a refusal, of each file once.
func (f *notedFile) note(err error, did string) {
	if err == nil {
		return
	}
	f.mu.Lock()
	first, end := f.failed == nil, f.end
	if first {
		f.failed, f.told = err, end
	}
	f.mu.Unlock()
	if first {
		f.m.Upload(f.path, end, err, false)
		if fault.Is(err, fault.Denied) || fault.Is(err, fault.Quota) {
			f.m.Refused(did, f.path, err)
		}
	}
}
