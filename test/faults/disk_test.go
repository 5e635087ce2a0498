package faults

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestDiskFull fills a small disk with uploads: the client gets a clear
// status, nothing is cut short under its final name, and once there is room
// the server goes on by itself.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may mount a small disk")
	}
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", disk).Run() })
	s := start(t, filepath.Join(disk, "data"), "storage: {free_floor: 4MiB}\n")
	key := s.user("acme")
	c := s.mustSFTP("acme", key)
	content := bytes.Repeat([]byte("0123456789abcdef"), 64<<10) // 1 MiB
	stored, full := 0, false
	for i := range 30 {
		err := put(c, fmt.Sprintf("/upload/f%02d", i), content)
		if err != nil {
			t.Logf("at file %d: %v", i, err)
			full = true
			break
		}
		stored++
	}
	if !full || stored == 0 {
		t.Fatalf("%d MiB fitted on a disk of 16", stored)
	}
	for i := range stored {
		if got, err := get(c, fmt.Sprintf("/upload/f%02d", i)); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("file %d: %d bytes, %v", i, len(got), err)
		}
	}
	if n := len(items[model.Drop](s, "/inbox")); n != stored {
		t.Fatalf("%d drops, %d stored", n, stored)
	}
	// Somebody makes room; no restart.
	if out, err := exec.Command("mount", "-o", "remount,size=64m", disk).CombinedOutput(); err != nil {
		t.Fatalf("remount: %v: %s", err, out)
	}
	testkit.Eventually(t, "uploads work again", func() bool { return put(c, "/upload/after", content) == nil })
	s.term()
}

// TestDiskFullUnderneath has no floor: the file system itself refuses.
func TestDiskFullUnderneath(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may mount a small disk")
	}
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", disk).Run() })
	s := start(t, filepath.Join(disk, "data"), "storage: {free_floor: 0}\n")
	key := s.user("acme")
	c := s.mustSFTP("acme", key)
	small := []byte("fits")
	if err := put(c, "/upload/small", small); err != nil {
		t.Fatal(err)
	}
	err := put(c, "/upload/huge", make([]byte, 12<<20))
	if err == nil {
		t.Fatal("12 MiB fitted on a disk of 8")
	}
	t.Logf("the client was told: %v", err)
	_ = c.Remove("/upload/huge")
	if got, err := get(c, "/upload/small"); err != nil || !bytes.Equal(got, small) {
		t.Fatalf("%q, %v", got, err)
	}
	testkit.Eventually(t, "uploads work again", func() bool { return put(c, "/upload/after", small) == nil })
	s.term()
}
