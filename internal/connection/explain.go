package connection

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// explained is the maximum number of connections in an answer.
const explained = 20

// Explain answers "why can't they log in?". about is a username, an address, or the reference that
// a partner read out.
func (r *Service) Explain(ctx context.Context, about string) (model.Explained, error) {
	r.Flush()
	a := asking{r, clock{exchange.ReaderZone(ctx, r.o.Zone)}}
	return a.answer(r.o.Store.Read(ctx), about)
}

// asking is a service that explains something to somebody. Its sentences have times in their zone.
type asking struct {
	*Service
	clock
}

func (r asking) answer(q *store.Q, about string) (model.Explained, error) {
	out := model.Explained{About: about, Summary: []model.Finding{}, Explanations: []model.Explanation{}}
	list, err := q.Connections("reference", valid.Printable(strings.ToLower(about)), 1)
	if err != nil {
		return out, err
	}
	if len(list) == 0 {
		if addr, aerr := netip.ParseAddr(about); aerr == nil {
			list, err = r.aboutAddress(q, addr, &out)
		} else {
			list, err = r.aboutUser(q, about, &out)
		}
		if err != nil {
			return out, err
		}
	}
	for _, c := range list {
		e, err := r.explain(q, c)
		if err != nil {
			return out, err
		}
		out.Explanations = append(out.Explanations, e)
	}
	return out, nil
}

// aboutAddress adds whether an address is banned, and returns its connections.
func (r asking) aboutAddress(q *store.Q, addr netip.Addr, out *model.Explained) ([]model.Connection, error) {
	addr = addr.Unmap()
	out.About = addr.String()
	now := r.o.Clock()
	b, err := q.Ban(unitName(valid.Subscriber(addr)))
	switch {
	case err == nil && now.Before(b.Until):
		out.Find("Banned since %s until %s, after %d failed connections (the last: %s); turned away %d times since.",
			r.stamp(b.Since), r.stamp(b.Until), b.Failures, Words(b.Reason), b.Refused).
			Action = model.Do("lift-ban", "address", b.Address)
	case err == nil:
		out.Find("Not banned now; it was until %s.", r.stamp(b.Until))
	case fault.Is(err, fault.NotFound):
		out.Find("Not banned.")
	default:
		return nil, err
	}
	list, err := q.Connections("address", addr.String(), explained)
	if err == nil && len(list) == 0 {
		out.Find("No connection from this address has reached this server. Check the server address, the port, and " +
			"firewalls on the way.")
	}
	return list, err
}

// aboutUser adds what keeps a user from logging in now, and returns the user's connections.
func (r asking) aboutUser(q *store.Q, name string, out *model.Explained) ([]model.Connection, error) {
	list, err := q.Connections("user_name", valid.Printable(name), explained)
	if err != nil {
		return nil, err
	}
	u, err := q.User(valid.Printable(name))
	if err == nil && u.Name != name { // the user is stored with other capitals
		if list, err = q.Connections("user_name", u.Name, explained); err != nil {
			return nil, err
		}
	}
	if fault.Is(err, fault.NotFound) {
		if was, err := q.FormerName(valid.Printable(name)); err == nil {
			out.Find("The user %s was renamed to %s on %s.", was.From, was.To, r.stamp(was.At)).Action = model.Do("explain",
				"about", was.To)
			return list, nil
		}
		similar := r.similar(q, name)
		if len(list) == 0 && len(similar) == 0 {
			e := fault.E("connection.Explain", fault.NotFound,
				"There is no user, no address and no reference %q, and nobody tried to log in as that.", valid.Printable(name))
			if near, err := q.Near(model.NounUser, name); err != nil {
				return nil, err
			} else if near != "" {
				e = e.WithHint("did you mean %s?", near)
			}
			return nil, e
		}
		out.Find("There is no user %q.%s", valid.Printable(name), like(similar))
		return list, nil
	} else if err != nil {
		return nil, err
	}
	if err := r.standing(q, u, out); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		out.Find(
			"Nobody has tried to log in with this username. Check the server address, the port, and firewalls on the way.")
	}
	return list, nil
}

