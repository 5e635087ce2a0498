package tree

import (
	"encoding/hex"
	"io"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Versions lists a stored file's versions, the newest first.
func (s *Session) Versions(path string, p model.Paging) ([]model.Version, error) {
	f, err := s.stored(path)
	if err != nil {
		return nil, err
	}
	return s.query().Versions(f, p)
}

func (s *Session) stored(path string) (store.File, error) {
	p, err := s.locate(path)
	if err != nil {
		return store.File{}, err
	}
	f, err := p.file(s.query())
	if fault.Is(err, fault.NotFound) {
		return f, fault.E("tree.stored", fault.NotFound, "There is no stored file %q.", valid.Printable(p.path))
	}
	return f, err
}

// UserID returns the id of the user whose mailbox this is.
func (s *Session) UserID() string { return s.login.User.ID }

// Store stores the content of r under a path. If r fails, nothing is stored.
func (s *Session) Store(path string, r io.Reader) error {
	h, err := s.Open(path, exchange.FlagWrite|exchange.FlagCreate|exchange.FlagTruncate, 0)
	if err != nil {
		return err
	}
	if _, err := io.Copy(&handleWriter{h: h}, r); err != nil {
		h.Abort()
		return fault.Wrap("tree.Store", fault.Invalid, err)
	}
	outcome := make(chan error, 1)
	h.Close(func(err error) { outcome <- err })
	return <-outcome
}

// handleWriter writes a handle sequentially, from offset 0.
type handleWriter struct {
	h  *Handle
	at int64
}

func (w *handleWriter) Write(p []byte) (int, error) {
	outcome := make(chan error, 1)
	w.h.WriteAt(p, w.at, func(err error) { outcome <- err })
	if err := <-outcome; err != nil {
		return 0, err
	}
	w.at += int64(len(p))
	return len(p), nil
}

// OpenVersion opens a version of a stored file by its id; "" is the current version.
// It also returns the content's SHA-256 in hexadecimal. The caller closes the reader.
func (s *Session) OpenVersion(path, version string) (blob.Reader, string, error) {
	f, err := s.stored(path)
	if err != nil {
		return nil, "", err
	}
	if version == "" {
		version = f.VersionID
	} else if err := s.hasVersion(f, version); err != nil {
		return nil, "", err
	}
	c, err := s.query().Content(version)
	if err != nil {
		return nil, "", err
	}
	r, err := s.t.openStored(&c)
	return r, hex.EncodeToString(c.SHA256), err
}

// hasVersion fails unless the version is one of this file.
func (s *Session) hasVersion(f store.File, version string) error {
	of, err := s.query().FileIDOfVersion(version)
	if err == nil && of != f.FileID || fault.Is(err, fault.NotFound) {
		return fault.E("tree.hasVersion", fault.NotFound, "The file has no version %q.", valid.Printable(version))
	}
	return err
}
