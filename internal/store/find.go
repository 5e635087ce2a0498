package store

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

// Finding has two kinds of queries. Tables of partners (accounts, vendors, users, contacts, keys,
// feeds) have thousands of rows, and are searched whole for a text in any place. Tables of files have
// millions: they are asked for exact values and for beginnings that an index has, and the text inside a
// name is looked for among the newest rows alone.

// within selects rows that have a text, in lower case, in one of some columns.
func within(parameter string, columns ...string) string {
	tests := make([]string, len(columns))
	for i, c := range columns {
		tests[i] = `REPLACE(LOWER(` + c + `), ` + parameter + `, '') <> LOWER(` + c + `)`
	}
	return `(` + strings.Join(tests, ` OR `) + `)`
}

// first sorts rows whose column is the text before those that have it elsewhere.
func first(parameter, column string) string {
	return `CASE WHEN LOWER(` + column + `) = ` + parameter + ` THEN 0 ELSE 1 END`
}

// AccountsLike lists accounts with a text in their ID, name, tags or manager.
func (q *Q) AccountsLike(text string, most int) ([]model.Account, error) {
	return collect(q, "AccountsLike", scanAccount, accountColumns+` WHERE `+
		within("$1", "id", "name", "tags", "manager", "manager_email")+` ORDER BY `+first("$1", "id")+`, id LIMIT $2`,
		strings.ToLower(text), most)
}

// VendorsLike lists vendors with a text in their short name, name or tags.
func (q *Q) VendorsLike(text string, most int) ([]model.Vendor, error) {
	return collect(q, "VendorsLike", scanVendor, vendorColumns+` WHERE `+within("$1", "short", "name", "tags")+
		` ORDER BY `+first("$1", "short")+`, short LIMIT $2`, strings.ToLower(text), most)
}

// UsersWith lists users with a text in their name or tags.
func (q *Q) UsersWith(text string, most int) ([]model.User, error) {
	return collect(q, "UsersWith", scanUser, userColumns+` WHERE `+within("$1", "u.name", "u.tags")+
		` ORDER BY `+first("$1", "u.name")+`, u.name LIMIT $2`, strings.ToLower(text), most)
}

// ContactsLike lists contacts with a text in their name, address or phone number. Those who left come
// last.
func (q *Q) ContactsLike(text string, most int) ([]model.Contact, error) {
	return collect(q, "ContactsLike", scanContact, contactColumns+` WHERE `+within("$1", "name", "email", "phone")+
		` ORDER BY `+hereFirst+` LIMIT $2`, strings.ToLower(text), most)
}

// FeedsLike lists feeds with a text in their name, title or kind.
func (q *Q) FeedsLike(text string, most int) ([]model.Feed, error) {
	return collect(q, "FeedsLike", scanFeed, feedColumns+` WHERE `+within("$1", "name", "title", "kind")+
		` ORDER BY `+first("$1", "name")+`, name LIMIT $2`, strings.ToLower(text), most)
}

// KeysBeginning lists keys whose fingerprint begins with a text, in any case of its letters, as it is read out on the
// telephone, or whose comment has it.
func (q *Q) KeysBeginning(fingerprint, comment string, most int) ([]model.Key, error) {
	return collect(q, "KeysBeginning", scanKey, keyColumns+` WHERE ($1 <> '' AND SUBSTR(LOWER(k.fingerprint), 1, $2) = $1
		OR $3 <> '' AND `+within("$3", "k.comment")+`) ORDER BY k.id LIMIT $4`,
		strings.ToLower(fingerprint), len(fingerprint), strings.ToLower(comment), most)
}

// BurnedBeginning lists blocked keys whose fingerprint begins with a text.
func (q *Q) BurnedBeginning(fingerprint string, most int) ([]string, error) {
	return collect(q, "BurnedBeginning", scanString, `SELECT fingerprint FROM burned_keys
		WHERE SUBSTR(LOWER(fingerprint), 1,
			$2) = $1 ORDER BY fingerprint LIMIT $3`, strings.ToLower(fingerprint), len(fingerprint), most)
}

// PendingBeginning lists keys that wait for approval and whose fingerprint begins with a text.
func (q *Q) PendingBeginning(fingerprint string, most int) ([]model.PendingKey, error) {
	return collect(q, "PendingBeginning", scanPending, pendingColumns+` WHERE SUBSTR(LOWER(p.fingerprint), 1, $2) = $1
		ORDER BY p.fingerprint, u.name LIMIT $3`, strings.ToLower(fingerprint), len(fingerprint), most)
}

// FoundFile is a file in a mailbox, or the record of one.
type FoundFile struct {
	ID            string // of a drop or a publication; "" for a file in a mailbox
	User, Account string
	Name, Feed    string
	Size          int64
	At            time.Time
}

// above returns the first text, in byte order, that does not begin with a prefix. There is none, and it
// returns nil, for a prefix of 0xff alone.
func above(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for len(end) > 0 {
		if end[len(end)-1]++; end[len(end)-1] != 0 {
			return end
		}
		end = end[:len(end)-1]
	}
	return nil
}

// FilesBeginning lists files in mailboxes whose name begins with a text, in byte order.
func (q *Q) FilesBeginning(text string, most int) ([]FoundFile, error) {
	return collect(q, "FilesBeginning", func(r *sql.Rows) (f FoundFile, err error) {
		var name []byte
		err = r.Scan(&f.User, &f.Account, &name, &f.Size, stamp{&f.At})
		f.Name = string(name)
		return f, err
	}, `SELECT u.name, u.account_id, f.name, f.size, f.mtime FROM (SELECT dir_id, name, size, mtime FROM files
		WHERE name >= $1 AND name < $2 ORDER BY name LIMIT $3) f JOIN dirs d ON d.id = f.dir_id
		JOIN users u ON u.id = d.user_id ORDER BY f.name, u.name`, []byte(text), above([]byte(text)), most)
}

