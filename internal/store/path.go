package store

import (
	"database/sql"
	"fmt"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// A path is followed to its rows with one query, or with a few if it is very deep.

// walkDepth is how many levels a query with joins follows. Deeper paths, which are few, take a
// recursive query, which costs more.
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
// len(names)+1. A missing root is NotFound.
func (q *Q) Walk(root string, names []string) ([]Dir, error) {
	if len(names) > walkDepth {
		found, err := q.lookDeep(root, names)
		return found.Dirs, err
	}
	rows := make([]nullDir, len(names)+1)
	dest := make([]any, 0, 8*len(rows))
	for i := range rows {
		dest = append(dest, rows[i].dest()...)
	}
	if err := q.scanOne("Walk", walkQueries[len(names)], pathArgs(root, names), dest...); err != nil {
		return nil, err
	}
	return present(rows), nil
}

// present returns the rows before the first absent one.
func present(rows []nullDir) []Dir {
	found := make([]Dir, 0, len(rows))
	for i := range rows {
		if !rows[i].id.Valid {
			break
		}
		found = append(found, rows[i].dir())
	}
	return found
}

// The columns of the file f and of its content, and the joins for the content.
const (
	lookFile = `, f.file_id, f.version_id, f.size, f.mtime, f.mode,
		b.id, b.key, b.size, b.sha256, v.hash_state, v.stored_at, b.body`
	lookContent = ` LEFT JOIN versions v ON v.id = f.version_id LEFT JOIN blobs b ON b.id = v.blob_id`
	lookBody    = ` LEFT JOIN bodies o ON o.id = b.body`
)

// lookQueries[n] follows n names as walkQueries does, and finds the file of the
// last one's name in the directory before it, with its content. readQueries also have its bytes, if the
// database has them, and writeQueries the mailbox's use.
var lookQueries, readQueries, writeQueries = func() (look, read, write [walkDepth + 1]string) {
	for n := 1; n < len(look); n++ {
		columns, from := "SELECT "+pathColumns(n)+lookFile, pathJoins(n)+fileJoin(n)+lookContent
		look[n] = columns + from + pathRoot
		read[n] = columns + ", o.bytes" + from + lookBody + pathRoot
		write[n] = columns + ", " + usageColumns + from + " JOIN mailboxes m ON m.user_id = d0.id" + pathRoot
	}
	return look, read, write
}()

// Found is what a path leads to.
type Found struct {
	Dirs    []Dir // along the path, root first, as far as they exist
	File    *File // the file that the last name names; nil if there is none
	Content Content
	Usage   Usage // of the mailbox, from LookToWrite; Tree is 0 if it is not known
}

// Look follows names down from a root and finds the file that the last one may
// name.
func (q *Q) Look(root string, names []string) (out Found, err error) {
	return q.look(root, names, &lookQueries, nil)
}

// LookToRead is Look, and sets Content.Body if the database has the file's bytes. It may leave that out.
func (q *Q) LookToRead(root string, names []string) (out Found, err error) {
	var body []byte
	out, err = q.look(root, names, &readQueries, []any{&body})
	out.Content.Body = body
	return out, err
}

// LookToWrite is Look of a user's mailbox, and sets Usage. It may leave that out.
func (q *Q) LookToWrite(root string, names []string) (out Found, err error) {
	var use Usage
	out, err = q.look(root, names, &writeQueries, use.dest())
	out.Usage = use
	return out, err
}

// look runs one of the queries; more are where its further columns go.
func (q *Q) look(root string, names []string, queries *[walkDepth + 1]string, more []any) (out Found, err error) {
	switch n := len(names); {
	case n == 0:
		out.Dirs, err = q.Walk(root, nil)
		return out, err
	case n > walkDepth:
		return q.lookDeep(root, names)
	}
	rows := make([]nullDir, len(names)+1)
	dest := make([]any, 0, 8*len(rows)+24)
	for i := range rows {
		dest = append(dest, rows[i].dest()...)
	}
	var f nullFile
	dest = append(append(dest, f.dest()...), more...)
	if err := q.scanOne("Look", queries[len(names)], pathArgs(root, names), dest...); err != nil {
		return out, err
	}
	out.Dirs = present(rows)
	out.take(&f, names)
	return out, nil
}

// Purpose is what a path is looked up for.
type Purpose int

// Purposes of a look-up: what else it finds.
const (
	ToSee   Purpose = iota
	ToRead          // Content.Body, as LookToRead
	ToWrite         // Usage, as LookToWrite
)

// LookFor is Look, LookToRead or LookToWrite.
func (q *Q) LookFor(what Purpose, root string, names []string) (Found, error) {
	switch what {
	case ToRead:
		return q.LookToRead(root, names)
	case ToWrite:
		return q.LookToWrite(root, names)
	}
	return q.Look(root, names)
}

// inQueries find a name in a directory, by purpose.
var inQueries = func() (queries [3]string) {
	columns := "SELECT " + dirColumns("d") + lookFile
	const from = ` FROM (SELECT 1 AS one) o1 LEFT JOIN dirs d ON d.parent_id = $1 AND d.name = $2
		LEFT JOIN files f ON f.dir_id = $1 AND f.name = $2` + lookContent
	return [...]string{columns + from, columns + ", o.bytes" + from + lookBody,
		columns + ", " + usageColumns + from + " JOIN mailboxes m ON m.user_id = $3"}
}()

// LookIn is LookFor of a name in a directory that is known: the last of dirs, which lead to it from the
// root.
func (q *Q) LookIn(what Purpose, dirs []Dir, name string) (out Found, err error) {
	last := dirs[len(dirs)-1]
	var d nullDir
	var f nullFile
	args, dest := []any{last.ID, []byte(name)}, append(d.dest(), f.dest()...)
	switch what {
	case ToRead:
		dest = append(dest, &f.body)
	case ToWrite:
		args, dest = append(args, dirs[0].ID), append(dest, out.Usage.dest()...)
	}
	if err := q.scanOne("Look", inQueries[what], args, dest...); err != nil {
		return Found{}, err
	}
	out.Dirs = dirs[:len(dirs):len(dirs)]
	if d.id.Valid {
		out.Dirs = append(out.Dirs, d.dir())
	} else if f.fileID.Valid {
		out.File, out.Content = f.file(last.ID, name)
		out.Content.Body = f.body
	}
	return out, nil
}

// take sets File and Content if the last name is a file's.
func (out *Found) take(f *nullFile, names []string) {
	if f.fileID.Valid && len(out.Dirs) == len(names) {
		out.File, out.Content = f.file(out.Dirs[len(out.Dirs)-1].ID, names[len(names)-1])
	}
}

// deepAtOnce is how many names one recursive query follows: the greatest allowed depth. Only
// directories made by an earlier release are deeper.
const deepAtOnce = valid.MaxDepth + 1

// lookDeep is Look for paths of any length.
func (q *Q) lookDeep(root string, names []string) (out Found, err error) {
	for {
		n := min(len(names), deepAtOnce)
		dirs, f, err := q.deep(root, names[:n])
		switch {
		case err != nil:
			return out, err
		case len(dirs) == 0 && len(out.Dirs) == 0:
			return out, q.s.wrap("Look", sql.ErrNoRows)
		case len(dirs) == 0:
			return out, nil // the directory was removed meanwhile
		}
		found := len(dirs) - 1 // names
		if len(out.Dirs) > 0 {
			dirs = dirs[1:] // the first row is in out.Dirs already
		}
		out.Dirs = append(out.Dirs, dirs...)
		if names = names[n:]; len(names) == 0 {
			if f.fileID.Valid {
				last := out.Dirs[len(out.Dirs)-1]
				out.File, out.Content = f.file(last.ID, f.name)
			}
			return out, nil
		}
		if found < n {
			return out, nil
		}
		root = out.Dirs[len(out.Dirs)-1].ID
	}
}

// deep follows up to deepAtOnce names with one query. A file is found in the
// directory before the last name.
func (q *Q) deep(root string, names []string) (dirs []Dir, last nullFile, err error) {
	n := len(names)
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("(%d, $%d%s)", i+1, i+2, q.s.dialect.bytes)
	}
	query := `WITH RECURSIVE names (n, name) AS (VALUES ` + strings.Join(list, ", ") + `),
		walk (depth, id, user_id, parent_id, name, rights, fixed, staging, on_way, mtime) AS (
			SELECT 0, ` + dirColumns("d") + ` FROM dirs d WHERE d.id = $1
			UNION ALL
			SELECT w.depth + 1, ` + dirColumns("d") + ` FROM walk w JOIN names ON names.n = w.depth + 1
			JOIN dirs d ON d.parent_id = w.id AND d.name = names.name)
		SELECT ` + dirColumns("w") + lookFile + ` FROM walk w
		LEFT JOIN files f ON w.depth = ` + fmt.Sprint(n-1) + ` AND f.dir_id = w.id AND f.name = $` + fmt.Sprint(n+1) +
		lookContent + ` ORDER BY w.depth`
	dirs, err = collect(q, "Look", func(r *sql.Rows) (Dir, error) {
		var d nullDir
		var f nullFile
		err := r.Scan(append(d.dest(), f.dest()...)...)
		if f.fileID.Valid {
			last, last.name = f, names[n-1]
		}
		return d.dir(), err
	}, query, pathArgs(root, names)...)
	return dirs, last, err
}

