package retention

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// rules are the current policies. The most specific one applies: that of a user's folder, of a
// folder of all users, of a feed, of a user, the default.
type rules struct {
	keep    map[string]string // class → period
	folders []model.RetentionPolicy
	feeds   map[string]bool
	users   map[string]bool
}

const rulesFor = 5 * time.Second // until a change by another node is seen

func readRules(q *store.Q, fallback string) (*rules, error) {
	list, err := q.Policies()
	if err != nil {
		return nil, err
	}
	r := &rules{keep: map[string]string{model.ClassDefault: fallback}, feeds: map[string]bool{}, users: map[string]bool{}}
	for _, p := range list {
		r.keep[p.Class] = p.Keep
		switch {
		case p.Folder != "":
			r.folders = append(r.folders, p)
		case p.Feed != "":
			r.feeds[p.Feed] = true
		default:
			r.users[p.UserID] = true
		}
	}
	slices.SortStableFunc(r.folders, func(a, b model.RetentionPolicy) int { // most specific first
		return cmp.Or(cmp.Compare(b.UserID, a.UserID), cmp.Compare(len(b.Folder), len(a.Folder)))
	})
	return r, nil
}

// class returns the class of the policy that applies to a file.
func (r *rules) class(userID, full, feed string) string {
	for _, p := range r.folders {
		if (p.UserID == "" || p.UserID == userID) &&
			(full == p.Folder || strings.HasPrefix(full, strings.TrimSuffix(p.Folder, "/")+"/")) {
			return p.Class
		}
	}
	switch {
	case feed != "" && r.feeds[feed]:
		return "feed:" + feed
	case r.users[userID]:
		return "user:" + userID
	}
	return model.ClassDefault
}

// period returns how long files of a class are kept. A class without a policy counts as the
// default.
func (r *rules) period(class string) string {
	return cmp.Or(r.keep[class], r.keep[model.ClassDefault])
}

// current returns the rules, which may be rulesFor old.
func (r *Service) current(q *store.Q) (*rules, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.o.Clock(); r.rules == nil || now.Sub(r.loadedAt).Abs() > rulesFor {
		fresh, err := readRules(q, r.policy.Load().Keep)
		if err != nil {
			return nil, err
		}
		r.rules, r.loadedAt = fresh, now
	}
	return r.rules, nil
}

// Forget has the policies read again before they are next used. A feed's period has changed, or another
// policy has.
func (r *Service) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules = nil
}

// Class returns the class for a file that is being stored. If the policies cannot be read, it
// returns ClassDefault; planning checks again.
func (r *Service) Class(userID, full, feed string) string {
	rules, err := r.current(r.o.Store.Read(context.Background()))
	if err != nil {
		return model.ClassDefault
	}
	return rules.class(userID, full, feed)
}

// Period returns how long a user's file at a path is kept, such as "12mo"; feed is "" if it is
// of no feed. If the policies cannot be read, it returns the default.
func (r *Service) Period(userID, full, feed string) string {
	rules, err := r.current(r.o.Store.Read(context.Background()))
	if err != nil {
		return r.policy.Load().Keep
	}
	return rules.period(rules.class(userID, full, feed))
}

// NextRun returns the date of the next removal: the first announced regular run, or else the
// first one that can still be announced. It returns the zero time on an error.
func (r *Service) NextRun() time.Time {
	runs, err := r.o.Store.Read(context.Background()).OpenRuns()
	if err != nil {
		return time.Time{}
	}
	next := r.nextRun(r.now())
	for _, run := range runs {
		if run.Account == "" && run.DueAt.Before(next) {
			next = run.DueAt
		}
	}
	return next
}

// KeptUntil returns when a version is due for removal, or the zero time on an error.
func (r *Service) KeptUntil(ctx context.Context, versionID string) time.Time {
	q := r.o.Store.Read(ctx)
	k, err := q.KeptVersion(versionID)
	if err != nil {
		return time.Time{}
	}
	rules, err := r.current(q)
	if err != nil {
		return time.Time{}
	}
	until, err := valid.After(k.StoredAt, rules.period(k.Class))
	if err != nil {
		return time.Time{}
	}
	return until
}

// Policies lists the policies, the default first.
func (r *Service) Policies(ctx context.Context) ([]model.RetentionPolicy, error) {
	list, err := r.o.Store.Read(ctx).Policies()
	for i := range list {
		list[i].Class = r.shown(list[i])
	}
	return append([]model.RetentionPolicy{{Class: model.ClassDefault, Keep: r.policy.Load().Keep}}, list...), err
}

