package backup

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"time"

	"filippo.io/age"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// stream is a tar stream that a backup is written to. It has one snapshot, and cannot be read.
type stream struct {
	out    io.Writer
	seal   io.WriteCloser // encrypts the whole stream; nil: it is in clear
	tar    *tar.Writer
	at     time.Time
	finish func(whole bool) error
}

// newStream begins a tar stream on out. finish is called when it is closed, with whether its manifest was written.
func newStream(out io.Writer, to []age.Recipient, at time.Time, finish func(whole bool) error) (*stream, error) {
	s := &stream{out: out, at: at, finish: finish}
	if len(to) > 0 {
		var err error
		if s.seal, err = age.Encrypt(out, to...); err != nil {
			return nil, fault.Wrap("backup.newStream", fault.Internal, err)
		}
		out = s.seal
	}
	s.tar = tar.NewWriter(out)
	return s, nil
}

// openTarFile begins a tar file, which gets its name once it is whole.
func openTarFile(path string, to []age.Recipient, at time.Time) (*stream, error) {
	f, err := os.OpenFile(path+cut, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return newStream(f, to, at, func(whole bool) error {
		if !whole {
			return errors.Join(f.Close(), os.Remove(path+cut))
		}
		return errors.Join(f.Sync(), f.Close(), os.Rename(path+cut, path))
	})
}

func (s *stream) put(_ context.Context, name string, size int64, r io.Reader) error {
	h := tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: s.at, Format: tar.FormatPAX}
	if err := s.tar.WriteHeader(&h); err != nil {
		return err
	}
	_, err := io.CopyBuffer(plainWriter{s.tar}, r, make([]byte, copyBuffer))
	if err == nil {
		err = s.tar.Flush() // fails unless size bytes were written
	}
	return err
}

// errStream is the answer of a stream to what only a folder or a bucket can do.
var errStream = errors.New("a tar stream is written only")

func (s *stream) get(context.Context, string) (io.ReadCloser, error) { return nil, errStream }
func (s *stream) remove(context.Context, string) error               { return errStream }
func (s *stream) list(context.Context, string, func(string, int64) error) error {
	return nil // it has nothing yet
}

// flush ends the stream: the manifest is the last file.
func (s *stream) flush() error {
	if s.tar == nil {
		return nil
	}
	err := s.tar.Close()
	if s.seal != nil {
		err = errors.Join(err, s.seal.Close())
	}
	s.tar = nil
	return err
}

func (s *stream) close() error { return s.finish(s.tar == nil) }

// ageHead begins every stream that age encrypted.
const ageHead = "age-encryption.org/"

// eachInTar calls fn for every file of a tar stream, encrypted or not. It refuses what is no plain file of a backup:
// links, folders that lead elsewhere, a name twice.
func eachInTar(in io.Reader, from []age.Identity, fn func(name string, size int64, r io.Reader) error) error {
	const op = "backup.eachInTar"
	buffered := bufio.NewReaderSize(in, copyBuffer)
	if head, _ := buffered.Peek(len(ageHead)); string(head) == ageHead {
		clear, err := open(buffered, from)
		if err != nil {
			return err
		}
		buffered = bufio.NewReaderSize(clear, copyBuffer)
	}
	t := tar.NewReader(buffered)
	seen := map[string]bool{}
	for {
		h, err := t.Next()
		if err == io.EOF { //nolint:errorlint // Next returns it as it is
			return nil
		}
		if err != nil {
			return fault.E(op, fault.Invalid, "The tar cannot be read to its end: it was cut short, or is damaged.")
		}
		if h.Typeflag != tar.TypeReg || seen[h.Name] || h.Name != markName && checkName(h.Name) != nil {
			return fault.E(op, fault.Invalid, "The tar has an entry that is no file of a backup: %q.", h.Name).
				WithHint("it was not made by sallyport backup, or was changed since")
		}
		seen[h.Name] = true
		if err := fn(h.Name, h.Size, t); err != nil {
			return err
		}
	}
}
