package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/model"
)

// fillSmall writes files of 4 KiB of one user directly into the database, a thousand per directory. Each has a
// blob of its own. The bytes of every second one are in the database; of the others, only those in the first
// directory are on the disk, where the work looks for them.
func (l *lab) fillSmall(u model.User, files int) error {
	const perDir = 1000
	at := time.Now().UnixMicro()
	ids := make([]string, files)
	var onDisk []blob.Whole
	for i := range ids {
		if ids[i] = l.ids.New(); i%2 == 1 && i < perDir {
			onDisk = append(onDisk, blob.Whole{Key: smallKey(ids[i]), Bytes: smallText(i)})
		}
	}
	if err := l.large.Put(onDisk); err != nil {
		return err
	}
	return l.raw(func(exec func(string, ...any)) error {
		dir := ""
		for i, id := range ids {
			if i%perDir == 0 {
				dir = l.ids.New()
				exec(`INSERT INTO dirs (id, user_id, parent_id, name, fixed, staging, mtime) VALUES ($1, $2, $2, $3, 0, 0, 1)`, dir,
					u.ID, fmt.Appendf(nil, "dir-%06d", i/perDir))
			}
			body := smallText(i)
			sum := sha256.Sum256(body)
			row := any(nil)
			if i%2 == 0 {
				row = i + 1
				exec(`INSERT INTO bodies (id, blob_id, at, bytes) VALUES ($1, $2, $3, $4)`, row, id, at, body)
			}
			exec(`INSERT INTO blobs (id, key, size, sha256, refs, state, created_at, owner, body)
				VALUES ($1, $2, $3, $4, 1, 'live', $5, $6, $7)`, id, smallKey(id), fileSize, sum[:], at, u.ID, row)
			exec(`INSERT INTO versions (id, file_id, user_id, blob_id, actor, stored_at, class)
				VALUES ($1, $1, $2, $1, 'bench', $3, 'default')`, id, u.ID, at)
			exec(`INSERT INTO files (dir_id, name, file_id, version_id, size, mtime, mode) VALUES ($1, $2, $3, $3, $4, $5, 420)`,
				dir, fmt.Appendf(nil, "file-%06d.csv", i%perDir), id, fileSize, at)
		}
		exec(`UPDATE mailboxes SET used_files = used_files + $2, used_bytes = used_bytes + $3 WHERE user_id = $1`, u.ID,
			files, fileSize*files)
		return nil
	})
}

func smallKey(id string) string { return "bench/2025/01/" + id }

// smallText is the content of the ith file.
func smallText(i int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%06d,", i), fileSize/7+1)[:fileSize]
}