func scanFoundDrop(r *sql.Rows) (f FoundFile, err error) {
	var name []byte
	err = r.Scan(&f.ID, &f.User, &f.Account, &name, &f.Size, stamp{&f.At})
	f.Name = string(name)
	return f, err
}

const foundDrop = `SELECT d.id, u.name, u.account_id, d.name, d.size, d.received_at FROM `

// DropsBeginning lists received files whose name, at any time, begins with a text.
func (q *Q) DropsBeginning(text string, most int) ([]FoundFile, error) {
	list, err := collect(q, "DropsBeginning", scanFoundDrop, foundDrop+`(SELECT id, user_id, name, size, received_at
		FROM drops WHERE name >= $1 AND name < $2 ORDER BY name LIMIT $3) d JOIN users u ON u.id = d.user_id
		ORDER BY d.name, d.id`, []byte(text), above([]byte(text)), most)
	if err != nil || len(list) >= most {
		return list, err
	}
	renamed, err := collect(q, "DropsBeginning", scanFoundDrop, `SELECT d.id, u.name, u.account_id, n.name, d.size,
		d.received_at FROM (SELECT drop_id, name FROM drop_names WHERE name >= $1 AND name < $2 ORDER BY name LIMIT $3) n
		JOIN drops d ON d.id = n.drop_id JOIN users u ON u.id = d.user_id ORDER BY n.name, d.id`, []byte(text),
		above([]byte(text)), most-len(list))
	return append(list, renamed...), err
}

// NewestDropsLike lists received files with a text in their name, among the newest rows. Names are bytes,
// which no database compares without regard to case; so names alone are read, and then what fits.
func (q *Q) NewestDropsLike(text string, rows, most int) (out []FoundFile, err error) {
	type named struct {
		id   string
		name []byte
	}
	newest, err := collect(q, "NewestDropsLike", func(r *sql.Rows) (v named, err error) {
		err = r.Scan(&v.id, &v.name)
		return v, err
	}, `SELECT id, name FROM drops ORDER BY id DESC LIMIT $1`, rows)
	low := []byte(strings.ToLower(text))
	for _, v := range newest {
		if len(out) >= most || err != nil {
			break
		}
		if !bytes.Contains(bytes.ToLower(v.name), low) {
			continue
		}
		f, err := one(q, "NewestDropsLike", scanFoundDrop, foundDrop+`drops d JOIN users u ON u.id = d.user_id
			WHERE d.id = $1`, v.id)
		if err != nil {
			return out, err
		}
		out = append(out, f)
	}
	return out, err
}

func scanFoundPublication(r *sql.Rows) (f FoundFile, err error) {
	err = r.Scan(&f.ID, &f.Account, &f.Name, &f.Feed, &f.Size, stamp{&f.At})
	return f, err
}

const foundPublication = `SELECT id, account_id, name, feed, size, published_at FROM publications `

// PublicationsCalled lists publications with exactly this name, the newest first.
func (q *Q) PublicationsCalled(name string, most int) ([]FoundFile, error) {
	return collect(q, "PublicationsCalled", scanFoundPublication, foundPublication+`WHERE name = $1 ORDER BY id DESC
		LIMIT $2`, name, most)
}

// NewestPublicationsLike lists publications with a text in their name, among the newest rows.
func (q *Q) NewestPublicationsLike(text string, rows, most int) ([]FoundFile, error) {
	return collect(q, "NewestPublicationsLike", scanFoundPublication, `SELECT * FROM (`+foundPublication+
		`ORDER BY id DESC LIMIT $1) p WHERE `+within("$2", "name")+` LIMIT $3`, rows, strings.ToLower(text), most)
}

// WithContent lists publications and received files whose SHA-256 begins with some bytes.
func (q *Q) WithContent(sum []byte, most int) (published, received []FoundFile, err error) {
	end := above(sum)
	if end == nil { // nothing sorts behind it
		end = []byte(strings.Repeat("\xff", 33))
	}
	if published, err = collect(q, "WithContent", scanFoundPublication, foundPublication+`WHERE sha256 >= $1
		AND sha256 < $2 ORDER BY sha256 LIMIT $3`, sum, end, most); err != nil {
		return nil, nil, err
	}
	received, err = collect(q, "WithContent", scanFoundDrop, foundDrop+`(SELECT id, user_id, name, size, received_at
		FROM drops WHERE sha256 >= $1 AND sha256 < $2 ORDER BY sha256 LIMIT $3) d JOIN users u ON u.id = d.user_id
		ORDER BY d.id`, sum, end, most)
	return published, received, err
}

// HexPrefix reads the beginning of a SHA-256 in hexadecimal; nil if it is none, or too short to mean
// one.
func HexPrefix(text string) []byte {
	if len(text) < 8 || len(text) > 64 {
		return nil
	}
	sum, err := hex.DecodeString(text[:len(text)/2*2])
	if err != nil {
		return nil
	}
	return sum
}

// TriedFrom counts recent connections from an address, and returns the latest.
func (q *Q) TriedFrom(address string) (latest *model.Connection, err error) {
	list, err := q.Connections("address", address, 1)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// NamesOfPartners lists what accounts, users, vendors and feeds are called, for suggestions.
func (q *Q) NamesOfPartners(most int) ([]string, error) {
	return collect(q, "NamesOfPartners", scanString, `SELECT id FROM accounts UNION SELECT name FROM users
		UNION SELECT short FROM vendors UNION SELECT name FROM feeds LIMIT $1`, most)
}