// shown returns the class of a policy with the username in place of the user id.
func (r *Service) shown(p model.RetentionPolicy) string {
	if p.UserID != "" {
		return strings.Replace(p.Class, p.UserID, p.User, 1)
	}
	return p.Class
}

// SetPolicy sets the policy of a feed, a user, or a folder of one user or of all. Keep ""
// removes it. If files may be removed earlier than before, the next run needs an
// administrator's confirmation.
func (r *Service) SetPolicy(ctx context.Context, who string, s model.SetPolicy) (model.RetentionPolicy, error) {
	const op = "retention.SetPolicy"
	p := model.RetentionPolicy{Feed: s.Feed, User: s.User, Folder: s.Folder, Keep: s.Keep}
	if p.Keep != "" {
		if err := valid.CheckPeriod(p.Keep); err != nil {
			return p, err
		}
	}
	if p.Feed == "" && p.User == "" && p.Folder == "" || p.Feed != "" && p.User+p.Folder != "" {
		return p, fault.E(op, fault.Invalid, "A policy is a feed's, a user's, a folder's, or that of a user's folder.").
			WithHint("the default is retention.keep in the configuration")
	}
	if p.Folder != "" {
		clean, err := valid.CheckFolder(p.Folder)
		if err != nil {
			return p, err
		}
		p.Folder = clean
	}
	p, err := store.Change(ctx, r.o.Store,
		func(tx *store.Tx) (model.RetentionPolicy, error) { return r.setPolicy(tx, who, p) })
	if err != nil {
		return p, err
	}
	r.Forget()
	p.Class = r.shown(p)
	return p, r.reclassifyPending(ctx)
}

func (r *Service) setPolicy(tx *store.Tx, who string, p model.RetentionPolicy) (model.RetentionPolicy, error) {
	if p.User != "" {
		u, err := tx.User(p.User)
		if err != nil {
			return p, fault.Missing("retention", err, "There is no user %q.", p.User)
		}
		p.UserID = u.ID
	}
	p.Class = classOf(p)
	before, err := readRules(&tx.Q, r.policy.Load().Keep)
	if err != nil {
		return p, err
	}
	if err := put(tx, p, who, r.now()); err != nil {
		return p, err
	}
	if err := r.noteShortened(tx, before, p); err != nil {
		return p, err
	}
	if err := tx.SetSetting(reclassifySetting, "yes"); err != nil {
		return p, err
	}
	return p, r.audit(tx, who, "retention.policy", r.shown(p),
		map[string]string{"keep": p.Keep, "was": before.keep[p.Class]})
}

func classOf(p model.RetentionPolicy) string {
	switch {
	case p.Feed != "":
		return "feed:" + p.Feed
	case p.Folder != "" && p.UserID != "":
		return "folder:" + p.UserID + ":" + p.Folder
	case p.Folder != "":
		return "folder:" + p.Folder
	}
	return "user:" + p.UserID
}

// put writes a policy, or removes it if its period is "".
func put(tx *store.Tx, p model.RetentionPolicy, who string, at time.Time) error {
	switch {
	case p.Feed != "":
		return fault.Missing("retention", tx.SetFeedRetention(p.Feed, p.Keep), "There is no feed %q.", p.Feed)
	case p.Keep == "":
		return fault.Missing("retention", tx.DropPolicy(p.Class), "There is no such policy.")
	}
	return tx.PutPolicy(p, who, at)
}

const (
	reclassifySetting = "retention.reclassify"
	confirmSetting    = "retention.confirm"
	defaultSetting    = "retention.default"
)

// shorter reports whether one period is shorter than another, counted back from at. Calendar
// months differ in length, so both start at the same day.
func shorter(at time.Time, period, than string) bool {
	a, err := valid.Before(at, period)
	b, thanErr := valid.Before(at, than)
	return err == nil && thanErr == nil && a.After(b)
}

