package attacks

import (
	"slices"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/sftpwire"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// bob and bob2, one name the other's beginning, see nothing of each other.
func TestSiblingUsersSeeNothingOfEachOther(t *testing.T) {
	n := start(t)
	bob := sftpOf(t, n, "bob", n.User("bob"))
	bob2 := sftpOf(t, n, "bob2", n.User("bob2"))
	bob.put("/upload/secret", []byte("bob's"))
	bob.want("MKDIR", bob.call(sftpwire.TypeMkdir, "/upload/dir", uint32(0)), statusOK)
	partial := bob.open("/upload/partial", flagWrite|flagCreate)
	bob.want("WRITE", bob.call(sftpwire.TypeWrite, partial, uint64(0), "unfinished"), statusOK)

	if got := bob2.names("/"); !slices.Equal(got, []string{"download", "upload"}) {
		t.Errorf("bob2's root has %q", got)
	}
	if got := bob2.names("/upload"); len(got) != 0 {
		t.Errorf("bob2's /upload has %q", got)
	}
	for _, path := range []string{"/upload/secret", "/upload/partial", "/upload/dir", "/bob", "/bob/upload/secret",
		"../bob/upload/secret", "/../bob/upload/secret", "~bob", "~bob/upload/secret", "../../users/bob/upload/secret"} {
		bob2.refused("STAT "+path, bob2.call(sftpwire.TypeStat, path))
		bob2.refused("OPEN "+path, bob2.call(sftpwire.TypeOpen, path, flagRead, uint32(0)))
		bob2.refused("OPENDIR "+path, bob2.call(sftpwire.TypeOpendir, path))
		bob2.refused("REMOVE "+path, bob2.call(sftpwire.TypeRemove, path))
		bob2.refused("RENAME "+path, bob2.call(sftpwire.TypeRename, path, "/upload/mine"))
	}
	bob2.refused("expand-path ~bob", bob2.extended("expand-path@openssh.com", "~bob"))
	if r := bob2.extended("home-directory", "bob"); r.kind == sftpwire.TypeName {
		if r.uint32(); r.string() != "/" {
			t.Errorf("home-directory tells of bob: %q", r.b)
		}
	}
	// The same names of bob2's own are files of its own.
	bob2.put("/upload/secret", []byte("bob2's"))
	bob2.want("REMOVE", bob2.call(sftpwire.TypeRemove, "/upload/secret"), statusOK)
	if got := string(bob.get("/upload/secret")); got != "bob's" {
		t.Errorf("bob's file reads %q", got)
	}
}

// Handles are the session's own: the numbers of another's open nothing.
func TestForeignAndStaleHandles(t *testing.T) {
	n := start(t)
	key := n.User("bob")
	bob := sftpOf(t, n, "bob", key)
	other := sftpOf(t, n, "bob2", n.User("bob2"))
	sameUser := sftpOf(t, n, "bob", key)
	h := bob.open("/upload/x", flagRead|flagWrite|flagCreate)
	for _, s := range []*rawSFTP{other, sameUser} {
		useHandle(t, s, "a foreign handle", h)
	}
	bob.want("WRITE", bob.call(sftpwire.TypeWrite, h, uint64(0), "mine"), statusOK)
	if code := bob.close(h); code != statusOK {
		t.Fatalf("CLOSE: %d", code)
	}
	useHandle(t, bob, "a stale handle", h)
	for _, odd := range [][]byte{nil, {}, {0}, {0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, append(slices.Clone(h), 0),
		make([]byte, 256), make([]byte, 100_000)} {
		useHandle(t, bob, "an odd handle", odd)
	}
	again := bob.open("/upload/x", flagRead)
	if slices.Equal(again, h) {
		t.Error("a handle's number is used again")
	}
	if got := string(bob.get("/upload/x")); got != "mine" {
		t.Errorf("the file reads %q", got)
	}
}

// useHandle sends every request that takes a handle, and wants each refused.
func useHandle(t *testing.T, s *rawSFTP, what string, h []byte) {
	t.Helper()
	s.refused("READ of "+what, s.call(sftpwire.TypeRead, h, uint64(0), uint32(10)))
	s.refused("WRITE of "+what, s.call(sftpwire.TypeWrite, h, uint64(0), "forged"))
	s.refused("FSTAT of "+what, s.call(sftpwire.TypeFstat, h))
	s.refused("FSETSTAT of "+what, s.call(sftpwire.TypeFsetstat, h, uint32(1), uint64(0)))
	s.refused("READDIR of "+what, s.call(sftpwire.TypeReaddir, h))
	s.refused("CLOSE of "+what, s.call(sftpwire.TypeClose, h))
	s.refused("fsync of "+what, s.extended("fsync@openssh.com", h))
	s.refused("fstatvfs of "+what, s.extended("fstatvfs@openssh.com", h))
	s.refused("copy-data of "+what, s.extended("copy-data", h, uint64(0), uint64(0), h, uint64(0)))
}

// A directory's handle is not a file's, nor the other way round.
func TestDirectoryHandleUsedAsFile(t *testing.T) {
	n := start(t)
	s := sftpOf(t, n, "alice", n.User("alice"))
	r := s.call(sftpwire.TypeOpendir, "/upload")
	dir := r.bytes()
	s.refused("READ", s.call(sftpwire.TypeRead, dir, uint64(0), uint32(10)))
	s.refused("WRITE", s.call(sftpwire.TypeWrite, dir, uint64(0), "x"))
	s.refused("FSETSTAT", s.call(sftpwire.TypeFsetstat, dir, uint32(1), uint64(0)))
	s.refused("fsync", s.extended("fsync@openssh.com", dir))
	s.refused("copy-data", s.extended("copy-data", dir, uint64(0), uint64(0), dir, uint64(0)))
	file := s.open("/upload/x", flagWrite|flagCreate)
	s.refused("READDIR of a file", s.call(sftpwire.TypeReaddir, file))
	s.refused("copy-data of both", s.extended("copy-data", dir, uint64(0), uint64(0), file, uint64(0)))
	if code := s.close(dir); code != statusOK {
		t.Errorf("CLOSE of the directory: %d", code)
	}
	useHandle(t, s, "a closed directory", dir)
	if code := s.close(file); code != statusOK {
		t.Errorf("CLOSE of the file: %d", code)
	}
	testkit.Eventually(t, "one drop", func() bool { return len(n.Drops()) == 1 })
}
