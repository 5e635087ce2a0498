package overview

import (
	"context"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Bounds of an answer. A name of a file is found by how it begins, among all, and by a text inside it
// among the newest searched rows: an index has beginnings alone, and reading a million names takes
// longer than somebody on the telephone waits.
const (
	hits       = 10
	searched   = 10_000
	longest    = 300    // bytes of a text
	nearAmong  = 20_000 // names of partners among which a near one is looked for
	leastPrint = 4      // characters of a fingerprint
)

// finding is one search.
type finding struct {
	s    *Service
	q    *store.Q
	text string
	out  model.Found
}

// Find says what a text is the name of: IDs, names, mail addresses, fingerprints whole or their
// beginnings, names of files and parts of them, SHA-256 of files, references of connections, addresses.
func (s *Service) Find(ctx context.Context, f model.FindQuery) (model.Found, error) {
	s = s.reading(ctx)
	const op = "overview.Find"
	v := finding{s: s, q: s.read(ctx), text: strings.TrimSpace(f.Text)}
	v.out = model.Found{Text: valid.Printable(v.text), Groups: []model.FoundGroup{}}
	switch {
	case len(v.text) < 2:
		return v.out, fault.E(op, fault.Invalid, "Give at least two letters of what you look for.")
	case len(v.text) > longest:
		return v.out, fault.E(op, fault.Invalid, "That is longer than %d bytes.", longest)
	}
	for _, look := range []func() error{v.accounts, v.users, v.vendors, v.contacts, v.requests, v.keys, v.feeds,
		v.references,
		v.addresses, v.ids, v.content, v.files} {
		if err := look(); err != nil {
			return v.out, err
		}
	}
	if len(v.out.Groups) == 0 {
		names, err := v.q.NamesOfPartners(nearAmong)
		if err != nil {
			return v.out, err
		}
		if near := nearest(v.text, names); near != "" {
			v.out.Near = []string{near}
		}
	}
	return v.out, nil
}

// nearest is valid.Nearest without regard to case.
func nearest(text string, names []string) string {
	low := make([]string, len(names))
	spelt := map[string]string{}
	for i, n := range names {
		low[i] = strings.ToLower(n)
		spelt[low[i]] = n
	}
	return spelt[valid.Nearest(strings.ToLower(text), low)]
}

// add adds a group of what was found. list has one hit more than is shown if there are more.
func add[T any](v *finding, kind string, list []T, hit func(T) model.Hit) {
	if len(list) == 0 {
		return
	}
	g := model.FoundGroup{Kind: kind, More: len(list) > hits, Hits: []model.Hit{}}
	for _, x := range list[:min(len(list), hits)] {
		h := hit(x)
		h.Name, h.Text = valid.Printable(h.Name), valid.Printable(h.Text)
		g.Hits = append(g.Hits, h)
	}
	v.out.Groups = append(v.out.Groups, g)
}

func (v *finding) accounts() error {
	all, err := v.q.AccountsLike(v.text, hits+1)
	add(v, "account", all, func(a model.Account) model.Hit {
		text := a.Name + state(a.State)
		if a.Manager != nil {
			text += ", looked after by " + a.Manager.Name
		}
		return model.Hit{Name: a.ID, Text: text, Action: model.Do("show-account", "account", a.ID)}
	})
	return err
}

// state says what is unusual about an account's state.
func state(s model.AccountState) string {
	if s == model.AccountActive {
		return ""
	}
	return ", " + strings.ReplaceAll(string(s), "_", "-")
}

func (v *finding) users() error {
	all, err := v.q.UsersWith(v.text, hits+1)
	add(v, "user", all, func(u model.User) model.Hit {
		text := "of account " + u.Account
		if u.Kind == model.KindVendor {
			text = "of vendor " + u.Vendor + " for account " + u.Account
		} else if u.Kind == model.KindService {
			text = "a program of your own"
		}
		if !u.Enabled {
			text += ", disabled"
		}
		return model.Hit{Name: u.Name, Text: text, Action: model.Do("show-user", "user", u.Name)}
	})
	return err
}

func (v *finding) vendors() error {
	all, err := v.q.VendorsLike(v.text, hits+1)
	add(v, "vendor", all, func(x model.Vendor) model.Hit {
		return model.Hit{Name: x.Short, Text: x.Name, Action: model.Do("show-vendor", "vendor", x.Short)}
	})
	return err
}

func (v *finding) contacts() error {
	all, err := v.q.ContactsLike(v.text, hits+1)
	add(v, "contact", all, func(c model.Contact) model.Hit {
		text := c.Name + " of " + c.Of() + ", " + strings.Join(c.Roles, " and ")
		switch {
		case c.LeftAt != nil:
			text += ", left on " + v.s.date(*c.LeftAt)
		case c.BouncedAt != nil:
			text += ", mail came back on " + v.s.date(*c.BouncedAt)
		}
		return model.Hit{Name: c.Email, Text: text, Action: model.Do("list-contacts", "account", c.Of())}
	})
	return err
}

// requests finds requests for access by reference, name, address, company and account number.
func (v *finding) requests() error {
	all, err := v.q.RequestsLike(v.text, hits+1)
	add(v, "request", all, func(r model.Request) model.Hit {
		return model.Hit{Name: r.Reference, Text: "of " + r.Name() + " <" + r.Email + ">, " + r.Company + ", " +
			model.Word(r.State) + " since " + v.s.date(r.Since), Action: model.Do("show-request", "request", r.Reference)}
	})
	return err
}

// keys finds keys by fingerprint, with and without SHA256:, whole or its beginning, and by comment.
func (v *finding) keys() error {
	begins := ""
	rest := v.text
	if len(rest) >= 7 && strings.EqualFold(rest[:7], "SHA256:") {
		rest = rest[7:]
	}
	rest = strings.TrimRight(rest, "=")
	if len(rest) >= leastPrint && !strings.ContainsAny(rest, "@. _-") {
		begins = "SHA256:" + rest
	}
	all, err := v.q.KeysBeginning(begins, v.text, hits+1)
	if err != nil {
		return err
	}
	add(v, "key", all, func(k model.Key) model.Hit {
		text := "of user " + k.User + ", " + string(k.StateAt(v.s.now()))
		if k.Comment != "" {
			text += ", " + k.Comment
		}
		return model.Hit{Name: k.Fingerprint, Text: text, Action: model.Do("list-keys", "user", k.User)}
	})
	if begins == "" {
		return nil
	}
	pending, err := v.q.PendingBeginning(begins, hits+1)
	if err != nil {
		return err
	}
	add(v, "pending key", pending, func(p model.PendingKey) model.Hit {
		return model.Hit{Name: p.Fingerprint, Text: "offered for user " + p.User + " from " + p.Address,
			Action: model.Do("list-pending-keys", "user", p.User)}
	})
	burned, err := v.q.BurnedBeginning(begins, hits+1)
	add(v, "blocked key", burned, func(fp string) model.Hit {
		return model.Hit{Name: fp, Text: "it can never be enrolled", Action: model.Do("list-burned-keys")}
	})
	return err
}

func (v *finding) feeds() error {
	all, err := v.q.FeedsLike(v.text, hits+1)
	add(v, "feed", all, func(f model.Feed) model.Hit {
		text := f.Kind
		if f.Title != "" {
			text = f.Title + ", " + text
		}
		return model.Hit{Name: f.Name, Text: text, Action: model.Do("show-feed", "name", f.Name)}
	})
	return err
}

// references finds the connection that a reference, as partners read it out, stands for.
func (v *finding) references() error {
	all, err := v.q.Connections("reference", strings.ToLower(v.text), 1)
	add(v, "reference", all, func(c model.Connection) model.Hit { return v.connection(c.Reference, c) })
	return err
}

func (v *finding) connection(name string, c model.Connection) model.Hit {
	how := "it logged in"
	if !c.LoggedIn {
		how = "it did not log in (" + strings.ReplaceAll(c.Outcome, "_", " ") + ")"
	}
	as := ""
	if c.User != "" {
		as = " as " + c.User
	}
	return model.Hit{Name: name, Text: fmt.Sprintf("connected on %s from %s%s: %s", v.s.minute(c.At), c.Address, as, how),
		Action: model.Do("explain", "about", name)}
}

// addresses finds what is known of a network address.
func (v *finding) addresses() error {
	addr, err := netip.ParseAddr(v.text)
	if err != nil {
		return nil
	}
	name := addr.Unmap().String()
	c, err := v.q.TriedFrom(name)
	if err != nil {
		return err
	}
	if c != nil {
		add(v, "address", []string{name}, func(string) model.Hit { return v.connection(name, *c) })
	}
	b, err := v.q.Ban(name)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil
	case err == nil && v.s.now().Before(b.Until):
		add(v, "ban", []model.Ban{b}, func(b model.Ban) model.Hit {
			return model.Hit{Name: b.Address, Text: "kept out until " + v.s.minute(b.Until),
				Action: model.Do("lift-ban", "address", b.Address)}
		})
	}
	return err
}

