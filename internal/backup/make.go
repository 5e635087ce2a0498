package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/sallyport-sftp/sallyport/internal/datadir"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

const (
	copyBuffer = 128 << 10 // bytes read at once, so that a limited rate is even
	cacheFrom  = 1 << 20   // files from this size on leave the page cache after they were copied
	blobsPage  = 1000
	maxSmall   = 16 << 20 // a key or certificate is smaller
	mostLost   = 100      // damaged files that an Outcome names
)

// Options are what a backup needs.
type Options struct {
	Store    *store.Store // opened beside a server that may be running
	Database string       // sqlite or postgres
	Data     string       // the data folder
	Clock    exchange.Clock
	Program  string // the release
	Signer   string // public half of the deployment's signing key; "" if it has none yet
	Known    string // with those of earlier keys
	Keep     int    // snapshots that stay; 0: all
	Rate     int64  // bytes of stored files read in a second; 0: no limit
	Progress func(done, total int64)
}

// making is one backup under way.
type making struct {
	Options
	to      *Target
	out     Outcome
	limit   *rate.Limiter
	have    map[string]int64 // sizes of blobs in the place, by name
	files   []File
	index   bytes.Buffer
	spare   []byte
	scratch string // the snapshot, in the data folder
}

// Make makes a backup. The Outcome is true whether it fails or not. If stored files are damaged or missing, the backup
// has everything else, and the error names them.
func Make(ctx context.Context, o Options, to *Target) (Outcome, error) {
	began := o.Clock().UTC()
	m := &making{Options: o, to: to, have: map[string]int64{}, spare: make([]byte, copyBuffer),
		scratch: filepath.Join(o.Data, "backup-snapshot.db")}
	m.out = Outcome{At: began.Truncate(time.Second), To: to.Name, Snapshot: began.Format(stampForm)}
	if o.Rate > 0 {
		m.limit = rate.NewLimiter(rate.Limit(o.Rate), max(copyBuffer, int(o.Rate/10)))
	}
	err := m.run(ctx)
	if err == nil && len(m.out.Lost) > 0 {
		err = fault.E("backup.Make", fault.Conflict,
			"The backup is made, but stored files are missing or damaged on this machine: %s.", few(m.out.Lost)).
			WithHint("an earlier backup may have them whole: sallyport restore SOURCE --verify --snapshot NAME")
	}
	err = inWords("backup.Make", "The backup failed", err)
	m.out.OK, m.out.Seconds = err == nil, o.Clock().UTC().Sub(began).Seconds()
	if err != nil {
		m.out.Error = fault.PublicText(err)
	}
	return m.out, err
}

// few lists the first names.
func few(names []string) string {
	if len(names) > 5 {
		return strings.Join(names[:5], ", ") + fmt.Sprintf(" and %d more", len(names)-5)
	}
	return strings.Join(names, ", ")
}

func (m *making) run(ctx context.Context) error {
	release, err := datadir.WaitHold(ctx, m.Data)
	if err != nil {
		return err
	}
	defer release()
	p := m.to.place()
	if err := m.claim(ctx); err != nil {
		return err
	}
	if err := p.list(ctx, blobsDir, func(name string, size int64) error {
		m.have[strings.TrimSuffix(name, sealedEnd)] = size
		return nil
	}); err != nil {
		return err
	}
	small, err := m.readSecret()
	if err != nil {
		return err
	}
	manifest := Manifest{Snapshot: m.out.Snapshot, At: m.out.At, Program: m.Program, Database: m.Database,
		Signer: m.Signer}
	n, err := m.snapshot(ctx)
	defer func() { _ = os.Remove(m.scratch) }()
	if err != nil {
		return err
	}
	defer n.Close()
	if manifest.Schema, err = n.Schema(ctx); err != nil {
		return err
	}
	if manifest.LogRows, err = n.LogSize(ctx); err != nil {
		return err
	}
	if err := m.putFile(ctx, manifest.part(databaseName), m.scratch); err != nil {
		return err
	}
	for _, name := range small.names {
		if err := m.putBytes(ctx, manifest.part(dataPrefix+name), small.content[name]); err != nil {
			return err
		}
	}
	if err := m.copyBlobs(ctx, n); err != nil {
		return err
	}
	manifest.Lost = m.out.Lost
	return m.end(ctx, manifest)
}

