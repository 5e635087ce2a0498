package account

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// startDir cleans a directory's path, which must begin with a slash.
func startDir(p string) (string, error) {
	if !strings.HasPrefix(p, "/") {
		return "", fault.E("account.startDir", fault.Invalid, "%q does not begin with a slash.", valid.Printable(p)).
			WithHint("write the whole path, such as /upload")
	}
	clean, err := valid.CleanPath("/", p)
	if err == nil && valid.Printable(clean) != clean {
		err = fault.E("account.startDir", fault.Invalid, "%q has a character that cannot be printed.", valid.Printable(p))
	}
	if depth := strings.Count(clean, "/"); err == nil && depth > valid.MaxDepth {
		err = fault.E("account.startDir", fault.Invalid, "Directories may be nested %d deep; this would be %d.",
			valid.MaxDepth, depth)
	}
	return clean, err
}

// found is what a path leads to.
type found struct {
	way     []store.Dir     // the directories on the way that exist, root first
	dir     store.Dir       // the last of them, if found
	granted exchange.Rights // in the directory, or in the last one on the way that exists
	found   bool
}

// lookDir looks a path up. A file on the way, or in its place, is Exists.
func lookDir(q *store.Q, userID, path string) (out found, err error) {
	names := store.SplitPath(path)
	have, err := q.Walk(userID, names)
	if err != nil {
		return out, err
	}
	out.way = have
	for _, d := range have {
		if d.Rights != nil {
			out.granted = *d.Rights
		}
	}
	if out.found = len(have) == len(names)+1; out.found {
		out.dir = have[len(names)]
		return out, nil
	}
	_, err = q.File(have[len(have)-1].ID, names[len(have)-1])
	if err == nil {
		return out, fault.E("account.lookDir", fault.Exists, "%q is a file, not a directory.",
			"/"+strings.Join(names[:len(have)], "/"))
	} else if fault.Is(err, fault.NotFound) {
		err = nil
	}
	return out, err
}

// ofDirs finds a user who has directories of its own.
func (r *Service) ofDirs(q *store.Q, name string) (model.User, error) {
	u, err := q.User(name)
	if err != nil {
		return u, r.noUser(q, err, name)
	}
	if u.Kind == model.KindService {
		return u, fault.E("account.ofDirs", fault.Conflict,
			"%s is a service user. It sees /outbound and /inbox, and has no directories of its own.", u.Name)
	}
	return u, nil
}

// parseRights reads rights. There must be one at least.
func parseRights(words []string) (exchange.Rights, error) {
	rights, err := exchange.ParseRights(words)
	if err == nil && rights == 0 {
		err = fault.E("account.parseRights", fault.Invalid, "A directory needs at least one right.").
			WithHint("all, or of: read, write, list, delete, rename, mkdir")
	}
	return rights, err
}

// Dirs lists the directories that the operator made for a user, and those of its feeds, by path. Dated folders
// below a feed's are left out.
func (r *Service) Dirs(ctx context.Context, name string) ([]model.Directory, error) {
	q := r.store.Read(ctx)
	u, err := r.ofDirs(q, name)
	if err != nil {
		return nil, err
	}
	return dirsOf(q, u)
}

func dirsOf(q *store.Q, u model.User) ([]model.Directory, error) {
	subs, err := q.SubscriptionsOf(u.ID)
	if err != nil {
		return nil, err
	}
	rows, err := q.FixedDirs(u.ID)
	if err != nil {
		return nil, err
	}
	out := []model.Directory{}
	for _, row := range rows {
		path, staging, err := q.DirPath(row.ID)
		if err != nil {
			return nil, err
		}
		d := model.Directory{Path: path, Own: row.Rights != nil, Staging: staging, Start: path == u.StartDir,
			Feeds: []string{}}
		for _, s := range subs {
			if s.Dir == path {
				d.Feeds = append(d.Feeds, s.Feed)
			}
		}
		if !d.Own && !row.Staging && !d.Start && len(d.Feeds) == 0 {
			continue
		}
		chain, err := q.Walk(u.ID, store.SplitPath(path))
		if err != nil {
			return nil, err
		}
		granted := exchange.Rights(0)
		for _, c := range chain {
			if c.Rights != nil {
				granted = *c.Rights
			}
		}
		d.Rights = granted.Words()
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b model.Directory) int { return cmp.Compare(a.Path, b.Path) })
	return out, nil
}