// ids finds what one of our own ids stands for.
func (v *finding) ids() error {
	id := strings.ToUpper(v.text)
	if exchange.IDTime(id).IsZero() {
		return nil
	}
	for _, look := range []func(id string) (string, model.Hit, error){
		func(id string) (string, model.Hit, error) {
			d, err := v.q.Delivery(id)
			return "delivery", model.Hit{Text: d.Name + " for " + d.User, Action: model.Do("show-delivery", "id", id)}, err
		},
		func(id string) (string, model.Hit, error) {
			d, err := v.q.Drop(id)
			return "received file", model.Hit{Text: d.Path + " from " + d.User, Action: model.Do("show-drop", "id", id)}, err
		},
		func(id string) (string, model.Hit, error) {
			p, err := v.q.Publication(id)
			return "publication", model.Hit{Text: p.Name + " in " + p.Feed, Action: model.Do("trace", "about", p.Name)}, err
		},
		func(id string) (string, model.Hit, error) {
			c, err := v.q.Contact(id)
			return "contact", model.Hit{Text: c.Name + " <" + c.Email + "> of " + c.Of(),
				Action: model.Do("list-contacts", "account", c.Of())}, err
		},
		func(id string) (string, model.Hit, error) {
			m, err := v.q.Message(id)
			return "message", model.Hit{Text: m.Kind + " to " + m.Target, Action: model.Do("show-message", "id", id)}, err
		},
		func(id string) (string, model.Hit, error) {
			r, err := v.q.Run(id)
			return "retention run", model.Hit{Text: "due " + v.s.minute(r.DueAt) + ", " + string(r.State),
				Action: model.Do("show-run", "run", id)}, err
		},
	} {
		kind, h, err := look(id)
		if fault.Is(err, fault.NotFound) {
			continue
		} else if err != nil {
			return err
		}
		h.Name = id
		add(v, kind, []model.Hit{h}, func(h model.Hit) model.Hit { return h })
	}
	return nil
}

