package connection

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// A record keeps what was true when it was made. This file finds what has changed since then, so that they should try
// again.

// since is what has changed: a sentence for the operator, and what to tell the partner in place of the advice.
type since struct{ says, tells string }

// tryAgain ends sentences about what has changed.
const tryAgain = ": they should try again."

// keyReasons are the reasons that an offered key has something to do with.
var keyReasons = map[string]bool{model.ReasonUnknownKey: true, model.ReasonOtherUsersKey: true,
	model.ReasonKeyPending: true, model.ReasonKeyRevoked: true, model.ReasonKeyExpired: true, model.ReasonKeyFrozen: true,
	model.ReasonKeyReplaced: true, model.ReasonTooManyTries: true, model.ReasonSecondRequest: true}

// workedAt reports whether a key worked at a time, as far as its record says.
func workedAt(k *model.Key, at time.Time) bool {
	passed := func(t *time.Time) bool { return t != nil && !t.After(at) }
	return !k.CreatedAt.After(at) && !passed(k.RevokedAt) && !passed(k.FrozenAt) && !passed(k.RetiresAt) &&
		!passed(k.ExpiresAt) && (!k.Burned || k.RevokedAt != nil)
}

// enrolledSince reports whether an offered key was enrolled after the connection, by anybody.
func (f *facts) enrolledSince() bool {
	return slices.ContainsFunc(f.offered, func(o offer) bool {
		return slices.ContainsFunc(o.holders, func(k model.Key) bool { return k.CreatedAt.After(f.c.At) })
	})
}

// when formats a time after the connection: the hour alone, if it was the same day.
func (f *facts) when(t time.Time) string {
	if t = t.In(f.zone); t.Format(time.DateOnly) == f.c.At.In(f.zone).Format(time.DateOnly) {
		return "at " + t.Format("15:04 MST")
	}
	return f.on(t)
}

// changed finds what has changed since a connection. That they should try again is said only if nothing else that is
// known keeps them out now.
func (r *Service) changed(q *store.Q, f *facts) (since, error) {
	s, err := r.change(q, f)
	if why, reason := f.barred(); why != "" && strings.HasSuffix(s.says, tryAgain) {
		s.says = strings.TrimSuffix(s.says, tryAgain) + ", but " + why + " now."
		tells := reasons[reason].tells(f)
		if key, _, _ := strings.Cut(s.tells, ". "); strings.HasPrefix(key, "Your key ") {
			tells = key + ". " + tells
		}
		s.tells = tells
	}
	return s, err
}

// barred says what keeps the user out now, whatever its key, and the reason that a log-in would fail for; "" if
// nothing is known.
func (f *facts) barred() (why, reason string) {
	switch {
	case f.user == nil:
	case !f.user.Enabled:
		return "the user is disabled", model.ReasonUserDisabled
	case f.state == model.AccountSuspended:
		return "the account is suspended", model.ReasonSuspended
	case f.state == model.AccountClosed && !f.open:
		return "the account is closed", model.ReasonClosed
	case len(f.refusing()) > 0:
		return "the address is not on the list of those that may come in", model.ReasonAddress
	}
	return "", ""
}

func (r *Service) change(q *store.Q, f *facts) (since, error) {
	switch {
	case f.c.Outcome == model.ReasonBanned:
		return r.banEnded(q, f)
	case f.user == nil:
		return since{}, nil
	case f.c.Outcome == model.ReasonUnknownUser:
		at := f.user.CreatedAt
		if !at.After(f.c.At) {
			return since{}, nil
		}
		return since{"The user " + f.user.Name + " was added " + f.when(at) + tryAgain,
			"Your access is ready now. Please try again."}, nil
	case keyReasons[f.c.Outcome]:
		return f.keyChanged(), nil
	}
	return r.standingChanged(q, f)
}

// keyChanged finds out whether an offered key works by now.
func (f *facts) keyChanged() since {
	for _, o := range f.offered {
		which := "That key"
		if len(f.offered) > 1 {
			which = "The key " + o.fingerprint
		}
		for _, k := range o.holders {
			late := k.CreatedAt.After(f.c.At)
			switch {
			case k.User != f.user.Name && late && f.c.Outcome == model.ReasonUnknownKey:
				return since{which + " was enrolled for " + k.User + " " + f.when(k.CreatedAt) + ".", ""}
			case k.User != f.user.Name:
			case slices.Contains(f.works, k.Fingerprint) && late:
				return since{which + " was enrolled " + f.when(k.CreatedAt) + tryAgain,
					"Your key is on file now. Please try again."}
			case slices.Contains(f.works, k.Fingerprint) && f.c.Outcome != model.ReasonTooManyTries &&
				f.c.Outcome != model.ReasonSecondRequest:
				return since{which + " works now" + tryAgain, "Your key works now. Please try again."}
			case late:
				return since{which + " was enrolled " + f.when(k.CreatedAt) + ", and works no longer.", ""}
			}
		}
	}
	return since{}
}

