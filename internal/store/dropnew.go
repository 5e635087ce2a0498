package store

import (
	"database/sql"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

// NewDrop is a drop's row as the commit writes it.
type NewDrop struct {
	VersionID, UserID, Path, Fingerprint, Address string
	Size                                          int64
	SHA256                                        []byte
	ReceivedAt                                    time.Time
	Scanner                                       string    // must clear it before others see it; "" for none
	ReadyAt                                       time.Time // when it is handed on; zero: at once
	Duplicate, DuplicateOf                        string
}

var dropInserts = inserts(15, `INSERT INTO drops (id, user_id, path, name, size, sha256, fingerprint, address, state,
	received_at, cleared,
	duplicate, duplicate_of, scanner, ready_at, withdrawn) VALUES`, `, 0`)

// AddDrops records drops.
func (tx *Tx) AddDrops(list []NewDrop) error {
	rows := make([][]any, len(list))
	for i, d := range list {
		state := model.DropNew
		if d.Scanner != "" {
			state = model.DropUnscanned
		}
		rows[i] = []any{d.VersionID, d.UserID, []byte(d.Path), []byte(path.Base(d.Path)), d.Size, d.SHA256, d.Fingerprint,
			d.Address, state, micros(d.ReceivedAt), flag(d.Scanner == ""), d.Duplicate, d.DuplicateOf, d.Scanner,
			microsOrZero(d.ReadyAt)}
	}
	return insert(tx.exec, "AddDrops", &dropInserts, rows)
}

// Twins finds, for each drop of list, the user's newest drop with the same content and the newest with
// the same name. Superseded drops are left out. The keys of the maps are SHA-256 bytes and names, the
// values are ids. Each look-up is one step in an index, however many drops there are.
func (q *Q) Twins(userID string, list []NewDrop) (byContent, byName map[string]string, err error) {
	if byContent, err = sameBefore(q, userID, &contentTwins, list,
		func(d NewDrop) []byte { return d.SHA256 }); err == nil {
		byName, err = sameBefore(q, userID, &nameTwins, list, func(d NewDrop) []byte { return []byte(path.Base(d.Path)) })
	}
	return byContent, byName, err
}

func sameBefore(q *Q, userID string, queries *[rowsAtOnce]string, list []NewDrop,
	value func(NewDrop) []byte) (map[string]string, error) {
	out := map[string]string{}
	for part := range slices.Chunk(list, rowsAtOnce) {
		args := []any{userID}
		for _, d := range part {
			args = append(args, value(d))
		}
		if _, err := collect(q, "Twins", func(r *sql.Rows) (struct{}, error) {
			var i int
			var id string
			err := r.Scan(&i, &id)
			if id != "" {
				out[string(value(part[i]))] = id
			}
			return struct{}{}, err
		}, queries[len(part)-1], args...); err != nil {
			return nil, err
		}
	}
	return out, nil
}

var contentTwins, nameTwins = twinQueries("sha256"), twinQueries("name")

// twinQueries ask for the newest drop of each of 1 to rowsAtOnce values of a column.
func twinQueries(column string) (out [rowsAtOnce]string) {
	var b strings.Builder
	for i := range rowsAtOnce {
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		fmt.Fprintf(&b, `SELECT %d, COALESCE((SELECT MAX(id) FROM drops WHERE %s = $%d AND user_id = $1
			AND state <> 'superseded'), '')`, i, column, i+2)
		out[i] = b.String()
	}
	return out
}

// TwinByContent returns the id of a user's newest drop with a content among those with ids below
// before; superseded ones are left out. It returns "" if there is none.
func (q *Q) TwinByContent(userID string, sha256 []byte, before string) (id string, err error) {
	err = q.scanOne("TwinByContent", `SELECT COALESCE((SELECT MAX(id) FROM drops WHERE sha256 = $2 AND user_id = $1
		AND id < $3 AND state <> 'superseded'), '')`,
		[]any{userID, sha256, before}, &id)
	return id, err
}

// TwinByName is TwinByContent by name.
func (q *Q) TwinByName(userID, name, before string) (id string, err error) {
	err = q.scanOne("TwinByName", `SELECT COALESCE((SELECT MAX(id) FROM drops WHERE name = $2 AND user_id = $1 AND id < $3
		AND state <> 'superseded'), '')`,
		[]any{userID, []byte(name), before}, &id)
	return id, err
}
