package doctor_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/backup"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/doctor"
	"github.com/sallyport-sftp/sallyport/internal/node"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// sick is a copy of a deployment that was well, with faults.
type sick struct {
	testing.TB
	conf config.Config
	file string
	deep bool
	now  func() time.Time
}

// exec changes the database behind the server's back.
func (s *sick) exec(query string, args ...any) {
	s.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.conf.Data, "sallyport.db"))
	testkit.Must(s, err)
	defer db.Close()
	_, err = db.Exec(query, args...)
	testkit.Must(s, err)
}

// bytesOf returns the path of the stored file.
func (s *sick) bytesOf() (path string) {
	s.Helper()
	testkit.Must(s, filepath.WalkDir(filepath.Join(s.conf.Data, "blobs"), func(at string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.Contains(at, "prices") {
			path = at
		}
		return err
	}))
	if path == "" {
		s.Fatal("there is no stored file")
	}
	return path
}

func (s *sick) write(name, text string, mode fs.FileMode) string {
	s.Helper()
	path := filepath.Join(s.conf.Data, name)
	testkit.Must(s, os.MkdirAll(filepath.Dir(path), 0o700))
	testkit.Must(s, os.WriteFile(path, []byte(text), mode))
	testkit.Must(s, os.Chmod(path, mode))
	return path
}

// faults are planted one at a time. Each must be found, with its words, as broken or odd.
var faults = map[string]struct {
	plant func(s *sick)
	check string
	state doctor.State
	says  string
}{
	"a configuration with a password that everybody can read": {func(s *sick) {
		s.conf.Mail.Password = "secret"
		s.file = s.write("sallyport.yaml", "mail: {password: secret}\n", 0o644)
	}, "configuration", doctor.Broken, "everybody on this machine can read it"},
	"a data folder that others may enter": {func(s *sick) {
		testkit.Must(s, os.Chmod(s.conf.Data, 0o755)) //nolint:gosec // that is the fault
	}, "data folder", doctor.Broken, "Others on this machine can read secrets"},
	"a host key that others may read": {func(s *sick) {
		key := filepath.Join(s.conf.Data, "hostkeys", "ssh_host_ed25519_key")
		testkit.Must(s, os.Chmod(key, 0o644)) //nolint:gosec // likewise
	}, "data folder", doctor.Broken, "ssh_host_ed25519_key"},
	"a full disk": {func(s *sick) { s.conf.Storage.FreeFloor = 1 << 60 }, "disk", doctor.Broken, "Uploads are refused"},
	"a database whose pages were overwritten": {func(s *sick) {
		f, err := os.OpenFile(filepath.Join(s.conf.Data, "sallyport.db"), os.O_WRONLY, 0)
		testkit.Must(s, err)
		for page := int64(3); page < 40; page++ {
			_, err = f.WriteAt([]byte(strings.Repeat("\xff", 512)), page*4096)
			testkit.Must(s, err)
		}
		testkit.Must(s, f.Close())
	}, "database", doctor.Broken, ""},
	"a database that is no database": {func(s *sick) {
		s.write("sallyport.db", "hello", 0o600)
	}, "database", doctor.Broken, ""},
	"bytes that are gone": {func(s *sick) { testkit.Must(s, os.Remove(s.bytesOf())) }, "stored files", doctor.Broken,
		"bytes of 1 committed files are missing"},
	"bytes that are cut": {func(s *sick) { testkit.Must(s, os.Truncate(s.bytesOf(), 2)) }, "stored files", doctor.Broken,
		"1 committed files are damaged"},
	"bytes with one flipped bit": {func(s *sick) {
		s.deep = true
		text := testkit.MustRead(s, s.bytesOf())
		text[1] ^= 1
		testkit.Must(s, os.WriteFile(s.bytesOf(), text, 0o600))
	}, "stored files", doctor.Broken, "its hash is another one"},
	"bytes in the database that are others": {func(s *sick) {
		s.exec(`UPDATE bodies SET bytes = $1`, []byte("a,b\n1,3\n"))
	}, "stored files", doctor.Broken, "1 committed files are damaged"},
	"bytes in the database that are gone": {func(s *sick) { s.exec(`DELETE FROM bodies`) }, "stored files", doctor.Broken,
		"bytes of 1 committed files are missing"},
	"bytes that nobody knows": {func(s *sick) {
		path := s.write("blobs/nobody/2020/01/01ARZ3NDEKTSV4RRFFQ69G5FAV-x", "x", 0o400)
		old := time.Now().Add(-10 * testkit.Day)
		testkit.Must(s, os.Chtimes(path, old, old))
	}, "bytes without a file", doctor.Odd, "belong to nothing"},
	"host keys that are lost": {func(s *sick) { testkit.Must(s, os.RemoveAll(filepath.Join(s.conf.Data, "hostkeys"))) },
		"host keys", doctor.Broken, "There are none"},
	"host keys of another server": {func(s *sick) {
		testkit.Must(s, os.Remove(filepath.Join(s.conf.Data, "hostkeys", "ssh_host_rsa_key")))
	}, "host keys", doctor.Broken, "not those of the server's last start"},
	"a signing key that is lost": {func(s *sick) { testkit.Must(s, os.RemoveAll(filepath.Join(s.conf.Data, "signing"))) },
		"signing key", doctor.Broken, "There is none"},
	"another signing key": {func(s *sick) { s.write("signing/key.pub", "another+key\n", 0o644) }, "signing key",
		doctor.Broken, "not the one that the database knows"},
	"a log that is not sealed": {func(s *sick) { s.now = func() time.Time { return time.Now().Add(testkit.Day) } },
		"audit log", doctor.Broken, "are not sealed"},
	"checkpoints that do not leave": {func(s *sick) {
		s.exec(`UPDATE audit SET at = at - $1 WHERE seq IS NOT NULL`, int64(5*testkit.Day/time.Microsecond))
	}, "audit log", doctor.Broken, "No checkpoint left this machine lately"},
	"checkpoints that never leave": {func(s *sick) { s.conf.Audit.Checkpoints = nil }, "audit log", doctor.Odd,
		"whoever has it can rewrite the past"},
	"a backup that is old": {func(s *sick) { s.backedUp(time.Now().Add(-3*testkit.Day), "") }, "backup", doctor.Broken,
		"The newest is from 3 days ago"},
	"a backup that failed": {func(s *sick) { s.backedUp(time.Now().Add(-3*testkit.Day), "The disk is full.") }, "backup",
		doctor.Broken, "The latest try failed: The disk is full."},
	"a mail server that is down": {func(s *sick) {
		s.conf.Mail.Host, s.conf.Mail.Port, s.conf.Mail.TLS = "127.0.0.1", 1, "none"
	}, "mail", doctor.Broken, "does not take mails"},
	"a receiver that is down": {func(s *sick) {
		s.exec(`INSERT INTO webhooks (name, url, secret, old_secret, events, enabled, created_at, note)
			VALUES ('erp', 'http://127.0.0.1:1/', '', '', '[]', 1, 1, '')`)
	}, "webhook erp", doctor.Broken, "cannot be reached"},
	"a receiver that was switched off": {func(s *sick) {
		s.exec(`INSERT INTO webhooks (name, url, secret, old_secret, events, enabled, created_at, note)
			VALUES ('erp', 'http://127.0.0.1:1/', '', '', '[]', 0, 1, 'it answered 410')`)
	}, "webhook erp", doctor.Broken, "it answered 410"},
	"a certificate that is missing": {func(s *sick) {
		s.conf.Web.TLSCert, s.conf.Web.TLSKey = "/none/cert.pem", "/none/key.pem"
	}, "certificate", doctor.Broken, "cannot be read"},
	"a server that does not run": {func(*sick) {}, "server", doctor.Odd, "No server answers"},
}

