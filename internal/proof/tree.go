package proof

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Entry is a row of the audit log in the form that is hashed. Detail is the JSON text as the
// database has it.
type Entry struct {
	ID                                   string
	At                                   int64 // µs since 1970, UTC
	Actor, Action, Subject, User, Detail string
}

// entryTag keeps these hashes distinct from all other hashes.
const entryTag = "sallyport audit row v1"

// Leaf returns an entry's hash in the log. It hashes the tag and each field in order, as text, each
// preceded by its length as a big-endian uint32.
func (e *Entry) Leaf() tlog.Hash {
	buf := make([]byte, 0, 512)
	for _, s := range [...]string{entryTag, e.ID, strconv.FormatInt(e.At, 10), e.Actor, e.Action, e.Subject, e.User,
		e.Detail} {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(s)))
		buf = append(buf, s...)
	}
	return tlog.RecordHash(buf)
}

// Subtree is the hash of 2^Level leaves, the first of which is at a multiple of 2^Level.
type Subtree struct {
	Level int
	Hash  tlog.Hash
}

// Tree is a Merkle tree (RFC 6962 §2.1) that grows at its end. It keeps only the roots of its
// complete subtrees. The zero value is the empty tree.
type Tree struct {
	stack []Subtree
	size  int64
}

// Size returns the number of leaves.
func (t *Tree) Size() int64 { return t.size }

// Add appends a complete subtree; a leaf is one of level 0. The tree's size must be a multiple of
// the subtree's.
func (t *Tree) Add(s Subtree) error {
	if s.Level < 0 || s.Level > 62 || t.size&(1<<s.Level-1) != 0 {
		return fault.E("proof.Tree", fault.Invalid, "The log's hashes do not fit together at row %d.", t.size)
	}
	t.merge(s, nil)
	return nil
}

// AddLeaf appends one leaf. It appends to made the hashes that tlog stores for it, in tlog's order:
// the leaf's, then that of each subtree that it completes.
func (t *Tree) AddLeaf(h tlog.Hash, made []tlog.Hash) []tlog.Hash {
	made = append(made, h)
	t.merge(Subtree{0, h}, &made)
	return made
}

func (t *Tree) merge(s Subtree, made *[]tlog.Hash) {
	t.size += 1 << s.Level
	for n := len(t.stack); n > 0 && t.stack[n-1].Level == s.Level; n-- {
		s = Subtree{s.Level + 1, tlog.NodeHash(t.stack[n-1].Hash, s.Hash)}
		t.stack = t.stack[:n-1]
		if made != nil {
			*made = append(*made, s.Hash)
		}
	}
	t.stack = append(t.stack, s)
}

// Clone returns an independent copy.
func (t *Tree) Clone() Tree { return Tree{append([]Subtree(nil), t.stack...), t.size} }

// Root returns the hash of the whole tree.
func (t *Tree) Root() tlog.Hash {
	if len(t.stack) == 0 {
		return sha256.Sum256(nil)
	}
	root := t.stack[len(t.stack)-1].Hash
	for i := len(t.stack) - 2; i >= 0; i-- {
		root = tlog.NodeHash(t.stack[i].Hash, root)
	}
	return root
}

// Cover lists the complete subtrees that cover the leaves from..to-1, as level and position within
// the level (tlog.StoredHashIndex takes both).
func Cover(from, to int64) (levels []int, positions []int64) {
	for from < to {
		level := bits.Len64(uint64(to-from)) - 1
		if from != 0 {
			level = min(level, bits.TrailingZeros64(uint64(from)))
		}
		levels, positions = append(levels, level), append(positions, from>>level)
		from += 1 << level
	}
	return levels, positions
}

// checkpointOrigin is the first line of a checkpoint, before the signer's name.
const checkpointOrigin = "sallyport audit log of "

// Checkpoint is the size and root of the log at one moment.
type Checkpoint struct {
	Signer string    `json:"signer"`
	Size   int64     `json:"size" doc:"Rows"`
	Root   tlog.Hash `json:"root"`
	At     string    `json:"at" doc:"RFC 3339"`
}

// SignCheckpoint makes a signed checkpoint: origin, size, root hash in base 64, and time, one per
// line.
func (k *Key) SignCheckpoint(c Checkpoint) (string, error) {
	return k.sign(fmt.Sprintf("%s%s\n%d\n%s\n%s\n", checkpointOrigin, k.Name(), c.Size, c.Root, c.At))
}

// OpenCheckpoint verifies a signed checkpoint and reads it.
func OpenCheckpoint(signed, public string) (c Checkpoint, err error) {
	text, err := open(signed, public)
	if err != nil {
		return c, err
	}
	bad := fault.E("proof.OpenCheckpoint", fault.Invalid,
		"The signature is good, but this is no checkpoint of an audit log.")
	lines := strings.Split(text, "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[0], checkpointOrigin) {
		return c, bad
	}
	c.Signer, c.At = strings.TrimPrefix(lines[0], checkpointOrigin), lines[3]
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 0 {
		return c, bad
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != len(c.Root) {
		return c, bad
	}
	copy(c.Root[:], root)
	return c, nil
}
