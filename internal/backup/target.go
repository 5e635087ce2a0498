package backup

import (
	"context"
	"io"
	"strings"
	"time"

	"filippo.io/age"
)

// Target is where a backup goes, or comes from.
type Target struct {
	Name   string // for people, without secrets
	raw    place
	to     []age.Recipient
	from   []age.Identity
	stream bool
}

// TargetOptions say how a target is opened.
type TargetOptions struct {
	S3    S3
	To    []age.Recipient // whom to encrypt to; none: in clear
	Out   io.Writer       // for "-"
	Clock func() time.Time
}

// OpenTarget opens a folder, s3://bucket/prefix, FILE.tar, or "-", which is a tar stream to Out.
func OpenTarget(ctx context.Context, name string, o TargetOptions) (*Target, error) {
	t := &Target{Name: name, to: o.To}
	var err error
	switch {
	case name == "-":
		t.stream = true
		t.raw, err = newStream(o.Out, o.To, o.Clock(), func(bool) error { return nil })
	case isTar(name):
		t.stream = true
		t.raw, err = openTarFile(name, o.To, o.Clock())
	case strings.HasPrefix(name, "s3://"):
		t.raw, err = openBucket(ctx, name, o.S3)
	default:
		t.raw, err = openFolder(name, true)
	}
	return t, inWords("backup.OpenTarget", "The backup cannot be written to "+name, err)
}

func isTar(name string) bool {
	return strings.HasSuffix(name, ".tar") || strings.HasSuffix(name, ".tar"+sealedEnd)
}

// Streams reports whether the target is a tar stream, which has one snapshot.
func (t *Target) Streams() bool { return t.stream }

// Close ends the use of a target.
func (t *Target) Close() error { return inWords("backup.Close", t.Name, t.raw.close()) }

// place returns where files go, encrypted if asked. A stream is encrypted as a whole.
func (t *Target) place() place {
	if t.stream || len(t.to) == 0 && len(t.from) == 0 {
		return t.raw
	}
	return sealed{t.raw, t.to, t.from}
}

// sized reports whether a file in the place can be the whole of size bytes. What is encrypted is larger.
func (t *Target) sized(size, there int64) bool {
	if len(t.to) == 0 {
		return there == size
	}
	return there > size
}