// backedUp records a backup that was whole, and a later try that failed.
func (s *sick) backedUp(at time.Time, failed string) {
	s.Helper()
	outcome := func(at time.Time, why string) string {
		text, err := json.Marshal(backup.Outcome{At: at, OK: why == "", Error: why})
		testkit.Must(s, err)
		return string(text)
	}
	s.exec(`INSERT INTO settings (name, value) VALUES ($1, $2)`, backup.GoodSetting, outcome(at, ""))
	if failed != "" {
		s.exec(`INSERT INTO settings (name, value) VALUES ($1, $2)`, backup.Setting, outcome(at.Add(time.Hour), failed))
	}
}

// TestEveryFaultIsFound plants faults in a deployment that is well, and looks for each.
func TestEveryFaultIsFound(t *testing.T) {
	n := testkit.Start(t)
	put(t, n, n.User("acme"))
	n.Stop()
	testkit.Must(t, os.Remove(filepath.Join(n.Data, "sallyport.sock"))) // it is not copied
	healthy := n.Data
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			s := &sick{TB: t, conf: testkit.Config(filepath.Join(t.TempDir(), "data")), now: time.Now}
			testkit.Must(t, os.CopyFS(s.conf.Data, os.DirFS(healthy)))
			private(t, s.conf.Data)
			s.conf.Audit.Checkpoints = []string{"file:" + t.TempDir()}
			f.plant(s)
			r, err := node.Examine(context.Background(), s.conf, node.DoctorRequest{File: s.file, Deep: s.deep, Clock: s.now})
			testkit.Must(t, err)
			for _, got := range r.Findings {
				if got.Check == f.check && got.State == f.state && strings.Contains(got.Text, f.says) {
					if got.Fix == "" {
						t.Errorf("nothing is said that mends it: %+v", got)
					}
					return
				}
			}
			t.Errorf("%s was not found: %+v", name, r.Findings)
		})
	}
}

// private closes what a copy has opened.
func private(t *testing.T, dir string) {
	t.Helper()
	testkit.Must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o600)
		if d.IsDir() {
			mode = 0o700
		}
		return os.Chmod(path, mode)
	}))
}

// put stores a file on the disk, and one in the database.
func put(t *testing.T, n *testkit.Node, key ssh.Signer) {
	t.Helper()
	c := n.SFTP("acme", key)
	const text = "a,b\n1,2\n"
	for name, text := range map[string]string{"prices.csv": strings.Repeat(text, 8<<10), "small.csv": text} {
		f, err := c.Create("/upload/" + name)
		testkit.Must(t, err)
		_, err = io.WriteString(f, text)
		testkit.Must(t, err)
		testkit.Must(t, f.Close())
	}
}

// TestADeploymentThatIsWell: a server that runs, with a stored file, has nothing that is broken, and each thing was
// looked at.
func TestADeploymentThatIsWell(t *testing.T) {
	n := testkit.Start(t)
	put(t, n, n.User("acme"))
	c := testkit.Config(n.Data)
	c.Storage.FreeFloor = 0
	r, err := node.Examine(context.Background(), c, node.DoctorRequest{Clock: time.Now, Deep: true})
	testkit.Must(t, err)
	if r.Broken > 0 {
		t.Errorf("%d things are broken", r.Broken)
	}
	want := map[string]bool{}
	for _, f := range r.Findings {
		if f.State == doctor.Well {
			want[f.Check] = true
		}
	}
	for _, check := range []string{"data folder", "disk", "server", "database", "stored files", "host keys",
		"signing key"} {
		if !want[check] {
			t.Errorf("%s is not well: %+v", check, r.Findings)
		}
	}
}
