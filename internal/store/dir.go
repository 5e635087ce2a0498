package store

import (
	"database/sql"
	"fmt"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// Dir is one directory row.
type Dir struct {
	ID      string
	User    string // owner's id
	Parent  string // id; "" for the root
	Name    string // bytes
	Rights  *exchange.Rights
	Fixed   bool
	Staging bool
	Mtime   int64 // µs
}

// walkDepth is how many levels one query of Walk follows.
const walkDepth = 8

// walkQueries[n] follows n names down from a directory.
var walkQueries = func() (queries [walkDepth + 1]string) {
	for n := range queries {
		queries[n] = "SELECT " + pathColumns(n) + pathJoins(n) + pathRoot
	}
	return queries
}()

// pathColumns are those of the directories along n names, the root's first.
func pathColumns(n int) string {
	cols := dirColumns("d0")
	for i := 1; i <= n; i++ {
		cols += ", " + dirColumns(fmt.Sprintf("d%d", i))
	}
	return cols
}

// pathJoins follow n names down from a directory d0: $2 names d1, and so on.
func pathJoins(n int) string {
	joins := " FROM dirs d0"
	for i := 1; i <= n; i++ {
		joins += fmt.Sprintf(" LEFT JOIN dirs d%d ON d%d.parent_id = d%d.id AND d%d.name = $%d", i, i, i-1, i, i+1)
	}
	return joins
}

// fileJoin finds the file f of the nth name, in the directory before it.
func fileJoin(n int) string {
	return fmt.Sprintf(" LEFT JOIN files f ON f.dir_id = d%d.id AND f.name = $%d", n-1, n+1)
}

const pathRoot = " WHERE d0.id = $1"

func dirColumns(t string) string {
	return strings.ReplaceAll("T.id, T.user_id, T.parent_id, T.name, T.rights, T.fixed, T.staging, T.mtime", "T", t)
}

// nullDir scans a directory that may be absent.
type nullDir struct {
	id, user, parent sql.NullString
	name             []byte
	rights           sql.NullInt64
	fixed, staging   sql.NullBool
	mtime            sql.NullInt64
}

func (d *nullDir) dest() []any {
	return []any{&d.id, &d.user, &d.parent, &d.name, &d.rights, &d.fixed, &d.staging, &d.mtime}
}

func (d *nullDir) dir() Dir {
	out := Dir{ID: d.id.String, User: d.user.String, Parent: d.parent.String, Name: string(d.name),
		Fixed: d.fixed.Bool, Staging: d.staging.Bool, Mtime: d.mtime.Int64}
	if d.rights.Valid {
		r := exchange.Rights(d.rights.Int64)
		out.Rights = &r
	}
	return out
}

// pathArgs are a root and names as the queries below take them.
func pathArgs(root string, names []string) []any {
	args := make([]any, 1, len(names)+1)
	args[0] = root
	for _, name := range names {
		args = append(args, []byte(name))
	}
	return args
}

// Walk follows names down from the directory root and returns the rows it
// found, root first. A missing name ends the list: it is shorter than
// len(names)+1. A missing root is NotFound. One query for eight levels.
func (q *Q) Walk(root string, names []string) ([]Dir, error) {
	found := make([]Dir, 0, len(names)+1)
	for {
		n := min(len(names), walkDepth)
		args := pathArgs(root, names[:n])
		rows := make([]nullDir, n+1)
		dest := make([]any, 0, 8*len(rows))
		for i := range rows {
			dest = append(dest, rows[i].dest()...)
		}
		if err := q.scanOne("Walk", walkQueries[n], args, dest...); err != nil {
			return nil, err
		}
		for i := range rows {
			if !rows[i].id.Valid {
				return found, nil
			}
			if i > 0 || len(found) == 0 { // a later query starts at a known row
				found = append(found, rows[i].dir())
			}
		}
		if names = names[n:]; len(names) == 0 {
			return found, nil
		}
		root = found[len(found)-1].ID
	}
}

// lookQueries[n] follows n names as walkQueries does, and finds the file of the
// last one's name in the directory before it, with its content.
var lookQueries = func() (queries [walkDepth + 1]string) {
	const (
		file    = `, f.file_id, f.version_id, f.size, f.mtime, f.mode, b.id, b.key, b.size, b.sha256, v.hash_state, v.stored_at`
		content = ` LEFT JOIN versions v ON v.id = f.version_id LEFT JOIN blobs b ON b.id = v.blob_id`
	)
	for n := 1; n < len(queries); n++ {
		queries[n] = "SELECT " + pathColumns(n) + file + pathJoins(n) + fileJoin(n) + content + pathRoot
	}
	return queries
}()

// Found is what a path leads to.
type Found struct {
	Dirs    []Dir // along the path, root first, as far as they exist
	File    *File // the last name's, if it is a file's
	Content Content
}

// Look follows names down from a root and finds the file that the last one may
// name, in one query where the path is at most eight names long.
func (q *Q) Look(root string, names []string) (out Found, err error) {
	head := 0
	if len(names) > walkDepth {
		head = len(names) - walkDepth
		if out.Dirs, err = q.Walk(root, names[:head]); err != nil || len(out.Dirs) <= head {
			return out, err
		}
		root, names = out.Dirs[head].ID, names[head:]
		out.Dirs = out.Dirs[:head]
	}
	if len(names) == 0 {
		out.Dirs, err = q.Walk(root, nil)
		return out, err
	}
	args := pathArgs(root, names)
	rows := make([]nullDir, len(names)+1)
	dest := make([]any, 0, 8*len(rows)+11)
	for i := range rows {
		dest = append(dest, rows[i].dest()...)
	}
	var f nullFile
	if err := q.scanOne("Look", lookQueries[len(names)], args, append(dest, f.dest()...)...); err != nil {
		return out, err
	}
	for i := range rows {
		if !rows[i].id.Valid {
			break
		}
		out.Dirs = append(out.Dirs, rows[i].dir())
	}
	if f.fileID.Valid && len(out.Dirs) == head+len(names) {
		out.File, out.Content = f.file(out.Dirs[len(out.Dirs)-1].ID, names[len(names)-1])
	}
	return out, nil
}

// Spot is where a file is to be placed.
type Spot struct {
	DirID string // of the directory that it goes into; "" when that is missing
	Taken bool   // a directory has the name
	Old   *File  // a file that has it: id, version and size
}

// spotQueries[n] follows n names to the last one's place. A fan-out asks this
// of every mailbox, so it reads no more than it needs.
var spotQueries = func() (queries [walkDepth + 1]string) {
	const place = `SELECT COALESCE(d%d.id, ''), CASE WHEN d%d.id IS NULL THEN 0 ELSE 1 END,
		COALESCE(f.file_id, ''), COALESCE(f.version_id, ''), COALESCE(f.size, 0)`
	for n := 1; n < len(queries); n++ {
		queries[n] = fmt.Sprintf(place, n-1, n) + pathJoins(n) + fileJoin(n) + pathRoot
	}
	return queries
}()

// Spot follows names down from a root to the place of the last one.
func (q *Q) Spot(root string, names []string) (out Spot, err error) {
	if head := len(names) - walkDepth; head > 0 {
		dirs, err := q.Walk(root, names[:head])
		if err != nil || len(dirs) <= head {
			return out, err
		}
		root, names = dirs[head].ID, names[head:]
	}
	args := pathArgs(root, names)
	old := File{Name: names[len(names)-1]}
	if err := q.scanOne("Spot", spotQueries[len(names)], args, &out.DirID, &out.Taken, &old.FileID, &old.VersionID, &old.Size); err != nil {
		return out, err
	}
	if old.DirID = out.DirID; old.FileID != "" {
		out.Old = &old
	}
	return out, nil
}

// nullFile scans a file with its content, which may be absent.
type nullFile struct {
	fileID, versionID, blobID, key   sql.NullString
	size, mtime, mode, bytes, stored sql.NullInt64
	sha256, state                    []byte
}

func (f *nullFile) dest() []any {
	return []any{&f.fileID, &f.versionID, &f.size, &f.mtime, &f.mode, &f.blobID, &f.key, &f.bytes, &f.sha256, &f.state, &f.stored}
}

func (f *nullFile) file(dir, name string) (*File, Content) {
	return &File{DirID: dir, Name: name, FileID: f.fileID.String, VersionID: f.versionID.String, Size: f.size.Int64,
			Mtime: f.mtime.Int64, Mode: uint32(f.mode.Int64)},
		Content{VersionID: f.versionID.String, BlobID: f.blobID.String, Key: f.key.String, Size: f.bytes.Int64,
			SHA256: f.sha256, HashState: f.state, StoredAt: f.stored.Int64}
}

// Subdirs lists directories of a parent with names after a name, in byte order.
func (q *Q) Subdirs(parent, after string, limit int) ([]Dir, error) {
	return collect(q, "Subdirs", func(r *sql.Rows) (Dir, error) {
		var d nullDir
		err := r.Scan(d.dest()...)
		return d.dir(), err
	}, `SELECT `+dirColumns("d")+` FROM dirs d WHERE parent_id = $1 AND name > $2 ORDER BY name LIMIT $3`, parent, []byte(after), limit)
}

// DirEmpty reports whether a directory has neither files nor directories.
func (q *Q) DirEmpty(id string) (bool, error) {
	var n int64
	err := q.scanOne("DirEmpty", `SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM dirs WHERE parent_id = $1 LIMIT 1) d)
		+ (SELECT COUNT(*) FROM (SELECT 1 FROM files WHERE dir_id = $1 LIMIT 1) f)`, []any{id}, &n)
	return n == 0, err
}

// AddDir records a directory; a taken name is Exists.
func (tx *Tx) AddDir(d Dir) error {
	var rights any
	if d.Rights != nil {
		rights = int64(*d.Rights)
	}
	_, err := tx.exec("AddDir", `INSERT INTO dirs (id, user_id, parent_id, name, rights, fixed, staging, mtime)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, d.ID, d.User, d.Parent, []byte(d.Name), rights, flag(d.Fixed), flag(d.Staging), d.Mtime)
	return err
}

// SetDirRights changes what partners may do in a directory and fixes it in place.
func (tx *Tx) SetDirRights(id string, rights exchange.Rights) error {
	return tx.execOne("SetDirRights", `UPDATE dirs SET rights = $2, fixed = 1 WHERE id = $1`, id, int64(rights))
}

// MoveDir gives a directory another parent and name; a taken name is Exists.
func (tx *Tx) MoveDir(id, parent, name string, mtime int64) error {
	return tx.execOne("MoveDir", `UPDATE dirs SET parent_id = $2, name = $3, mtime = $4 WHERE id = $1`, id, parent, []byte(name), mtime)
}

// RemoveDir deletes an empty directory's row.
func (tx *Tx) RemoveDir(id string) error {
	return tx.execOne("RemoveDir", `DELETE FROM dirs WHERE id = $1`, id)
}

// SplitPath cuts a clean absolute path into names; "/" has none.
func SplitPath(path string) []string {
	if path == "/" {
		return nil
	}
	return strings.Split(path[1:], "/")
}

// DirPath is the path of a directory by its id, and whether it, or one above
// it, is a staging folder. A directory that is gone is NotFound.
func (q *Q) DirPath(id string) (path string, staging bool, err error) {
	for depth := 0; depth < exchange.MaxPath; depth++ {
		var d nullDir
		if err := q.scanOne("DirPath", `SELECT `+dirColumns("d")+` FROM dirs d WHERE id = $1`, []any{id}, d.dest()...); err != nil {
			return "", false, err
		}
		staging = staging || d.staging.Bool
		if d.parent.String == "" {
			return "/" + strings.TrimSuffix(path, "/"), staging, nil
		}
		path = string(d.name) + "/" + path
		id = d.parent.String
	}
	return "", false, q.s.wrap("DirPath", sql.ErrNoRows)
}

// FixedDirs lists the directories that the operator made in a mailbox, the
// root among them.
func (q *Q) FixedDirs(userID string) ([]Dir, error) {
	return collect(q, "FixedDirs", func(r *sql.Rows) (Dir, error) {
		var d nullDir
		err := r.Scan(d.dest()...)
		return d.dir(), err
	}, `SELECT `+dirColumns("d")+` FROM dirs d WHERE d.user_id = $1 AND d.fixed = 1 ORDER BY d.id`, userID)
}
