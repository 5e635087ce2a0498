package store

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

// Moved is a file or directory that was moved in from another server, as it was there.
type Moved struct {
	UserID, Path string
	Size         int64 // in bytes; -1: a directory
	Mtime        time.Time
	Ctime        time.Time // when its inode was changed; zero: not compared
	FileID       string    // of a directory, the directory's id
	VersionID    string    // "" for a directory
}

func scanMoved(r *sql.Rows) (m Moved, err error) {
	var path []byte
	err = r.Scan(&path, &m.Size, stamp{&m.Mtime}, stampOrZero{&m.Ctime}, &m.FileID, &m.VersionID)
	m.Path = string(path)
	return m, err
}

const movedColumns = `path, size, mtime, ctime, file_id, version_id`

// MovedAt finds what was moved in to paths of a mailbox, by path.
func (q *Q) MovedAt(userID string, paths []string) (map[string]Moved, error) {
	out := make(map[string]Moved, len(paths))
	for part := range slices.Chunk(paths, rowsAtOnce) {
		list, err := collect(q, "MovedAt", scanMoved, `SELECT `+movedColumns+` FROM moved_in
			WHERE user_id = $1 AND path IN (`+
			places(2, len(part))+`)`, bytesArgs(userID, part)...)
		if err != nil {
			return nil, err
		}
		for _, m := range list {
			out[m.Path] = m
		}
	}
	return out, nil
}

// FilesIn finds the files of a directory with names, by name.
func (q *Q) FilesIn(dir string, names []string) (map[string]File, error) {
	out := make(map[string]File, len(names))
	for part := range slices.Chunk(names, rowsAtOnce) {
		list, err := collect(q, "FilesIn", scanFile, `SELECT `+fileColumns+` FROM files WHERE dir_id = $1 AND name IN (`+
			places(2, len(part))+`)`, bytesArgs(dir, part)...)
		if err != nil {
			return nil, err
		}
		for _, f := range list {
			out[f.Name] = f
		}
	}
	return out, nil
}

// SubdirsIn finds which of the names are directories of a directory.
func (q *Q) SubdirsIn(parent string, names []string) (map[string]bool, error) {
	out := map[string]bool{}
	for part := range slices.Chunk(names, rowsAtOnce) {
		list, err := collect(q, "SubdirsIn", func(r *sql.Rows) (string, error) {
			var name []byte
			err := r.Scan(&name)
			return string(name), err
		}, `SELECT name FROM dirs WHERE parent_id = $1 AND name IN (`+places(2, len(part))+`)`, bytesArgs(parent, part)...)
		if err != nil {
			return nil, err
		}
		for _, name := range list {
			out[name] = true
		}
	}
	return out, nil
}

// places lists n parameters from $first on.
func places(first, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("$%d", first+i)
	}
	return strings.Join(list, ", ")
}

// bytesArgs are the parameters of a query: an id, and texts that are compared as bytes.
func bytesArgs(id string, texts []string) []any {
	args := make([]any, 1, len(texts)+1)
	args[0] = id
	for _, s := range texts {
		args = append(args, []byte(s))
	}
	return args
}

// MovedOf lists what was moved in to a mailbox, by path, one page of it.
func (q *Q) MovedOf(userID string, p model.Paging) ([]Moved, error) {
	return collect(q, "MovedOf", scanMoved, `SELECT `+movedColumns+` FROM moved_in WHERE user_id = $1 AND path > $2
		ORDER BY path LIMIT $3`, userID, []byte(p.Cursor), most(p))
}

var movedInserts = func() [rowsAtOnce]string {
	out := inserts(7, `INSERT INTO moved_in (user_id, `+movedColumns+`) VALUES`, "")
	for i := range out {
		out[i] += ` ON CONFLICT (user_id, path) DO UPDATE SET size = excluded.size, mtime = excluded.mtime,
			ctime = excluded.ctime, file_id = excluded.file_id, version_id = excluded.version_id`
	}
	return out
}()

// PutMoved records what was moved in. Rows that exist are replaced.
func (tx *Tx) PutMoved(list []Moved) error {
	rows := make([][]any, len(list))
	for i, m := range list {
		rows[i] = []any{m.UserID, []byte(m.Path), m.Size, micros(m.Mtime), microsOrZero(m.Ctime), m.FileID, m.VersionID}
	}
	return insert(tx.book, "PutMoved", &movedInserts, rows)
}

var (
	blobInserts = inserts(7, `INSERT INTO blobs (id, key, size, sha256, created_at, owner, refs, state)
		VALUES`, ", 'live'")
	fileInserts = inserts(7, `INSERT INTO files (`+fileColumns+`) VALUES`, "")
)

// AddBlobs is AddBlob for many, with one reference each.
func (tx *Tx) AddBlobs(list []Blob, at time.Time) error {
	rows := make([][]any, len(list))
	for i, b := range list {
		rows[i] = []any{b.ID, b.Key, b.Size, b.SHA256, micros(at), b.Owner, 1}
	}
	return insert(tx.book, "AddBlobs", &blobInserts, rows)
}

// AddFiles records names that are free. A taken one is Exists.
func (tx *Tx) AddFiles(list []File) error {
	rows := make([][]any, len(list))
	for i, f := range list {
		rows[i] = []any{f.DirID, []byte(f.Name), f.FileID, f.VersionID, f.Size, micros(f.Mtime), int64(f.Mode)}
	}
	return insert(tx.exec, "AddFiles", &fileInserts, rows)
}
