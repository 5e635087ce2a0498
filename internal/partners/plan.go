package partners

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// holder is who has a key.
type holder struct{ user, vendor string }

// plan compares a file with what exists.
type plan struct {
	s      *Service
	q      *store.Q
	update bool
	steps  []step

	// What the file has brought so far.
	taken    map[string]string // username, folded → account
	holders  map[string]holder // fingerprint → who has it
	accounts map[string]string // account ID, folded → parent
	vendors  map[string]bool
}

// add adds a step.
func (p *plan) add(line int, what string, does model.ImportDoes, text string,
	do func(ctx context.Context, actor string) error) {
	p.steps = append(p.steps, step{model.ImportStep{Line: line, What: valid.Printable(what), Does: does,
		Text: valid.Printable(text)}, do})
}

// mistake adds what can't be done.
func (p *plan) mistake(line int, what string, err error) {
	p.add(line, what, model.ImportMistake, sentence(err), nil)
}

func (p *plan) wrong(line int, what, format string, args ...any) {
	p.add(line, what, model.ImportMistake, fmt.Sprintf(format, args...), nil)
}

// differs adds a change of what exists, or says that it stays.
func (p *plan) differs(line int, what string, differences []string, do func(ctx context.Context, actor string) error) {
	text := strings.Join(differences, "; ")
	switch {
	case len(differences) == 0:
		p.add(line, what, model.ImportSame, "", nil)
	case p.update:
		p.add(line, what, model.ImportChanges, text, do)
	default:
		p.add(line, what, model.ImportDiffers, text, nil)
	}
}

// all plans everything: vendors, then accounts, those that are parents of others in the file first. An
// error is one of the database.
func (p *plan) all(in model.ImportPartners) error {
	for _, v := range in.Vendors {
		if err := p.vendor(v); err != nil {
			return err
		}
	}
	ordered, circle := parentsFirst(in.Accounts)
	for _, a := range circle {
		p.wrong(a.Line, "account "+a.ID, "It is its own ancestor, by way of %s.", a.Parent)
	}
	for _, a := range ordered {
		if err := p.account(a); err != nil {
			return err
		}
	}
	return nil
}

// parentsFirst sorts accounts so that a parent comes before its children, and else keeps their order. It
// returns those that are their own ancestors, or are below such, apart.
func parentsFirst(in []model.PartnerAccount) (ordered, circle []model.PartnerAccount) {
	there := make(map[string]bool, len(in)) // IDs, folded
	for _, a := range in {
		there[valid.Fold(a.ID)] = a.ID != "" // one without an ID is nobody's parent
	}
	below := map[string][]int{} // ID of a parent that is in the file, folded → its children's places
	var level []int             // places of those whose parents are done
	for i, a := range in {
		if up := valid.Fold(a.Parent); up != "" && there[up] {
			below[up] = append(below[up], i)
			continue
		}
		level = append(level, i)
	}
	done := make([]bool, len(in))
	for len(level) > 0 {
		var next []int
		for _, i := range level {
			ordered, done[i] = append(ordered, in[i]), true
			id := valid.Fold(in[i].ID)
			next = append(next, below[id]...)
			delete(below, id) // the file may have an ID twice
		}
		slices.Sort(next)
		level = next
	}
	for i, a := range in {
		if !done[i] {
			circle = append(circle, a)
		}
	}
	return ordered, circle
}

// missing returns whether a look-up found nothing, and errors other than that.
func missing(err error) (bool, error) {
	if fault.Is(err, fault.NotFound) {
		return true, nil
	}
	return false, err
}