// noteShortened requires a confirmation of the next run if a change may remove anything earlier
// than before.
func (r *Service) noteShortened(tx *store.Tx, before *rules, p model.RetentionPolicy) error {
	keep := p.Keep
	if keep == "" { // its files get one of the remaining policies
		left, err := readRules(&tx.Q, r.policy.Load().Keep)
		if err != nil {
			return err
		}
		for _, k := range left.keep {
			if keep == "" || shorter(r.now(), k, keep) {
				keep = k
			}
		}
	}
	longest := before.keep[p.Class]
	if longest == "" { // before, its files had other policies
		for _, k := range before.keep {
			if longest == "" || shorter(r.now(), longest, k) {
				longest = k
			}
		}
	}
	if !shorter(r.now(), keep, longest) {
		return nil
	}
	on, name := r.now().Format(time.DateOnly), r.shown(p)
	why := fmt.Sprintf("the policy %s was shortened from %s to %s on %s", name, longest, keep, on)
	switch {
	case p.Keep == "":
		why = fmt.Sprintf("the policy %s, which kept files for %s, was taken away on %s, and its files may now be kept for "+
			"%s only", name, longest, on, keep)
	case before.keep[p.Class] == "":
		why = fmt.Sprintf("the policy %s was added on %s: it keeps files for %s, and they may have been kept for %s before",
			name, on, keep, longest)
	}
	return r.NeedConfirmation(tx, why)
}

// NeedConfirmation makes the next planned run, and every later one until then, wait for an
// administrator's confirmation. why is displayed.
func (r *Service) NeedConfirmation(tx *store.Tx, why string) error {
	return tx.SetSetting(confirmSetting, why)
}

// watchDefault detects that the default period in the configuration was shortened.
func (r *Service) watchDefault(ctx context.Context) error {
	was, err := r.o.Store.Read(ctx).Setting(defaultSetting)
	if err != nil || was == r.policy.Load().Keep {
		return err
	}
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		if was != "" && shorter(r.now(), r.policy.Load().Keep, was) {
			why := fmt.Sprintf("the default was shortened from %s to %s on %s", was, r.policy.Load().Keep,
				r.now().Format(time.DateOnly))
			if err := r.NeedConfirmation(tx, why); err != nil {
				return err
			}
		}
		if was != "" {
			if err := r.audit(tx, actor, "retention.policy", model.ClassDefault,
				map[string]string{"keep": r.policy.Load().Keep, "was": was}); err != nil {
				return err
			}
		}
		return tx.SetSetting(defaultSetting, r.policy.Load().Keep)
	})
}

const reclassifyBatch = 1000

// reclassifyPending updates the class of every version after a change of policies.
func (r *Service) reclassifyPending(ctx context.Context) error {
	wanted, err := r.o.Store.Read(ctx).Setting(reclassifySetting)
	if err != nil || wanted == "" {
		return err
	}
	q := r.o.Store.Read(ctx)
	rules, err := readRules(q, r.policy.Load().Keep)
	if err != nil {
		return err
	}
	paths := pathReader{q: q, dirs: map[string]string{}}
	for after := ""; ; {
		page, err := q.KeptOf("", after, reclassifyBatch)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1].ID
		changed, users := map[string]string{}, map[string]bool{}
		for _, k := range page {
			full, err := paths.of(k)
			if err != nil {
				return err
			}
			if class := rules.class(k.UserID, full, k.Feed); class != k.Class {
				changed[k.ID], users[k.UserID] = class, true
			}
		}
		if len(changed) == 0 {
			continue
		}
		err = r.o.Store.Write(ctx, func(tx *store.Tx) error {
			// versions may be changed only with their mailboxes locked
			if _, err := mailbox.LockAll(tx, slices.Collect(maps.Keys(users))); err != nil {
				return err
			}
			for _, id := range slices.Sorted(maps.Keys(changed)) {
				class := changed[id]
				if err := tx.SetClass(id, class); err != nil && !fault.Is(err, fault.NotFound) {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return r.o.Store.Write(ctx, func(tx *store.Tx) error { return tx.SetSetting(reclassifySetting, "") })
}

// pathReader returns the paths of versions. It caches directories.
type pathReader struct {
	q    *store.Q
	dirs map[string]string
}

// of returns the current path of a version's file. If the file has no name any more, it returns
// the path where it was placed.
func (p *pathReader) of(k store.Kept) (string, error) {
	if k.DirID == "" {
		return k.Path, nil
	}
	dir, known := p.dirs[k.DirID]
	if !known {
		var err error
		if dir, _, err = p.q.DirPath(k.DirID); fault.Is(err, fault.NotFound) {
			return k.Path, nil
		} else if err != nil {
			return "", err
		}
		p.dirs[k.DirID] = dir
	}
	return path.Join(dir, k.Name), nil
}
