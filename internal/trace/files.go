package trace

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// States of files that are neither deliveries nor drops.
const (
	stateUndelivered = "undelivered"
	stateStored      = "stored"
	stateRefused     = "upload_refused"
	stateUnfinished  = "unfinished"
	stateRemoved     = "removed"
)

// clock formats a time in a sentence. The sheet names the zone.
func (w *walker) clock(t time.Time) string { return "on " + t.In(w.zone).Format("2006-01-02 at 15:04") }

// resumable ends what is said of an unfinished upload.
const resumable = ", and can be resumed"

func step(f *model.TracedFile, at time.Time, text string) {
	f.Steps = append(f.Steps, model.TracedStep{At: at, Text: text})
}

// asked reports whether a file's path and user are those that were asked for. A path may lack its first folders.
func (w *walker) asked(f model.TracedFile) bool {
	switch {
	case w.user != "" && f.User != w.user:
		return false
	case w.path == "" || f.Path == w.path:
		return true
	}
	return !w.exact && strings.HasSuffix(strings.ToLower(f.Path), strings.ToLower(w.path))
}

// add adds a file, once, if it was asked for.
func (w *walker) add(f model.TracedFile) {
	if !w.asked(f) {
		return
	}
	same := func(have model.TracedFile) bool { return have.ID == f.ID && have.State == f.State }
	if slices.ContainsFunc(w.t.Files, same) {
		return
	}
	w.t.Files = append(w.t.Files, f)
	if !slices.Contains(w.logins, f.User) && f.User != "" {
		w.logins = append(w.logins, f.User)
	}
}

func (w *walker) undelivered(p store.PublicationRow) {
	f := model.TracedFile{Direction: model.ToPartner, ID: p.ID, Name: p.Name, Feed: p.Feed, Account: p.Account,
		Size: p.Size, SHA256: p.SHA256, State: stateUndelivered,
		Sentence: p.Name + " was published " + w.clock(p.PublishedAt) + ", and no mailbox has it."}
	step(&f, p.PublishedAt, "published, and no mailbox has it")
	w.add(f)
}

var published = map[string]string{"api": "by the operator", "folder": "by the operator's folder", "sftp": "over SFTP"}

func (w *walker) delivery(d store.DeliveryRow, p store.PublicationRow) error {
	f := model.TracedFile{Direction: model.ToPartner, ID: d.ID, Name: d.Name, Path: valid.Printable(d.Path), Feed: d.Feed,
		Account: d.Account, User: d.User, Issue: d.Issue, Size: d.Size, SHA256: d.SHA256, State: string(d.State)}
	how := "published"
	if p.Via != "" {
		how += " (" + published[p.Via] + ")"
	}
	if d.Issue > 1 {
		how += fmt.Sprintf(", as issue %d of this name", d.Issue)
	}
	step(&f, d.PublishedAt, how)
	with := ""
	if d.Fingerprint != "" {
		with = fmt.Sprintf(" with key %s from %s (%s)", d.Fingerprint, d.Address, cmp.Or(d.Client, "unknown program"))
	}
	sent := exchange.UnpackSpans(d.Ranges).Total()
	if d.OpenedAt != nil {
		text := "opened by " + d.User
		if d.CollectedAt == nil {
			text += with + fmt.Sprintf("; %d of %d bytes were sent", sent, d.Size)
		}
		step(&f, *d.OpenedAt, text)
	}
	if d.CollectedAt != nil {
		step(&f, *d.CollectedAt, "downloaded in full by "+d.User+with)
	}
	ended, err := w.ended(d)
	if err != nil {
		return err
	}
	if d.EndedAt != nil {
		step(&f, *d.EndedAt, ended)
	}
	if d.TakenAt != nil {
		step(&f, *d.TakenAt, "removed from its folder, or renamed, by "+d.User)
	}
	if d.OpenedAt == nil && d.EndedAt == nil {
		step(&f, w.t.At, "not opened yet")
	}
	f.Sentence = w.deliverySentence(d, sent, ended)
	w.add(f)
	return nil
}

// ended says how a delivery ended; "" if it has not.
func (w *walker) ended(d store.DeliveryRow) (string, error) {
	switch d.State {
	case model.DeliveryExpired:
		return "removed after its retention period", nil
	case model.DeliveryReplaced:
		return "replaced by a newer issue, before it was downloaded in full", nil
	case model.DeliveryWithdrawn:
		rows, err := w.q.LogPage(store.LogFilter{Subject: d.ID, Action: "delivery.withdraw"}, model.Paging{Limit: 1})
		if err != nil || len(rows) == 0 {
			return "taken back by the operator", err
		}
		return "taken back by the operator: " + detail(rows[0])["reason"], nil
	}
	return "", nil
}

