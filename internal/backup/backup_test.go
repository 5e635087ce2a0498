package backup_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/sallyport-sftp/sallyport/internal/backup"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/node"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

var ctx = context.Background()

// deployment is a server with some files.
type deployment struct {
	*testkit.Node
	t   *testing.T
	cfg config.Config
}

func deploy(t *testing.T) deployment {
	t.Helper()
	n := testkit.Start(t)
	c := n.SFTP("acme", n.User("acme"))
	for _, name := range []string{"a", "b", "c"} {
		f, err := c.Create("/upload/" + name)
		testkit.Must(t, err)
		_, err = f.Write(bytes.Repeat([]byte(name), 100_000))
		testkit.Must(t, err)
		testkit.Must(t, f.Close())
	}
	return deployment{n, t, testkit.Config(n.Data)}
}

// back makes a backup, and returns how it went.
func (d deployment) back(r node.BackupRequest) node.BackupOutcome {
	d.t.Helper()
	r.Clock, r.Actor = time.Now, "local:test(0)"
	out, err := node.Backup(ctx, d.cfg, r)
	testkit.Must(d.t, err)
	return out
}

func verify(source string, identities ...string) (*node.BackupReport, error) {
	return node.VerifyBackup(ctx, node.RestoreRequest{Source: source, Identities: identities, Clock: time.Now})
}

func wantWhole(t *testing.T, source string, files int64, identities ...string) {
	t.Helper()
	r, err := verify(source, identities...)
	testkit.Must(t, err)
	if !r.OK || r.Files != files {
		t.Fatalf("%s: %+v", source, r)
	}
}

// keyPair makes a key of age: its public half, and a file with the private one.
func keyPair(t *testing.T) (public, file string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	testkit.Must(t, err)
	file = filepath.Join(t.TempDir(), "identity")
	testkit.Must(t, os.WriteFile(file, []byte(id.String()+"\n"), 0o600))
	return id.Recipient().String(), file
}

// TestEachBackupCopiesWhatIsNew: and snapshots that are too old go, with the files that only they had.
func TestEachBackupCopiesWhatIsNew(t *testing.T) {
	d, to := deploy(t), filepath.Join(t.TempDir(), "backup")
	if first := d.back(node.BackupRequest{Target: to}); first.Copied != 3 || first.Files != 3 || !first.OK {
		t.Fatalf("the first: %+v", first)
	}
	if second := d.back(node.BackupRequest{Target: to, Keep: 2}); second.Copied != 0 || second.Files != 3 {
		t.Fatalf("the second: %+v", second)
	}
	wantWhole(t, to, 3)
	unfinished := filepath.Join(to, "snapshots", "20200101T000000Z")
	testkit.Must(t, os.MkdirAll(unfinished, 0o700))
	testkit.Must(t, os.WriteFile(filepath.Join(unfinished, "database"), []byte("cut short"), 0o600))
	if third := d.back(node.BackupRequest{Target: to, Keep: 1}); third.Pruned != 3 {
		t.Fatalf("the third: %+v", third)
	}
	if left, err := os.ReadDir(filepath.Join(to, "snapshots")); err != nil || len(left) != 1 {
		t.Fatalf("left are %v, %v", left, err)
	}
	wantWhole(t, to, 3)

	other := deploy(t)
	_, err := node.Backup(ctx, other.cfg, node.BackupRequest{Target: to, Clock: time.Now, Actor: "local:test(0)"})
	testkit.WantKind(t, err, fault.Conflict)
	if !strings.Contains(fault.PublicText(err), "another deployment") {
		t.Errorf("it says %v", err)
	}
}

