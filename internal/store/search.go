package store

import (
	"database/sql"
	"fmt"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// A search by a part of a name has no index that it could use. It reads the newest SearchRows rows of each kind, which
// takes about a second for a million.

// SearchRows is how many rows of each kind a search by a part of a name reads.
const SearchRows = 1_000_000

// Source says where a search by a part of a name looks.
type Source int

// The sources, with what Named.ID is of.
const (
	SourcePublications Source = iota // publications
	SourceDrops                      // drops
	SourceDropNames                  // drops, by names that they had before
	SourceRefused                    // refused uploads
	SourceRemoved                    // audit rows of removals; Name is a path
	SourceStored                     // directories; Name is that of a stored file that is no drop and no delivery
)

// Named is a row that a search has found.
type Named struct{ ID, Name string }

// removals are the audit rows of one action. Those that are not sealed are few.
func removals(action string) string {
	return `SELECT * FROM (SELECT id, subject AS name, user_id FROM audit WHERE action = '` + action + `'
		AND seq IS NOT NULL ORDER BY id DESC LIMIT $5) sealed
		UNION ALL SELECT id, subject AS name, user_id FROM audit WHERE action = '` + action + `' AND seq IS NULL`
}

// sources have the newest rows of each source, a condition on the account $4, which may be "", and whether names are
// bytes.
var sources = [...]struct {
	rows, only string
	bytes      bool
}{
	SourcePublications: {`SELECT id, name FROM publications ORDER BY id DESC LIMIT $5`,
		` AND ($4 = '' OR EXISTS (SELECT 1 FROM publications p WHERE p.id = n.id AND (p.account_id = $4
		OR EXISTS (SELECT 1 FROM deliveries d JOIN users u ON u.id = d.user_id WHERE d.publication_id = p.id
		AND u.account_id = $4))))`, false},
	SourceDrops: {`SELECT id, name, user_id FROM drops ORDER BY id DESC LIMIT $5`, ofAccount, true},
	SourceDropNames: {`SELECT o.drop_id AS id, o.name, d.user_id FROM drop_names o JOIN drops d ON d.id = o.drop_id
		ORDER BY o.drop_id DESC LIMIT $5`, ofAccount, true},
	SourceRefused: {`SELECT id, name, user_id FROM refused_uploads ORDER BY id DESC LIMIT $5`, ofAccount, true},
	SourceRemoved: {removals("file.remove") + ` UNION ALL ` + removals("file.expire"), ofAccount, false},
	SourceStored: {`SELECT dir_id AS id, name, version_id FROM files ORDER BY name LIMIT $5`, ` AND EXISTS
		(SELECT 1 FROM versions v JOIN users u ON u.id = v.user_id WHERE v.id = n.version_id
		AND v.actor LIKE 'user:%' AND ($4 = '' OR u.account_id = $4))
		AND NOT EXISTS (SELECT 1 FROM drops d WHERE d.id = n.version_id)
		AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.version_id = n.version_id)`, true},
}

const ofAccount = ` AND ($4 = '' OR n.user_id IN (SELECT id FROM users WHERE account_id = $4))`

// Search lists rows of a source whose names contain a text, in any case: first those that equal it, then those that
// begin with it, then the others, each the newest first. Only ASCII letters of the text are compared, and those that
// are equal but for other characters are found, too: the caller looks again. account limits it to one account; "" is
// all.
func (q *Q) Search(from Source, text, account string, limit int) ([]Named, error) {
	src, like := sources[from], q.s.dialect.likeText
	if src.bytes {
		like = q.s.dialect.likeBytes
	}
	is := func(n int) string { return fmt.Sprintf(like, "n.name", fmt.Sprintf("$%d", n)) }
	part := pattern(text)
	begins := part + "%"
	if from == SourceRemoved { // paths
		part, begins = "%/"+part, "%/"+begins
	}
	return collect(q, "Search", func(r *sql.Rows) (n Named, err error) {
		var name []byte
		err = r.Scan(&n.ID, &name)
		n.Name = string(name)
		return n, err
	}, `SELECT n.id, n.name FROM (`+src.rows+`) n WHERE `+is(1)+src.only+`
		ORDER BY CASE WHEN `+is(2)+` THEN 0 WHEN `+is(3)+` THEN 1 ELSE 2 END, n.id DESC LIMIT $6`,
		"%"+pattern(text)+"%", part, begins, account, SearchRows, limit)
}

// pattern makes a LIKE pattern for a text: characters that LIKE or the databases treat in their own ways match any.
func pattern(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '%' || r == '\\' {
			return '%'
		}
		return r
	}, text)
}

// SearchedAll reports whether Search reads every publication and every drop.
func (q *Q) SearchedAll() (all bool, err error) {
	var older int64
	err = q.scanOne("SearchedAll", `SELECT
		(SELECT COUNT(*) FROM (SELECT id FROM publications ORDER BY id DESC LIMIT 1 OFFSET $1) p)
		+ (SELECT COUNT(*) FROM (SELECT id FROM drops ORDER BY id DESC LIMIT 1 OFFSET $1) d)`, []any{SearchRows}, &older)
	return older == 0, err
}

// NewestNames lists the names of the newest publications and drops: of an account, or of all if account is "".
func (q *Q) NewestNames(account string, limit int) (names []string, err error) {
	for _, query := range []string{
		`SELECT name FROM (SELECT id, name, account_id FROM publications ORDER BY id DESC LIMIT $2) p
			WHERE $1 = '' OR account_id IN ('', $1)`,
		`SELECT name FROM (SELECT name, user_id FROM drops ORDER BY id DESC LIMIT $2) d
			WHERE $1 = '' OR user_id IN (SELECT id FROM users WHERE account_id = $1)`,
		`SELECT name FROM (SELECT name, user_id FROM refused_uploads ORDER BY id DESC LIMIT $2) r
			WHERE $1 = '' OR user_id IN (SELECT id FROM users WHERE account_id = $1)`,
	} {
		list, err := collect(q, "NewestNames", func(r *sql.Rows) (string, error) {
			var name []byte
			err := r.Scan(&name)
			return string(name), err
		}, query, account, limit)
		if err != nil {
			return nil, err
		}
		names = append(names, list...)
	}
	return names, nil
}

// Removal is the audit row of a file's removal.
type Removal struct {
	model.AuditRow
	UserName, Account string
}

// Removal finds one audit row, with the account of its user; NotFound if the user is gone.
func (q *Q) Removal(id string) (out Removal, err error) {
	if out.AuditRow, err = one(q, "Removal", scanAudit, auditColumns+` WHERE id = $1`, id); err != nil {
		return out, err
	}
	u, err := q.UserByID(out.User)
	if err != nil {
		return out, fault.Missing("store.Removal", err, "The user is gone.")
	}
	out.UserName, out.Account = u.Name, u.Account
	return out, nil
}
