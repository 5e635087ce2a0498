package store

import (
	"database/sql"

	"github.com/sallyport-sftp/sallyport/model"
)

// NoteKind says what a note or a tag is about.
type NoteKind string

// What notes and tags are about. The key of a user is its id.
const (
	AboutAccount NoteKind = "account"
	AboutVendor  NoteKind = "vendor"
	AboutUser    NoteKind = "user"
)

const noteColumns = `SELECT n.id, n.kind, n.about, COALESCE(u.name, ''), n.at, n.actor, n.text FROM notes n
	LEFT JOIN users u ON n.kind = 'user' AND u.id = n.about`

func scanNote(r *sql.Rows) (n model.Note, err error) {
	var kind NoteKind
	var about, user string
	err = r.Scan(&n.ID, &kind, &about, &user, stamp{&n.At}, &n.Actor, &n.Text)
	switch kind {
	case AboutAccount:
		n.Account = about
	case AboutVendor:
		n.Vendor = about
	case AboutUser:
		n.User = user
	}
	return n, err
}

// Notes lists notes, the newest first, one page of them: about one thing, or all if kind is "".
func (q *Q) Notes(kind NoteKind, about string, p model.Paging) ([]model.Note, error) {
	if kind == "" {
		return collect(q, "Notes", scanNote, noteColumns+` WHERE n.id < $1 ORDER BY n.id DESC LIMIT $2`, before(p), most(p))
	}
	return collect(q, "Notes", scanNote, noteColumns+` WHERE n.kind = $1 AND n.about = $2 AND n.id < $3
		ORDER BY n.id DESC LIMIT $4`, kind, about, before(p), most(p))
}

// Note finds one note.
func (q *Q) Note(id string) (model.Note, error) {
	return one(q, "Note", scanNote, noteColumns+` WHERE n.id = $1`, id)
}

// AddNote records a note about something.
func (tx *Tx) AddNote(kind NoteKind, about string, n model.Note) error {
	_, err := tx.exec("AddNote", `INSERT INTO notes (id, kind, about, at, actor, text) VALUES ($1, $2, $3, $4, $5, $6)`,
		n.ID, kind, about, micros(n.At), n.Actor, n.Text)
	return err
}

// RemoveNote deletes a note.
func (tx *Tx) RemoveNote(id string) error {
	return tx.execOne("RemoveNote", `DELETE FROM notes WHERE id = $1`, id)
}

// SetTags replaces the tags of something. key is an account ID, a vendor's short name or a user's id.
func (tx *Tx) SetTags(kind NoteKind, key string, tags []string) error {
	statement := map[NoteKind]string{
		AboutAccount: `UPDATE accounts SET tags = $2 WHERE id = $1`,
		AboutVendor:  `UPDATE vendors SET tags = $2 WHERE short = $1`,
		AboutUser:    `UPDATE users SET tags = $2 WHERE id = $1`,
	}[kind]
	return tx.execOne("SetTags", statement, key, jsonList(tags))
}

// tagged selects rows whose list of tags has the tag in a parameter; all if it is "".
func tagged(column, parameter string) string {
	return `(` + parameter + ` = '' OR REPLACE(` + column + `, '"' || ` + parameter + ` || '"', '') <> ` + column + `)`
}
