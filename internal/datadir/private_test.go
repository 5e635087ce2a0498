package datadir

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A data folder that all can read is closed to others, with what the server keeps in it. Other
// users' files and targets of links stay as they are.
func TestADataFolderThatOthersMayEnter(t *testing.T) {
	top := filepath.Join(t.TempDir(), "data")
	outside := filepath.Join(t.TempDir(), "outside")
	modes := []struct {
		path         string
		dir          bool
		before, want os.FileMode
	}{
		{"", true, 0o755, 0o700},
		{"sallyport.db", false, 0o644, 0o600},
		{"sallyport.db-wal", false, 0o666, 0o600},
		{"hostkeys", true, 0o775, 0o700},
		{"hostkeys/ssh_host_rsa_key", false, 0o640, 0o600},
		{"signing", true, 0o700, 0o700},
		{"signing/key.pub", false, 0o644, 0o644},
		{"secrets.key", false, 0o444, 0o400},
		{"checkpoints", false, 0o644, 0o644}, // not made by the server
		{"blobs", true, 0o755, 0o755},
		{"blobs/a", false, 0o644, 0o644},
		{"outbound", true, 0o770, 0o770},
		{"outbound/feed", true, 0o770, 0o770},
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range modes {
		path := filepath.Join(top, m.path)
		if m.dir {
			must(os.MkdirAll(path, 0o700))
		} else {
			must(os.WriteFile(path, nil, 0o600))
		}
		must(os.Chmod(path, m.before))
	}
	must(os.WriteFile(outside, nil, 0o600))
	must(os.Chmod(outside, 0o644))
	must(os.Symlink(outside, filepath.Join(top, "node")))
	var log bytes.Buffer
	d := &Dir{Path: top, log: slog.New(slog.NewTextHandler(&log, nil))}
	for range 2 {
		must(d.makePrivate())
	}
	for _, m := range modes {
		info, err := os.Stat(filepath.Join(top, m.path))
		must(err)
		if info.Mode().Perm() != m.want {
			t.Errorf("%s is %v, want %v", m.path, info.Mode().Perm(), m.want)
		}
	}
	if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("what a link leads to is %v, %v", info.Mode(), err)
	}
	if strings.Count(log.String(), "it is closed now") != 1 {
		t.Errorf("the log says %s", &log)
	}
}
