package backup

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// manifestForm is the version of a manifest's form.
const manifestForm = "sallyport backup v1"

// Sum is a SHA-256.
type Sum [sha256.Size]byte

// File is one file of a backup, as it was before it was encrypted.
type File struct {
	Name string
	Size int64
	Sum  Sum
}

// Manifest lists what a backup has.
//
// It is lines of JSON: a header, a line for each file, and an end with the number of files and the SHA-256 of all bytes
// before it. So a manifest that was cut or changed is none.
type Manifest struct {
	Form     string    `json:"form"`
	Snapshot string    `json:"snapshot"` // its name
	At       time.Time `json:"at"`       // when the snapshot was taken
	Program  string    `json:"program"`  // the release that made it
	Schema   int64     `json:"schema"`   // of the database
	Database string    `json:"database"` // sqlite or postgres: where it came from
	LogRows  int64     `json:"log_rows"` // sealed rows of the audit log
	Signer   string    `json:"signer"`   // public half of the deployment's signing key
	Lost     []string  `json:"lost,omitempty"`
	Files    []File    `json:"-"`
}

// manifestLine is the line of a file, or the end.
type manifestLine struct {
	Name  string `json:"name,omitempty"`
	Size  int64  `json:"size"`
	Sum   string `json:"sha256"`
	Files *int   `json:"files,omitempty"` // of the end alone
}

// Limits on what a manifest may make its reader keep.
const (
	maxManifestLine  = 1 << 20
	maxManifestFiles = 50_000_000
)

// write writes the manifest.
func (m *Manifest) write(w io.Writer) error {
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 64<<10)
	line := func(v any) error {
		b, err := json.Marshal(v)
		if err == nil {
			_, err = out.Write(append(b, '\n'))
		}
		return err
	}
	m.Form = manifestForm
	if err := line(m); err != nil {
		return err
	}
	for _, f := range m.Files {
		if err := line(manifestLine{Name: f.Name, Size: f.Size, Sum: hex.EncodeToString(f.Sum[:])}); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	n := len(m.Files)
	b, err := json.Marshal(manifestLine{Files: &n, Sum: hex.EncodeToString(sum.Sum(nil))})
	if err == nil {
		_, err = w.Write(append(b, '\n'))
	}
	return err
}

// notWhole is the error of a manifest that was cut or changed.
func notWhole(format string, args ...any) error {
	return fault.E("backup.ReadManifest", fault.Invalid, "The manifest is not whole: %s.", fmt.Sprintf(format, args...)).
		WithHint("the backup was cut short, or changed since; use another: --snapshot")
}

// ReadManifest reads a manifest. It fails as Invalid unless it is whole and every name stays below its folder, once.
func ReadManifest(r io.Reader) (*Manifest, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	sum := sha256.New()
	var m Manifest
	head, err := readLine(in)
	if err != nil || json.Unmarshal(head, &m) != nil || m.Form != manifestForm {
		return nil, notWhole("it has no header")
	}
	sum.Write(head)
	seen := map[string]bool{}
	for {
		text, err := readLine(in)
		if err != nil {
			return nil, notWhole("it has no end")
		}
		var l manifestLine
		if json.Unmarshal(text, &l) != nil {
			return nil, notWhole("line %d cannot be read", len(m.Files)+2)
		}
		var f File
		if n, err := hex.Decode(f.Sum[:], []byte(clip(l.Sum))); err != nil || n != len(f.Sum) {
			return nil, notWhole("line %d has no SHA-256", len(m.Files)+2)
		}
		if l.Files != nil {
			if *l.Files != len(m.Files) || !bytes.Equal(f.Sum[:], sum.Sum(nil)) {
				return nil, notWhole("its lines are not those that were written")
			}
			return &m, nil
		}
		sum.Write(text)
		if f.Name, f.Size = l.Name, l.Size; f.Size < 0 || checkName(f.Name) != nil || seen[f.Name] ||
			len(m.Files) >= maxManifestFiles {
			return nil, notWhole("%q cannot be a file of it", valid.Printable(f.Name))
		}
		seen[f.Name] = true
		m.Files = append(m.Files, f)
	}
}

// clip bounds a hash in hex, which is decoded into an array.
func clip(s string) string { return s[:min(len(s), 2*sha256.Size)] }

// readLine reads one line with its end.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			return line, nil
		}
		if err != bufio.ErrBufferFull || len(line) > maxManifestLine { //nolint:errorlint // ReadSlice returns it as it is
			return nil, io.ErrUnexpectedEOF
		}
	}
}

// checkName fails unless a name is a clean relative path of a backup: below blobs/ or snapshots/.
func checkName(name string) error {
	ok := filepath.IsLocal(name) && path.Clean(name) == name && !strings.Contains(name, "\\") &&
		valid.Printable(name) == name && len(name) <= 512 &&
		(strings.HasPrefix(name, blobsDir) || strings.HasPrefix(name, snapshotsDir))
	if !ok {
		return fault.E("backup.checkName", fault.Invalid, "%q is no name of a file in a backup.", valid.Printable(name))
	}
	return nil
}

// part returns the name of a file of the manifest's own snapshot.
func (m *Manifest) part(name string) string { return snapshotsDir + m.Snapshot + "/" + name }