// AddDir makes a directory that its user cannot move. Missing ones above it are made with the rights of
// those above them.
func (r *Service) AddDir(ctx context.Context, actor, name string, n model.NewDirectory) (model.Directory, error) {
	const op = "account.AddDir"
	return r.changeDir(ctx, actor, name, "dir.add", n.Path,
		func(tx *store.Tx, u model.User, path string, row *model.AuditRow) error {
			rights, err := parseRights(n.Rights)
			if err != nil {
				return err
			}
			at, err := lookDir(&tx.Q, u.ID, path)
			if err != nil {
				return err
			}
			if at.found {
				return fault.E(op, fault.Exists, "There is a directory %q already.", path).
					WithAction("edit-directory", "user", u.Name, "path", path)
			}
			rows, err := mailbox.Lock(tx, u.ID)
			if err != nil {
				return err
			}
			if err := rows.FixDirs(at.way); err != nil {
				return err
			}
			row.Detail["rights"], row.Detail["staging"] = rightsText(rights), stagingText(n.Staging)
			id, err := rows.MakeDirs(mailbox.NewDirs{Path: path, Rights: &rights, IDs: r.ids, At: row.At})
			if err != nil || !n.Staging {
				return err
			}
			d, err := tx.Dir(id)
			if err != nil {
				return err
			}
			return rows.SetDir(d, rights, true)
		})
}

// EditDir changes what a user may do in a directory, or whether files are received only when they are moved out
// of it. If the user may read or write no more, its sessions end, so that no open file goes on.
func (r *Service) EditDir(ctx context.Context, actor, name string, e model.EditDirectory) (model.Directory, error) {
	const op = "account.EditDir"
	return r.changeDir(ctx, actor, name, "dir.set", e.Path,
		func(tx *store.Tx, u model.User, path string, row *model.AuditRow) error {
			at, err := lookDir(&tx.Q, u.ID, path)
			if err != nil {
				return err
			}
			if !at.found {
				return fault.E(op, fault.NotFound, "There is no directory %q in the mailbox of %s.", path, u.Name).
					WithAction("list-directories", "user", u.Name)
			}
			rights, staging := at.granted, at.dir.Staging
			if e.Rights != nil {
				if rights, err = parseRights(*e.Rights); err != nil {
					return err
				}
				row.Detail["rights"] = rightsText(at.granted) + " → " + rightsText(rights)
			}
			if e.Staging != nil && *e.Staging != staging {
				staging = *e.Staging
				if err := mayStage(&tx.Q, at, path); err != nil {
					return err
				}
				row.Detail["staging"] = stagingText(staging)
			}
			return r.setDir(tx, u, at, rights, staging, row)
		})
}

// mayStage refuses to make a staging folder of a directory, or the other way round, if there is anything in it:
// files below were received, and would be received again, or they were not, and never would be.
func mayStage(q *store.Q, at found, path string) error {
	const op = "account.mayStage"
	if path == "/" {
		return fault.E(op, fault.Invalid, "The top directory cannot be a staging folder.")
	}
	empty, err := q.DirEmpty(at.dir.ID)
	if err != nil || empty {
		return err
	}
	return fault.E(op, fault.Conflict,
		"Only an empty directory becomes a staging folder, or stops being one; %q is not empty.", path).
		WithHint("move what is in it first, or add another directory")
}

