package overview

import (
	"fmt"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// late looks for published files that wait too long.
func (a *asked) late() error {
	all, err := a.q.LateDeliveries(a.uncollected, counted+1)
	if n, more, names, counts, oldest := heaps(all); n > 0 {
		a.few("uncollected", model.UrgencyToday, model.Do("list-deliveries", "uncollected", a.period.Uncollected), n, more,
			names, fmt.Sprintf("%s %s waited more than %s to be downloaded, the oldest since %s: of %s.",
				count(n, more, "file", "files"), verb(n, "has", "have"), words(a.period.Uncollected), a.s.date(oldest),
				list(counts, len(counts))))
	}
	return err
}

// unclaimedDrops looks for received files that nobody claimed.
func (a *asked) unclaimedDrops() error {
	all, err := a.q.WaitingDropsBefore(model.DropNew, a.unclaimed, counted+1)
	if n, more, names, counts, oldest := heaps(all); n > 0 {
		a.few("unclaimed", model.UrgencyToday, model.Do("list-drops", "state", string(model.DropNew)), n, more, names,
			fmt.Sprintf("%s %s waited more than %s for a program of yours to claim %s, the oldest since %s: from %s.",
				count(n, more, "received file", "received files"), verb(n, "has", "have"), words(a.period.Unclaimed),
				verb(n, "it", "them"), a.s.minute(oldest), list(counts, len(counts))))
	}
	return err
}

// scanner looks for received files that the scanner has not cleared.
func (a *asked) scanner() error {
	all, err := a.q.WaitingDropsBefore(model.DropUnscanned, a.now.Add(-scannerLate), counted+1)
	if n, more, names, counts, oldest := heaps(all); n > 0 {
		a.few("unscanned", model.UrgencyNow, model.Do("list-drops", "state", string(model.DropUnscanned)), n, more, names,
			fmt.Sprintf("%s %s for the scanner, the oldest since %s: from %s. Does the scanner run?",
				count(n, more, "received file", "received files"), verb(n, "waits", "wait"), a.s.minute(oldest),
				list(counts, len(counts))))
	}
	return err
}

// claims looks for claims that ended without an answer.
func (a *asked) claims() error {
	all, err := a.q.ExpiredClaims(a.now, counted+1)
	if n, more, names, counts, oldest := heaps(all); n > 0 {
		a.few("claims_expired", model.UrgencyToday, model.Do("list-drops", "state", string(model.DropClaimed)), n, more,
			names, fmt.Sprintf("%s %s claimed and never accepted or refused; the first claim ended %s: by %s. "+
				"They can be claimed again.", count(n, more, "received file", "received files"), verb(n, "was", "were"),
				a.s.minute(oldest), list(counts, len(counts))))
	}
	return err
}

// bounced looks for contacts whose mail came back.
func (a *asked) bounced() error {
	all, err := a.q.BouncedContacts(counted + 1)
	if n := int64(min(len(all), counted)); n > 0 {
		var names, words []string
		for _, c := range all[:min(len(all), named)] {
			names = append(names, c.Email)
			words = append(words, c.Email+" of "+c.Of())
		}
		a.few("contacts_bounced", model.UrgencyToday, model.Do("edit-contact", "contact", all[0].ID, "email", ""), n,
			len(all) > counted, names, fmt.Sprintf("Mail to %s came back: %s. Ask for a new address.",
				count(n, len(all) > counted, "contact", "contacts"), list(words, int(n))))
	}
	return err
}

// requests looks for requests for access that wait for an operator for longer than they should.
func (a *asked) requests() error {
	all, err := a.q.LateRequests(a.now, counted+1)
	if n := int64(min(len(all), counted)); n > 0 {
		var names, words []string
		for _, r := range all[:min(len(all), named)] {
			names = append(names, r.Reference)
			words = append(words, r.Reference+" of "+r.Company)
		}
		a.few("requests_late", model.UrgencyToday, model.Do("list-requests", "late", "true"), n, len(all) > counted, names,
			fmt.Sprintf("%s for access %s for you for longer than %s should, the first since %s: %s.",
				count(n, len(all) > counted, "request", "requests"), verb(n, "waits", "wait"), verb(n, "it", "they"),
				a.s.minute(all[0].Since), list(words, int(n))))
	}
	return err
}

// unreachable looks for accounts that nobody can be told anything of.
func (a *asked) unreachable() error {
	all, err := a.q.UnreachableAccounts(counted + 1)
	if n := int64(min(len(all), counted)); n > 0 {
		a.few("unreachable", model.UrgencyToday, model.Do("add-contact", "account", all[0]), n, len(all) > counted, all,
			fmt.Sprintf("%s %s no contact whom mail reaches: %s.", count(n, len(all) > counted, "account", "accounts"),
				verb(n, "has", "have"), list(all, int(n))))
	}
	return err
}

// untold looks for notices that nobody was told of.
func (a *asked) untold() error {
	all, err := a.q.UntoldNotices(a.now.Add(-untoldAfter), counted+1)
	if n := int64(min(len(all), counted)); n > 0 {
		a.few("notices", model.UrgencyToday, model.Do("list-notices"), n, len(all) > counted, all, fmt.Sprintf(
			"%s for partners could not be mailed: about %s. Tell them, and note that you did.",
			count(n, len(all) > counted, "notice", "notices"), list(all, int(n))))
	}
	return err
}

// keysPending looks for unknown keys that wait for an operator's word.
func (a *asked) keysPending() error {
	all, err := a.q.PendingKeys("", model.Paging{Limit: counted + 1})
	if n := int64(min(len(all), counted)); n > 0 {
		names := make([]string, 0, named)
		for _, k := range all[:min(len(all), named)] {
			names = append(names, k.User)
		}
		a.few("keys_pending", model.UrgencyToday, model.Do("list-pending-keys"), n, len(all) > counted, names, fmt.Sprintf(
			"%s %s for your approval: of %s.", count(n, len(all) > counted, "unknown key", "unknown keys"),
			verb(n, "waits", "wait"), list(names, int(n))))
	}
	return err
}

// keysFlagged looks for keys that somebody should look into.
func (a *asked) keysFlagged() error {
	all, err := a.q.FlaggedKeys(counted + 1)
	if n := int64(min(len(all), counted)); n > 0 {
		names := keyUsers(all)
		a.few("keys_flagged", model.UrgencyToday, model.Do("list-keys", "user", names[0]), n, len(all) > counted, names,
			fmt.Sprintf("%s %s a look: of %s (%s).", count(n, len(all) > counted, "key", "keys"), verb(n, "needs", "need"),
				list(names, int(n)), all[0].Flag))
	}
	return err
}

func keyUsers(all []model.Key) (names []string) {
	for _, k := range all[:min(len(all), named)] {
		names = append(names, k.User)
	}
	return names
}

// keysExpiring looks for keys that expire soon, or did lately, without a successor.
func (a *asked) keysExpiring() error {
	for _, s := range []struct {
		topic    string
		from, to time.Time
		u        model.Urgency
		one, all string
	}{
		{"keys_expired", a.now.Add(-expiringKeys), a.now, model.UrgencyToday, "has expired and was not replaced",
			"have expired and were not replaced"},
		{"keys_expiring", a.now, a.now.Add(expiringKeys), model.UrgencySoon, "expires within 30 days",
			"expire within 30 days"},
	} {
		all, err := a.q.ExpiringKeys(s.from, s.to, counted+1)
		if err != nil {
			return err
		}
		n := int64(min(len(all), counted))
		if n == 0 {
			continue
		}
		var words []string
		for _, k := range all[:min(len(all), named)] {
			words = append(words, k.User+" ("+a.s.date(*k.ExpiresAt)+")")
		}
		names := keyUsers(all)
		a.few(s.topic, s.u, model.Do("list-keys", "user", names[0]), n, len(all) > counted, names, fmt.Sprintf(
			"%s %s: of %s.",
			count(n, len(all) > counted, "key", "keys"), verb(n, s.one, s.all), list(words, int(n))))
	}
	return nil
}

// partials looks for uploads that broke off and were not taken up again.
func (a *asked) partials() error {
	all := a.s.o.Partials("", a.now.Add(-oldPartial))
	n := int64(len(all))
	if n == 0 {
		return nil
	}
	first := all[:min(len(all), named)]
	a.name(first)
	var names, words []string
	for _, p := range first {
		names = append(names, p.User)
		words = append(words, p.User+":"+p.Path)
	}
	kept := ""
	if a.s.o.Policy().KeepPartials > 0 {
		kept = fmt.Sprintf(" They are removed %s after the last byte.", about(a.s.o.Policy().KeepPartials))
	}
	a.few("unfinished", model.UrgencySoon, model.Do("list-files", "user", first[0].User), n, false, names, fmt.Sprintf(
		"%s broke off more than a day ago and %s not taken up again: %s.%s", count(n, false, "upload", "uploads"),
		verb(n, "was", "were"), list(words, len(all)), kept))
	return nil
}

// name fills in the users and the whole paths of unfinished uploads.
func (a *asked) name(list []model.Partial) { namePartials(a.q, list) }

// limits looks for mailboxes that are nearly full.
func (a *asked) limits() error {
	users, accounts, err := a.q.NearLimits(counted + 1)
	if n := int64(min(len(users), counted)); n > 0 {
		a.few("limits", model.UrgencySoon, model.Do("show-user", "user", users[0]), n, len(users) > counted, users,
			fmt.Sprintf("%s %s close to a storage limit: %s. At the limit, uploads are refused.",
				count(n, len(users) > counted, "user", "users"), verb(n, "is", "are"), list(users, int(n))))
	}
	if n := int64(min(len(accounts), counted)); n > 0 {
		a.few("limits", model.UrgencySoon, model.Do("show-account", "account", accounts[0]), n, len(accounts) > counted,
			accounts, fmt.Sprintf("%s %s close to a storage limit: %s. At the limit, uploads are refused.",
				count(n, len(accounts) > counted, "account", "accounts"), verb(n, "is", "are"), list(accounts, int(n))))
	}
	return err
}

// tokens looks for API tokens that nobody uses, and for those that end soon.
func (a *asked) tokens() error {
	all, err := a.q.ActiveTokens(a.now, counted)
	if err != nil {
		return err
	}
	var unused, ending []string
	for _, t := range all {
		used := t.CreatedAt
		if t.LastUsedAt != nil {
			used = *t.LastUsedAt
		}
		switch {
		case a.now.Sub(used) >= unusedToken:
			unused = append(unused, t.Name)
		case t.ExpiresAt.Sub(a.now) < expiringKeys:
			ending = append(ending, t.Name+" ("+a.s.date(t.ExpiresAt)+")")
		}
	}
	if n := int64(len(ending)); n > 0 {
		a.few("tokens_expiring", model.UrgencySoon, model.Do("list-tokens"), n, false, ending, fmt.Sprintf(
			"%s in use %s soon: %s. Make the next one in time.", count(n, false, "API token", "API tokens"),
			verb(n, "ends", "end"), list(ending, len(ending))))
	}
	if n := int64(len(unused)); n > 0 {
		a.few("tokens_unused", model.UrgencySoon, model.Do("list-tokens"), n, false, unused, fmt.Sprintf(
			"%s %s not used for 90 days: %s. Revoke what nobody needs.", count(n, false, "API token", "API tokens"),
			verb(n, "was", "were"), list(unused, len(unused))))
	}
	return nil
}

// review reminds of the list of who and what has access, which is to be signed off from time to time.
func (a *asked) review() error {
	if a.s.o.Review == "" {
		return nil
	}
	since, err := a.q.LastReview()
	said := "was last signed off on "
	if err == nil && since.IsZero() {
		since, err = a.q.FirstAccess()
		said = "was never signed off; the first was given on "
	}
	if err != nil || since.IsZero() {
		return err
	}
	if due, err := valid.After(since, a.s.o.Review); err != nil || a.now.Before(due) {
		return err
	}
	a.need("review", model.UrgencySoon, model.Do("make-review"), "Who has access %s%s. Make a review of operators, "+
		"tokens and keys, and sign it off.", said, a.s.date(since))
	return nil
}
