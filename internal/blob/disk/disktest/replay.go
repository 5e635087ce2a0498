package disktest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// page is how much of a write survives as one.
const page = 4096

// Loss is one way in which a power loss can go.
type Loss struct {
	Name string
	// Keep says of each thing that was not synced whether it survives all the same.
	Keep func() bool
	// OwnNames: an fsync of a file keeps the name that the file was made with.
	OwnNames bool
}

// Losses are the extremes, nothing that was not synced survives and everything
// does, and as many mixtures as asked for, which differ by seed and step.
func Losses(seed uint64, mixtures, step int) []Loss {
	out := []Loss{
		{Name: "nothing", Keep: func() bool { return false }},
		{Name: "everything", Keep: func() bool { return true }},
	}
	for i := range mixtures {
		odds := rand.New(rand.NewPCG(seed, uint64(step*mixtures+i)))
		often := odds.Float64()
		out = append(out, Loss{Name: fmt.Sprintf("mixture %d.%d", seed, step*mixtures+i),
			Keep: func() bool { return odds.Float64() < often }})
	}
	return out
}

// Len is how many events were recorded: Replay takes 0 to Len of them.
func (r *Recorder) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.log)
}

// First is how many events there were when the recording began.
func (r *Recorder) First() int { return r.base }

// IsMark reports whether the last of n events is a mark: nothing on the disk
// differs from the one before.
func (r *Recorder) IsMark(n int) bool { return n > 0 && r.log[n-1].kind == mark }

// Marks are the marks among the first n events.
func (r *Recorder) Marks(n int) (out []any) {
	for _, e := range r.log[:n] {
		if e.kind == mark {
			out = append(out, e.mark)
		}
	}
	return out
}

// Image is what a power loss left.
type Image struct {
	folders []string          // paths below the top, parents first
	files   map[string]*inode // by path; several may be one
}

type inode struct {
	content []byte
	mode    os.FileMode
	attrs   map[string][]byte
}

// Replay says what is left when the power goes after n events.
func (r *Recorder) Replay(n int, loss Loss) *Image {
	log := r.log[:n]
	lives := r.survivors(log, loss)
	contents, entries := map[*node]*inode{}, map[*node]map[string]*node{}
	byNode := map[*node][]int{}
	for i, e := range log {
		switch e.kind {
		case write, truncate, chmod, attr:
			byNode[e.node] = append(byNode[e.node], i)
		case enter, leave:
			if !lives[i] {
				continue
			}
			if entries[e.node] == nil {
				entries[e.node] = map[string]*node{}
			}
			if e.kind == enter {
				entries[e.node][e.name] = e.child
			} else {
				delete(entries[e.node], e.name)
			}
		}
	}
	img := &Image{files: map[string]*inode{}}
	var walk func(at *node, path string)
	walk = func(at *node, path string) {
		for _, name := range slices.Sorted(maps.Keys(entries[at])) {
			child, full := entries[at][name], filepath.Join(path, name)
			if child.folder {
				img.folders = append(img.folders, full)
				walk(child, full)
				continue
			}
			if contents[child] == nil {
				contents[child] = r.content(log, byNode[child], r.safe(log)[child], loss)
			}
			img.files[full] = contents[child]
		}
	}
	walk(r.root, "")
	return img
}

// safe says, of each file and folder, up to which event its changes are durable.
func (r *Recorder) safe(log []event) map[*node]int {
	out := map[*node]int{}
	for _, e := range log {
		if e.kind == synced {
			out[e.node] = max(out[e.node], e.began)
		}
	}
	return out
}

// survivors says which names that came or went are as they were told.
func (r *Recorder) survivors(log []event, loss Loss) []bool {
	safe, lives := r.safe(log), make([]bool, len(log))
	if loss.OwnNames {
		named := map[*node]int{} // the event that gave a file its first name
		for i, e := range log {
			if _, again := named[e.child]; e.kind == enter && !again {
				named[e.child] = i
			}
		}
		for _, e := range log {
			if i, ok := named[e.node]; ok && e.kind == synced && e.full && !e.node.folder && i < e.began {
				lives[i] = true
			}
		}
	}
	for i, e := range log {
		if e.kind != enter && e.kind != leave {
			continue
		}
		if i < r.base || i < safe[e.node] || lives[i] || loss.Keep() {
			lives[i] = true
			if e.moved {
				lives[i-1] = true
			}
		}
	}
	return lives
}