// TestAnyFlippedBitIsFound: in every file of a backup, in clear and encrypted.
func TestAnyFlippedBitIsFound(t *testing.T) {
	d := deploy(t)
	public, identity := keyPair(t)
	for name, r := range map[string]node.BackupRequest{"clear": {}, "encrypted": {Recipients: []string{public}}} {
		r.Target = filepath.Join(t.TempDir(), name)
		d.back(r)
		wantWhole(t, r.Target, 3, identity)
		changed := 0
		testkit.Must(t, filepath.WalkDir(r.Target, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || e.Name() == "index" || e.Name() == "sallyport-backup" {
				return err // what a restore does not read
			}
			was := testkit.MustRead(t, path)
			changed++
			for _, at := range []int{len(was) / 3, len(was) / 2, len(was) - 1} {
				now := bytes.Clone(was)
				now[at] ^= 4
				testkit.Must(t, os.WriteFile(path, now, 0o600))
				if report, err := verify(r.Target, identity); err == nil && report.OK {
					t.Errorf("%s: byte %d of %s was changed, and nothing is said", name, at, path)
				}
			}
			testkit.Must(t, os.WriteFile(path, was[:len(was)/2], 0o600))
			if report, err := verify(r.Target, identity); err == nil && report.OK {
				t.Errorf("%s: %s was cut, and nothing is said", name, path)
			}
			return os.WriteFile(path, was, 0o600)
		}))
		if changed < 9 {
			t.Errorf("only %d files were changed", changed)
		}
		wantWhole(t, r.Target, 3, identity)
	}
}

// TestAnotherIdentity: a backup that is encrypted opens with its own key alone, and shows no name or content.
func TestAnotherIdentity(t *testing.T) {
	d := deploy(t)
	public, identity := keyPair(t)
	_, other := keyPair(t)
	for _, to := range []string{filepath.Join(t.TempDir(), "folder"), filepath.Join(t.TempDir(), "x.tar.age")} {
		d.back(node.BackupRequest{Target: to, Recipients: []string{public}})
		for _, ids := range [][]string{nil, {other}} {
			_, err := verify(to, ids...)
			testkit.WantKind(t, err, fault.Denied)
		}
		wantWhole(t, to, 3, identity)
	}
}

// TestATarIsABackup: to a file and to standard output; one that is cut is none.
func TestATarIsABackup(t *testing.T) {
	d := deploy(t)
	file := filepath.Join(t.TempDir(), "backup.tar")
	d.back(node.BackupRequest{Target: file})
	wantWhole(t, file, 3)
	var out bytes.Buffer
	d.back(node.BackupRequest{Target: "-", Out: &out})
	read := func(b []byte) (*node.BackupReport, error) {
		return node.VerifyBackup(ctx, node.RestoreRequest{Source: "-", In: bytes.NewReader(b), Clock: time.Now})
	}
	r, err := read(out.Bytes())
	testkit.Must(t, err)
	if !r.OK || r.Files != 3 {
		t.Fatalf("%+v", r)
	}
	for _, n := range []int{0, 100, 511, 512, 5000, out.Len() / 2, out.Len() - 1500} {
		if r, err := read(out.Bytes()[:n]); err == nil && r.OK {
			t.Errorf("its first %d bytes are taken for a backup", n)
		}
	}
}

