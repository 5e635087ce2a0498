package store

import "database/sql"

// Listed is a file of a directory with its content.
type Listed struct {
	File    File
	Content Content // without HashState
}

// aheadQueries list files of a directory with their contents, and with their bytes as well, if the database
// has them.
var aheadQueries = func() (queries [2]string) {
	const columns = `SELECT f.name, f.file_id, f.version_id, f.size, f.mtime, f.mode,
		b.id, b.key, b.size, b.sha256, NULL, v.stored_at, b.body`
	const from = ` FROM files f JOIN versions v ON v.id = f.version_id JOIN blobs b ON b.id = v.blob_id`
	// Of LIMIT $3 alone, SQLite makes a new plan for each call.
	const where = ` WHERE f.dir_id = $1 AND f.name >= $2 ORDER BY f.name LIMIT 0 + $3`
	return [...]string{columns + from + where, columns + ", o.bytes" + from + lookBody + where}
}()

// FilesFrom lists files of a directory from a name on, in byte order, with their contents. With bodies, it
// sets Content.Body of those whose bytes the database has, and ends after about most bytes of them.
func (q *Q) FilesFrom(dir, name string, limit int, bodies bool, most int64) ([]Listed, error) {
	query := aheadQueries[0]
	if bodies {
		query = aheadQueries[1]
	}
	return collectUntil(q, "FilesFrom", func(r *sql.Rows) (Listed, error) { return scanListed(r, dir, bodies) },
		func(l Listed) bool {
			most -= int64(len(l.Content.Body))
			return most <= 0
		}, query, dir, []byte(name), limit)
}

func scanListed(r *sql.Rows, dir string, bodies bool) (l Listed, err error) {
	var f nullFile
	var name sql.RawBytes
	dest := append([]any{&name}, f.dest()...)
	if bodies {
		dest = append(dest, &f.body)
	}
	if err := r.Scan(dest...); err != nil {
		return l, err
	}
	file, content := f.file(dir, string(name))
	content.Body = f.body
	return Listed{File: *file, Content: content}, nil
}
