package oracle

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

func TestMain(m *testing.M) { testkit.LongMain(m, "comparisons with Debian's sftp-server") }

// Every case has a directory of its own with these in it.
var names = []string{"file", "dir", "full", "missing", "file/below", "missing/below"}

var ends = []string{"", "/", "//", "/.", "/./"}

// set makes what a case has.
func (s *server) set(top string) {
	s.t.Helper()
	s.mkdir(top)
	for _, dir := range []string{"dir", "full", "else"} {
		s.mkdir(top + "/" + dir)
	}
	for _, file := range []string{"file", "other", "full/a"} {
		s.put(top + "/" + file)
	}
}

// request is one that names a path. at is the case's directory, p the path asked about.
type request struct {
	name string
	ask  func(s *server, at, p string) reply
}

// requests are all of them.
var requests = []request{
	{"OPEN r", open(flagRead)},
	{"OPEN w", open(flagWrite)},
	{"OPEN rw", open(flagRead | flagWrite)},
	{"OPEN wc", open(flagWrite | flagCreate)},
	{"OPEN wct", open(flagWrite | flagCreate | flagTruncate)},
	{"OPEN wcx", open(flagWrite | flagCreate | flagExclusive)},
	{"OPEN wa", open(flagWrite | flagAppend)},
	{"OPEN c", open(flagCreate)},
	{"OPEN rc", open(flagRead | flagCreate)},
	{"OPEN rt", open(flagRead | flagTruncate)},
	{"OPEN rct", open(flagRead | flagCreate | flagTruncate)},
	{"OPEN none", open(0)},
	{"OPEN wx", open(flagWrite | flagExclusive)},
	{"OPEN wt", open(flagWrite | flagTruncate)},
	{"OPEN a", open(flagAppend)},
	{"OPENDIR", func(s *server, at, p string) reply { return s.closing(s.ask(typeOpendir, p)) }},
	{"STAT", func(s *server, at, p string) reply { return s.ask(typeStat, p) }},
	{"LSTAT", func(s *server, at, p string) reply { return s.ask(typeLstat, p) }},
	{"SETSTAT", func(s *server, at, p string) reply {
		return s.ask(typeSetstat, p, uint32(8), uint32(1), uint32(1e9))
	}},
	{"REMOVE", func(s *server, at, p string) reply { return s.ask(typeRemove, p) }},
	{"MKDIR", func(s *server, at, p string) reply { return s.ask(typeMkdir, p, uint32(0)) }},
	{"RMDIR", func(s *server, at, p string) reply { return s.ask(typeRmdir, p) }},
	{"RENAME from", func(s *server, at, p string) reply { return s.ask(typeRename, p, at+"/new") }},
	{"RENAME a file to", func(s *server, at, p string) reply { return s.ask(typeRename, at+"/other", p) }},
	{"RENAME a directory to", func(s *server, at, p string) reply { return s.ask(typeRename, at+"/else", p) }},
	{"posix-rename from", func(s *server, at, p string) reply {
		return s.ask(typeExtended, "posix-rename@openssh.com", p, at+"/new")
	}},
	{"posix-rename a file to", func(s *server, at, p string) reply {
		return s.ask(typeExtended, "posix-rename@openssh.com", at+"/other", p)
	}},
	{"posix-rename a directory to", func(s *server, at, p string) reply {
		return s.ask(typeExtended, "posix-rename@openssh.com", at+"/else", p)
	}},
	{"RENAME to itself", func(s *server, at, p string) reply { return s.ask(typeRename, p, p) }},
	{"posix-rename to itself", func(s *server, at, p string) reply {
		return s.ask(typeExtended, "posix-rename@openssh.com", p, p)
	}},
	{"statvfs", func(s *server, at, p string) reply { return s.ask(typeExtended, "statvfs@openssh.com", p) }},
	{"lsetstat", func(s *server, at, p string) reply {
		return s.ask(typeExtended, "lsetstat@openssh.com", p, uint32(8), uint32(1), uint32(1e9))
	}},
}

func open(flags uint32) func(s *server, at, p string) reply {
	return func(s *server, at, p string) reply { return s.closing(s.ask(typeOpen, p, flags, uint32(0))) }
}

// closing closes what was opened; the answer to the OPEN counts.
func (s *server) closing(r reply) reply {
	if r.handle != nil {
		s.ask(typeClose, r.handle)
	}
	return r
}

// kindAndSize tells a name's kind and a file's size.
func (r reply) kindAndSize(name string) string {
	if r.mode&0o40000 != 0 {
		return name + "/"
	}
	return fmt.Sprintf("%s:%d", name, r.size)
}

// what says what a case's directory has afterwards, sorted by the question.
func (s *server) what(at string) string {
	var has []string
	for _, name := range []string{"file", "dir", "full", "missing", "missing/below", "new", "other", "else", "dir/other",
		"full/a", "new/a", "missing/a"} {
		if r := s.ask(typeStat, at+"/"+name); r.code == fault.StatusOK {
			has = append(has, r.kindAndSize(name))
		}
	}
	return strings.Join(has, " ")
}