// setDir changes a directory's row, and ends the user's sessions if they may read or write there no more.
func (r *Service) setDir(tx *store.Tx, u model.User, at found, rights exchange.Rights, staging bool,
	row *model.AuditRow) error {
	rows, err := mailbox.Lock(tx, u.ID)
	if err != nil {
		return err
	}
	if err := rows.FixDirs(at.way[:len(at.way)-1]); err != nil {
		return err
	}
	if err := rows.SetDir(at.dir, rights, staging); err != nil {
		return err
	}
	if lost := at.granted &^ rights; lost&(exchange.Read|exchange.Write) != 0 {
		return tx.Revoke(store.Revocation{UserID: u.ID, Reason: "the rights of a directory changed"}, row.At)
	}
	return nil
}

// changeDir runs a change of one directory and returns how the directory is then.
func (r *Service) changeDir(ctx context.Context, actor, name, action, path string,
	do func(tx *store.Tx, u model.User, path string, row *model.AuditRow) error) (out model.Directory, err error) {
	if path, err = startDir(path); err != nil {
		return out, err
	}
	row := model.AuditRow{Actor: actor, Action: action, Subject: path}
	return change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) (out model.Directory, err error) {
		u, err := r.ofDirs(&tx.Q, name)
		if err != nil {
			return out, err
		}
		row.User, row.Detail = u.ID, map[string]string{"user": u.Name}
		if err := do(tx, u, path, row); err != nil {
			return out, err
		}
		list, err := dirsOf(&tx.Q, u)
		if i := slices.IndexFunc(list, func(d model.Directory) bool { return d.Path == path }); i >= 0 {
			out = list[i]
		}
		return out, err
	})
}

// RemoveWay is part of the transaction that removes a directory. It also removes those above it that AddDir or a
// template made only as the way to it, unless something else is in them or needs them, and notes them in row. busy
// reports whether a directory has unfinished uploads.
func (r *Service) RemoveWay(tx *store.Tx, userID, path string, row *model.AuditRow, busy func(id string) bool) error {
	rows, err := mailbox.Lock(tx, userID)
	if err != nil {
		return err
	}
	removed, err := rows.RemoveWay(path, func(d store.Dir, above string) (bool, error) {
		if busy(d.ID) {
			return false, nil
		}
		err := r.MayRemoveDir(tx, userID, above)
		if fault.Is(err, fault.Conflict) {
			return false, nil
		}
		return err == nil, err
	})
	if len(removed) > 0 {
		if row.Detail == nil {
			row.Detail = map[string]string{}
		}
		row.Detail["above"] = strings.Join(removed, " ")
	}
	return err
}

// MayRemoveDir refuses the removal of a directory that sessions start in or that a feed is delivered into. It is
// part of the transaction that removes it.
func (r *Service) MayRemoveDir(tx *store.Tx, userID, path string) error {
	const op = "account.MayRemoveDir"
	u, err := tx.UserByID(userID)
	if err != nil {
		return err
	}
	within := func(p string) bool { return p == path || strings.HasPrefix(p, path+"/") }
	if within(u.StartDir) {
		return fault.E(op, fault.Conflict, "The sessions of %s start in %q.", u.Name, u.StartDir).
			WithAction("edit-user", "user", u.Name, "start_dir", "")
	}
	subs, err := tx.SubscriptionsOf(u.ID)
	if err != nil {
		return err
	}
	for _, s := range subs {
		if within(s.Dir) {
			return fault.E(op, fault.Conflict, "The feed %s is delivered into %q.", s.Feed, s.Dir).
				WithAction("unsubscribe", "feed", s.Feed, "user", u.Name)
		}
	}
	return nil
}

func rightsText(r exchange.Rights) string {
	if r == exchange.AllRights {
		return "all"
	}
	return strings.Join(r.Words(), " ")
}

func stagingText(staging bool) string {
	if staging {
		return "yes"
	}
	return "no"
}
