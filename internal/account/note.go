package account

import (
	"context"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Bounds of what is written down.
const (
	maxNote = 4000 // bytes
	maxTags = 32
	// Within it, the same note by the same person is a request that was repeated after a lost answer.
	repeatedNote = time.Hour
)

// subject is what a note or a tag is about.
type subject struct {
	kind   store.NoteKind
	key    string // account ID, vendor's short name, user's id
	name   string // as people call it
	userID string
	tags   []string
}

// subjectOf finds what is meant. Exactly one name must be given.
func subjectOf(q *store.Q, account, vendor, user string) (s subject, err error) {
	const op = "account.subjectOf"
	given := 0
	for _, name := range []string{account, vendor, user} {
		if name != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return s, fault.E(op, fault.Invalid, "Name one account, one vendor or one user.")
	case account != "":
		a, err := q.Account(account)
		return subject{kind: store.AboutAccount, key: a.ID, name: a.ID, tags: a.Tags},
			fault.Missing(op, err, "There is no account %q.", valid.Printable(account))
	case vendor != "":
		v, err := q.Vendor(vendor)
		return subject{kind: store.AboutVendor, key: v.Short, name: v.Short, tags: v.Tags},
			fault.Missing(op, err, "There is no vendor %q.", valid.Printable(vendor))
	}
	u, err := q.User(user)
	return subject{kind: store.AboutUser, key: u.ID, name: u.Name, userID: u.ID, tags: u.Tags},
		fault.Missing(op, err, "There is no user %q.", valid.Printable(user))
}

// AddNote records a dated note about an account, a vendor or a user.
func (r *Service) AddNote(ctx context.Context, actor string, n model.NewNote) (model.Note, error) {
	out := model.Note{ID: r.ids.New(), Account: n.Account, Vendor: n.Vendor, User: n.User, At: r.now(), Actor: actor,
		Text: strings.TrimSpace(n.Text)}
	if err := checkNote(out.Text); err != nil {
		return out, err
	}
	return change(ctx, r, model.AuditRow{Actor: actor, Action: "note.add"},
		func(tx *store.Tx, row *model.AuditRow) (model.Note, error) {
			out := out
			s, err := subjectOf(&tx.Q, n.Account, n.Vendor, n.User)
			if err != nil {
				return out, err
			}
			row.Subject, row.User = s.name, s.userID
			row.Detail = map[string]string{"about": string(s.kind), "note": out.ID}
			last, err := tx.Notes(s.kind, s.key, model.Paging{Limit: 1})
			if err != nil {
				return out, err
			}
			if len(last) > 0 && last[0].Text == out.Text && last[0].Actor == actor && out.At.Sub(last[0].At) < repeatedNote {
				return out, fault.E("account.AddNote", fault.Exists, "%s has this note already.", s.name)
			}
			return out, tx.AddNote(s.kind, s.key, out)
		})
}

// checkNote accepts text for people, of several lines.
func checkNote(text string) error {
	const op = "account.checkNote"
	switch {
	case text == "":
		return fault.E(op, fault.Invalid, "The note is empty.")
	case len(text) > maxNote:
		return fault.E(op, fault.Invalid, "The note is longer than %d bytes.", maxNote)
	case !utf8.ValidString(text):
		return fault.E(op, fault.Invalid, "The note is not UTF-8.")
	}
	for line := range strings.SplitSeq(text, "\n") {
		if valid.Printable(line) != line {
			return fault.E(op, fault.Invalid, "The note has control characters.")
		}
	}
	return nil
}

// Notes lists notes, the newest first: about an account, a vendor or a user, or all.
func (r *Service) Notes(ctx context.Context, f model.NoteFilter) ([]model.Note, error) {
	q := r.store.Read(ctx)
	if f.Account+f.Vendor+f.User == "" {
		return q.Notes("", "", f.Paging)
	}
	s, err := subjectOf(q, f.Account, f.Vendor, f.User)
	if err != nil {
		return nil, err
	}
	return q.Notes(s.kind, s.key, f.Paging)
}

// RemoveNote deletes a note. The audit log keeps that there was one, and not its text.
func (r *Service) RemoveNote(ctx context.Context, actor, id string) error {
	return r.write(ctx, model.AuditRow{Actor: actor, Action: "note.remove"},
		func(tx *store.Tx, row *model.AuditRow) error {
			n, err := tx.Note(id)
			if err != nil {
				return fault.Missing("account.RemoveNote", err, "There is no note %q.", valid.Printable(id))
			}
			row.Subject = n.Account + n.Vendor + n.User
			row.Detail = map[string]string{"note": n.ID, "by": n.Actor}
			return tx.RemoveNote(n.ID)
		})
}

// cleanTags checks tags, and returns each once, in order.
func cleanTags(of string, tags []string) ([]string, error) {
	for _, t := range tags {
		if err := valid.CheckID("tag", t); err != nil {
			return nil, err
		}
	}
	tags = slices.Clone(tags)
	slices.Sort(tags)
	tags = slices.Compact(tags)
	if len(tags) > maxTags {
		return nil, fault.E("account.cleanTags", fault.Invalid, "%s would have %d tags; %d are the most.", of, len(tags),
			maxTags)
	}
	return tags, nil
}

// addTags gives tags to what was just added.
func addTags(tx *store.Tx, kind store.NoteKind, key string, tags []string, detail map[string]string) error {
	if len(tags) == 0 {
		return nil
	}
	detail["tags"] = strings.Join(tags, " ")
	return tx.SetTags(kind, key, tags)
}

// EditTags adds tags to an account, a vendor or a user, and takes tags away. Log-ins are not affected.
func (r *Service) EditTags(ctx context.Context, actor string, e model.EditTags) (model.Tags, error) {
	const op = "account.EditTags"
	if len(e.Add)+len(e.Remove) == 0 {
		return model.Tags{}, fault.E(op, fault.Invalid, "Name a tag to add or to take away.")
	}
	if _, err := cleanTags("It", e.Add); err != nil {
		return model.Tags{}, err
	}
	return change(ctx, r, model.AuditRow{Actor: actor, Action: "tags.set"},
		func(tx *store.Tx, row *model.AuditRow) (out model.Tags, err error) {
			s, err := subjectOf(&tx.Q, e.Account, e.Vendor, e.User)
			if err != nil {
				return out, err
			}
			row.Subject, row.User = s.name, s.userID
			row.Detail = map[string]string{"about": string(s.kind), "add": strings.Join(e.Add, " "),
				"remove": strings.Join(e.Remove, " ")}
			tags := slices.DeleteFunc(slices.Concat(s.tags, e.Add), func(t string) bool { return slices.Contains(e.Remove, t) })
			if tags, err = cleanTags(s.name, tags); err != nil {
				return out, err
			}
			return model.Tags{Of: s.name, Tags: tags}, tx.SetTags(s.kind, s.key, tags)
		})
}

// setManager changes who looks after an account.
func setManager(tx *store.Tx, a *model.Account, p model.Person, detail map[string]string) error {
	if p == (model.Person{}) {
		a.Manager, detail["manager"] = nil, "nobody"
		return tx.SetManager(a.ID, p)
	}
	if err := valid.CheckLabel("manager's name", p.Name); err != nil {
		return err
	}
	email, err := valid.CheckEmail(p.Email)
	if err != nil {
		return err
	}
	p.Email = email
	a.Manager, detail["manager"] = &p, (&mail.Address{Name: p.Name, Address: p.Email}).String()
	return tx.SetManager(a.ID, p)
}
