package fault_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

func TestErrorsOfTheSystemAreSaidInWords(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, missing := os.Open(filepath.Join(dir, "none"))
	_, below := os.Open(filepath.Join(file, "x"))
	_, folder := os.ReadFile(dir)
	_, odd := os.Open(filepath.Join(dir, "a\nb"))
	for _, c := range []struct {
		err  error
		want string
	}{
		{missing, filepath.Join(dir, "none") + " does not exist"},
		{fmt.Errorf("while looking: %w", missing), filepath.Join(dir, "none") + " does not exist"},
		{below, filepath.Join(file, "x") + ", or a folder above it, is a file"},
		{folder, dir + " is a folder, not a file"},
		{odd, fmt.Sprintf("%q does not exist", filepath.Join(dir, "a\nb"))},
		{os.Mkdir(dir, 0o700), dir + " exists already"},
		{os.Link(file, file), file + " exists already"},
		{&os.PathError{Op: "open", Path: "/etc/shadow", Err: syscall.EACCES}, "this user has no permission for /etc/shadow"},
		{&os.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC}, "the disk is full"},
		{syscall.EADDRINUSE, "another program listens there already"},
		{errors.New("the gate is shut"), "the gate is shut"},
	} {
		if got := fault.InWords(c.err); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}