// deviates are the answers that PROTOCOL.md states: ours by question and OpenSSH's code.
func deviates(question string, theirs uint32) (code uint32, stated bool) {
	kind, name, _ := strings.Cut(question, " \"")
	dir := strings.HasPrefix(name, "dir") || strings.HasPrefix(name, "full")
	plain := slices.Contains([]string{`file"`, `file.tmp"`, `Thumbs.db"`, `half"`}, name)
	switch {
	case (kind == "OPEN r" || kind == "OPEN none" || kind == "OPEN a") && dir && theirs == fault.StatusOK:
		// a directory is not read with READ
		return fault.StatusFailure, true
	case kind == "posix-rename a directory to" && theirs != fault.StatusFailure && (dir || plain):
		// only files are replaced
		return fault.StatusFailure, true
	}
	return 0, false
}

// TestEveryRequestWithEveryName: code by code, and what is there afterwards.
func TestEveryRequestWithEveryName(t *testing.T) {
	n := testkit.Start(t, func(c *config.Config) { c.Limits.Changes = 0 })
	us, them := ours(t, n, "alice"), theirs(t)
	number := 0
	for _, name := range names {
		for _, end := range ends {
			for _, q := range requests {
				number++
				for _, s := range []*server{us, them} {
					s.set(fmt.Sprintf("%s/c%d", s.top, number))
				}
				compare(t, us, them, fmt.Sprintf("c%d", number), name+end, q, deviates)
			}
		}
	}
}

// compare asks both servers the same about a name in a case's directory.
func compare(t *testing.T, us, them *server, dir, name string, q request,
	deviates func(question string, theirs uint32) (uint32, bool)) {
	t.Helper()
	var codes [2]uint32
	var texts, left [2]string
	for i, s := range []*server{us, them} {
		at := s.top + "/" + dir
		r := q.ask(s, at, at+"/"+name)
		codes[i], texts[i], left[i] = r.code, r.text, s.what(at)
	}
	if name == "half" { // a partial shows a byte less, so that no program takes it for whole
		left[0] = strings.Replace(left[0], "new:6", "new:7", 1)
	}
	question := fmt.Sprintf("%s %q", q.name, name)
	if want, stated := deviates(question, codes[1]); stated && codes[0] == want {
		return
	}
	if codes[0] != codes[1] || left[0] != left[1] {
		t.Errorf("%s: %d %q, OpenSSH %d %q; left [%s], OpenSSH [%s]", question, codes[0], texts[0], codes[1], texts[1],
			left[0], left[1])
	}
}

// TestEveryRequestInEveryState: a file in a staging folder, one with a temporary name, and one
// whose upload was broken off are files as any other to their own user.
func TestEveryRequestInEveryState(t *testing.T) {
	n := testkit.Start(t, func(c *config.Config) {
		c.Limits.Changes = 0
		k := c.Templates[model.KindCustomer]
		k.Dirs = append(slices.Clone(k.Dirs), config.TemplateDir{Path: "/stage", Rights: []string{"all"}, Staging: true})
		c.Templates[model.KindCustomer] = k
	})
	key := n.User("alice")
	us, them := sessionOf(t, n, "alice", key), theirs(t)
	for _, state := range []struct {
		name, top, file string
		partial         bool
	}{
		{"in a staging folder", "/stage", "file", false},
		{"with a temporary name", "/upload", "file.tmp", false},
		{"with an ignored name", "/upload", "Thumbs.db", false},
		{"of an upload that was broken off", "/upload", "half", true},
	} {
		t.Run(state.name, func(t *testing.T) {
			us.t, them.t = t, t
			us.top = state.top
			writer := us
			if state.partial { // its session ends before anybody asks
				writer = sessionOf(t, n, "alice", key)
				writer.top = state.top
			}
			number := 0
			each := func(do func(dir, name string, q request)) {
				number = 0
				for _, end := range ends {
					for _, q := range requests {
						number++
						do(fmt.Sprintf("%s%d", strings.ReplaceAll(state.name, " ", "-"), number), state.file+end, q)
					}
				}
			}
			each(func(dir, _ string, _ request) {
				for _, s := range []*server{us, them} {
					s.set(s.top + "/" + dir)
				}
				if !state.partial {
					us.put(us.top + "/" + dir + "/" + state.file)
				} else {
					writer.half(writer.top + "/" + dir + "/" + state.file)
				}
				them.put(them.top + "/" + dir + "/" + state.file)
			})
			if state.partial {
				_ = writer.end.Close()
				testkit.Eventually(t, "the writer's session has ended", func() bool {
					return len(testkit.List[model.Session](n, "/sessions")) == 1
				})
			}
			each(func(dir, name string, q request) { compare(t, us, them, dir, name, q, deviates) })
		})
	}
}
