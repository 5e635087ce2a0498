package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/backup"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

const (
	beforeDir  = "before-upgrade"
	beforeKeep = 2 // copies that stay
)

// beforeUpgrade looks whether the database will be brought to a newer schema. It refuses if the operator wants to do
// that at a time of their own, and keeps a copy of a SQLite database.
func (n *Node) beforeUpgrade(ctx context.Context) error {
	if closed, err := backup.Closed(n.cfg.Data); err != nil {
		return err
	} else if closed != nil {
		return stillClosed(n.cfg.Data)
	}
	o := store.Options{Dir: n.cfg.Data, URL: n.cfg.Database.URL}
	have, err := store.Schema(ctx, o)
	if err != nil || have == 0 || have >= store.Knows() {
		return err // store.Open refuses a newer one
	}
	if n.cfg.Database.Upgrade == config.UpgradeManual {
		return fault.E("node.beforeUpgrade", fault.Conflict,
			"This release would bring the database from schema %d to %d, and database.upgrade is manual.", have, store.Knows()).
			WithHint("make a backup with the release that made the database; then start once with " +
				"SALLYPORT_DATABASE_UPGRADE=auto")
	}
	if n.cfg.Database.URL != "" {
		n.log.Warn("the database is brought to a newer schema; the way back is a backup from before", "schema", have, "to",
			store.Knows())
		return nil
	}
	return n.keepCopy(ctx, have)
}

// keepCopy copies a SQLite database before its schema changes.
func (n *Node) keepCopy(ctx context.Context, schema int64) error {
	const op = "node.keepCopy"
	dir := filepath.Join(n.cfg.Data, beforeDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.Wrap(op, fault.Unavailable, err)
	}
	if err := roomFor(filepath.Join(n.cfg.Data, "sallyport.db"), dir); err != nil {
		return err
	}
	to := filepath.Join(dir, fmt.Sprintf("%s-schema-%d.db", n.clock().UTC().Format("20060102T150405Z"), schema))
	if err := store.CopyFile(ctx, n.cfg.Data, to); err != nil {
		return fault.E(op, fault.KindIn(err), "The database could not be copied before the upgrade: %v.", fault.InWords(err)).
			WithHint("make room in %s, or move the data folder", n.cfg.Data)
	}
	n.log.Info("the database was copied before its schema changes", "copy", to, "schema", schema, "to", store.Knows())
	copies, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil {
		return fault.Wrap(op, fault.Internal, err)
	}
	slices.Sort(copies)
	var errs []error
	for _, old := range copies[:max(0, len(copies)-beforeKeep)] {
		errs = append(errs, os.Remove(old))
	}
	return fault.Wrap(op, fault.Unavailable, errors.Join(errs...))
}

// roomFor fails as NoSpace if a copy of a file does not fit into a folder.
func roomFor(file, dir string) error {
	info, err := os.Stat(file)
	if err != nil {
		return fault.Wrap("node.roomFor", fault.Unavailable, err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fault.Wrap("node.roomFor", fault.Unavailable, err)
	}
	if free := int64(st.Bavail) * st.Bsize; free < info.Size()+info.Size()/10 {
		return fault.E("node.roomFor", fault.NoSpace,
			"Before the upgrade the database is copied, which takes %d bytes, and %d are free.", info.Size(), free).
			WithHint("make room in %s", dir)
	}
	return nil
}
