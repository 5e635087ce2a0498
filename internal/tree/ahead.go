package tree

import (
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Reading ahead in a folder: a client that takes one file after another, in the order of their names, gets the
// next ones from a query that was made for all of them.

const (
	aheadAfter = 3               // names in order, before a session reads ahead
	aheadFirst = 8               // files that it reads at first; twice as many each time, if they were wanted
	aheadFiles = 64              // the most files
	aheadBytes = 256 << 10       // the most bytes of files
	aheadFor   = 2 * time.Second // for how long they are kept
)

// ahead is what a session has read of a folder and was not asked for yet. A client with many requests in flight
// asks in order only roughly, so what is left of the query before the last is kept as well.
type ahead struct {
	t *Tree

	dir    string // id of the folder of the last name
	last   string // the greatest name that was asked for
	steps  int    // how many names were greater than all before
	behind int    // how many were not, since the last that was
	reads  bool   // whether a file of the folder was opened
	window int    // how many files the last query asked for; 0: none
	got    int    // how many files it found
	wanted int    // how many were taken since

	mu    sync.Mutex // guards the rest: the timer lets go of it, too
	any   int64      // the mailbox's epoch
	end   string     // the last name that was read
	files [2]map[string]store.Listed
	bytes int64 // of the bodies in files, which count in t.held
	timer *time.Timer
}

// take returns a file of a folder if it was read ahead and the mailbox is the same. To read, the caller gets its
// bytes, and the session forgets it.
func (a *ahead) take(what store.Purpose, dir, name string, epoch int64) (store.Listed, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if dir != a.dir || epoch != a.any {
		return store.Listed{}, false
	}
	for _, files := range a.files {
		l, ok := files[name]
		switch {
		case !ok:
			continue
		case what == store.ToRead:
			a.count(-int64(len(l.Content.Body)))
			delete(files, name)
		default:
			l.Content.Body = nil
		}
		return l, true
	}
	return store.Listed{}, false
}

// note takes a name into account that was asked for, before take.
func (a *ahead) note(what store.Purpose, dir, name string) {
	switch {
	case dir != a.dir || a.behind > 2*aheadFiles: // another folder, or once more from its beginning
		a.letGo()
		a.dir, a.last, a.steps, a.behind, a.reads, a.window = dir, name, 1, 0, false, 0
	case name > a.last:
		a.last, a.behind = name, 0
		a.steps++
	default:
		a.behind++
	}
	a.reads = a.reads || what == store.ToRead
}

// due returns from which name on to read how many files, as take did not have one; 0: none.
func (a *ahead) due(name string) (from string, n int) {
	switch {
	case name != a.last || a.steps < aheadAfter:
		return "", 0
	case a.window == 0:
		return name, aheadFirst
	case 2*a.wanted < a.got: // not in this order, or the mailbox changes all the time
		a.window, a.steps = 0, -4*aheadFiles
		return "", 0
	}
	return a.end + "\x00", min(2*a.window, aheadFiles)
}

// fill reads n files of a folder, the first of a name. The mailbox has, or had, the epoch.
func (a *ahead) fill(q *store.Q, from string, n int, epoch int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.any != epoch {
		a.files[1] = nil
	}
	a.files = [2]map[string]store.Listed{a.files[1], {}}
	a.count(-a.bytes)
	for _, l := range a.files[0] {
		a.count(int64(len(l.Content.Body)))
	}
	bodies := a.reads && a.t.held.Load()+aheadBytes <= a.t.policy.Load().ReadMemory
	list, err := q.FilesFrom(a.dir, from, n, bodies, aheadBytes)
	if err != nil {
		return err
	}
	a.any, a.window, a.got, a.wanted = epoch, n, len(list), 0
	if len(list) == 0 {
		a.window, a.steps = 0, 0
		return nil
	}
	for _, l := range list {
		a.end = l.File.Name
		a.files[1][l.File.Name] = l
		a.count(int64(len(l.Content.Body)))
	}
	if a.timer == nil {
		a.timer = time.AfterFunc(aheadFor, a.letGo)
	} else {
		a.timer.Reset(aheadFor)
	}
	return nil
}

// count adds to the bytes that are held. Callers hold mu.
func (a *ahead) count(n int64) {
	a.bytes += n
	a.t.held.Add(n)
}

// letGo forgets what was read ahead.
func (a *ahead) letGo() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count(-a.bytes)
	a.files = [2]map[string]store.Listed{}
	if a.timer != nil {
		a.timer.Stop()
	}
}