// standing adds the state of a user, its account and its keys.
func (r asking) standing(q *store.Q, u model.User, out *model.Explained) error {
	a, err := q.Account(u.Account)
	if err != nil {
		return err
	}
	keys, err := q.Keys(u.ID)
	if err != nil {
		return err
	}
	if !u.Enabled {
		out.Find("The user is disabled.").Action = model.Do("edit-user", "user", u.Name, "enabled", "true")
	}
	if a.State != model.AccountActive {
		out.Find("The account %s is %s.%s", a.ID, strings.ReplaceAll(string(a.State), "_", "-"), r.untilRemoved(a, u))
	}
	former, err := q.FormerNames(u.ID)
	if err != nil {
		return err
	}
	for _, f := range former {
		out.Find("Until %s its name was %s; connections from before are under that name.", r.stamp(f.At), f.From).
			Action = model.Do("explain", "about", f.From)
	}
	if ips := slices.Concat(u.AllowIPs, a.AllowIPs); len(ips) > 0 {
		out.Find("May log in only from %s.", strings.Join(ips, ", "))
	}
	if err := r.bannedWith(q, keys, out); err != nil {
		return err
	}
	barred := !u.Enabled || a.State == model.AccountSuspended || a.State == model.AccountClosed && !r.mayDownload(a, u)
	switch good := r.good(keys); {
	case len(keys) == 0:
		out.Find("No key is on file.").Action = model.Do("add-keys", "user", u.Name)
	case len(good) == 0:
		out.Find("None of the %d keys on file works any more.", len(keys)).Action = model.Do("list-keys", "user", u.Name)
	case barred:
		out.Find("So it can't log in, although its keys are in order: %s.", strings.Join(good, ", "))
	default:
		out.Find("Can log in with %s.", strings.Join(good, " or "))
	}
	if err := r.failedUploads(q, u, out); err != nil {
		return err
	}
	r.limits(u, out)
	pending, err := q.PendingKeys(u.ID, model.Paging{})
	if err == nil && len(pending) > 0 {
		out.Find("%d unknown keys wait for your word.", len(pending)).Action = model.Do("list-pending-keys", "user", u.Name)
	}
	return err
}

// mayDownload reports whether a user of a closed account may still log in, to download its files.
func (r asking) mayDownload(a model.Account, u model.User) bool {
	return a.State == model.AccountClosed && u.Kind != model.KindService &&
		a.MayDownload(r.policy.Load().CloseAccess, r.o.Clock())
}

// untilRemoved says until when the users of a closed account may log in.
func (r asking) untilRemoved(a model.Account, u model.User) string {
	if !r.mayDownload(a, u) {
		return ""
	}
	return " Its users may log in read-only until " + r.stamp(*a.FilesUntil) + ", to download their files."
}

// limits adds the mailbox limits that a user has reached, or nearly.
func (r asking) limits(u model.User, out *model.Explained) {
	l := r.policy.Load().Limits.Of(u.OwnLimits())
	for _, b := range []struct {
		have, limit int64
		what, field string
	}{
		{u.UsedBytes, l.QuotaBytes, "Its files take %d of %d bytes", "quota_bytes"},
		{u.UsedFiles, l.QuotaFiles, "It has %d of %d files", "quota_files"},
		{u.KeptBytes, l.KeepBytes, "It keeps %d of %d bytes alive, with older versions and removed files that must be kept",
			"keep_bytes"},
		{u.KeptItems, l.KeepItems,
			"It keeps %d of %d files and directories alive, with older versions and removed ones that must be kept",
			"keep_items"},
	} {
		if b.limit > 0 && float64(b.have) >= float64(b.limit)*exchange.NearPercent/100 {
			out.Find(b.what+"; at the limit its uploads are refused.", b.have, b.limit).
				Action = model.Do("edit-user", "user", u.Name, b.field, "")
		}
	}
}

