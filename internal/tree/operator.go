package tree

import (
	"encoding/hex"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Versions lists a stored file's versions, the newest first.
func (s *Session) Versions(path string) ([]exchange.Version, error) {
	f, err := s.stored(path)
	if err != nil {
		return nil, err
	}
	return s.query().Versions(f)
}

func (s *Session) stored(path string) (store.File, error) {
	p, err := s.locate(path)
	if err != nil {
		return store.File{}, err
	}
	f, err := p.file(s.query())
	if exchange.Is(err, exchange.NotFound) {
		return f, exchange.E("tree.stored", exchange.NotFound, "There is no stored file %q.", exchange.Printable(p.path))
	}
	return f, err
}

// OpenVersion opens a version of a stored file by its id; "" is what the name
// shows. It returns the bytes' SHA-256 in hexadecimal.
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
	r, err := s.t.blobs.Open(c.Key)
	return r, hex.EncodeToString(c.SHA256), err
}

// hasVersion refuses a version of any other file.
func (s *Session) hasVersion(f store.File, version string) error {
	all, err := s.query().Versions(f)
	if err != nil {
		return err
	}
	for _, v := range all {
		if v.ID == version {
			return nil
		}
	}
	return exchange.E("tree.hasVersion", exchange.NotFound, "The file has no version %q.", exchange.Printable(version))
}