// content finds files by SHA-256, whole or its beginning.
func (v *finding) content() error {
	sum := store.HexPrefix(v.text)
	if sum == nil {
		return nil
	}
	published, received, err := v.q.WithContent(sum, hits+1)
	if err != nil {
		return err
	}
	add(v, "publication with this content", published, v.publication)
	add(v, "received file with this content", received, v.received)
	return nil
}

func (v *finding) publication(f store.FoundFile) model.Hit {
	to := "all subscribers"
	if f.Account != "" {
		to = "account " + f.Account
	}
	return model.Hit{Name: f.Name, Text: fmt.Sprintf("published in %s to %s on %s, %s", f.Feed, to, v.s.minute(f.At),
		valid.Size(f.Size)), Action: model.Do("trace", "about", f.Name)}
}

func (v *finding) received(f store.FoundFile) model.Hit {
	return model.Hit{Name: f.Name, Text: fmt.Sprintf("from %s on %s, %s", f.User, v.s.minute(f.At), valid.Size(f.Size)),
		Action: model.Do("trace", "about", f.Name)}
}

// files finds files by name. The beginning is tried as it was typed, in lower and in upper case.
func (v *finding) files() error {
	name := v.text[strings.LastIndexByte(v.text, '/')+1:]
	if name == "" {
		return nil
	}
	published, err := v.q.PublicationsCalled(name, hits+1)
	if err != nil {
		return err
	}
	newest, err := v.q.NewestPublicationsLike(name, searched, hits+1)
	if err != nil {
		return err
	}
	inbox, err := v.q.NewestDropsLike(name, searched, hits+1)
	if err != nil {
		return err
	}
	var boxes, drops []store.FoundFile
	for _, typed := range spellings(name) {
		f, err := v.q.FilesBeginning(typed, hits+1)
		if err != nil {
			return err
		}
		d, err := v.q.DropsBeginning(typed, hits+1)
		if err != nil {
			return err
		}
		boxes, drops = append(boxes, f...), append(drops, d...)
	}
	others := len(v.out.Groups)
	add(v, "published file", distinct(append(published, newest...)), v.publication)
	add(v, "received file", distinct(append(drops, inbox...)), v.received)
	if err := v.failed(name); err != nil {
		return err
	}
	add(v, "file in a mailbox", boxes[:min(len(boxes), hits+1)], func(f store.FoundFile) model.Hit {
		return model.Hit{Name: f.Name, Text: fmt.Sprintf("with %s, %s", f.User, valid.Size(f.Size)),
			Action: model.Do("trace", "about", f.Name)}
	})
	if others > 0 && others == len(v.out.Groups) {
		return nil // it is no name of a file
	}
	v.out.Part = fmt.Sprintf("File names that begin with %q were looked for among all files; names that have it "+
		"elsewhere, among the newest %d published and received ones. Uploads that were refused or are unfinished were "+
		"looked at, too.", valid.Printable(name), searched)
	return nil
}

