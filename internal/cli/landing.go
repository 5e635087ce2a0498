package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// place is what is found where a file is to be landed.
type place int

const (
	free  place = iota // not the file; its sidecar may be there
	whole              // the file, perhaps without its sidecar: a pull was cut off
	taken              // something else
)

// sidecarEnd follows a landed file's name in the name of its metadata.
const sidecarEnd = ".json"

// maxSidecar is more than any metadata has, in bytes.
const maxSidecar = 1 << 20

// landing looks at a place. The file counts as landed only if its bytes are there: a sidecar can say
// that it was, but whoever writes into the folder may have put it there.
func landing(name string, d model.Drop) (place, error) {
	if !sidecarFits(name+sidecarEnd, d) {
		return taken, nil
	}
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return free, nil
	case err != nil:
		return taken, fault.E("cli.pull", fault.Invalid, "The place of the file cannot be looked at: %s.", fault.InWords(err))
	case !info.Mode().IsRegular() || info.Size() != d.Size:
		return taken, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return taken, fault.E("cli.pull", fault.Invalid, "The file cannot be read: %s.", fault.InWords(err))
	}
	defer f.Close()
	if copyChecked(io.Discard, f, d.SHA256) != nil {
		return taken, nil
	}
	return whole, nil
}

// sidecarFits reports whether nothing is at the place of a file's metadata, or the same metadata. Only
// what the claim of a later pull changes may differ, so that nobody else's words stand beside the file.
func sidecarFits(name string, d model.Drop) bool {
	info, err := os.Lstat(name)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist) // else a file is where a folder should be, or the like
	}
	if !info.Mode().IsRegular() || info.Size() > maxSidecar {
		return false
	}
	text, err := os.ReadFile(name)
	var have model.Drop
	if err != nil || json.Unmarshal(text, &have) != nil {
		return false
	}
	have.State, have.Withdrawn, have.Consumer = d.State, d.Withdrawn, d.Consumer
	have.Claim, have.ClaimUntil = d.Claim, d.ClaimUntil
	x, errX := json.Marshal(have)
	y, errY := json.Marshal(d)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// writeSidecar writes a file's metadata, unless that is there already.
func writeSidecar(name string, d model.Drop) error {
	d.Claim = ""
	err := landFile(name+sidecarEnd, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(d)
	})
	if fault.Is(err, fault.Exists) && sidecarFits(name+sidecarEnd, d) {
		return nil
	}
	return err
}
