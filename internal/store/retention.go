package store

import (
	"database/sql"
	"encoding/hex"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

// Policies lists the retention policies of users and folders, and those of
// feeds, without the default.
func (q *Q) Policies() ([]model.RetentionPolicy, error) {
	return collect(q, "Policies", func(r *sql.Rows) (p model.RetentionPolicy, err error) {
		err = r.Scan(&p.Class, &p.UserID, &p.User, &p.Feed, &p.Folder, &p.Keep)
		return p, err
	}, `SELECT r.class, r.user_id, COALESCE(u.name, ''), '', r.folder, r.keep FROM retention_policies r LEFT
		JOIN users u ON u.id = r.user_id
		UNION ALL SELECT 'feed:' || name, '', '', name, '', retention FROM feeds WHERE retention <> '' ORDER BY 1`)
}

// PutPolicy records the policy of a user or a folder.
func (tx *Tx) PutPolicy(p model.RetentionPolicy, actor string, at time.Time) error {
	_, err := tx.exec("PutPolicy", `INSERT INTO retention_policies (class, user_id, folder, keep, created_at, actor)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (class) DO UPDATE SET keep = excluded.keep, actor = excluded.actor`, p.Class, p.UserID, p.Folder, p.Keep,
		micros(at), actor)
	return err
}

// DropPolicy deletes the policy of a user or a folder.
func (tx *Tx) DropPolicy(class string) error {
	return tx.execOne("DropPolicy", `DELETE FROM retention_policies WHERE class = $1`, class)
}

// SetFeedRetention changes how long a feed's files stay; "" is the default.
func (tx *Tx) SetFeedRetention(feed, keep string) error {
	return tx.execOne("SetFeedRetention", `UPDATE feeds SET retention = $2 WHERE name = $1`, feed, keep)
}

// Kept is a version as retention sees it.
type Kept struct {
	ID, FileID, UserID, User, Account, Class string
	BlobID, SHA256                           string
	Sum                                      []byte
	Size                                     int64
	StoredAt                                 time.Time
	DirID, Name                              string // the file's current name; "" if the file was removed
	Current                                  bool   // it is the file's current version
	Path                                     string // where it was delivered or dropped; "" for neither
	Feed                                     string
	Delivery                                 model.DeliveryState // "": it was not delivered
	Drop                                     model.DropState     // "": it was not received
	ClaimUntil                               time.Time
}

const keptColumns = `SELECT v.id, v.file_id, v.user_id, u.name, u.account_id, v.class, b.id, b.sha256, b.size,
	v.stored_at,
	COALESCE(f.dir_id, ''), f.name, CASE WHEN f.version_id = v.id THEN 1 ELSE 0 END, d.path, r.path, COALESCE(p.feed, ''),
	COALESCE(d.state, ''), COALESCE(r.state, ''),
	COALESCE(r.claim_until, 0)
	FROM versions v JOIN users u ON u.id = v.user_id JOIN blobs b ON b.id = v.blob_id LEFT
	JOIN files f ON f.file_id = v.file_id
	LEFT JOIN deliveries d ON d.version_id = v.id LEFT JOIN publications p ON p.id = d.publication_id LEFT
	JOIN drops r ON r.id = v.id`

func scanKept(r *sql.Rows) (k Kept, err error) {
	var name, delivered, dropped []byte
	err = r.Scan(&k.ID, &k.FileID, &k.UserID, &k.User, &k.Account, &k.Class, &k.BlobID, &k.Sum, &k.Size,
		stamp{&k.StoredAt}, &k.DirID, &name, &k.Current, &delivered, &dropped, &k.Feed, &k.Delivery, &k.Drop,
		stampOrZero{&k.ClaimUntil})
	k.SHA256, k.Name, k.Path = hex.EncodeToString(k.Sum), string(name), string(delivered)
	if k.Path == "" {
		k.Path = string(dropped)
	}
	return k, err
}

// Due lists up to limit versions of a class stored before a time, ordered by time and id, beginning
// after afterAt and afterID. Versions that an announced or running run names are left out.
func (q *Q) Due(class string, before, afterAt time.Time, afterID string, limit int) ([]Kept, error) {
	return collect(q, "Due", scanKept, keptColumns+` WHERE v.class = $1 AND v.stored_at < $2 AND v.stored_at >= $3
		AND (v.stored_at > $3 OR v.id > $4)
		AND NOT EXISTS (SELECT 1 FROM retention_runs n JOIN retention_items i ON i.run_id = n.id
		AND i.account_id = u.account_id AND i.version_id = v.id
			WHERE n.state IN ('announced', 'running'))
		ORDER BY v.stored_at, v.id LIMIT $5`, class, micros(before), micros(afterAt), afterID, limit)
}

// CountDue counts the versions of a class that were stored in [from, before), and their bytes: those of an account, or
// all if account is "". Versions that an announced or running run names are left out.
func (q *Q) CountDue(class, account string, from, before time.Time) (files, bytes int64, err error) {
	err = q.scanOne("CountDue", `SELECT COUNT(*), COALESCE(SUM(b.size), 0) FROM versions v JOIN blobs b ON b.id = v.blob_id
		JOIN users u ON u.id = v.user_id WHERE v.class = $1 AND v.stored_at >= $2 AND v.stored_at < $3
		AND ($4 = '' OR u.account_id = $4)
		AND NOT EXISTS (SELECT 1 FROM retention_runs n JOIN retention_items i ON i.run_id = n.id
		AND i.account_id = u.account_id AND i.version_id = v.id
			WHERE n.state IN ('announced', 'running'))`, []any{class, micros(from), micros(before), account}, &files, &bytes)
	return files, bytes, err
}

// KeptOfRun lists up to limit versions that a run names and that have no outcome yet, with ids after one, in their
// order. Those that are gone are left out.
func (q *Q) KeptOfRun(runID, after string, limit int) ([]Kept, error) {
	return collect(q, "KeptOfRun", scanKept, keptColumns+` WHERE v.id IN (SELECT version_id FROM retention_items
		WHERE run_id = $1 AND state = 'named' AND version_id > $2) ORDER BY v.id LIMIT $3`, runID, after, limit)
}

// KeptOf lists up to limit versions with ids after one, of a user, or of all if userID is "", in the
// order of their ids.
func (q *Q) KeptOf(userID, after string, limit int) ([]Kept, error) {
	if userID == "" {
		return collect(q, "KeptOf", scanKept, keptColumns+` WHERE v.id > $1 ORDER BY v.id LIMIT $2`, after, limit)
	}
	return collect(q, "KeptOf", scanKept, keptColumns+` WHERE v.id > $1 AND v.user_id = $3 ORDER BY v.id LIMIT $2`, after,
		limit, userID)
}

// KeptOfAccount lists versions of an account's users after an id.
func (q *Q) KeptOfAccount(account, after string, limit int) ([]Kept, error) {
	return collect(q, "KeptOfAccount", scanKept,
		keptColumns+` WHERE v.id > $1 AND u.account_id = $3 ORDER BY v.id LIMIT $2`, after, limit, account)
}

// KeptVersion finds one version; NotFound when it is gone.
func (q *Q) KeptVersion(id string) (Kept, error) {
	return one(q, "KeptVersion", scanKept, keptColumns+` WHERE v.id = $1`, id)
}

// FileIDOfVersion returns the id of the file that a version belongs to.
func (q *Q) FileIDOfVersion(id string) (file string, err error) {
	err = q.scanOne("FileIDOfVersion", `SELECT file_id FROM versions WHERE id = $1`, []any{id}, &file)
	return file, err
}

// Classes lists the classes that versions have.
func (q *Q) Classes() ([]string, error) {
	out := []string{}
	for last := ""; ; {
		var next string
		if err := q.scanOne("Classes", `SELECT COALESCE((SELECT MIN(class) FROM versions WHERE class > $1), '')`, []any{last},
			&next); err != nil {
			return nil, err
		}
		if next == "" {
			return out, nil
		}
		out, last = append(out, next), next
	}
}

// SetClass gives a version another policy.
func (tx *Tx) SetClass(versionID, class string) error {
	return tx.bookOne("SetClass", `UPDATE versions SET class = $2 WHERE id = $1`, versionID, class)
}

const holdColumns = `SELECT id, kind, target, label, reason, actor, at, released_at, released_by FROM holds`

func scanHold(r *sql.Rows) (h model.Hold, err error) {
	err = r.Scan(&h.ID, &h.Kind, &h.Target, &h.Label, &h.Reason, &h.Actor, stamp{&h.At}, stampPtr{&h.ReleasedAt},
		&h.ReleasedBy)
	return h, err
}

// Holds lists holds, the newest first, one page of them.
func (q *Q) Holds(f model.HoldFilter) ([]model.Hold, error) {
	return collect(q, "Holds", scanHold, holdColumns+` WHERE ($1 = 1 OR released_at IS NULL) AND id < $2 ORDER BY id DESC
		LIMIT $3`,
		flag(f.All), before(f.Paging), most(f.Paging))
}

// LockHold finds one hold and holds its row.
func (tx *Tx) LockHold(id string) (model.Hold, error) {
	if err := tx.take(rankHold, id); err != nil {
		return model.Hold{}, err
	}
	return one(&tx.Q, "LockHold", scanHold, holdColumns+` WHERE id = $1 `+tx.s.dialect.lock, id)
}

// HoldsGate is the name of the counter whose gate keeps adding a hold and removing files apart.
const HoldsGate = "holds"

// AddHold records a hold. It waits for a removal that is under way.
func (tx *Tx) AddHold(h model.Hold) error {
	if err := tx.gate("AddHold", HoldsGate, false); err != nil {
		return err
	}
	if err := tx.execOne("AddHold", `UPDATE counters SET value = value + 1 WHERE name = $1`, HoldsGate); err != nil {
		return err
	}
	_, err := tx.exec("AddHold", `INSERT INTO holds (id, kind, target, label, reason, actor, at, released_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, '')`,
		h.ID, h.Kind, h.Target, h.Label, h.Reason, h.Actor, micros(h.At))
	return err
}

// ReleaseHold ends a hold; NotFound if it was released already.
func (tx *Tx) ReleaseHold(id, by string, at time.Time) error {
	return tx.execOne("ReleaseHold", `UPDATE holds SET released_at = $2, released_by = $3 WHERE id = $1
		AND released_at IS NULL`, id, micros(at), by)
}

// AnyHold reports whether any hold is in force.
func (q *Q) AnyHold() (yes bool, err error) {
	err = q.scanOne("AnyHold", `SELECT CASE WHEN EXISTS (SELECT 1 FROM holds WHERE released_at IS NULL) THEN 1 ELSE 0 END`,
		nil, &yes)
	return yes, err
}

const runColumns = `SELECT id, kind, account_id, due_at, state, confirm, confirmed_at, confirmed_by, created_at,
	started_at, finished_at, files, bytes,
	removed_files, removed_bytes, report, list_key, planner FROM retention_runs`

func scanRun(r *sql.Rows) (n model.RetentionRun, err error) {
	err = r.Scan(&n.ID, &n.Kind, &n.Account, stamp{&n.DueAt}, &n.State, &n.Confirm, stampPtr{&n.ConfirmedAt},
		&n.ConfirmedBy, stamp{&n.CreatedAt}, stampPtr{&n.StartedAt}, stampPtr{&n.FinishedAt}, &n.Files, &n.Bytes,
		&n.RemovedFiles, &n.RemovedBytes, &n.Report, &n.ListKey, &n.Planner)
	return n, err
}

// Runs lists runs, the newest first, one page of them.
func (q *Q) Runs(p model.Paging) ([]model.RetentionRun, error) {
	return collect(q, "Runs", scanRun, runColumns+` WHERE id < $1 ORDER BY id DESC LIMIT $2`, before(p), most(p))
}

// OpenRuns lists runs that are not over, the first due first.
func (q *Q) OpenRuns() ([]model.RetentionRun, error) {
	return collect(q, "OpenRuns", scanRun, runColumns+` WHERE state IN ('planning', 'announced', 'running')
		ORDER BY due_at, id`)
}

// Run finds one run.
func (q *Q) Run(id string) (model.RetentionRun, error) {
	return one(q, "Run", scanRun, runColumns+` WHERE id = $1`, id)
}

// LockRun finds one run and holds its row.
func (tx *Tx) LockRun(id string) (model.RetentionRun, error) {
	if err := tx.take(rankRun, id); err != nil {
		return model.RetentionRun{}, err
	}
	return one(&tx.Q, "LockRun", scanRun, runColumns+` WHERE id = $1 `+tx.s.dialect.lock, id)
}

// RunAt finds the regular run of a date, also one that was called off; NotFound
// when none was planned.
func (q *Q) RunAt(due time.Time) (model.RetentionRun, error) {
	return one(q, "RunAt", scanRun, runColumns+` WHERE kind = 'regular' AND due_at = $1`, micros(due))
}

// ClosingRun finds the run of a closed account that was planned since it was closed; NotFound when there is
// none.
func (q *Q) ClosingRun(a model.Account) (model.RetentionRun, error) {
	since := int64(0)
	if a.ClosedAt != nil {
		since = micros(*a.ClosedAt)
	}
	return one(q, "ClosingRun", scanRun, runColumns+` WHERE kind = 'closing' AND account_id = $1 AND created_at >= $2
		ORDER BY id DESC LIMIT 1`, a.ID, since)
}

// PutRun records a run, or updates its state, confirmation and results.
func (tx *Tx) PutRun(n model.RetentionRun) error {
	if err := tx.take(rankRun, n.ID); err != nil {
		return err
	}
	_, err := tx.exec("PutRun", `INSERT INTO retention_runs (id, kind, account_id, due_at, state, confirm, confirmed_at,
		confirmed_by, created_at, started_at,
		finished_at, files, bytes, removed_files, removed_bytes, report, list_key, planner)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, confirmed_at = excluded.confirmed_at,
		confirmed_by = excluded.confirmed_by,
		started_at = excluded.started_at, finished_at = excluded.finished_at, files = excluded.files, bytes = excluded.bytes,
		removed_files = excluded.removed_files, removed_bytes = excluded.removed_bytes, report = excluded.report,
		list_key = excluded.list_key`,
		n.ID, n.Kind, n.Account, micros(n.DueAt), n.State, n.Confirm, timeNull(n.ConfirmedAt), n.ConfirmedBy,
		micros(n.CreatedAt),
		timeNull(n.StartedAt), timeNull(n.FinishedAt), n.Files, n.Bytes, n.RemovedFiles, n.RemovedBytes, n.Report,
		n.ListKey,
		n.Planner)
	return err
}

// DropRun forgets a run that was never announced, with its items.
func (tx *Tx) DropRun(id string) error {
	if _, err := tx.book("DropRun", `DELETE FROM retention_items WHERE run_id = $1`, id); err != nil {
		return err
	}
	return tx.bookOne("DropRun", `DELETE FROM retention_runs WHERE id = $1 AND state = 'planning'`, id)
}

var itemInserts = inserts(11, `INSERT INTO retention_items (run_id, account_id, version_id, user_id, path, size, sha256,
	class, stored_at, fetched, state, why) VALUES`, `, ''`)

// AddItems adds versions to those that a run names.
func (tx *Tx) AddItems(runID string, items []model.RetentionItem) error {
	rows := make([][]any, len(items))
	for n, i := range items {
		rows[n] = []any{runID, i.Account, i.Version, i.UserID, []byte(i.Path), i.Size, i.Sum, i.Class,
			micros(i.StoredAt), i.Fetched, i.State}
	}
	return insert(tx.book, "AddItems", &itemInserts, rows)
}

const itemColumns = `SELECT i.account_id, i.user_id, COALESCE(u.name, i.user_id), i.path, i.size, i.sha256, i.class,
	i.stored_at, i.fetched, i.state, i.why, i.version_id
	FROM retention_items i LEFT JOIN users u ON u.id = i.user_id`

func scanItem(r *sql.Rows) (i model.RetentionItem, err error) {
	var path []byte
	err = r.Scan(&i.Account, &i.UserID, &i.User, &path, &i.Size, &i.Sum, &i.Class, stamp{&i.StoredAt}, &i.Fetched,
		&i.State, &i.Why, &i.Version)
	i.Path, i.SHA256 = string(path), hex.EncodeToString(i.Sum)
	return i, err
}

// Items lists up to limit items of a run, ordered by account and version, beginning after the given
// ones.
func (q *Q) Items(runID, afterAccount, afterVersion string, limit int) ([]model.RetentionItem, error) {
	return collect(q, "Items", scanItem, itemColumns+` WHERE i.run_id = $1 AND i.account_id >= $2
		AND (i.account_id > $2 OR i.version_id > $3)
		ORDER BY i.account_id, i.version_id LIMIT $4`, runID, afterAccount, afterVersion, limit)
}

// ItemsOf is Items of one account.
func (q *Q) ItemsOf(runID, account, afterVersion string, limit int) ([]model.RetentionItem, error) {
	return collect(q, "ItemsOf", scanItem, itemColumns+` WHERE i.run_id = $1 AND i.account_id = $2 AND i.version_id > $3
		ORDER BY i.version_id LIMIT $4`,
		runID, account, afterVersion, limit)
}

// ItemsToDo lists up to limit items of a run that have no outcome yet (state "named").
func (q *Q) ItemsToDo(runID string, limit int) ([]model.RetentionItem, error) {
	return collect(q, "ItemsToDo", scanItem, itemColumns+` WHERE i.run_id = $1 AND i.state = 'named' ORDER BY i.version_id
		LIMIT $2`, runID, limit)
}

// ItemDone records the outcome of a run's item; NotFound if it has one already.
func (tx *Tx) ItemDone(runID string, i model.RetentionItem) error {
	return tx.bookOne("ItemDone", `UPDATE retention_items SET state = $4, why = $5 WHERE run_id = $1 AND account_id = $2
		AND version_id = $3 AND state = 'named'`,
		runID, i.Account, i.Version, i.State, i.Why)
}

// DropItems removes up to pruneAtOnce items of a run whose report has them, and returns how many.
func (tx *Tx) DropItems(runID string) (int64, error) {
	return tx.book("DropItems", `DELETE FROM retention_items WHERE run_id = $1
		AND version_id IN (SELECT version_id FROM retention_items WHERE run_id = $1 LIMIT $2)`, runID, pruneAtOnce)
}

// ItemCount counts a run's items of one account, state and reason. Uncollect is the number of those
// that were not collected when the run was planned.
type ItemCount struct {
	Account, Why            string
	State                   model.ItemState
	Files, Bytes, Uncollect int64
}

// CountItems counts a run's items by account, state and reason.
func (q *Q) CountItems(runID string) ([]ItemCount, error) {
	return collect(q, "CountItems", func(r *sql.Rows) (c ItemCount, err error) {
		err = r.Scan(&c.Account, &c.State, &c.Why, &c.Files, &c.Bytes, &c.Uncollect)
		return c, err
	}, `SELECT account_id, state, why, COUNT(*), SUM(size),
		SUM(CASE WHEN fetched IN ('published', 'opened') THEN 1 ELSE 0 END)
		FROM retention_items WHERE run_id = $1 GROUP BY account_id, state, why ORDER BY account_id, state, why`, runID)
}

// AddRetentionNotice records a notice to an account; a second one for the same run, account and mark
// is Exists.
func (tx *Tx) AddRetentionNotice(n model.RetentionNotice) error {
	_, err := tx.exec("AddRetentionNotice", `INSERT INTO retention_notices (id, run_id, account_id, mark, at, text,
		told_by) VALUES ($1, $2, $3, $4, $5, $6, '')`,
		n.ID, n.Run, n.Account, n.Mark, micros(n.At), n.Text)
	return err
}

// RetentionNotices lists a run's notices, of one account or of all, with the states of their mails.
func (q *Q) RetentionNotices(runID, account string, p model.Paging) ([]model.RetentionNotice, error) {
	list, err := collect(q, "RetentionNotices", func(r *sql.Rows) (n model.RetentionNotice, err error) {
		err = r.Scan(&n.ID, &n.Run, &n.Account, &n.Mark, stamp{&n.At}, &n.Text, &n.ToldBy)
		n.Mails, n.Reached = []model.Mailed{}, n.ToldBy != ""
		return n, err
	}, `SELECT id, run_id, account_id, mark, at, text, told_by FROM retention_notices WHERE run_id = $1
		AND ($2 = '' OR account_id = $2)
		AND id > $3 ORDER BY id LIMIT $4`, runID, account, p.Cursor, most(p))
	for i := range list {
		if err != nil {
			break
		}
		n := &list[i]
		n.Mails, err = collect(q, "RetentionNotices", func(r *sql.Rows) (m model.Mailed, err error) {
			err = r.Scan(&m.To, &m.State, &m.Error)
			return m, err
		}, `SELECT target, state, error FROM messages WHERE ref = $1 AND ref <> '' ORDER BY id`, n.ID)
		for _, m := range n.Mails {
			n.Reached = n.Reached || m.State == model.MessageSent
		}
	}
	return list, err
}

// NoticeTold records who told an account of a run by hand, and returns how many notices that changed.
func (tx *Tx) NoticeTold(runID, account, by string) (int64, error) {
	return tx.exec("NoticeTold", `UPDATE retention_notices SET told_by = $3 WHERE run_id = $1 AND account_id = $2
		AND told_by = ''`, runID, account, by)
}

// StoredBetween lists versions stored in [from, to) that are still their file's current version.
func (q *Q) StoredBetween(from, to time.Time) ([]Kept, error) {
	var out []Kept
	classes, err := q.Classes()
	for _, class := range classes {
		if err != nil {
			break
		}
		var part []Kept
		part, err = collect(q, "StoredBetween", scanKept,
			keptColumns+` WHERE v.class = $1 AND v.stored_at >= $2 AND v.stored_at < $3 AND f.version_id = v.id`, class,
			micros(from), micros(to))
		out = append(out, part...)
	}
	return out, err
}
