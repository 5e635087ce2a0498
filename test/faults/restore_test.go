package faults

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// refusedStart starts a server that must not start, and returns what it said.
func refusedStart(t *testing.T, data, config string, more ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	testkit.Must(t, os.WriteFile(file, []byte(config), 0o600))
	var says bytes.Buffer
	cmd := exec.Command(os.Args[0],
		append([]string{"serve", "--data", data, "--config", file, "--ssh-listen", "127.0.0.1:" + testkit.FreePort(t)},
			more...)...)
	cmd.Env = append(os.Environ(), asServer+"=1")
	cmd.Stderr = &says
	if err := cmd.Run(); err == nil {
		t.Fatalf("it started: %s", says.String())
	}
	return says.String()
}

// TestRestoreWithoutTheSigningKey: a data folder that was restored without
// signing/, or with another deployment's, gets no new key in silence.
func TestRestoreWithoutTheSigningKey(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, database string) {
		yaml := ""
		if database != "" {
			yaml = onPostgres(database)
		}
		data := filepath.Join(t.TempDir(), "data")
		s := start(t, data, yaml)
		s.user("acme")
		s.term()
		kept := filepath.Join(t.TempDir(), "signing")
		testkit.Must(t, os.Rename(proof.SigningDir(data), kept))
		if says := refusedStart(t, data, yaml); !strings.Contains(says, "The signing key is missing") ||
			!strings.Contains(says, "hint: restore signing/") {
			t.Fatalf("without a key it said: %s", says)
		}
		if _, err := os.Stat(proof.SigningDir(data)); err == nil {
			t.Fatal("a start that was refused made a key")
		}

		other := filepath.Join(t.TempDir(), "other")
		start(t, other, "").term()
		testkit.Must(t, os.CopyFS(proof.SigningDir(data), os.DirFS(proof.SigningDir(other))))
		if says := refusedStart(t, data, yaml); !strings.Contains(says, "is not the one that the database knows") {
			t.Fatalf("with another's key it said: %s", says)
		}

		testkit.Must(t, os.RemoveAll(proof.SigningDir(data)))
		testkit.Must(t, os.CopyFS(proof.SigningDir(data), os.DirFS(kept)))
		start(t, data, yaml).term()
		if says := refusedStart(t, data, yaml, "--new-signing-key", "for no reason"); !strings.Contains(says,
			"The signing key is there") {
			t.Fatalf("with its key it said: %s", says)
		}

		testkit.Must(t, os.RemoveAll(proof.SigningDir(data)))
		s = startWith(t, data, yaml, "--new-signing-key", "the safe burned down")
		begun := 0
		for _, row := range items[model.AuditLine](s, "/audit") {
			if row.Action == "signing.key" && row.Detail["reason"] == "the safe burned down" && row.Detail["before"] != "" {
				begun++
			}
		}
		if begun != 1 {
			t.Fatalf("the audit log has %d rows of it", begun)
		}
		s.term()
		start(t, data, yaml).term() // from then on it is the one
	})
}
