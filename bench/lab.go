package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/blob/small"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/inbox"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/model"
)

// lab has the server's services in this process, on SQLite and disk, for work that cannot be
// measured through a client.
type lab struct {
	dir     string
	store   *store.Store
	large   *disk.Store // where blobs puts larger files
	blobs   blob.Store
	ids     *exchange.IDs
	key     *proof.Key
	feeds   *feed.Service
	inbox   *inbox.Service
	retain  *retention.Service
	audits  *audit.Service
	tree    *tree.Tree
	account *account.Service
}

// openLab opens a lab on a folder.
func openLab(ctx context.Context, dir string) (l *lab, err error) {
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	l = &lab{dir: dir, ids: exchange.NewIDs(time.Now, rand.Reader)}
	quiet := slog.New(slog.DiscardHandler)
	private, public, err := proof.NewKey(rand.Reader, "bench")
	if err != nil {
		return nil, err
	}
	if l.key, err = proof.ReadKey(private, public); err != nil {
		return nil, err
	}
	if l.large, err = disk.Open(filepath.Join(dir, "blobs"), time.Now); err != nil {
		return nil, err
	}
	if l.store, err = store.Open(ctx, store.Options{Dir: dir}); err != nil {
		return nil, err
	}
	l.blobs = small.New(small.Options{Large: l.large, Rows: l.store, Clock: time.Now, Log: quiet,
		Policy: small.Policy{Bound: 32 << 10, Memory: 64 << 20, Stay: time.Hour}})
	all := account.Template{StartDir: "/", Root: exchange.AllRights,
		Dirs: []account.TemplateDir{{Path: "/upload", Rights: exchange.AllRights}}}
	l.account = account.New(l.store, time.Now, l.ids,
		account.Policy{MaxKeys: 5, Templates: map[model.UserKind]account.Template{model.KindCustomer: all}})
	l.retain = retention.New(retention.Options{Store: l.store, Blobs: l.blobs, Clock: time.Now, IDs: l.ids, Log: quiet,
		Key: l.key, Node: "bench", Policy: retention.Policy{Keep: "12mo", Day: 1, Hour: 3, Notice: 30 * 24 * time.Hour,
			Reminder: 7 * 24 * time.Hour, AfterClose: time.Microsecond}})
	l.feeds = feed.New(feed.Options{Store: l.store, Blobs: l.blobs, Clock: time.Now, IDs: l.ids, Key: l.key,
		Bounds: feed.Bounds{MaxFile: 1 << 40, KeepUploads: time.Hour}, Class: l.retain.Class})
	l.inbox = inbox.New(inbox.Options{Store: l.store, Blobs: l.blobs, Clock: time.Now, IDs: l.ids, Log: quiet, Key: l.key,
		Lease: time.Minute})
	l.audits = audit.New(audit.Options{Store: l.store, Clock: time.Now, IDs: l.ids, Log: quiet, Key: l.key})
	l.tree, err = tree.New(tree.Options{Store: l.store, Blobs: l.blobs, Clock: time.Now, IDs: l.ids, Log: quiet,
		Policy: tree.Policy{MaxFile: 1 << 40, ReadMemory: 64 << 20, MaxCopy: 1 << 30, KeepPartial: time.Hour,
			Limits: exchange.DefaultLimits{QuotaBytes: 1 << 50, QuotaFiles: 1 << 40}},
		Hooks: tree.Hooks{OnGone: l.inbox.Gone, Class: l.retain.Class, OnCommit: l.inbox.Arrived,
			OnRename: l.inbox.Renamed}})
	return l, err
}

func (l *lab) close() error {
	if l.tree != nil {
		l.tree.Close()
	}
	return l.store.Close()
}

// openLabWithUser opens a lab with one partner.
func openLabWithUser(ctx context.Context, dir string) (*lab, model.User, error) {
	l, err := openLab(ctx, dir)
	if err != nil {
		return nil, model.User{}, err
	}
	u, err := l.user(ctx, "bench")
	if err != nil {
		_ = l.close()
		return nil, u, err
	}
	return l, u, nil
}

// user makes an account with a user.
func (l *lab) user(ctx context.Context, name string) (model.User, error) {
	if _, err := l.account.AddAccount(ctx, "bench", model.NewAccount{ID: name, Name: name}); err != nil {
		return model.User{}, err
	}
	return l.account.AddUser(ctx, "bench", model.NewUser{Account: name})
}

// raw changes the database directly, in one transaction, as fill does.
func (l *lab) raw(change func(exec func(query string, args ...any)) error) error {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(l.dir, "sallyport.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	var failed error
	exec := func(query string, args ...any) {
		if failed == nil {
			_, failed = tx.Exec(query, args...)
		}
	}
	if err := change(exec); err != nil {
		return err
	}
	return errors.Join(failed, tx.Commit())
}

// blobOf stores a blob of 64 bytes with a number of references, and returns its id.
func (l *lab) blobOf(ctx context.Context, refs int) (string, error) {
	id, body := l.ids.New(), bytes.Repeat([]byte("x"), 64)
	sum := sha256.Sum256(body)
	return id, l.store.Write(ctx, func(tx *store.Tx) error {
		return tx.AddBlob(store.Blob{ID: id, Key: "bench/2025/01/" + id, Size: 64, SHA256: sum[:], Body: body}, refs,
			time.UnixMicro(1))
	})
}

// register writes files of one user directly into the database, a thousand per directory, each with
// a version and a delivery. storedAt returns when the ith file was stored.
func (l *lab) register(ctx context.Context, u model.User, files int, storedAt func(i int) time.Time) error {
	const perDir = 1000
	blob, err := l.blobOf(ctx, files)
	if err != nil {
		return err
	}
	return l.raw(func(exec func(string, ...any)) error {
		exec(`INSERT INTO feeds (name, kind, types, retention, created_at) VALUES ('seeded', 'cdr', '[]', '', 1)
			ON CONFLICT DO NOTHING`)
		pub := l.ids.New()
		exec(`INSERT INTO publications (id, feed, account_id, name, size, sha256, actor, published_at)
			VALUES ($1, 'seeded', '', 'seeded.csv', 64, $2, 'bench', 1)`, pub, make([]byte, 32))
		dir := ""
		for i := range files {
			if i%perDir == 0 {
				dir = l.ids.New()
				exec(`INSERT INTO dirs (id, user_id, parent_id, name, fixed, staging, mtime) VALUES ($1, $2, $2, $3, 0, 0, 1)`, dir,
					u.ID, fmt.Appendf(nil, "dir-%06d", i/perDir))
			}
			id, at := l.ids.New(), storedAt(i).UnixMicro()
			exec(`INSERT INTO files (dir_id, name, file_id, version_id, size, mtime, mode) VALUES ($1, $2, $3, $3, 64, $4, 420)`,
				dir, fmt.Appendf(nil, "file-%06d.csv", i%perDir), id, at)
			exec(`INSERT INTO versions (id, file_id, user_id, blob_id, actor, stored_at, class)
				VALUES ($1, $1, $2, $3, 'bench', $4, 'default')`, id, u.ID, blob, at)
			exec(`INSERT INTO deliveries (id, publication_id, subscription_id, user_id, version_id, state, published_at,
				fingerprint) VALUES ($1, $2, $1, $3, $1, 'collected', $4, '')`, id, pub, u.ID, at)
		}
		exec(`UPDATE mailboxes SET used_files = used_files + $2, used_bytes = used_bytes + $3 WHERE user_id = $1`, u.ID,
			files, 64*files)
		return nil
	})
}