// detail reads the details of an audit row.
func detail(row store.LogRow) map[string]string {
	out := map[string]string{}
	_ = json.Unmarshal([]byte(row.Detail), &out) // damaged JSON reads as no detail
	return out
}

// deliverySentence says in one sentence what became of a published file.
func (w *walker) deliverySentence(d store.DeliveryRow, sent int64, ended string) string {
	text := d.Name + " was published for " + d.User + " " + w.clock(d.PublishedAt)
	got := "It was downloaded in full "
	switch {
	case d.CollectedAt != nil && d.EndedAt == nil && d.TakenAt == nil:
		return text + ", and downloaded in full " + w.clock(*d.CollectedAt) + "."
	case d.CollectedAt != nil:
		got += w.clock(*d.CollectedAt) + "."
	case d.OpenedAt != nil:
		got = fmt.Sprintf("It was opened %s, but not downloaded in full: %d of %d bytes were sent.",
			w.clock(*d.OpenedAt), sent,
			d.Size)
	default:
		got = "Nobody opened it."
	}
	switch {
	case d.EndedAt != nil:
		return fmt.Sprintf("%s. %s It was %s, %s.", text, got, strings.TrimSuffix(ended, "."), w.clock(*d.EndedAt))
	case d.TakenAt != nil:
		return fmt.Sprintf("%s. %s %s removed or renamed it %s.", text, got, d.User, w.clock(*d.TakenAt))
	case d.OpenedAt != nil:
		return text + ". " + got
	}
	return text + ". Nobody has opened it yet; it is there as " + valid.Printable(d.Path) + "."
}

var cameBefore = map[string]string{model.DuplicateName: "; the name had come before",
	model.DuplicateContent: "; the same content had come before", model.DuplicateBoth: "; it had come before"}

func (w *walker) received(list []model.Drop) error {
	for _, d := range list {
		f := model.TracedFile{Direction: model.FromPartner, ID: d.ID, Name: valid.Printable(path.Base(d.Path)),
			Path: valid.Printable(d.Path), Account: d.Account, User: d.User, Size: d.Size, SHA256: d.SHA256,
			State: string(d.State)}
		text := fmt.Sprintf("received whole from %s with key %s from %s", d.User, d.Fingerprint, d.Address)
		if d.Duplicate != "" {
			text += cameBefore[d.Duplicate] + " (" + d.DuplicateOf + ")"
		}
		step(&f, d.ReceivedAt, text)
		names, err := w.q.DropNames(d.ID, maxNames)
		if err != nil {
			return err
		}
		for _, n := range names {
			step(&f, n.At, "its name was "+n.Path+", too")
		}
		became := w.became(&f, d)
		if d.Withdrawn {
			if err := w.withdrawn(&f, d); err != nil {
				return err
			}
			became += " " + d.User + " has removed it from its folder since; what was received stays."
		}
		f.Sentence = f.Name + " was received whole from " + d.User + " " + w.clock(d.ReceivedAt) + ". " + became
		w.add(f)
	}
	return nil
}

// became adds the steps of what was done with a received file, and says it in a sentence.
func (w *walker) became(f *model.TracedFile, d model.Drop) (text string) {
	switch {
	case d.State == model.DropSuperseded:
		step(f, d.ReceivedAt, "replaced by a newer upload before anybody took it")
		text = "A newer upload replaced it before anybody took it."
	case d.State == model.DropClaimed:
		step(f, w.t.At, "being worked on by "+d.Consumer)
		text = d.Consumer + " is working on it."
	case d.SettledAt != nil && d.State == model.DropAcked:
		step(f, *d.SettledAt, "accepted by "+d.Consumer)
		text = "It was accepted " + w.clock(*d.SettledAt) + "."
	case d.SettledAt != nil && d.State == model.DropRejected:
		step(f, *d.SettledAt, "refused by "+d.Consumer+": "+d.Reason)
		text = "It was refused " + w.clock(*d.SettledAt) + ": " + strings.TrimSuffix(d.Reason, ".") + "."
	case d.State == model.DropUnscanned:
		text = "It waits for the scanner."
	default:
		text = "Nobody has taken it yet."
	}
	if d.ReadyAt != nil && d.SettledAt == nil {
		step(f, w.t.At, "not handed on before "+d.ReadyAt.In(w.zone).Format("15:04:05")+": its name may be a temporary one")
		text = "Its name may be a temporary one, so it is not handed on before " + d.ReadyAt.In(w.zone).Format("15:04") + "."
	}
	if d.RemovedAt != nil {
		step(f, *d.RemovedAt, "removed after its retention period")
		text += " It was removed after its retention period, " + w.clock(*d.RemovedAt) + "."
	}
	return text
}

