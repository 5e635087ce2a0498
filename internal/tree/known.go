package tree

import (
	"path"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// What a session remembers of the paths that it looked up. Programs ask about a file several times in a row
// (STAT, OPEN), and about one file of a folder after another.

// knownFor bounds how long it is remembered. A COMMIT whose answer was lost may take effect when its mailbox's
// epoch has been counted already.
const knownFor = time.Second

// known is what a session remembers. Each part is right as long as the mailbox's epoch is the same.
type known struct {
	path  string // the last one
	any   int64
	at    time.Time
	found store.Found // without Body and Usage

	folder string // the directory of the last path
	tree   int64
	dirsAt time.Time
	dirs   []store.Dir // that lead to it, root first; nil: nothing is known
	number int64       // of the mailbox's directories, when dirs were read (Usage.Tree); 0: not known

	ahead ahead // files of the folder (ahead.go)
}

// find looks a path up. What is found without a query is as of a moment after the call began.
func (s *Session) find(what store.Purpose, clean string) (store.Found, error) {
	began, now, k := time.Now(), s.t.store.Epoch(s.login.User.ID), &s.known
	if what != store.ToWrite && k.path == clean && k.any == now.Any && began.Sub(k.at) < knownFor {
		return s.again(what, clean, now.Any)
	}
	names, folder := store.SplitPath(clean), path.Dir(clean)
	var found store.Found
	var err error
	in := len(names) > 0 && k.dirs != nil && k.folder == folder && k.tree == now.Tree && began.Sub(k.dirsAt) < knownFor
	if in {
		found, err = s.findIn(what, names[len(names)-1], now.Any)
		// Directories may have changed by a transaction whose COMMIT has not returned.
		in = what != store.ToWrite || found.Usage.Tree == k.number
	}
	if !in {
		found, err = s.query().LookFor(what, s.login.User.ID, names)
	}
	if err != nil {
		return found, err
	}
	if n := len(names); !in && n > 0 && len(found.Dirs) >= n {
		k.folder, k.tree, k.dirsAt, k.dirs, k.number = folder, now.Tree, began, found.Dirs[:n:n], found.Usage.Tree
	}
	k.path, k.any, k.at, k.found = clean, now.Any, began, found
	k.found.Content.Body, k.found.Usage = nil, store.Usage{}
	return found, nil
}

// again returns what the last path led to, with the bytes of a small file if it is to be read.
func (s *Session) again(what store.Purpose, clean string, epoch int64) (store.Found, error) {
	found, k := s.known.found, &s.known
	if what != store.ToRead || found.File == nil || found.Content.Row == 0 {
		return found, nil
	}
	k.ahead.reads = true
	l, ok := k.ahead.take(what, found.File.DirID, path.Base(clean), epoch)
	if ok && l.Content.Body != nil && l.Content.BlobID == found.Content.BlobID {
		found.Content.Body = l.Content.Body
		return found, nil
	}
	body, err := s.query().Body(found.Content.BlobID)
	if err != nil && !fault.Is(err, fault.NotFound) { // it was moved out of the database
		return store.Found{}, err
	}
	found.Content.Body = body
	return found, nil
}

// findIn looks a name up in the directory that is known.
func (s *Session) findIn(what store.Purpose, name string, epoch int64) (store.Found, error) {
	k, q := &s.known, s.query()
	if what == store.ToWrite {
		return q.LookIn(what, k.dirs, name)
	}
	dir := k.dirs[len(k.dirs)-1].ID
	k.ahead.note(what, dir, name)
	l, ok := k.ahead.take(what, dir, name, epoch)
	if !ok {
		if from, n := k.ahead.due(name); n > 0 {
			if err := k.ahead.fill(q, from, n, epoch); err != nil {
				return store.Found{}, err
			}
			l, ok = k.ahead.take(what, dir, name, epoch)
		}
	}
	if ok {
		k.ahead.wanted++
	}
	if !ok || what == store.ToRead && l.Content.Row != 0 && l.Content.Body == nil {
		return q.LookIn(what, k.dirs, name)
	}
	return store.Found{Dirs: k.dirs[:len(k.dirs):len(k.dirs)], File: &l.File, Content: l.Content}, nil
}