func (p *plan) vendor(v model.PartnerVendor) error {
	what := "vendor " + v.Short
	if p.vendors[v.Short] {
		p.wrong(v.Line, what, "The file has it twice.")
		return nil
	}
	p.vendors[v.Short] = true
	n := model.NewVendor{Short: v.Short, Name: v.Name}
	if err := p.s.accounts.CheckVendor(n); err != nil {
		p.mistake(v.Line, what, err)
		return nil
	}
	have, err := p.q.Vendor(v.Short)
	fresh, err := missing(err)
	switch {
	case err != nil:
		return err
	case fresh:
		p.add(v.Line, what, model.ImportAdds, "", func(ctx context.Context, actor string) error {
			_, err := p.s.accounts.AddVendor(ctx, actor, n)
			return err
		})
	case have.Name != v.Name:
		p.add(v.Line, what, model.ImportDiffers, "its name is "+have.Name+", the file has "+v.Name, nil)
	default:
		p.add(v.Line, what, model.ImportSame, "", nil)
	}
	p.tags(v.Line, what, have.Tags, model.EditTags{Vendor: v.Short, Add: v.Tags})
	return p.contacts(v.Contacts, "", v.Short)
}

// tags plans tags that are missing. Those that the file does not name stay.
func (p *plan) tags(line int, what string, have []string, e model.EditTags) {
	e.Add = slices.DeleteFunc(slices.Clone(e.Add), func(t string) bool { return slices.Contains(have, t) })
	if len(e.Add) == 0 {
		return
	}
	what = "tags of " + what
	for _, t := range e.Add {
		if err := valid.CheckID("tag", t); err != nil {
			p.mistake(line, what, err)
			return
		}
	}
	p.add(line, what, model.ImportAdds, strings.Join(e.Add, ", "), func(ctx context.Context, actor string) error {
		_, err := p.s.accounts.EditTags(ctx, actor, e)
		return err
	})
}

// contacts plans the people of an account or a vendor. A person is known by the mail address.
func (p *plan) contacts(list []model.PartnerContact, account, vendor string) error {
	have, err := p.q.Contacts(account, vendor)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, c := range list {
		what := "contact " + c.Email + " of " + account + vendor
		n := model.NewContact{Account: account, Vendor: vendor, Name: c.Name, Email: c.Email, Phone: c.Phone, Roles: c.Roles}
		clean, err := p.s.accounts.CheckContact(n)
		if err != nil {
			p.mistake(c.Line, what, err)
			continue
		}
		if email := strings.ToLower(clean.Email); seen[email] {
			p.wrong(c.Line, what, "The file has the address twice for %s.", account+vendor)
			continue
		} else {
			seen[email] = true
		}
		at := slices.IndexFunc(have, func(h model.Contact) bool {
			return h.LeftAt == nil && strings.EqualFold(h.Email, clean.Email)
		})
		if at < 0 {
			p.add(c.Line, what, model.ImportAdds, c.Name, func(ctx context.Context, actor string) error {
				_, err := p.s.accounts.AddContact(ctx, actor, n)
				return err
			})
			continue
		}
		p.contactChange(c, clean, have[at], what)
	}
	return nil
}

func (p *plan) contactChange(c model.PartnerContact, clean, have model.Contact, what string) {
	var e model.EditContact
	var d []string
	note(&d, &e.Name, "name", have.Name, clean.Name)
	note(&d, &e.Phone, "phone", have.Phone, clean.Phone)
	if len(c.Roles) > 0 && !slices.Equal(have.Roles, clean.Roles) {
		e.Roles = &clean.Roles
		d = append(d, "roles are "+strings.Join(have.Roles, ", ")+", the file has "+strings.Join(clean.Roles, ", "))
	}
	p.differs(c.Line, what, d, func(ctx context.Context, actor string) error {
		_, err := p.s.accounts.SetContact(ctx, actor, have.ID, e)
		return err
	})
}

// note sets a field of an edit if the file has a value that differs.
func note(d *[]string, to **string, name, have, want string) {
	if want == "" || have == want {
		return
	}
	*to = &want
	if have == "" {
		have = "empty"
	}
	*d = append(*d, name+" is "+have+", the file has "+want)
}

// noteList is note for a list.
func noteList(d *[]string, to **[]string, name string, have, want []string) {
	if len(want) == 0 || slices.Equal(have, want) {
		return
	}
	*to = &want
	is := "empty"
	if len(have) > 0 {
		is = strings.Join(have, ", ")
	}
	*d = append(*d, name+" are "+is+", the file has "+strings.Join(want, ", "))
}
