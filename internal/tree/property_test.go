package tree_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// machine drives several sessions of one user at random, together with a model of the
// expected state. All steps run on one goroutine, and a held CLOSE goes on when a session
// waits for it. So a failure is reproducible and can be shrunk.
type machine struct {
	l       *lab
	spots   []spot
	faulty  bool // some calls fail
	clients []*client
	stored  map[spot]*version
	uploads map[spot][]*upload // oldest first
	drops   int                // how many drops the inbox got
	held    []*held
	sealed  []*upload // uploads whose commit failed and whose bytes could not be reverted
	moved   bool      // /upload/d is renamed
	faults  []string  // failures found inside a step
	logins  int
	writes  int
	begun   int // number of uploads
}

var spots = []spot{{"/upload", "a"}, {"/upload", "b.part"}, {"/upload/d", "e"}, {"/stage", "f"}}

// TestRandomWorkKeepsEveryPromise runs for about a minute with TESTS=all. -rapid.checks makes it longer.
func TestRandomWorkKeepsEveryPromise(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { work(t, newLab(t, ""), testkit.Rounds(t, 60, 12, "runs")) })
	t.Run("postgres", func(t *testing.T) { work(t, newLab(t, testkit.Postgres(t).Database(t)), 25) })
}

func work(t *testing.T, l *lab, checks int) {
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "rapid.checks" })
	if f := flag.Lookup("rapid.checks"); !asked {
		must(t, f.Value.Set(fmt.Sprint(checks)))
		defer func() { must(t, f.Value.Set(f.DefValue)) }()
	}
	rapid.Check(t, func(rt *rapid.T) {
		l.begin()
		m := &machine{l: l, stored: map[spot]*version{}, uploads: map[spot][]*upload{}}
		// With few names and sessions, conflicts are more frequent. Without faults, the checks are stricter.
		m.spots = spots[:rapid.IntRange(1, len(spots)).Draw(rt, "names")]
		m.faulty = rapid.Bool().Draw(rt, "faulty")
		for range rapid.IntRange(1, 3).Draw(rt, "sessions") {
			m.clients = append(m.clients, m.login())
		}
		defer m.end(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"open": m.doOpen, "open 2": m.doOpen, "resume": m.doResume, "resume 2": m.doResume,
			"write": m.doWrite, "write 2": m.doWrite, "write 3": m.doWrite, "write 4": m.doWrite,
			"truncate": m.doTruncate, "read": m.doRead, "sync": m.doSync, "slow sync": m.doSlowSync, "sync all": m.doSyncAll,
			"close": m.doClose, "close 2": m.doClose, "close 3": m.doClose, "hold": m.doHold, "release": m.doRelease,
			"vanish": m.doVanish, "vanish 2": m.doVanish, "crash": m.doCrash,
			"rename": m.doRename, "rename directory": m.doRenameDir, "remove": m.doRemove, "set size": m.doSetSize,
			"operator's store": m.doOperator, "time": m.doTime, "move": m.doMove, "fault": m.doFault, "fault 2": m.doFault,
			"": m.check,
		})
		m.finally(rt)
	})
}

func (m *machine) login() *client {
	m.logins++
	return &client{s: m.l.loginWaiting("", m.releaseAll), n: m.logins}
}

// end ends the process of a check, whether it passed or failed.
func (m *machine) end(t *rapid.T) {
	m.l.reset()
	m.die()
	m.l.bury()
	must(m.l.t, os.RemoveAll(m.l.root))
}

// where returns a spot's current path.
func (m *machine) where(k spot) string { return m.dir(k.dir) + "/" + k.name }

func (m *machine) dir(dir string) string {
	if dir == "/upload/d" && m.moved {
		return "/upload/other"
	}
	return dir
}

func (m *machine) spot(t *rapid.T, label string) spot {
	return rapid.SampledFrom(m.spots).Draw(t, label)
}

func (m *machine) client(t *rapid.T) *client {
	return m.clients[rapid.IntRange(0, len(m.clients)-1).Draw(t, "session")]
}

// file picks an open file. If there is none, the step is skipped.
func (m *machine) file(t *rapid.T) *opened {
	var all []*opened
	for _, c := range m.clients {
		all = append(all, c.files...)
	}
	if len(all) == 0 {
		t.Skip("nothing is open")
	}
	return all[rapid.IntRange(0, len(all)-1).Draw(t, "file")]
}

// want fails unless err is nil exactly if ok. An error is also accepted if an injected
// fault happened.
func want(t *rapid.T, what string, ok bool, err error, hits []hit) {
	t.Helper()
	t.Logf("%s: %v %v", what, err, hits)
	if ok != (err == nil) && !(err != nil && len(hits) > 0) {
		t.Fatalf("%s: %v, must succeed: %v (met %v)", what, err, ok, hits)
	}
}

func compareSpots(a, b spot) int { return strings.Compare(a.dir+a.name, b.dir+b.name) }