// end writes the index and the manifest, and removes what is too old.
func (m *making) end(ctx context.Context, manifest Manifest) error {
	raw, p := m.to.raw, m.to.place()
	if !m.to.stream {
		if err := raw.put(ctx, manifest.part(indexName), int64(m.index.Len()), &m.index); err != nil {
			return err
		}
	}
	if !m.to.stream {
		if err := raw.flush(); err != nil { // a manifest must not outlive what it lists
			return err
		}
	}
	manifest.Files = m.files
	var text bytes.Buffer
	if err := manifest.write(&text); err != nil {
		return err
	}
	if err := p.put(ctx, manifest.part(manifestName), int64(text.Len()), &text); err != nil {
		return err
	}
	if err := raw.flush(); err != nil {
		return err
	}
	if m.to.stream {
		return nil
	}
	n, err := prune(ctx, raw, m.Keep)
	m.out.Pruned = n
	return err
}

// claim marks a new place as this deployment's, and refuses another's.
func (m *making) claim(ctx context.Context) error {
	in, err := m.to.raw.get(ctx, markName)
	if m.to.stream || fault.Is(err, fault.NotFound) {
		text := manifestForm + "\n" + m.Signer + "\n"
		return m.to.raw.put(ctx, markName, int64(len(text)), strings.NewReader(text))
	} else if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(in, maxSmall))
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	form, signer, _ := strings.Cut(strings.TrimSuffix(string(text), "\n"), "\n")
	if form != manifestForm || signer != "" && !strings.Contains(m.Known, signer) {
		return fault.E("backup.claim", fault.Conflict, "%s has backups of another deployment.", m.to.Name).
			WithHint("give each deployment a folder or prefix of its own")
	}
	return nil
}

// secretFiles are the small files of the data folder.
type secretFiles struct {
	names   []string
	content map[string][]byte
}

// readSecret reads the keys. They are read before the snapshot is taken, so that the audit log of the snapshot extends
// what is kept of it beside the signing key.
func (m *making) readSecret() (s secretFiles, err error) {
	s.content = map[string][]byte{}
	for _, part := range Secret {
		err := filepath.WalkDir(filepath.Join(m.Data, part), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, ".new") {
				return err
			}
			name, err := filepath.Rel(m.Data, path)
			if err != nil {
				return err
			}
			b, err := os.ReadFile(path)
			s.names, s.content[filepath.ToSlash(name)] = append(s.names, filepath.ToSlash(name)), b
			return err
		})
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

// snapshot takes the snapshot of the database, and opens it.
func (m *making) snapshot(ctx context.Context) (*store.Snapshot, error) {
	if err := os.Remove(m.scratch); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a backup that was killed
		return nil, err
	}
	if err := m.Store.Snapshot(ctx, m.scratch); err != nil {
		return nil, err
	}
	return store.OpenSnapshot(ctx, m.scratch)
}

func (m *making) putBytes(ctx context.Context, name string, b []byte) error {
	m.files = append(m.files, File{name, int64(len(b)), sha256.Sum256(b)})
	return m.to.place().put(ctx, name, int64(len(b)), bytes.NewReader(b))
}

// putFile stores a file of this machine, at the limited rate.
func (m *making) putFile(ctx context.Context, name, path string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	r := &reading{ctx: ctx, m: m, in: in, sum: sha256.New()}
	if err := m.to.place().put(ctx, name, info.Size(), r); err != nil {
		return err
	}
	m.files = append(m.files, File{name, info.Size(), r.total()})
	return nil
}
