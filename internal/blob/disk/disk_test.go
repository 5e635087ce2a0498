package disk_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/blob/blobtest"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
)

func TestDiskKeepsTheContract(t *testing.T) {
	roots := map[string]string{}
	blobtest.Run(t, func(t *testing.T) blob.Store {
		if roots[t.Name()] == "" {
			roots[t.Name()] = t.TempDir()
		}
		s, err := disk.Open(roots[t.Name()], time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestKeysAreOursWhateverTheName(t *testing.T) {
	at := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	for name, want := range map[string]string{
		"Invoice 7.PDF":          "u/2026/11/ID-invoice-7.pdf",
		"../../etc/passwd":       "u/2026/11/ID-etc-passwd",
		"\x1b[2J\n":              "u/2026/11/ID-2j",
		"":                       "u/2026/11/ID",
		"…":                      "u/2026/11/ID",
		strings.Repeat("x", 300): "u/2026/11/ID-" + strings.Repeat("x", 64),
	} {
		if got := blob.Key("u", "ID", name, at); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

func TestStrayNotesAndHalfNotesAreCleared(t *testing.T) {
	root := t.TempDir()
	s, err := disk.Open(root, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"01GONE.note", "01HALF.note.new"} {
		if err := os.WriteFile(filepath.Join(root, "staging", name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	left, err := s.Leftovers()
	if err != nil || len(left) != 0 {
		t.Fatalf("%v, %v", left, err)
	}
	entries, _ := os.ReadDir(filepath.Join(root, "staging"))
	if len(entries) != 0 {
		t.Fatalf("still there: %v", entries)
	}
}