// Spot is where a file is to be placed.
type Spot struct {
	DirID string // the directory that the file goes into; "" if it is missing
	Taken bool   // a directory has the name
	Old   *File  // the file that has the name, without times and mode; nil if there is none
}

// placementQueries[n] finds the place of the last of n names. Publishing runs it for every mailbox, so
// it reads only what it needs.
var placementQueries = func() (queries [walkDepth + 1]string) {
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
	if err := q.scanOne("Spot", placementQueries[len(names)], args, &out.DirID, &out.Taken, &old.FileID, &old.VersionID,
		&old.Size); err != nil {
		return out, err
	}
	if old.DirID = out.DirID; old.FileID != "" {
		out.Old = &old
	}
	return out, nil
}

// SplitPath cuts a clean absolute path into names; "/" has none.
func SplitPath(path string) []string {
	if path == "/" {
		return nil
	}
	return strings.Split(path[1:], "/")
}

// DirPath returns a directory's path, and whether the directory or one above it is a staging folder.
// If the directory is gone, it is NotFound.
func (q *Q) DirPath(id string) (path string, staging bool, err error) {
	up, err := collect(q, "DirPath", func(r *sql.Rows) (Dir, error) {
		var d nullDir
		err := r.Scan(&d.parent, &d.name, &d.staging)
		return d.dir(), err
	}, `WITH RECURSIVE up (height, parent_id, name, staging) AS (
			SELECT 0, parent_id, name, staging FROM dirs WHERE id = $1
			UNION ALL
			SELECT up.height + 1, d.parent_id, d.name, d.staging FROM up JOIN dirs d ON d.id = up.parent_id WHERE up.height < $2)
		SELECT parent_id, name, staging FROM up ORDER BY height`, id, valid.MaxPath)
	if err != nil {
		return "", false, err
	}
	if len(up) == 0 || up[len(up)-1].Parent != "" {
		return "", false, q.s.wrap("DirPath", sql.ErrNoRows)
	}
	names := make([]string, 0, len(up))
	for i := len(up) - 1; i >= 0; i-- {
		staging = staging || up[i].Staging
		if up[i].Parent != "" { // the root has no name in a path
			names = append(names, up[i].Name)
		}
	}
	return "/" + strings.Join(names, "/"), staging, nil
}

// Height returns how many levels of directories lie below one. It looks at the first limit directories
// only. If there are more, all is false and height is a lower bound.
func (q *Q) Height(dir string, limit int) (height int, all bool, err error) {
	var seen int
	err = q.scanOne("Height", `WITH RECURSIVE below (id, depth) AS (
			SELECT id, 0 FROM dirs WHERE id = $1
			UNION ALL
			SELECT d.id, b.depth + 1 FROM below b JOIN dirs d ON d.parent_id = b.id)
		SELECT COALESCE(MAX(depth), 0), COUNT(*) FROM (SELECT depth FROM below LIMIT $2) b`, []any{dir, limit + 1}, &height,
		&seen)
	return height, seen <= limit, err
}
