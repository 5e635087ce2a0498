package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/model"
)

// stagedFiles is the number of files that leave a staging folder at once.
const stagedFiles = 10_000

// leaveStaging measures the rename of a folder with stagedFiles files out of a staging folder. All
// files are received before the rename is answered.
func leaveStaging(ctx context.Context, dir string, _ sizes) (float64, error) {
	l, u, err := openLabWithUser(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer l.close()
	if err := l.stage(u, stagedFiles); err != nil {
		return 0, err
	}
	s := l.tree.Begin(exchange.Login{User: u, Fingerprint: "SHA256:bench", Address: "192.0.2.1"}, nil)
	defer s.End()
	began := time.Now()
	if err := s.Rename("/stage/bulk", "/received/bulk", false); err != nil {
		return 0, err
	}
	took := time.Since(began)
	list, err := l.store.Read(ctx).Drops(model.DropFilter{Paging: model.Paging{Limit: stagedFiles + 1}})
	if err == nil && len(list) != stagedFiles {
		err = fmt.Errorf("%d of %d files were received", len(list), stagedFiles)
	}
	return took.Seconds(), err
}

// stage writes files directly into the database: in ten folders, below one folder in a staging
// folder.
func (l *lab) stage(u model.User, files int) error {
	return l.raw(func(exec func(string, ...any)) error {
		id := map[string]string{"": u.ID}
		dir := func(parent, name string, staging int) {
			id[name] = l.ids.New()
			exec(`INSERT INTO dirs (id, user_id, parent_id, name, rights, fixed, staging, mtime)
				VALUES ($1, $2, $3, $4, $5, 0, $6, 1)`,
				id[name], u.ID, id[parent], []byte(name), int64(exchange.AllRights), staging)
		}
		dir("", "stage", 1)
		dir("", "received", 0)
		dir("stage", "bulk", 0)
		for i := range files {
			below := fmt.Sprintf("folder-%d", i%10)
			if id[below] == "" {
				dir("bulk", below, 0)
			}
			file, sum := l.ids.New(), sha256.Sum256(fmt.Append(nil, i))
			exec(`INSERT INTO blobs (id, key, size, sha256, refs, state, created_at, owner)
				VALUES ($1, $1, 64, $2, 1, 'live', 1, $3)`, file, sum[:], u.ID)
			exec(`INSERT INTO versions (id, file_id, user_id, blob_id, actor, stored_at, class)
				VALUES ($1, $1, $2, $1, 'user:bench', 1, 'default')`, file, u.ID)
			exec(`INSERT INTO files (dir_id, name, file_id, version_id, size, mtime, mode) VALUES ($1, $2, $3, $3, 64, 1, 420)`,
				id[below], fmt.Appendf(nil, "file-%06d.csv", i), file)
		}
		return nil
	})
}
