package attacks

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/sftpwire"
)

// oddNames are legal: each must come back byte for byte.
var oddNames = []string{
	`a\b`, `..\..\x`, "%2e%2e", "%2fetc%2fpasswd", "...", ". .", " ", "  lead", "trail ", "-rf", "~", "~root", "$(id)",
	"`id`", "*", "?",
	"a\nb", "a\r\nb", "\x1b[2J\x1b]0;owned\x07", "\u202Egnp.exe", "\u200b", "\u2028", "\x7f", "\x01", "\x9b2J", "\xff\xfe",
	"\xc3\x28", "caf\u00e9", "cafe\u0301",
	"CON", "nul.txt", "a:b", "x.", "time=2020 level=ERROR msg=forged", "=cmd()", "<script>alert(1)",
	"'; DROP TABLE files; --", "\"", "a\tb",
	strings.Repeat("n", 255), strings.Repeat("\xf0", 255),
}

func TestPathGamesNamesMakeARoundTrip(t *testing.T) {
	n := start(t)
	s := sftpOf(t, n, "alice", n.User("alice"))
	for i, name := range oddNames {
		path, body := "/upload/"+name, fmt.Sprintf("body %d", i)
		s.put(path, []byte(body))
		if got := string(s.get(path)); got != body {
			t.Errorf("%q reads %q, want %q", name, got, body)
		}
		if r := s.call(sftpwire.TypeRealpath, path); r.kind != sftpwire.TypeName || r.uint32() != 1 || r.string() != path {
			t.Errorf("REALPATH of %q: %q", path, r.b)
		}
	}
	want, got := slices.Sorted(slices.Values(oddNames)), s.names("/upload")
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("listed:\n%q\nwant:\n%q", got, want)
	}
	for _, name := range oddNames {
		dir := "/upload/dir-" + name[:min(len(name), 250)]
		s.want("MKDIR "+dir, s.call(sftpwire.TypeMkdir, dir, uint32(0)), statusOK)
		s.want("RENAME", s.call(sftpwire.TypeRename, "/upload/"+name, dir+"/"+name), statusOK)
		if got := s.names(dir); !slices.Equal(got, []string{name}) {
			t.Errorf("%q lists %q", dir, got)
		}
		s.want("REMOVE", s.call(sftpwire.TypeRemove, dir+"/"+name), statusOK)
		s.want("RMDIR", s.call(sftpwire.TypeRmdir, dir), statusOK)
	}
	if got := s.names("/upload"); len(got) != 0 {
		t.Errorf("left over: %q", got)
	}
	assertCleanLog(t, n)
}

// Names that cannot be are refused by every request that takes one.
func TestPathGamesImpossibleNamesAreRefusedClearly(t *testing.T) {
	n := start(t)
	s := sftpOf(t, n, "alice", n.User("alice"))
	s.put("/upload/there", []byte("x"))
	attrs := raw(pack(uint32(0)))
	for _, path := range []string{
		"/upload/" + strings.Repeat("n", 256), "/upload/a\x00b", "/upload/\x00", "\x00",
		"/upload/" + strings.Repeat("d/", 10_000) + "x",
		strings.Repeat("/", 5000), strings.Repeat("../", 10_000) + "upload/x", "/upload/" + strings.Repeat("n", 200_000),
	} {
		what := fmt.Sprintf("%.30q (%d bytes)", path, len(path))
		s.refused("OPEN "+what, s.call(sftpwire.TypeOpen, path, flagWrite|flagCreate, attrs))
		s.refused("MKDIR "+what, s.call(sftpwire.TypeMkdir, path, attrs))
		s.refused("STAT "+what, s.call(sftpwire.TypeStat, path))
		s.refused("OPENDIR "+what, s.call(sftpwire.TypeOpendir, path))
		s.refused("REALPATH "+what, s.call(sftpwire.TypeRealpath, path))
		s.refused("RENAME to "+what, s.call(sftpwire.TypeRename, "/upload/there", path))
		s.refused("posix-rename to "+what, s.extended("posix-rename@openssh.com", "/upload/there", path))
		s.refused("expand-path "+what, s.extended("expand-path@openssh.com", path))
		s.refused("SYMLINK "+what, s.call(sftpwire.TypeSymlink, path, "/upload/there"))
		s.refused("READLINK "+what, s.call(sftpwire.TypeReadlink, path))
	}
	for _, path := range []string{"", ".", "..", "/", "/upload", "/upload/", "/upload/.", "/upload/..", "//upload//"} {
		s.refused("OPEN of the directory "+path, s.call(sftpwire.TypeOpen, path, flagWrite|flagCreate|flagTrunc, attrs))
		s.refused("REMOVE of the directory "+path, s.call(sftpwire.TypeRemove, path))
		s.refused("RMDIR of the server's "+path, s.call(sftpwire.TypeRmdir, path))
		s.refused("RENAME of the server's "+path, s.call(sftpwire.TypeRename, path, "/upload/x"))
	}
	if got := s.names("/upload"); !slices.Equal(got, []string{"there"}) {
		t.Errorf("/upload has %q", got)
	}
	assertCleanLog(t, n)
}