// TestATarThatLeadsElsewhere: no entry of a tar writes outside the folder, is a link, or comes twice.
func TestATarThatLeadsElsewhere(t *testing.T) {
	for name, h := range map[string]tar.Header{
		"absolute":  {Name: "/etc/passwd", Typeflag: tar.TypeReg},
		"upwards":   {Name: "blobs/../../x", Typeflag: tar.TypeReg},
		"elsewhere": {Name: "x", Typeflag: tar.TypeReg},
		"link":      {Name: "blobs/aa/x", Typeflag: tar.TypeSymlink, Linkname: "/etc"},
		"hard link": {Name: "blobs/aa/x", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"},
		"folder":    {Name: "blobs/", Typeflag: tar.TypeDir},
		"device":    {Name: "blobs/aa/x", Typeflag: tar.TypeChar},
		"no key":    {Name: "snapshots/s/data/../../x", Typeflag: tar.TypeReg},
		"config":    {Name: "snapshots/s/data/sallyport.yaml", Typeflag: tar.TypeReg},
		"no name":   {Name: "blobs/\x1b[2J", Typeflag: tar.TypeReg},
		"first":     {Name: "blobs/aa/x", Typeflag: tar.TypeReg},
	} {
		data := filepath.Join(t.TempDir(), "data")
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for range 2 {
			h.Format = tar.FormatPAX
			testkit.Must(t, w.WriteHeader(&h))
		}
		testkit.Must(t, w.Close())
		_, err := node.Restore(ctx, testkit.Config(data), node.RestoreRequest{Source: "-", In: &b, Clock: time.Now})
		testkit.WantKind(t, err, fault.Invalid)
		for _, path := range []string{filepath.Join(filepath.Dir(data), "x"), filepath.Join(data, "sallyport.yaml")} {
			if _, err := os.Lstat(path); err == nil {
				t.Errorf("%s: %s was written", name, path)
			}
		}
	}
}

// TestARestoreOverwritesNothing: into a folder that has anything, and of a backup that is not whole or too new.
func TestARestoreOverwritesNothing(t *testing.T) {
	d, to := deploy(t), filepath.Join(t.TempDir(), "backup")
	d.back(node.BackupRequest{Target: to})
	data := t.TempDir()
	testkit.Must(t, os.WriteFile(filepath.Join(data, "mine"), []byte("mine"), 0o600))
	restore := func(data string) error {
		_, err := node.Restore(ctx, testkit.Config(data), node.RestoreRequest{Source: to, Clock: time.Now})
		return err
	}
	testkit.WantKind(t, restore(data), fault.Conflict)
	testkit.WantKind(t, restore(d.Data), fault.Conflict) // of a server that runs
	if string(testkit.MustRead(t, filepath.Join(data, "mine"))) != "mine" {
		t.Error("what was there is gone")
	}

	blobs, _ := filepath.Glob(filepath.Join(to, "blobs", "*", "*"))
	was := testkit.MustRead(t, blobs[0])
	testkit.Must(t, os.Remove(blobs[0]))
	empty := filepath.Join(t.TempDir(), "data")
	testkit.WantKind(t, restore(empty), fault.Conflict)
	if _, err := backup.Closed(empty); !fault.Is(err, fault.Conflict) {
		t.Fatalf("a restore that failed is unfinished: %v", err)
	}
	testkit.Must(t, os.WriteFile(blobs[0], was, 0o600))
	testkit.Must(t, restore(empty)) // the same again
	if m, err := backup.Closed(empty); err != nil || m == nil {
		t.Fatalf("%v, %v", m, err)
	}
	testkit.WantKind(t, restore(empty), fault.Conflict)
}

// TestAStoredFileThatIsDamagedHere: the backup has the others, says so, and is not taken for a good one.
func TestAStoredFileThatIsDamagedHere(t *testing.T) {
	d := deploy(t)
	var files []string
	testkit.Must(t, filepath.WalkDir(filepath.Join(d.Data, "blobs"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	}))
	testkit.Must(t, os.Chmod(files[0], 0o600))
	testkit.Must(t, os.WriteFile(files[0], bytes.Repeat([]byte("x"), 100_000), 0o600))
	for _, to := range []string{filepath.Join(t.TempDir(), "folder"), filepath.Join(t.TempDir(), "b.tar")} {
		out, err := node.Backup(ctx, d.cfg, node.BackupRequest{Target: to, Clock: time.Now, Actor: "local:test(0)"})
		testkit.WantKind(t, err, fault.Conflict)
		if out.OK || len(out.Lost) != 1 || out.Copied != 2 {
			t.Fatalf("%+v", out)
		}
		r, err := verify(to)
		testkit.Must(t, err)
		if r.OK || len(r.Faults) == 0 {
			t.Fatalf("%+v", r)
		}
		data := filepath.Join(t.TempDir(), "data")
		report, err := node.Restore(ctx, testkit.Config(data), node.RestoreRequest{Source: to, Clock: time.Now})
		testkit.Must(t, err)
		if report.OK || report.Files != 3 {
			t.Fatalf("%+v", report)
		}
	}
}

// FuzzReadManifest: whatever a file has, a manifest that is read names files below its folders alone.
func FuzzReadManifest(f *testing.F) {
	f.Add([]byte(`{"form":"sallyport backup v1","snapshot":"s"}` + "\n" + `{"files":0,"sha256":""}` + "\n"))
	f.Add([]byte(`{"form":"sallyport backup v1"}` + "\n" + `{"name":"../x","size":1,"sha256":"` +
		strings.Repeat("0", 64) + "\"}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := backup.ReadManifest(io.MultiReader(bytes.NewReader(text)))
		if err != nil {
			return
		}
		for _, file := range m.Files {
			if !filepath.IsLocal(file.Name) || file.Size < 0 {
				t.Fatalf("%+v", file)
			}
		}
	})
}
