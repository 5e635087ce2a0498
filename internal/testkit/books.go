package testkit

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sallyport-sftp/sallyport/internal/blob"
)

// books are queries that return 0 as long as the rows are consistent.
var books = []struct{ wrong, query string }{
	{"references are not what refers", `SELECT COUNT(*) FROM blobs b WHERE state = 'live' AND refs <>
		(SELECT COUNT(*) FROM versions v WHERE v.blob_id = b.id)
		+ (SELECT COUNT(*) FROM publications p WHERE p.id = b.id AND p.placed_up_to IS NOT NULL)
		+ (SELECT COUNT(*) FROM retention_runs r WHERE r.list_key = b.key)`},
	{"bytes belong to nothing", `SELECT COUNT(*) FROM bodies o
		WHERE NOT EXISTS (SELECT 1 FROM blobs b WHERE b.body = o.id)`},
	{"bytes are not there", `SELECT COUNT(*) FROM blobs b
		WHERE body IS NOT NULL AND NOT EXISTS (SELECT 1 FROM bodies o WHERE o.id = b.body)`},
	{"the dead have references", `SELECT COUNT(*) FROM blobs WHERE (state = 'dead') <> (refs = 0)`},
	{"use is not what is visible", `SELECT COUNT(*) FROM mailboxes m WHERE
		used_bytes <> (SELECT COALESCE(SUM(f.size), 0) FROM files f JOIN dirs d ON d.id = f.dir_id
		WHERE d.user_id = m.user_id)
		OR used_files <> (SELECT COUNT(*) FROM files f JOIN dirs d ON d.id = f.dir_id WHERE d.user_id = m.user_id)`},
	{"a file shows no version", `SELECT COUNT(*) FROM files f
		WHERE NOT EXISTS (SELECT 1 FROM versions v WHERE v.id = f.version_id AND v.file_id = f.file_id)`},
	{"a version's bytes are dead", `SELECT COUNT(*) FROM versions v
		WHERE NOT EXISTS (SELECT 1 FROM blobs b WHERE b.id = v.blob_id AND b.state = 'live')`},
	{"a drop that waits has no version", `SELECT COUNT(*) FROM drops d WHERE state IN ('new', 'claimed')
		AND removed_at IS NULL
		AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.id = d.id)`},
	{"a delivery has no version", `SELECT COUNT(*) FROM deliveries d WHERE state IN ('published', 'opened', 'collected')
		AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.id = d.version_id)`},
}

// Books checks that rows are consistent with each other and with the stored bytes.
func Books(db *sql.DB, blobs blob.Store) error {
	list, err := booksOf(db)
	if err != nil {
		return err
	}
	return stored(list, blobs)
}

// row is the row of a live blob.
type row struct {
	id, key string
	size    int64
	sum     []byte
	inline  bool   // the database has the bytes
	body    []byte // those
}

// StoredBytes reads a stored file without the product: from the folder of stored files, or from the database.
func StoredBytes(db *sql.DB, folder, key string) (b []byte, err error) {
	if b, err = os.ReadFile(filepath.Join(folder, filepath.FromSlash(key))); !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	err = db.QueryRow(`SELECT o.bytes FROM blobs b JOIN bodies o ON o.id = b.body WHERE b.key = $1`, key).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) { // it may have been moved meanwhile
		return os.ReadFile(filepath.Join(folder, filepath.FromSlash(key)))
	}
	return b, err
}

// booksOf checks that rows are consistent with each other, and returns those of live blobs.
func booksOf(db *sql.DB) (list []row, err error) {
	for _, b := range books {
		var n int
		if err := db.QueryRow(b.query).Scan(&n); err != nil || n != 0 {
			return nil, fmt.Errorf("%s: %d rows, %v", b.wrong, n, err)
		}
	}
	rows, err := db.Query(`SELECT b.id, b.key, b.size, b.sha256, o.id IS NOT NULL, o.bytes FROM blobs b
		LEFT JOIN bodies o ON o.id = b.body WHERE b.state = 'live'`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.id, &r.key, &r.size, &r.sum, &r.inline, &r.body); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

func stored(list []row, blobs blob.Store) error {
	for _, r := range list {
		if r.inline {
			if sum := sha256.Sum256(r.body); int64(len(r.body)) != r.size || !bytes.Equal(sum[:], r.sum) {
				return fmt.Errorf("blob %s has %d bytes in the database, whose hash is another one", r.id, len(r.body))
			}
			continue
		}
		if err := readable(blobs, r.key, r.size, r.sum); err != nil {
			return fmt.Errorf("blob %s: %w", r.id, err)
		}
	}
	return nil
}

func readable(blobs blob.Store, key string, size int64, sum []byte) error {
	r, err := blobs.Open(key, -1)
	if err != nil {
		return err
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.NewSectionReader(r, 0, r.Size()))
	if err != nil || n != size || !bytes.Equal(h.Sum(nil), sum) {
		return fmt.Errorf("%d bytes that hash to %x, recorded are %d and %x, %v", n, h.Sum(nil), size, sum, err)
	}
	return nil
}