// However a path climbs, it stays in the mailbox.
func TestPathGamesClimbing(t *testing.T) {
	n := start(t)
	s := sftpOf(t, n, "alice", n.User("alice"))
	for path, want := range map[string]string{
		"..": "/", "../..": "/", "/..": "/", "/../../../upload": "/upload", "//upload//x//": "/upload/x",
		"/upload/../../etc/passwd": "/etc/passwd",
		"":                         "/", ".": "/", "/./.": "/", "upload/..": "/", "/upload/./../upload/.": "/upload",
		`..\..`:                     `/..\..`,
		"%2e%2e/x":                  "/%2e%2e/x",
		strings.Repeat("../", 1000): "/", "/upload/" + strings.Repeat("x/../", 500): "/upload",
	} {
		if r := s.call(sftpwire.TypeRealpath, path); r.kind != sftpwire.TypeName || r.uint32() != 1 || r.string() != want {
			t.Errorf("REALPATH %.40q: %.60q, want %q", path, r.b, want)
		}
	}
	for _, path := range []string{"../../../../etc/passwd", "/etc/passwd", "/proc/self/environ", n.Data + "/sallyport.db",
		"../" + n.Data, "/upload/../../" + n.Data} {
		s.refused("OPEN "+path, s.call(sftpwire.TypeOpen, path, flagRead, uint32(0)))
		s.refused("STAT "+path, s.call(sftpwire.TypeStat, path))
		s.refused("OPENDIR "+path, s.call(sftpwire.TypeOpendir, path))
	}
	s.put("/upload/../upload/../../upload//x", []byte("inside"))
	if got := s.names("/upload"); !slices.Equal(got, []string{"x"}) {
		t.Errorf("/upload has %q", got)
	}
	for _, link := range []string{"/etc", "../..", "/upload/x"} {
		s.refused("SYMLINK to "+link, s.call(sftpwire.TypeSymlink, link, "/upload/link"))
		s.refused("hardlink of "+link, s.extended("hardlink@openssh.com", link, "/upload/link"))
	}
}

// The deepest path that fits works; one level deeper is refused.
func TestPathGamesDepth(t *testing.T) {
	n := start(t)
	s := sftpOf(t, n, "alice", n.User("alice"))
	path := "/upload"
	for range 60 {
		path += "/d"
		s.want("MKDIR", s.call(sftpwire.TypeMkdir, path, uint32(0)), statusOK)
	}
	s.put(path+"/x", []byte("deep"))
	if got := string(s.get(path + "/x")); got != "deep" {
		t.Errorf("read %q", got)
	}
	s.refused("a directory into itself", s.call(sftpwire.TypeRename, "/upload/d", path+"/loop"))
	s.refused("a directory into itself, posix", s.extended("posix-rename@openssh.com", "/upload/d", path+"/loop"))
}
