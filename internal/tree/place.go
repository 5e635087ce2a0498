package tree

import (
	"path"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// place is where a path leads: a directory, or a name in one, which may be a
// file, an image or nothing yet.
type place struct {
	path   string
	name   string          // last part; "" for the root
	self   *store.Dir      // set: it is a directory
	parent store.Dir       // the directory it is in; of the root, the root
	rights exchange.Rights // in the directory it is in
	inside exchange.Rights // self set: in the directory itself
	stage  bool            // in a staging folder

	// What the name showed when the path was located: the image that answers
	// for it, and what is stored. A change looks again, in its transaction.
	image   *image
	stored  *store.File
	content store.Content
}

func (p *place) key() nameKey { return nameKey{p.parent.ID, p.name} }

// resolve follows a clean path. A missing parent is NotFound.
func (s *Session) resolve(q *store.Q, clean string) (place, error) {
	names := store.SplitPath(clean)
	found, err := q.Look(s.login.User.ID, names)
	if err != nil {
		return place{}, err
	}
	dirs := found.Dirs
	if len(dirs) < len(names) {
		return place{}, fault.E("tree.resolve", fault.NotFound, "No such directory.")
	}
	p := place{path: clean, name: path.Base(clean), parent: dirs[0], stored: found.File, content: found.Content}
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
			p.stage = p.stage || d.Staging
		}
	}
	if len(dirs) == len(names)+1 {
		p.self, p.inside = &dirs[len(names)], s.rights(granted)
	}
	return p, nil
}

// locate settles and resolves a path as the client sent it.
func (s *Session) locate(p string) (place, error) {
	clean, err := valid.CleanPath(s.cwd, p)
	if err != nil {
		return place{}, err
	}
	s.awaitCommits(clean)
	return s.look(clean)
}

// look resolves a path and finds its image, both of one moment: an image that
// turns into a row in between must be seen as one or the other.
func (s *Session) look(clean string) (place, error) {
	for {
		before := s.box.turn()
		p, err := s.resolve(s.query(), clean)
		if err != nil {
			return p, err
		}
		s.box.mu.Lock()
		p.image = s.box.newest(p.key(), s)
		same := s.box.commits == before
		s.box.mu.Unlock()
		if same {
			return p, nil
		}
	}
}

// still locates a path and waits until nothing is under way on its name.
func (s *Session) still(path string) (place, error) {
	p, err := s.locate(path)
	for err == nil && s.quiesce(p.key()) {
		p, err = s.look(p.path)
	}
	return p, err
}

// allow fails unless every right of need is granted.
func (p *place) allow(granted, need exchange.Rights) error {
	if granted&need == need {
		return nil
	}
	return fault.E("tree.allow", fault.Denied, "Not allowed in this directory.")
}

// file finds the committed file of a place; NotFound when there is none.
func (p *place) file(q *store.Q) (store.File, error) {
	if p.name == "" {
		return store.File{}, fault.E("tree.file", fault.NotFound, "No such file.")
	}
	return q.File(p.parent.ID, p.name)
}