// failed finds uploads by name that were refused or are unfinished: there is no file of them.
func (v *finding) failed(name string) error {
	rows, err := v.q.Search(store.SourceRefused, name, "", hits+1)
	if err != nil {
		return err
	}
	var list []model.RefusedUpload
	told := map[string]bool{}
	for _, row := range rows {
		u, err := v.q.RefusedUpload(row.ID)
		if err != nil {
			return err
		}
		if at := u.User + ":" + u.Path; !told[at] {
			told[at] = true
			list = append(list, u)
		}
	}
	add(v, "upload that failed", list, func(u model.RefusedUpload) model.Hit {
		how := "refused: " + strings.TrimSuffix(u.Said, ".")
		if u.Reason == "unfinished" {
			how = "broken off: the connection ended"
		}
		return model.Hit{Name: path.Base(u.Path), Text: fmt.Sprintf("by %s as %s on %s, %s", u.User, u.Path, v.s.minute(u.At),
			how), Action: model.Do("trace", "about", path.Base(u.Path))}
	})
	partials := slices.DeleteFunc(v.s.o.Partials("", v.s.now()), func(p model.Partial) bool {
		return !strings.Contains(strings.ToLower(p.Path), strings.ToLower(name))
	})
	namePartials(v.q, partials[:min(len(partials), hits+1)])
	add(v, "unfinished upload", partials, func(p model.Partial) model.Hit {
		return model.Hit{Name: path.Base(p.Path), Text: fmt.Sprintf("by %s as %s, %s are here", p.User, p.Path,
			valid.Size(p.Size)),
			Action: model.Do("trace", "about", path.Base(p.Path))}
	})
	return nil
}

// spellings returns a text as typed, in lower and in upper case, each once.
func spellings(text string) (out []string) {
	for _, t := range []string{text, strings.ToLower(text), strings.ToUpper(text)} {
		if len(out) == 0 || t != out[0] && t != out[len(out)-1] {
			out = append(out, t)
		}
	}
	return out
}

// distinct removes repeated records, and keeps one more than is shown.
func distinct(list []store.FoundFile) (out []store.FoundFile) {
	seen := map[string]bool{}
	for _, f := range list {
		if !seen[f.ID] && len(out) <= hits {
			seen[f.ID] = true
			out = append(out, f)
		}
	}
	return out
}