// content is what is left of a file.
func (r *Recorder) content(log []event, own []int, safe int, loss Loss) *inode {
	f := &inode{mode: 0o600, attrs: map[string][]byte{}}
	high, growing := int64(-1), true
	for _, i := range own {
		e := log[i]
		if i < r.base || i < safe {
			f.apply(e)
			continue
		}
		if high < 0 {
			high = int64(len(f.content))
		}
		if e.kind != write {
			if loss.Keep() {
				f.apply(e)
			}
			if e.kind == truncate {
				high = max(high, e.size)
			}
			continue
		}
		for off := e.off; off < e.off+int64(len(e.bytes)); {
			next := min((off/page+1)*page, e.off+int64(len(e.bytes)))
			if off < high {
				next = min(next, high)
			}
			kept := loss.Keep()
			if off >= high {
				growing = growing && kept
				kept = growing
			}
			if kept {
				f.apply(event{kind: write, off: off, bytes: e.bytes[off-e.off : next-e.off]})
			}
			off = next
		}
		high = max(high, e.off+int64(len(e.bytes)))
	}
	return f
}

func (f *inode) apply(e event) {
	switch e.kind {
	case write:
		end := e.off + int64(len(e.bytes))
		if end > int64(len(f.content)) && len(e.bytes) > 0 {
			f.resize(end)
		}
		copy(f.content[min(e.off, int64(len(f.content))):], e.bytes)
	case truncate:
		f.resize(e.size)
	case chmod:
		f.mode = e.mode
	case attr:
		f.attrs[e.name] = e.bytes
	}
}

func (f *inode) resize(size int64) {
	if have := int64(len(f.content)); size > have {
		f.content = append(f.content, make([]byte, size-have)...)
	}
	f.content = f.content[:size]
}

// Sum tells images apart.
func (m *Image) Sum() string {
	h := sha256.New()
	for _, path := range m.folders {
		fmt.Fprintf(h, "folder %q\n", path)
	}
	first := map[*inode]string{}
	for _, path := range slices.Sorted(maps.Keys(m.files)) {
		f := m.files[path]
		if first[f] != "" {
			fmt.Fprintf(h, "link %q %q\n", path, first[f])
			continue
		}
		first[f] = path
		fmt.Fprintf(h, "file %q %o %d %x\n", path, f.mode, len(f.content), sha256.Sum256(f.content))
		for _, name := range slices.Sorted(maps.Keys(f.attrs)) {
			fmt.Fprintf(h, "attr %q %q\n", name, f.attrs[name])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Write makes an image real in an empty folder.
func (m *Image) Write(top string) error {
	for _, path := range m.folders {
		if err := os.Mkdir(filepath.Join(top, path), 0o700); err != nil {
			return err
		}
	}
	first := map[*inode]string{}
	for _, path := range slices.Sorted(maps.Keys(m.files)) {
		f, full := m.files[path], filepath.Join(top, path)
		if other := first[f]; other != "" {
			if err := os.Link(other, full); err != nil {
				return err
			}
			continue
		}
		first[f] = full
		err := os.WriteFile(full, f.content, 0o600)
		for name, value := range f.attrs {
			err = errors.Join(err, unix.Setxattr(full, name, value, 0))
		}
		if err := errors.Join(err, os.Chmod(full, f.mode)); err != nil {
			return err
		}
	}
	return nil
}

// splitZero splits names that end with a zero byte each.
func splitZero(b []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		for part := range bytes.SplitSeq(b, []byte{0}) {
			if len(part) > 0 && !yield(string(part)) {
				return
			}
		}
	}
}
