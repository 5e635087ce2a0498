package tree

import (
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// PageCursor returns the cursor with which ListPage continues after an entry.
func PageCursor(dir bool, name string) string {
	if dir {
		return "d" + name
	}
	return "f" + name
}

// ListPage lists at most p.Limit entries of a directory that follow p.Cursor, which
// PageCursor made; "" starts at the beginning. Directories come first, then files, each in
// byte order. If path is a file, the result is that file.
func (s *Session) ListPage(path string, p model.Paging) ([]model.FileInfo, error) {
	info, err := s.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Dir {
		return []model.FileInfo{info}, nil
	}
	l, err := s.OpenDir(path)
	if err != nil {
		return nil, err
	}
	limit := p.Limit
	var out []model.FileInfo
	name, inFiles := strings.CutPrefix(p.Cursor, "f")
	if !inFiles {
		dirs, err := s.query().Subdirs(l.dir.ID, strings.TrimPrefix(p.Cursor, "d"), limit)
		if err != nil || len(dirs) == limit {
			return dirInfos(dirs), err
		}
		out, name = dirInfos(dirs), ""
	}
	files, err := l.filesAfter(name, limit-len(out))
	return append(out, files...), err
}

func dirInfos(dirs []store.Dir) []model.FileInfo {
	out := make([]model.FileInfo, len(dirs))
	for i, d := range dirs {
		out[i] = dirInfo(d)
	}
	return out
}

// filesAfter lists up to n files whose names follow after, including uploads that have no
// row.
func (l *Lister) filesAfter(after string, n int) ([]model.FileInfo, error) {
	rows, err := l.s.query().Files(l.dir.ID, after, n)
	if err != nil {
		return nil, err
	}
	out := make([]model.FileInfo, 0, len(rows))
	for _, f := range rows {
		info := fileInfo(f)
		if img := l.overlay[f.Name]; img != nil {
			info = l.image(f.Name, img, info)
			delete(l.overlay, f.Name)
		}
		out = append(out, info)
	}
	for name, img := range l.overlay {
		if name > after && (len(rows) < n || name < rows[n-1].Name) {
			out = append(out, l.image(name, img, model.FileInfo{}))
		}
	}
	out = slices.DeleteFunc(out, func(f model.FileInfo) bool { return f.Name == "" })
	slices.SortFunc(out, func(a, b model.FileInfo) int { return strings.Compare(a.Name, b.Name) })
	return out[:min(n, len(out))], nil
}