// bannedWith adds the banned addresses among those that the user's keys were last used from. A
// banned client is refused before it sends a username, so its records do not name the user.
func (r asking) bannedWith(q *store.Q, keys []model.Key, out *model.Explained) error {
	told := map[string]bool{}
	for _, k := range keys {
		addr, err := netip.ParseAddr(k.LastAddress)
		if err != nil || told[k.LastAddress] {
			continue
		}
		told[k.LastAddress] = true
		b, err := q.Ban(unitName(valid.Subscriber(addr)))
		if err == nil && r.o.Clock().Before(b.Until) {
			out.Find("The address %s, from which the user came last, is banned until %s.", k.LastAddress, r.stamp(b.Until)).
				Action = model.Do("lift-ban", "address", b.Address)
		} else if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return nil
}

// good returns the fingerprints of keys that work.
func (r asking) good(keys []model.Key) (out []string) {
	for _, k := range keys {
		if s := k.StateAt(r.o.Clock()); s == model.KeyActive || s == model.KeyRetiring {
			out = append(out, k.Fingerprint)
		}
	}
	return out
}

// named is the maximum number of usernames that similar suggests.
const named = 3

// similar finds the users that a mistyped name probably means. It ignores case and the marks
// between a name's parts, a domain or host that some programs add, and it takes a vendor's short
// name alone. It returns none if more than named users fit.
func (r asking) similar(q *store.Q, name string) []string {
	low := strings.Trim(strings.ToLower(strings.TrimSpace(name)), `"'`)
	tries := []string{low}
	if before, _, ok := strings.Cut(low, "@"); ok {
		tries = append(tries, before)
	}
	if i := strings.LastIndexAny(low, `\/:`); i >= 0 {
		tries = append(tries, low[i+1:])
	}
	for _, t := range tries {
		if t == "" {
			continue
		}
		list, err := q.UsersLike(valid.Printable(t), named+1)
		if err != nil {
			continue
		}
		list = slices.DeleteFunc(list, func(n string) bool { return n == name })
		if 0 < len(list) && len(list) <= named {
			return list
		}
	}
	return nil
}

// lists returns the allow-lists that a user's log-ins must pass.
func (r asking) lists(u model.User, a model.Account) []allowList {
	endpoint, ok := r.policy.Load().EndpointIPs[a.Region]
	if !ok {
		endpoint = r.policy.Load().EndpointIPs[""]
	}
	return []allowList{{"user", u.AllowIPs}, {"account", a.AllowIPs}, {"server address", endpoint}}
}

// userAt finds the user that had the name of a connection then. If the user has another name since, f says which.
func userAt(q *store.Q, c model.Connection, f *facts) (model.User, error) {
	u, err := q.User(c.User)
	if !fault.Is(err, fault.NotFound) {
		return u, err
	}
	was, werr := q.FormerName(c.User)
	if werr != nil {
		return u, err
	}
	f.renamed = &was
	if c.At.After(was.At) {
		return u, err
	}
	return q.UserByID(was.UserID)
}

// explain describes how one connection went.
func (r asking) explain(q *store.Q, c model.Connection) (model.Explanation, error) {
	f := facts{c: c, clock: r.clock}
	u, err := userAt(q, c, &f)
	switch {
	case err == nil:
		if err := r.ofUser(q, u, &f); err != nil {
			return model.Explanation{}, err
		}
	case fault.Is(err, fault.NotFound):
		f.similar = r.similar(q, c.User)
	default:
		return model.Explanation{}, err
	}
	for _, fp := range c.Offered {
		o := offer{fingerprint: fp}
		if o.holders, err = q.KeysOf(fp); err != nil {
			return model.Explanation{}, err
		}
		if b, err := q.Burned(fp); err == nil {
			o.burned = &b
		}
		f.offered = append(f.offered, o)
	}
	if addr, err := netip.ParseAddr(c.Address); err == nil && c.Outcome == model.ReasonBanned {
		if b, err := q.Ban(unitName(valid.Subscriber(addr))); err == nil && !c.At.Before(b.Since) {
			f.ban = &b
		}
	}
	w, known := reasons[c.Outcome]
	if !known {
		w.says = say("Ended with " + c.Outcome + ".")
	}
	e := model.Explanation{Connection: c, Sentence: w.says(&f), Action: w.helps, Uploads: f.uploads}
	if f.user == nil && c.User != "" && c.Outcome != model.ReasonUnknownUser {
		e.Sentence += fmt.Sprintf(" And there is no user %q.", c.User) + like(f.similar)
	}
	if w.tells != nil {
		e.Advice = w.tells(&f)
	}
	s, err := r.changed(q, &f)
	if e.Since = s.says; s.tells != "" {
		e.Advice, e.Action = s.tells, nil
	}
	return e, err
}

// ofUser adds what is known of the user of a connection.
func (r asking) ofUser(q *store.Q, u model.User, f *facts) error {
	f.user = &u
	keys, err := q.Keys(u.ID)
	if err != nil {
		return err
	}
	f.works = r.good(keys)
	for _, k := range keys {
		if workedAt(&k, f.c.At) {
			f.good = append(f.good, k.Fingerprint)
		}
	}
	a, err := q.Account(u.Account)
	if err != nil {
		return err
	}
	f.state, f.lists, f.open = a.State, r.lists(u, a), r.mayDownload(a, u)
	if f.c.Session == "" {
		return nil
	}
	list, err := q.RefusedUploadsIn(f.c.Session, uploadsTold)
	if err == nil {
		f.uploads, err = stored(q, u.ID, list, r.clock)
	}
	return err
}
