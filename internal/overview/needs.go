package overview

import (
	"fmt"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// disk looks at free space, and when it will be used up.
func (a *asked) disk() error {
	free, err := a.s.o.Free()
	if err != nil {
		a.need("disk", model.UrgencyNow, nil, "The free space of the disk cannot be read; see the server's log.")
		return nil
	}
	floor := a.s.o.Policy().Floor
	if free < floor {
		a.need("disk", model.UrgencyNow, model.Do("forecast"),
			"The disk has %s free. Uploads are refused, because they must leave %s free. Make room, or add space.",
			valid.Size(free), valid.Size(floor))
		return nil
	}
	stored, from, err := a.q.Growth(a.now.Add(-growthWindow))
	if err != nil {
		return err
	}
	for _, s := range []struct {
		within time.Duration
		u      model.Urgency
	}{{24 * time.Hour, model.UrgencyNow}, {fullWithin, model.UrgencySoon}} {
		span := max(a.now.Sub(from), time.Minute)
		if need := float64(stored) / float64(span) * float64(s.within); need > float64(free-floor) && stored > 0 {
			left := time.Duration(float64(free-floor) / float64(stored) * float64(span))
			a.need("disk", s.u, model.Do("forecast"),
				"The disk has %s free. About %s a day came in lately; at that pace, uploads will be refused in %s.",
				valid.Size(free), valid.Size(int64(float64(stored)/float64(span)*float64(24*time.Hour))), about(left))
			return nil
		}
	}
	if free < 2*floor {
		a.need("disk", model.UrgencyToday, model.Do("forecast"),
			"The disk has %s free. Uploads are refused once it has less than %s.", valid.Size(free), valid.Size(floor))
	}
	return nil
}

// about rounds a time for people.
func about(d time.Duration) string {
	switch {
	case d < time.Hour:
		return "less than an hour"
	case d < 48*time.Hour:
		return fmt.Sprintf("about %d %s", int(d.Hours()), verb(int64(d.Hours()), "hour", "hours"))
	}
	return fmt.Sprintf("about %d days", int(d.Hours()/24))
}

// audit looks whether the audit log is sealed, and whether its checkpoints leave the machine.
func (a *asked) audit() error {
	v, err := a.s.o.Audit(a.ctx)
	if err != nil {
		return err
	}
	do := model.Do("show-audit-status")
	switch {
	case v.Stopped != "":
		a.need("audit", model.UrgencyNow, do, "The audit log is not sealed any more: %s", v.Stopped)
	case v.OldestAt != nil && a.now.Sub(*v.OldestAt) > unsealed:
		a.few("audit", model.UrgencyNow, do, v.Waiting, false, nil, fmt.Sprintf(
			"%s of the audit log %s not sealed; the oldest is from %s. See the server's log.",
			count(v.Waiting, false, "row", "rows"), verb(v.Waiting, "is", "are"), a.s.minute(*v.OldestAt)))
	}
	if a.s.o.Checkpoints && v.Sealed > 0 && (v.SentAt == nil || a.now.Sub(*v.SentAt) > checkpointAge) {
		since := "No checkpoint has left this machine yet"
		if v.SentAt != nil {
			since = "No checkpoint has left this machine since " + a.s.minute(*v.SentAt)
		}
		if v.SentAt != nil || a.logOlder() {
			a.need("checkpoints", model.UrgencyNow, do, "%s, and one should each day. See the server's log.", since)
		}
	}
	return nil
}

// logOlder reports whether the audit log is old enough that a checkpoint should have been sent.
func (a *asked) logOlder() bool {
	rows, err := a.q.LogRows(0, 1)
	return err == nil && len(rows) > 0 && a.now.Sub(rows[0].At) > checkpointAge
}

// runs looks for retention runs that wait for a confirmation.
func (a *asked) runs() error {
	open, err := a.q.OpenRuns()
	if err != nil {
		return err
	}
	for _, r := range open {
		if r.Confirm == "" || r.ConfirmedAt != nil {
			continue
		}
		text := fmt.Sprintf("A retention run of %s (%s), due %s, waits for your confirmation: %s.",
			count(r.Files, false, "file", "files"), valid.Size(r.Bytes), a.s.minute(r.DueAt), r.Confirm)
		u, do := model.UrgencyToday, model.Do("confirm-run", "run", r.ID)
		if from := r.CreatedAt.Add(a.s.o.Policy().Notice); a.now.Before(from) { // nobody can act yet
			u, do = model.UrgencySoon, model.Do("show-run", "run", r.ID)
			text += " It can be confirmed from " + a.s.minute(from) + " on, when its notices have had their time."
		} else if r.DueAt.Sub(a.now) < confirmSoon {
			u = model.UrgencyNow
		}
		a.few("retention", u, do, r.Files, false, nil, text)
	}
	return nil
}

// missed looks for expected files that did not come.
func (a *asked) missed() error {
	all, err := a.s.o.Expectations(a.ctx)
	if err != nil {
		return err
	}
	var names, words []string
	for _, e := range all {
		if e.State == model.ExpectMissed {
			names = append(names, e.Name)
			word := e.Name
			if e.DueAt != nil {
				word += " (due " + a.s.minute(*e.DueAt) + ")"
			}
			words = append(words, word)
		}
	}
	if n := int64(len(names)); n > 0 {
		a.few("expectations_missed", model.UrgencyNow, model.Do("list-expectations"), n, false, names, fmt.Sprintf(
			"%s did not come in time: %s.", count(n, false, "expected file", "expected files"), list(words, len(words))))
	}
	return nil
}

// gaps looks for numbers that are missing in the names of feeds.
func (a *asked) gaps() error {
	all, err := a.q.GappySequences(counted + 1)
	if n := int64(min(len(all), counted)); n > 0 {
		var names, words []string
		for _, g := range all[:min(len(all), named)] {
			word := g.Feed
			if g.Account != "" {
				word += " for " + g.Account
			}
			names, words = append(names, g.Feed), append(words, fmt.Sprintf("%s (%s)", word, g.Missing[0].Text()))
		}
		a.few("gaps", model.UrgencyToday, model.Do("list-sequences", "feed", all[0].Feed), n, len(all) > counted, names,
			fmt.Sprintf("Numbers are missing in the names of files: of %s. Publish them, or say that they will never come.",
				list(words, int(n))))
	}
	return err
}

// dueToday lists what is expected before midnight in the operator's zone.
func (a *asked) dueToday() error {
	all, err := a.s.o.Expectations(a.ctx)
	if err != nil {
		return err
	}
	here := a.now.In(a.s.o.Zone)
	midnight := time.Date(here.Year(), here.Month(), here.Day()+1, 0, 0, 0, 0, a.s.o.Zone)
	var names, words []string
	for _, e := range all {
		if e.State != model.ExpectMissed && e.NextAt != nil && e.NextAt.Before(midnight) {
			names = append(names, e.Name)
			words = append(words, e.Name+" ("+e.NextAt.In(a.s.o.Zone).Format("15:04 MST")+")")
		}
	}
	if n := int64(len(names)); n > 0 {
		a.few("expectations_due", model.UrgencySoon, model.Do("list-expectations"), n, false, names, fmt.Sprintf(
			"%s %s due today: %s.", count(n, false, "expected file", "expected files"), verb(n, "is", "are"),
			list(words, len(words))))
	}
	return nil
}

// bans looks for addresses that are kept out.
func (a *asked) bans() error {
	all, err := a.q.Bans(a.now, model.Paging{Limit: counted + 1})
	if err != nil || len(all) == 0 {
		return err
	}
	partners, err := a.q.BannedPartners(a.now, a.now.Add(-partnerWithin), counted)
	if err != nil {
		return err
	}
	if n := int64(len(partners)); n > 0 {
		a.few("bans", model.UrgencyNow, model.Do("explain", "about", partners[0]), n, false, partners, fmt.Sprintf(
			"%s from which partners log in %s kept out after too many failures: %s.",
			count(n, false, "address", "addresses"), verb(n, "is", "are"), list(partners, len(partners))))
	}
	if n := int64(min(len(all), counted) - len(partners)); n > 0 {
		a.few("bans", model.UrgencySoon, model.Do("list-bans"), n, len(all) > counted, nil, fmt.Sprintf(
			"%s of strangers %s kept out for a while. Nothing is to be done unless a partner complains.",
			count(n, len(all) > counted, "address", "addresses"), verb(n, "is", "are")))
	}
	return nil
}

// queue looks whether webhooks and mails go out.
func (a *asked) queue() error {
	v, err := a.s.o.Queue(a.ctx)
	if err != nil {
		return err
	}
	if v.OldestAt != nil && a.now.Sub(*v.OldestAt) > queueStuck {
		n := v.Events + v.Waiting
		a.few("queue", model.UrgencyNow, model.Do("show-queue"), n, false, nil, fmt.Sprintf(
			"%s %s to be sent, the oldest since %s. Is the mail server or a receiver down?",
			count(n, false, "webhook or mail", "webhooks and mails"), verb(n, "waits", "wait"), a.s.minute(*v.OldestAt)))
	}
	off, err := a.q.DisabledWebhooks()
	if n := int64(len(off)); n > 0 {
		a.few("webhooks", model.UrgencyNow, model.Do("list-webhooks"), n, false, off, fmt.Sprintf(
			"%s %s switched off, because it failed: %s.", count(n, false, "receiver of events", "receivers of events"),
			verb(n, "was", "were"), list(off, len(off))))
	}
	return err
}

// dead looks for messages that were given up.
func (a *asked) dead() error {
	all, err := a.q.DeadMessages(counted + 1)
	if n, more, names, counts, oldest := heaps(all); n > 0 {
		a.few("messages_dead", model.UrgencyToday, model.Do("list-messages", "state", string(model.MessageDead)), n, more,
			names, fmt.Sprintf("%s could not be sent and %s given up, the first on %s: to %s.",
				count(n, more, "webhook or mail", "webhooks and mails"), verb(n, "was", "were"), a.s.date(oldest),
				list(counts, len(counts))))
	}
	return err
}

// endpoints looks for listeners with old algorithms that cannot be opened, or close while they are needed.
func (a *asked) endpoints() error {
	all, err := a.s.o.Endpoints(a.ctx)
	for _, e := range all {
		switch {
		case e.State == model.EndpointFailed:
			a.need("endpoints", model.UrgencyNow, model.Do("list-endpoints"),
				"The address for old algorithms %s (%s) is not open: %s", e.Name, e.Listen, e.Error)
		case e.State == model.EndpointOpen && e.Needing > 0 && e.Until.Sub(a.now) < endpointCloses:
			a.few("endpoints", model.UrgencyToday, model.Do("list-endpoint-uses", "endpoint", e.Name), e.Needing, false, nil,
				fmt.Sprintf("The address for old algorithms %s closes on %s, and %s still %s it.", e.Name,
					a.s.minute(e.Until), count(e.Needing, false, "user", "users"), verb(e.Needing, "needs", "need")))
		}
	}
	return err
}

// certificate looks at the certificate of the pages for partners.
func (a *asked) certificate() error {
	if a.s.o.Certificate == nil {
		return nil
	}
	until, err := a.s.o.Certificate()
	setting, renew := "web.tls_cert", "Renew it: the server reads its files again."
	if a.s.o.Ordered {
		setting, renew = "web.acme", "It could not be renewed so far; see the server's log."
	}
	switch {
	case err != nil:
		a.need("certificate", model.UrgencyNow, nil,
			"The certificate of the pages for partners (%s) is missing or cannot be read; see the server's log.", setting)
	case until.IsZero():
	case !a.now.Before(until):
		a.need("certificate", model.UrgencyNow, nil,
			"The certificate of the pages for partners (%s) expired on %s: browsers warn of your links.", setting,
			a.s.minute(until))
	case until.Sub(a.now) < certificate:
		a.need("certificate", model.UrgencyToday, nil,
			"The certificate of the pages for partners (%s) expires on %s. %s", setting, a.s.minute(until), renew)
	}
	return nil
}
