package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// SourceOptions say how a backup is read.
type SourceOptions struct {
	S3       S3
	From     []age.Identity // to decrypt with
	In       io.Reader      // for "-"
	Snapshot string         // its name; "": the newest
}

// Source is a backup that is read.
type Source struct {
	Name string
	o    SourceOptions
	raw  place // nil: a tar stream
	in   io.ReadCloser
}

// OpenSource opens what OpenTarget wrote.
func OpenSource(ctx context.Context, name string, o SourceOptions) (*Source, error) {
	s := &Source{Name: name, o: o}
	var err error
	switch {
	case name == "-":
		s.in = io.NopCloser(o.In)
	case strings.HasPrefix(name, "s3://"):
		s.raw, err = openBucket(ctx, name, o.S3)
	case isTar(name):
		s.in, err = os.Open(name)
	default:
		s.raw, err = openFolder(name, false)
	}
	return s, inWords("backup.OpenSource", "The backup cannot be read", err)
}

// Close ends the use of a source.
func (s *Source) Close() error {
	if s.in != nil {
		return s.in.Close()
	}
	return s.raw.close()
}

// each reads the backup once. file is called for every file, with the manifest's words about it if they are known by
// then: a stream has its manifest at its end. It returns the manifest.
func (s *Source) each(ctx context.Context, file func(name string, size int64, r io.Reader) error) (*Manifest, error) {
	if s.raw == nil {
		return s.eachInStream(file)
	}
	m, p, err := s.manifest(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range m.Files {
		if err := ctx.Err(); err != nil {
			return m, err
		}
		in, err := p.get(ctx, f.Name)
		if err == nil {
			err = errors.Join(file(f.Name, f.Size, in), in.Close())
		} else if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid) {
			err = file(f.Name, f.Size, failing{err})
		}
		if err != nil {
			return m, err
		}
	}
	return m, nil
}

// failing is a file that cannot be read.
type failing struct{ err error }

// Read implements io.Reader.
func (f failing) Read([]byte) (int, error) { return 0, f.err }

func (s *Source) eachInStream(file func(name string, size int64, r io.Reader) error) (m *Manifest, err error) {
	err = eachInTar(s.in, s.o.From, func(name string, size int64, r io.Reader) error {
		switch {
		case name == markName:
			return nil
		case m != nil:
			return fault.E("backup.each", fault.Invalid, "The tar goes on behind its manifest.")
		case strings.HasPrefix(name, snapshotsDir) && strings.HasSuffix(name, "/"+manifestName):
			m, err = ReadManifest(r)
			return err
		}
		return file(name, size, r)
	})
	if err == nil && m == nil {
		err = fault.E("backup.each", fault.Invalid, "The tar has no manifest: it was cut short.")
	}
	return m, err
}

// Snapshots lists the snapshots that have a manifest, the oldest first, and whether they are encrypted.
func (s *Source) snapshots(ctx context.Context) (names []string, secret map[string]bool, err error) {
	secret = map[string]bool{}
	err = s.raw.list(ctx, snapshotsDir, func(name string, _ int64) error {
		snapshot, part, _ := strings.Cut(strings.TrimPrefix(name, snapshotsDir), "/")
		if strings.TrimSuffix(part, sealedEnd) == manifestName {
			names = append(names, snapshot)
			secret[snapshot] = strings.HasSuffix(part, sealedEnd)
		}
		return nil
	})
	slices.Sort(names)
	return names, secret, err
}

// manifest reads the manifest of the chosen snapshot, and returns where its files are read from.
func (s *Source) manifest(ctx context.Context) (*Manifest, place, error) {
	const op = "backup.manifest"
	names, secret, err := s.snapshots(ctx)
	if err != nil {
		return nil, nil, err
	}
	if len(names) == 0 {
		return nil, nil, fault.E(op, fault.NotFound, "There is no whole backup in %s.", s.Name).
			WithHint("a backup that was cut short has no manifest; make it again")
	}
	name := s.o.Snapshot
	if name == "" {
		name = names[len(names)-1]
	}
	if !slices.Contains(names, name) {
		return nil, nil, fault.E(op, fault.NotFound, "There is no snapshot %q.", valid.Printable(name)).
			WithHint("there are %s", strings.Join(names[max(0, len(names)-10):], ", ")).WithField("--snapshot")
	}
	p := s.raw
	if secret[name] {
		p = sealed{place: s.raw, from: s.o.From}
	}
	in, err := p.get(ctx, snapshotsDir+name+"/"+manifestName)
	if err != nil {
		return nil, nil, err
	}
	m, err := ReadManifest(in)
	if err = errors.Join(err, in.Close()); err == nil && m.Snapshot != name {
		err = notWhole("it is of the snapshot %q", valid.Printable(m.Snapshot))
	}
	return m, p, err
}

// read is what was found of a file.
type read struct {
	size int64
	sum  Sum
	err  error
}

// hashTo reads a file to its end, and writes it to w.
func hashTo(w io.Writer, r io.Reader) (out read) {
	h := sha256.New()
	out.size, out.err = io.CopyBuffer(io.MultiWriter(w, h), struct{ io.Reader }{r}, make([]byte, copyBuffer))
	copy(out.sum[:], h.Sum(nil))
	return out
}

// says compares what was found with what the manifest says; "" if it is the same.
func (f File) says(got read, there bool) string {
	switch {
	case !there || fault.Is(got.err, fault.NotFound):
		return f.Name + " is missing"
	case got.err != nil:
		return f.Name + " cannot be read: " + strings.TrimSuffix(fault.InWords(got.err), ".")
	case got.size != f.Size || got.sum != f.Sum:
		return f.Name + " is damaged: its SHA-256 is not that of the manifest"
	}
	return ""
}