// withdrawn adds when a received file was removed by its sender.
func (w *walker) withdrawn(f *model.TracedFile, d model.Drop) error {
	rows, err := w.q.LogPage(store.LogFilter{Since: d.ReceivedAt, Subject: valid.Printable(d.Path), User: d.UserID,
		Action: "file.remove"}, model.Paging{Limit: 1})
	if err == nil && len(rows) > 0 {
		step(f, rows[0].At, "removed from its folder by "+actor(rows[0].Actor)+"; what was received stays")
	}
	return err
}

func actor(of string) string {
	if user, ok := strings.CutPrefix(of, "user:"); ok {
		return user
	}
	return "the operator (" + of + ")"
}

// unreceived adds files that are stored but were not handed on.
func (w *walker) unreceived(files []store.Unreceived) error {
	for _, f := range files {
		dir, staging, err := w.q.DirPath(f.DirID)
		if fault.Is(err, fault.NotFound) {
			continue // it was removed meanwhile
		} else if err != nil {
			return err
		}
		full := valid.Printable(path.Join(dir, f.Name))
		out := model.TracedFile{Direction: model.FromPartner, ID: f.VersionID, Name: valid.Printable(f.Name), Path: full,
			Account: f.Account, User: f.User, Size: f.Size, SHA256: hex.EncodeToString(f.SHA256), State: stateStored}
		why := "its name is a temporary one, or one that is ignored"
		if staging {
			why = "it lies in a folder from which files are to be moved when they are complete"
		}
		step(&out, f.StoredAt, "stored whole by "+f.User)
		step(&out, w.t.At, "not handed on: "+why)
		out.Sentence = fmt.Sprintf("%s was stored whole by %s %s, but not handed on: %s.", out.Name, f.User,
			w.clock(f.StoredAt), why)
		w.add(out)
	}
	return nil
}

// refused adds uploads that were refused, or whose connection ended.
func (w *walker) refused(list []model.RefusedUpload) {
	for _, u := range list {
		full := valid.Printable(u.Path)
		f := model.TracedFile{Direction: model.FromPartner, ID: u.ID, Name: path.Base(full), Path: full, Account: u.Account,
			User: u.User, Size: u.Size, State: stateRefused}
		what, begins := "its upload was refused: "+u.Said, "The upload of "+f.Name+" by "+u.User+" was refused "
		if u.Reason == stateUnfinished {
			f.State, what = stateUnfinished, fmt.Sprintf("its upload broke off after %d bytes: the connection ended", u.Size)
			begins = "The upload of " + f.Name + " by " + u.User + " broke off "
		}
		if u.Times > 1 {
			what += fmt.Sprintf(" (%d times, the last at %s)", u.Times, u.Last.In(w.zone).Format(time.TimeOnly))
		}
		step(&f, u.At, what)
		f.Sentence = begins + w.clock(u.At) + ": " + u.Said
		if u.Reason == stateUnfinished {
			f.Sentence = begins + w.clock(u.At) + fmt.Sprintf(", after %d bytes: the connection ended.", u.Size)
		}
		w.add(f)
	}
}

