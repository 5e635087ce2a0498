package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// asTyped returns how this program is typed in a shell, in any folder: its name if the shell finds
// it under that, else its absolute path. A program that "go run" made goes away with its folder, so
// it is "go run" again.
func asTyped() string {
	const name = "sallyport"
	exe, err := os.Executable()
	if err != nil {
		return name
	}
	if found, err := exec.LookPath(name); err == nil && sameFile(found, exe) {
		return name
	}
	if strings.Contains(exe, string(filepath.Separator)+"go-build") {
		if here, err := os.Getwd(); err == nil {
			return "go run -C " + shellQuote(here) + " ./cmd/sallyport"
		}
	}
	return shellQuote(exe)
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// forSSH quotes a path for the shell, for an option of ssh or sftp. ssh takes "%" and spaces in
// paths for its own.
func forSSH(before, path string) string {
	path = strings.ReplaceAll(path, "%", "%%")
	if strings.Contains(path, " ") {
		path = `"` + path + `"`
	}
	return before + shellQuote(path)
}