// standingChanged finds out whether the user, its account and its address may log in by now.
func (r *Service) standingChanged(q *store.Q, f *facts) (since, error) {
	again := func(says, action, subject, user, detail string) (since, error) {
		at, err := changedAt(q, f, action, subject, user, detail)
		if !at.IsZero() {
			says += " " + f.when(at)
		}
		return since{says + tryAgain, "That is settled. Please try again."}, err
	}
	switch f.c.Outcome {
	case model.ReasonUserDisabled:
		if f.user.Enabled {
			return again("The user was enabled", "user.enable", "", f.user.ID, "")
		}
	case model.ReasonSuspended, model.ReasonClosed:
		if f.state == model.AccountActive || f.state == model.AccountReadOnly {
			return again("The account was reinstated", "account."+string(f.state), f.user.Account, "", "")
		}
	case model.ReasonAddress:
		if !f.refusedAddress() {
			s, err := again("The address was allowed", "user.set", "", f.user.ID, "allow_ips")
			if err == nil && !strings.Contains(s.says, " at ") {
				s, err = again("The address was allowed", "account.set", f.user.Account, "", "allow_ips")
			}
			return s, err
		}
	case model.ReasonDirectory:
		if _, only := f.onlyFetched(); only && f.state == model.AccountActive {
			return again("The account was reinstated", "account."+string(f.state), f.user.Account, "", "")
		}
	case model.ReasonQuota:
		return r.roomNow(f), nil
	}
	return since{}, nil
}

// quotaFiles is the field of the quota of files.
const quotaFiles = "quota_files"

// roomNow says how much room there is by now, if there is, of what an upload did not fit into.
func (r *Service) roomNow(f *facts) since {
	l, u := r.policy.Load().Limits.Of(f.user.OwnLimits()), f.user
	for _, refused := range f.uploads {
		if tooLarge(refused) && refused.Size >= l.QuotaBytes {
			return since{}
		}
	}
	room := func(have, limit int64) bool { return float64(have) < float64(limit)*exchange.NearPercent/100 }
	if !room(u.UsedBytes, l.QuotaBytes) || !room(u.UsedFiles, l.QuotaFiles) {
		return since{}
	}
	said, _ := exchange.LimitIn(f.c.Detail)
	switch {
	case said.OfAccount: // what the others of the account keep is not looked at
		return since{}
	case said.Field == "keep_bytes" || said.Field == "keep_items":
		if !room(u.KeptBytes, l.KeepBytes) || !room(u.KeptItems, l.KeepItems) {
			return since{}
		}
		return since{says: "There is room now for what must be kept."}
	case said.Field == quotaFiles:
		return since{says: fmt.Sprintf("There is room now: it has %d of %d files.", u.UsedFiles, l.QuotaFiles)}
	}
	return since{says: fmt.Sprintf("There is room now: its files take %d of %d bytes.", u.UsedBytes, l.QuotaBytes)}
}

// changedAt returns when the latest change of an action was made after the connection; zero if none is on record.
func changedAt(q *store.Q, f *facts, action, subject, user, detail string) (time.Time, error) {
	rows, err := q.LogPage(store.LogFilter{Since: f.c.At, Action: action, Subject: subject, User: user},
		model.Paging{Limit: explained})
	for _, row := range rows {
		if detail == "" || strings.Contains(row.Detail, `"`+detail+`"`) {
			return row.At, err
		}
	}
	return time.Time{}, err
}

// banEnded finds out whether a ban is over.
func (r *Service) banEnded(q *store.Q, f *facts) (since, error) {
	addr, err := netip.ParseAddr(f.c.Address)
	if err != nil {
		return since{}, nil
	}
	now, over := r.o.Clock(), "They can try again now."
	if b, err := q.Ban(unitName(valid.Subscriber(addr))); err == nil && now.Before(b.Until) {
		return since{}, nil
	}
	at, err := changedAt(q, f, "address.unban", unitName(valid.Subscriber(addr)), "", "")
	switch {
	case !at.IsZero():
		return since{"The ban was lifted " + f.when(at) + tryAgain, over}, err
	case f.ban != nil:
		return since{"The ban ended " + f.when(f.ban.Until) + tryAgain, over}, err
	}
	return since{"The ban is over" + tryAgain, over}, err
}