// unfinished adds uploads that are not complete, of one user or of all, whose names match.
func (w *walker) unfinished(userID string, matches func(name string) bool) error {
	if w.r.o.Unfinished == nil {
		return nil
	}
	for _, p := range w.r.o.Unfinished(userID) {
		if !matches(p.Name) {
			continue
		}
		u, err := w.q.UserByID(p.UserID)
		if err == nil && w.account != "" && u.Account != w.account {
			continue
		}
		dir := ""
		if err == nil {
			dir, _, err = w.q.DirPath(p.DirID)
		}
		if fault.Is(err, fault.NotFound) {
			continue // it was removed meanwhile
		} else if err != nil {
			return err
		}
		full := valid.Printable(path.Join(dir, p.Name))
		f := model.TracedFile{Direction: model.FromPartner, ID: p.ID, Name: path.Base(full), Path: full, Account: u.Account,
			User: u.Name, Size: p.Size, State: stateUnfinished}
		step(&f, p.Began, "an upload of it began")
		if p.Live {
			step(&f, w.t.At, fmt.Sprintf("it is being uploaded now: %d bytes are here", p.Size))
			f.Sentence = fmt.Sprintf("%s is being uploaded by %s now, since %s: %d bytes are here.", f.Name, u.Name,
				p.Began.In(w.zone).Format("15:04"), p.Size)
		} else {
			step(&f, p.Touched, fmt.Sprintf("the last of %d bytes came; it is unfinished%s", p.Size, resumable))
			f.Sentence = fmt.Sprintf("The upload of %s by %s is unfinished: %d bytes are here, and the last came %s. It was "+
				"not received whole.", f.Name, u.Name, p.Size, w.clock(p.Touched))
		}
		w.add(f)
	}
	return nil
}

// removed adds a file that was removed, unless it is in the trace already.
func (w *walker) removed(row string) error {
	r, err := w.q.Removal(row)
	if fault.Is(err, fault.NotFound) {
		return nil // its user is gone
	} else if err != nil {
		return err
	}
	known := func(f model.TracedFile) bool {
		return f.User == r.UserName && f.Path == r.Subject && f.State != stateRefused && f.State != stateUnfinished &&
			!f.Steps[0].At.After(r.At)
	}
	if slices.ContainsFunc(w.t.Files, known) {
		return nil
	}
	f := model.TracedFile{Direction: model.FromPartner, ID: r.ID, Name: path.Base(r.Subject), Path: r.Subject,
		Account: r.Account, User: r.UserName, State: stateRemoved}
	rows, err := w.q.LogPage(store.LogFilter{Subject: r.Subject, User: r.User, Action: "file.store"},
		model.Paging{Cursor: r.ID, Limit: 1})
	if err != nil {
		return err
	}
	came := ""
	if len(rows) > 0 {
		d := detail(rows[0])
		f.Size, _ = strconv.ParseInt(d["size"], 10, 64) // the log has no other sizes
		f.SHA256 = d["sha256"]
		step(&f, rows[0].At, "stored whole by "+actor(rows[0].Actor))
		came = " It was stored whole " + w.clock(rows[0].At) + "."
	}
	how := "removed by " + actor(r.Actor)
	if r.Action == "file.expire" {
		how = "removed after its retention period"
	}
	step(&f, r.At, how)
	f.Sentence = f.Name + " was " + how + " " + w.clock(r.At) + "." + came
	w.add(f)
	return nil
}

// merge adds what is known of refused and broken uploads to the upload that followed, or that is unfinished, if there
// is one.
func (w *walker) merge() {
	kept, failed := []model.TracedFile{}, []model.TracedFile{}
	var until []time.Time // by index in kept: what failed later has nothing to do with it
	for _, f := range w.t.Files {
		if len(f.Steps) == 1 && (f.State == stateRefused || f.State == stateUnfinished) {
			failed = append(failed, f)
			continue
		}
		kept = append(kept, f)
		until = append(until, f.Steps[0].At)
		if f.State == stateUnfinished {
			until[len(kept)-1] = w.t.At
		}
	}
	for _, f := range failed {
		into := -1
		for i, at := range until {
			k, failed := &kept[i], f.Steps[0].At.Truncate(time.Second)
			if k.Direction == model.FromPartner && k.User == f.User && k.Path == f.Path && !at.Before(failed) &&
				(into < 0 || at.Before(until[into])) {
				into = i
			}
		}
		if into < 0 {
			kept, until = append(kept, f), append(until, time.Time{})
			continue
		}
		k := &kept[into]
		if k.State == stateUnfinished { // how much of it is here is said once, by the upload itself
			f.Steps[0].Text = strings.Replace(f.Steps[0].Text, fmt.Sprintf(" after %d bytes", f.Size), "", 1)
			if strings.Contains(f.Steps[0].Text, exchange.LargerThanQuota) {
				last := &k.Steps[len(k.Steps)-1]
				last.Text = strings.Replace(last.Text, resumable, ", and can be resumed once it fits into the quota", 1)
			}
		}
		k.Steps = append(k.Steps, f.Steps[0])
		slices.SortStableFunc(k.Steps, func(a, b model.TracedStep) int { return a.At.Compare(b.At) })
		if f.State == stateRefused {
			k.Sentence += " " + f.Sentence
		}
	}
	w.t.Files = kept
}
