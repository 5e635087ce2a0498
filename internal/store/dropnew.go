package store

import (
	"database/sql"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// NewDrop is a drop's row as the commit writes it.
type NewDrop struct {
	VersionID, UserID, Path, Fingerprint, Address string
	Size                                          int64
	SHA256                                        []byte
	ReceivedAt                                    int64  // µs
	Scanner                                       string // must clear it before others see it; "" for none
	ReadyAt                                       int64  // µs; when it is handed on; 0: at once
	Duplicate, DuplicateOf                        string
}

// AddDrops records drops.
func (tx *Tx) AddDrops(list []NewDrop) error {
	return inChunks(list, func(part []NewDrop) error {
		args := make([]any, 0, len(part)*15)
		for _, d := range part {
			state := exchange.DropNew
			if d.Scanner != "" {
				state = exchange.DropUnscanned
			}
			args = append(args, d.VersionID, d.UserID, []byte(d.Path), []byte(path.Base(d.Path)), d.Size, d.SHA256, d.Fingerprint, d.Address, state,
				d.ReceivedAt, flag(d.Scanner == ""), d.Duplicate, d.DuplicateOf, d.Scanner, d.ReadyAt, 0)
		}
		_, err := tx.exec("AddDrops", `INSERT INTO drops (id, user_id, path, name, size, sha256, fingerprint, address, state, received_at, cleared,
			duplicate, duplicate_of, scanner, ready_at, withdrawn) VALUES `+marks(len(part), 16, 1), args...)
		return err
	})
}

// Twins finds the newest drops of a user that share a content or a name with some, superseded
// ones left out, by content and by name. Each is one step in an index, however many there are.
func (q *Q) Twins(userID string, list []NewDrop) (byContent, byName map[string]string, err error) {
	byContent, byName = map[string]string{}, map[string]string{}
	find := func(column string, out map[string]string, value func(NewDrop) []byte) error {
		return inChunks(list, func(part []NewDrop) error {
			args := []any{userID}
			for _, d := range part {
				args = append(args, value(d))
			}
			_, err := collect(q, "Twins", func(r *sql.Rows) (struct{}, error) {
				var i int
				var id string
				err := r.Scan(&i, &id)
				if id != "" {
					out[string(value(part[i]))] = id
				}
				return struct{}{}, err
			}, twinQuery(column, len(part)), args...)
			return err
		})
	}
	if err = find("sha256", byContent, func(d NewDrop) []byte { return d.SHA256 }); err == nil {
		err = find("name", byName, func(d NewDrop) []byte { return []byte(path.Base(d.Path)) })
	}
	return byContent, byName, err
}

// twinQuery asks for the newest drop of each of n values.
func twinQuery(column string, n int) string {
	if text, ok := twinQueries.Load([2]any{column, n}); ok {
		return text.(string)
	}
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		fmt.Fprintf(&b, `SELECT %d, COALESCE((SELECT MAX(id) FROM drops WHERE %s = $%d AND user_id = $1 AND state <> 'superseded'), '')`, i, column, i+2)
	}
	twinQueries.Store([2]any{column, n}, b.String())
	return b.String()
}

var twinQueries sync.Map // [column, n] → string

// TwinByContent is the newest drop of a user with a content that came before one,
// superseded ones left out; "" when there is none.
func (q *Q) TwinByContent(userID string, sha256 []byte, before string) (id string, err error) {
	err = q.scanOne("TwinByContent", `SELECT COALESCE((SELECT MAX(id) FROM drops WHERE sha256 = $2 AND user_id = $1 AND id < $3 AND state <> 'superseded'), '')`,
		[]any{userID, sha256, before}, &id)
	return id, err
}

// TwinByName is the newest drop of a user with a name that came before one,
// superseded ones left out; "" when there is none.
func (q *Q) TwinByName(userID, name, before string) (id string, err error) {
	err = q.scanOne("TwinByName", `SELECT COALESCE((SELECT MAX(id) FROM drops WHERE name = $2 AND user_id = $1 AND id < $3 AND state <> 'superseded'), '')`,
		[]any{userID, []byte(name), before}, &id)
	return id, err
}
