package node_test

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/identity"
	"github.com/sallyport-sftp/sallyport/internal/node"
	"github.com/sallyport-sftp/sallyport/internal/offline"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// deployment is a server whose data folder loses files.
type deployment struct {
	*testkit.Node
	t        *testing.T
	database string
}

func deploy(t *testing.T, database string) deployment {
	t.Helper()
	n := testkit.Start(t, func(c *config.Config) { c.Database.URL = database })
	n.User("acme")
	testkit.Eventually(t, "the log has a checkpoint",
		func() bool { return testkit.Call[model.AuditStatus](n, "GET", "/audit/status", nil).Sealed > 0 })
	return deployment{n, t, database}
}

// start starts it with options, if it can, and stops it again.
func (d deployment) start(o node.Options) error {
	d.t.Helper()
	o.Config = testkit.Config(d.Data)
	o.Config.Listen, o.Config.Database.URL, o.Config.Storage.FreeFloor = []string{"127.0.0.1:0"}, d.database, 0
	o.Log = slog.New(slog.DiscardHandler)
	n, err := node.Start(o)
	if err == nil {
		n.Close(context.Background())
	}
	return err
}

func (d deployment) wantRefused(err error, kind fault.Kind, words string) {
	d.t.Helper()
	if !fault.Is(err, kind) || !strings.Contains(fault.PublicText(err), words) || fault.HintIn(err) == "" {
		d.t.Fatalf("%v (hint %q), want %q", err, fault.HintIn(err), words)
	}
}

func (d deployment) move(from, to string) {
	d.t.Helper()
	testkit.Must(d.t, os.Rename(filepath.Join(d.Data, from), filepath.Join(d.Data, to)))
}

// logged returns the audit row of an action.
func (d deployment) logged(action string) (row model.AuditRow) {
	d.t.Helper()
	testkit.Eventually(d.t, action+" is in the log", func() bool {
		for _, r := range testkit.List[model.AuditRow](d.Node, "/audit") {
			if r.Action == action {
				row = r
				return true
			}
		}
		return false
	})
	return row
}

func TestALostSigningKeyIsNotReplacedInSilence(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, database string) {
		dep := deploy(t, database)
		public := func() string {
			return strings.TrimSpace(string(testkit.MustRead(t, filepath.Join(dep.Data, "signing", "key.pub"))))
		}
		was := public()
		dep.Stop()

		dep.move("signing", "elsewhere")
		dep.wantRefused(dep.start(node.Options{}), fault.Conflict, "The signing key is missing")
		if _, err := os.Stat(filepath.Join(dep.Data, "signing")); err == nil {
			t.Fatal("a key was made all the same")
		}
		dep.move("elsewhere", "signing") // restored from the backup
		testkit.Must(t, dep.start(node.Options{}))
		dep.wantRefused(dep.start(node.Options{NewSigningKey: "a mistake"}), fault.Conflict, "The signing key is there")

		dep.move("signing", "elsewhere")
		testkit.Must(t, dep.start(node.Options{NewSigningKey: "the disk failed"}))
		if lines := strings.Split(public(), "\n"); len(lines) != 2 || lines[0] == was || lines[1] != was {
			t.Fatalf("key.pub has %q, and was %q", lines, was)
		}
		now, _, _ := strings.Cut(public(), "\n")
		dep.Restart()
		if row := dep.logged("signing.key"); row.Detail["reason"] != "the disk failed" || row.Detail["before"] != was ||
			row.Detail["key"] != now {
			t.Errorf("the log says %+v", row)
		}
		// Signatures of the old key still verify.
		c := testkit.Config(dep.Data)
		c.Database.URL = database
		testkit.Eventually(t, "both keys' checkpoints agree", func() bool {
			r, err := offline.VerifyAudit(context.Background(), c, public(), "", func(int64, int64) {})
			testkit.Must(t, err)
			if !r.OK {
				t.Fatalf("verifying the log: %+v", r)
			}
			return r.Checkpoints >= 2
		})
		if got := testkit.Call[model.AuditStatus](dep.Node, "GET", "/audit/status", nil).PublicKey; got != now {
			t.Errorf("partners are given %q", got)
		}
		dep.Stop()

		testkit.Must(t, os.RemoveAll(filepath.Join(dep.Data, "signing"))) // a wrong backup
		dep.move("elsewhere", "signing")
		dep.wantRefused(dep.start(node.Options{}), fault.Conflict, "is not the one that the database knows")
		testkit.Must(t, dep.start(node.Options{NewSigningKey: "back to the old one"}))
		testkit.Must(t, dep.start(node.Options{}))
	})
}

// TestASigningKeyFromBeforeItWasRemembered: the checkpoints show which key signed.
func TestASigningKeyFromBeforeItWasRemembered(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, database string) {
		dep := deploy(t, database)
		dep.Stop()
		forget := func() {
			t.Helper()
			driver, source := "sqlite", "file:"+filepath.Join(dep.Data, "sallyport.db")
			if database != "" {
				driver, source = "pgx", database
			}
			db, err := sql.Open(driver, source)
			testkit.Must(t, err)
			defer db.Close()
			_, err = db.Exec(`DELETE FROM settings WHERE name IN ('signing.key', 'host.keys')`)
			testkit.Must(t, err)
		}
		forget()
		dep.move("signing", "elsewhere")
		dep.wantRefused(dep.start(node.Options{}), fault.Conflict, "The signing key is missing")
		dep.move("elsewhere", "signing")
		testkit.Must(t, dep.start(node.Options{}))
		dep.move("signing", "elsewhere")
		dep.wantRefused(dep.start(node.Options{}), fault.Conflict, "The signing key is missing")
		dep.move("elsewhere", "signing")

		forget()
		dep.move("hostkeys", "elsewhere")
		dep.wantRefused(dep.start(node.Options{}), fault.Conflict, "The host keys are missing")
	})
}

func TestLostHostKeysAreNotReplacedInSilence(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, database string) {
		dep := deploy(t, database)
		was := testkit.List[model.HostKey](dep.Node, "/hostkeys")
		dep.Stop()
		dep.move("hostkeys", "elsewhere")
		dep.wantRefused(dep.start(node.Options{}), fault.Conflict, "The host keys are missing")
		if _, err := os.Stat(filepath.Join(dep.Data, "hostkeys")); err == nil {
			t.Fatal("keys were made all the same")
		}
		testkit.Must(t, dep.start(node.Options{NewHostKeys: "the disk failed"}))
		dep.wantRefused(dep.start(node.Options{NewHostKeys: "again"}), fault.Conflict, "nothing was replaced")
		dep.Restart()
		now := testkit.List[model.HostKey](dep.Node, "/hostkeys")
		row := dep.logged("hostkeys.change")
		if row.Detail["reason"] != "the disk failed" || !strings.HasPrefix(row.Detail["was"], was[0].Fingerprint) ||
			!strings.HasPrefix(row.Detail["now"], now[0].Fingerprint) {
			t.Errorf("the log says %+v", row)
		}
		dep.Stop()

		_, err := identity.ImportHostKeys(dep.Data, []string{filepath.Join(dep.Data, "elsewhere", "ssh_host_ed25519_key")},
			true)
		testkit.Must(t, err)
		dep.Restart() // a change by the operator is recorded, and not refused
		testkit.Eventually(t, "the change is in the log", func() bool {
			n := 0
			for _, r := range testkit.List[model.AuditRow](dep.Node, "/audit") {
				if r.Action == "hostkeys.change" {
					n++
				}
			}
			return n == 2
		})
		if !dep.Log.Contains("the host keys are others than at the last start") {
			t.Error("the server does not say so")
		}
	})
}
