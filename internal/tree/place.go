package tree

import (
	"path"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// place is what a path resolves to: a directory, or a name in a directory. The name may
// be a file's, an image's or unused.
type place struct {
	path   string
	name   string          // last part; "" for the root
	self   *store.Dir      // not nil: the path is a directory
	parent store.Dir       // the containing directory; for the root, the root
	rights exchange.Rights // in the containing directory
	inside exchange.Rights // in the directory itself, if self is set
	// withheld are rights that the directories give and this login has not: its account is read-only.
	withheld exchange.Rights
	stage    bool // the containing directory is in a staging folder

	// What the name showed when the path was located: the visible image and the
	// stored file. A change looks again, in its transaction.
	image   *image
	stored  *store.File
	content store.Content
	use     store.Usage // of the mailbox, if the path was located to change it; Tree 0: not known
}

func (p *place) key() nameKey { return nameKey{p.parent.ID, p.name} }

// resolve looks up a clean path. A missing parent is NotFound; a missing last name is not
// an error.
func (s *Session) resolve(q *store.Q, clean string) (place, error) {
	found, err := q.Look(s.login.User.ID, store.SplitPath(clean))
	if err != nil {
		return place{}, err
	}
	return s.placeOf(clean, found)
}

// placeOf says what a path resolves to, from what was found along it.
func (s *Session) placeOf(clean string, found store.Found) (place, error) {
	names := store.SplitPath(clean)
	dirs := found.Dirs
	if len(dirs) < len(names) {
		return place{}, fault.E("tree.resolve", fault.NotFound, "No such directory.")
	}
	p := place{path: clean, name: path.Base(clean), parent: dirs[0], stored: found.File, content: found.Content,
		use: found.Usage}
	if len(names) == 0 {
		p.name = ""
	}
	granted := exchange.Rights(0)
	for i, d := range dirs {
		if d.Rights != nil {
			granted = *d.Rights
		}
		if i < len(names) || i == 0 {
			p.parent, p.rights = d, s.rights(granted)
			p.withheld = granted &^ p.rights
			p.stage = p.stage || d.Staging
		}
	}
	if len(dirs) == len(names)+1 {
		p.self, p.inside = &dirs[len(names)], s.rights(granted)
		p.withheld |= granted &^ p.inside
	}
	return p, nil
}

// locate cleans a path that the client sent, waits for the session's commits at and
// below it, and resolves it.
func (s *Session) locate(p string) (place, error) { return s.locateFor(store.ToSee, p) }

// locateToRead is locate for a file that is to be read.
func (s *Session) locateToRead(p string) (place, error) { return s.locateFor(store.ToRead, p) }

func (s *Session) locateFor(what store.Purpose, p string) (place, error) {
	clean, err := valid.CleanPath(s.cwd, p)
	if err != nil {
		return place{}, err
	}
	s.awaitCommits(clean)
	return s.lookFor(what, clean)
}

// look resolves a path and finds its image, both as of one moment. It tries again if an
// image became a row in between, so that a file is never missed.
func (s *Session) look(clean string) (place, error) { return s.lookFor(store.ToSee, clean) }

func (s *Session) lookFor(what store.Purpose, clean string) (place, error) {
	for {
		before := s.box.turn()
		found, err := s.find(what, clean)
		if err != nil {
			return place{}, err
		}
		p, err := s.placeOf(clean, found)
		if err != nil {
			return p, err
		}
		s.box.mu.Lock()
		p.image = s.box.newest(p.key(), s)
		same := s.box.commits == before
		if same && p.use.Tree > 0 {
			s.box.use, s.box.useAt = p.use, time.Now()
		}
		s.box.mu.Unlock()
		if same {
			return p, nil
		}
	}
}

// still locates a path and waits until no commit or copy is under way on its name.
func (s *Session) still(path string) (place, error) {
	p, err := s.locateFor(store.ToWrite, path)
	for err == nil && s.quiesce(p.key()) {
		p, err = s.lookFor(store.ToWrite, p.path)
	}
	return p, err
}

// allow fails with Denied unless granted has every right of need.
func (p *place) allow(granted, need exchange.Rights) error {
	if granted&need == need {
		return nil
	}
	if missing := need &^ granted; missing&p.withheld == missing {
		return fault.E("tree.allow", fault.Denied, exchange.OnlyFetches)
	}
	return fault.E("tree.allow", fault.Denied, "Not allowed in this directory.")
}

// file reads the stored file of a place; NotFound if there is none.
func (p *place) file(q *store.Q) (store.File, error) {
	if p.name == "" {
		return store.File{}, fault.E("tree.file", fault.NotFound, "No such file.")
	}
	return q.File(p.parent.ID, p.name)
}
