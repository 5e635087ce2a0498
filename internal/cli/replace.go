package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// replaceFile writes a file, in place of the one that is there. It writes beside it and renames, so that
// it never writes through a link, which whoever can write in the folder may have put there, and nobody sees
// half a file. What is not a regular file stays, and is an error.
func replaceFile(path string, content []byte, mode fs.FileMode) (err error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is there, and is not a regular file", path)
	}
	beside := filepath.Join(filepath.Dir(path), ".sallyport-"+rand.Text()+".part")
	f, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(beside))
		}
	}()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(beside, path)
}
