package proof_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

const upTo = 300

// log makes a log of upTo leaves, hashed by tlog.
func log(t testing.TB) (leaves, stored []tlog.Hash, reader tlog.HashReader) {
	t.Helper()
	reader = tlog.HashReaderFunc(func(idx []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(idx))
		for i, at := range idx {
			out[i] = stored[at]
		}
		return out, nil
	})
	for i := range int64(upTo) {
		record := binary.BigEndian.AppendUint64(nil, uint64(i))
		leaves = append(leaves, tlog.RecordHash(record))
		made, err := tlog.StoredHashes(i, record, reader)
		testkit.Must(t, err)
		stored = append(stored, made...)
	}
	return leaves, stored, reader
}

// TestTreeIsThatOfTlog: leaf by leaf, roots and stored hashes equal those of
// golang.org/x/mod/sumdb/tlog.
func TestTreeIsThatOfTlog(t *testing.T) {
	leaves, stored, reader := log(t)
	var tree proof.Tree
	var made []tlog.Hash
	for size := range int64(upTo + 1) {
		want, err := tlog.TreeHash(size, reader)
		testkit.Must(t, err)
		if tree.Size() != size || tree.Root() != want {
			t.Fatalf("a tree of %d leaves (%d) has another root", size, tree.Size())
		}
		if int64(len(made)) != tlog.StoredHashIndex(0, size) {
			t.Fatalf("%d leaves made %d hashes", size, len(made))
		}
		if size < upTo {
			made = tree.AddLeaf(leaves[size], made)
		}
	}
	if !slices.Equal(made, stored) {
		t.Fatal("the hashes that were made are not those that tlog stores")
	}
}

// TestAnySplitHasTheSameRoot: the covering subtrees of a log's parts make the same tree, wherever
// it is split.
func TestAnySplitHasTheSameRoot(t *testing.T) {
	leaves, stored, reader := log(t)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(0, upTo).Draw(t, "size")
		var tree proof.Tree
		for at := int64(0); at < size; {
			to := rapid.Int64Range(at+1, size).Draw(t, "to")
			levels, positions := proof.Cover(at, to)
			for i, level := range levels {
				if level == 0 && rapid.Bool().Draw(t, "leaf") {
					tree.AddLeaf(leaves[positions[i]], nil)
				} else if err := tree.Add(proof.Subtree{Level: level,
					Hash: stored[tlog.StoredHashIndex(level, positions[i])]}); err != nil {
					t.Fatalf("%d to %d by %v at %v: %v", at, to, levels, positions, err)
				}
			}
			if at = to; tree.Size() != to {
				t.Fatalf("after row %d the tree has %d leaves", to, tree.Size())
			}
			if rapid.Bool().Draw(t, "clone") {
				was := tree
				tree = was.Clone()
				fork := was.Clone()
				fork.AddLeaf(leaves[0], nil)
			}
		}
		want, err := tlog.TreeHash(size, reader)
		if err != nil || tree.Root() != want {
			t.Fatalf("%d leaves: another root (%v)", size, err)
		}
	})
}

// TestCoverIsWholeAndShort: subtrees are consecutive, begin at multiples of their size, and are
// few.
func TestCoverIsWholeAndShort(t *testing.T) {
	for from := range int64(70) {
		for to := from; to < 200; to++ {
			at := from
			levels, positions := proof.Cover(from, to)
			for i, level := range levels {
				if positions[i]<<level != at {
					t.Fatalf("%d to %d: a piece begins at %d instead of %d", from, to, positions[i]<<level, at)
				}
				at += 1 << level
			}
			if at != to || len(levels) > 16 {
				t.Fatalf("%d to %d: %v ends at %d", from, to, levels, at)
			}
		}
	}
}

func TestSubtreesThatDoNotFitAreRefused(t *testing.T) {
	var tree proof.Tree
	tree.AddLeaf(tlog.Hash{}, nil)
	for _, level := range []int{-1, 1, 2, 63, 64, 1 << 30} {
		if err := tree.Add(proof.Subtree{Level: level}); err == nil {
			t.Errorf("after one leaf, a subtree of level %d was taken", level)
		}
	}
	if tree.Size() != 1 {
		t.Fatalf("a refused subtree left a tree of %d", tree.Size())
	}
}

// TestEveryFieldCountsInALeaf: moving a byte from one field to its neighbour
// changes the hash, as changing a field does.
func TestEveryFieldCountsInALeaf(t *testing.T) {
	base := proof.Entry{ID: "1", At: 2, Actor: "ab", Action: "cd", Subject: "ef", User: "gh", Detail: "{}"}
	seen := map[tlog.Hash]proof.Entry{base.Leaf(): base}
	for _, change := range []func(*proof.Entry){
		func(e *proof.Entry) { e.ID = "2" }, func(e *proof.Entry) { e.At = 3 },
		func(e *proof.Entry) { e.Actor = "ax" }, func(e *proof.Entry) { e.Action = "cx" },
		func(e *proof.Entry) { e.Subject = "ex" }, func(e *proof.Entry) { e.User = "gx" },
		func(e *proof.Entry) { e.Detail = "{ }" },
		func(e *proof.Entry) { e.Actor, e.Action = "abc", "d" }, func(e *proof.Entry) { e.Subject, e.User = "efg", "h" },
		func(e *proof.Entry) { e.ID, e.At = "12", 0 }, func(e *proof.Entry) { e.User, e.Detail = "", "gh{}" },
	} {
		e := base
		change(&e)
		if was, twice := seen[e.Leaf()]; twice {
			t.Errorf("%+v and %+v have one hash", was, e)
		}
		seen[e.Leaf()] = e
	}
}
