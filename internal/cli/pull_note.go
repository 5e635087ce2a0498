package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// notePrefix begins the names of notes in the folder of a pull.
const notePrefix = ".sallyport-pull-"

// claimNote is a file in the folder of a pull that names its claims. Its process locks it while it
// lives; who finds it unlocked knows that the process was killed, and gives the claims back. Its first
// line is a noteHead, each further one a notedClaim.
type claimNote struct{ f *os.File }

type noteHead struct {
	Consumer string `json:"consumer"`
	Host     string `json:"host"` // a lock may not be seen from another machine
}

type notedClaim struct {
	ID    string `json:"id"`
	Claim string `json:"claim"`
}

func headOf(p pulling) noteHead {
	host, _ := os.Hostname() // without one, all machines count as one
	return noteHead{Consumer: p.claim.Consumer, Host: host}
}

// newClaimNote makes the note of a pull, and locks it.
func newClaimNote(p pulling) (*claimNote, error) {
	f, err := os.CreateTemp(p.to, notePrefix+"*")
	if err != nil {
		return nil, fault.E("cli.pull", fault.Invalid, "The note of what is claimed cannot be made: %v.", fault.InWords(err))
	}
	n := &claimNote{f}
	// A file system without locks serves, too: there the note cannot be locked by who finds it either.
	_ = lock(f)
	if err := n.write(headOf(p)); err != nil {
		return nil, errors.Join(err, n.remove())
	}
	return n, nil
}

// add notes claims.
func (n *claimNote) add(list []model.Drop) error {
	for _, d := range list {
		if err := n.write(notedClaim{d.ID, d.Claim}); err != nil {
			return err
		}
	}
	return nil
}

func (n *claimNote) write(v any) error {
	text, err := json.Marshal(v)
	if err == nil {
		_, err = n.f.Write(append(text, '\n'))
	}
	if err != nil {
		return fault.E("cli.pull", fault.Invalid, "The note of what is claimed cannot be written: %v.", fault.InWords(err))
	}
	return nil
}

// remove removes the note: what it names was settled or given back, or runs out.
func (n *claimNote) remove() error {
	return errors.Join(os.Remove(n.f.Name()), n.f.Close())
}

// takeBack gives back the claims of earlier pulls for the same consumer into the same folder, on this
// machine, that were killed, and says so.
func (a *app) takeBack(ctx context.Context, p pulling) error {
	entries, err := os.ReadDir(p.to)
	if err != nil {
		return fault.E("cli.pull", fault.Invalid, "The folder cannot be read: %v.", fault.InWords(err))
	}
	given := 0
	for _, e := range entries {
		if ok, _ := filepath.Match(notePrefix+"*", e.Name()); !ok || !e.Type().IsRegular() {
			continue
		}
		n, err := a.takeBackNoted(ctx, p, filepath.Join(p.to, e.Name()))
		if given += n; err != nil {
			return err
		}
	}
	if given > 0 && !a.json {
		fmt.Fprintf(a.Err, "An earlier pull into this folder was killed. %s given back.\n",
			counted(given, "claim of it was", "claims of it were"))
	}
	return nil
}

// takeBackNoted gives back the claims of one note, and removes it, unless its process lives or it is
// another consumer's. It returns how many claims there were to give back.
func (a *app) takeBackNoted(ctx context.Context, p pulling, name string) (given int, err error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return 0, nil //nolint:nilerr // its process has just removed it, or it is not ours to read
	}
	defer f.Close()
	if lock(f) != nil {
		return 0, nil
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return 0, fault.E("cli.pull", fault.Invalid, "The note %s cannot be read: %v.", name, fault.InWords(err))
	}
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	var head noteHead
	if json.Unmarshal(first, &head) != nil || head != headOf(p) {
		return 0, nil
	}
	for line := range bytes.Lines(rest) {
		var c notedClaim
		if json.Unmarshal(line, &c) != nil {
			continue // it was killed while it wrote this
		}
		_, err := a.client().ReleaseDrop(ctx, c.ID, model.Settling{Claim: c.Claim})
		switch {
		case err == nil:
			given++
		case !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.NotFound): // else it was settled, or has run out
			return given, err
		}
	}
	return given, os.Remove(name)
}
