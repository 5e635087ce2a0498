package tree

import (
	"io"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// listPage is how many rows one query of a listing reads.
const listPage = 512

// Stat describes the file or directory at a path. The tree has no links, so it serves
// LSTAT, too.
func (s *Session) Stat(path string) (model.FileInfo, error) {
	p, err := s.locate(path)
	if err != nil {
		return model.FileInfo{}, err
	}
	return s.statPlace(p)
}

func (s *Session) statPlace(p place) (model.FileInfo, error) {
	if p.self != nil {
		info := dirInfo(*p.self)
		if p.name == "" {
			info.Name = "/"
		}
		return info, nil
	}
	if img := p.image; img != nil {
		s.box.mu.Lock()
		live, writing := img.owner == s, img.owner != nil
		s.box.mu.Unlock()
		if s.login.Operator != "" && !live {
			stored := model.FileInfo{}
			if p.stored != nil {
				stored = fileInfo(*p.stored)
			}
			return img.beside(stored, p.name, writing), nil
		}
		if err := img.ready(s); live && err != nil {
			return model.FileInfo{}, err
		}
		return img.info(p.name, live), nil
	}
	if p.stored == nil {
		return model.FileInfo{}, fault.E("tree.stat", fault.NotFound, "No such file or directory.")
	}
	return fileInfo(*p.stored), nil
}

func dirInfo(d store.Dir) model.FileInfo {
	return model.FileInfo{Name: d.Name, Dir: true, Mtime: d.Mtime, Mode: 0o755}
}

// Lister reads a directory in pages: first directories, then files, each in
// byte order; last the uploads that have no row. It holds no database resources between
// calls.
type Lister struct {
	s       *Session
	dir     store.Dir
	path    string
	after   string
	files   bool // directories are done
	done    bool
	overlay map[string]*image // the user's own uploads and partials, not yet listed
	dots    bool              // "." and ".." are listed
}

// OpenDir begins to list a directory.
func (s *Session) OpenDir(path string) (*Lister, error) {
	clean, err := valid.CleanPath(s.cwd, path)
	if err != nil {
		return nil, err
	}
	s.awaitCommits(clean)
	s.awaitCommitsIn(clean)
	p, err := s.look(clean)
	if err != nil {
		return nil, err
	}
	if p.self == nil {
		if _, err := s.statPlace(p); err != nil {
			return nil, err
		}
		return nil, fault.E("tree.OpenDir", fault.NotFound, "No such file or directory: what is there is a file.")
	}
	if err := p.allow(p.inside, exchange.List); err != nil {
		return nil, err
	}
	if s.t.hooks.OnSeen != nil && s.login.Operator == "" {
		s.t.hooks.OnSeen(&s.login, model.ActivityList, clean, 0)
	}
	l := &Lister{s: s, dir: *p.self, path: clean, overlay: map[string]*image{}}
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	for k := range s.box.images {
		if k.dir == l.dir.ID {
			if img := s.box.newest(k, s); img != nil {
				l.overlay[k.name] = img
			}
		}
	}
	return l, nil
}

// Next returns the next entries, at least one, or io.EOF. The first are "." and "..".
func (l *Lister) Next() ([]model.FileInfo, error) {
	l.s.awaitCommitsIn(l.path)
	var out []model.FileInfo
	if !l.dots {
		l.dots = true
		self := dirInfo(l.dir)
		self.Name = "."
		up := self
		up.Name = ".."
		out = append(out, self, up)
	}
	for len(out) < listPage && !l.done {
		page, err := l.page()
		if err != nil {
			return nil, err
		}
		out = append(out, page...)
	}
	if len(out) == 0 {
		return nil, io.EOF
	}
	return out, nil
}

// page reads the result of one query. The last page also has the images without a row.
func (l *Lister) page() ([]model.FileInfo, error) {
	q := l.s.query()
	if !l.files {
		dirs, err := q.Subdirs(l.dir.ID, l.after, listPage)
		if err != nil {
			return nil, err
		}
		out := make([]model.FileInfo, len(dirs))
		for i, d := range dirs {
			out[i] = dirInfo(d)
			l.after = d.Name
		}
		if len(dirs) < listPage {
			l.files, l.after = true, ""
		}
		return out, nil
	}
	files, err := q.Files(l.dir.ID, l.after, listPage)
	if err != nil {
		return nil, err
	}
	out := make([]model.FileInfo, len(files))
	for i, f := range files {
		l.after = f.Name
		out[i] = fileInfo(f)
		if img := l.overlay[f.Name]; img != nil {
			out[i] = l.image(f.Name, img, out[i])
			delete(l.overlay, f.Name)
		}
	}
	if len(files) == listPage {
		return out, nil
	}
	l.done = true
	for name, img := range l.overlay {
		out = append(out, l.image(name, img, model.FileInfo{}))
	}
	out = slices.DeleteFunc(out, func(f model.FileInfo) bool { return f.Name == "" })
	slices.SortFunc(out[len(files):], func(a, b model.FileInfo) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// image describes a name by its image. If the image was removed or renamed since the
// listing began, it returns row.
func (l *Lister) image(name string, img *image, row model.FileInfo) model.FileInfo {
	l.s.box.mu.Lock()
	live, writing, over := img.owner == l.s, img.owner != nil, img.state == removed
	if img.key != (nameKey{l.dir.ID, name}) {
		over = true
	}
	l.s.box.mu.Unlock()
	if over {
		return row
	}
	if l.s.login.Operator != "" && !live {
		return img.beside(row, name, writing)
	}
	_ = img.ready(l.s) // a failed copy is reported to its writer
	return img.info(name, live)
}
