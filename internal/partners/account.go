package partners

import (
	"cmp"
	"context"
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

func (p *plan) account(a model.PartnerAccount) error {
	what := "account " + a.ID
	if _, twice := p.accounts[valid.Fold(a.ID)]; twice {
		p.wrong(a.Line, what, "The file has it twice.")
		return nil
	}
	n := model.NewAccount{ID: a.ID, Name: a.Name, Parent: a.Parent, Region: a.Region, AllowIPs: a.AllowIPs}
	networks, err := p.s.accounts.CheckAccount(n)
	if err != nil {
		p.mistake(a.Line, what, err)
		return nil
	}
	have, err := p.q.Account(a.ID)
	fresh, err := missing(err)
	if err != nil {
		return err
	}
	if ok, err := p.mayBe(a, what, have, fresh); err != nil || !ok {
		return err
	}
	p.accounts[valid.Fold(a.ID)] = a.Parent
	if fresh {
		p.add(a.Line, what, model.ImportAdds, a.Name, func(ctx context.Context, actor string) error {
			_, err := p.s.accounts.AddAccount(ctx, actor, n)
			return err
		})
		have = model.Account{ID: a.ID, Name: a.Name, Parent: a.Parent, Region: a.Region, AllowIPs: networks}
	} else {
		p.accountChange(a, what, have, networks)
	}
	if a.Manager != nil && have.Manager == nil { // also what an import that stopped left out
		p.managed(a, what, have)
	}
	p.tags(a.Line, what, have.Tags, model.EditTags{Account: have.ID, Add: a.Tags})
	if err := p.contacts(a.Contacts, have.ID, ""); err != nil {
		return err
	}
	for _, u := range a.Users {
		if err := p.user(have, u); err != nil {
			return err
		}
	}
	return nil
}

// mayBe checks an account's state, its parent and its manager.
func (p *plan) mayBe(a model.PartnerAccount, what string, have model.Account, fresh bool) (bool, error) {
	if !fresh && have.State == model.AccountClosed {
		p.wrong(a.Line, what, "The account is closed.")
		return false, nil
	}
	if m := a.Manager; m != nil {
		if _, err := valid.CheckEmail(m.Email); err != nil {
			p.mistake(a.Line, what, err)
			return false, nil
		}
	}
	if a.Parent == "" {
		return true, nil
	}
	if _, brought := p.accounts[valid.Fold(a.Parent)]; brought {
		return true, nil
	}
	parent, err := p.q.Account(a.Parent)
	gone, err := missing(err)
	switch {
	case err != nil:
		return false, err
	case gone:
		p.wrong(a.Line, what, "There is no account %q to be the parent, and the file has none without mistakes.", a.Parent)
		return false, nil
	case parent.State == model.AccountClosed:
		p.wrong(a.Line, what, "The parent account %q is closed.", parent.ID)
		return false, nil
	}
	return true, nil
}

// managed plans the manager of an account that has none.
func (p *plan) managed(a model.PartnerAccount, what string, have model.Account) {
	p.add(a.Line, "manager of "+what, model.ImportAdds, a.Manager.Name, func(ctx context.Context, actor string) error {
		_, err := p.s.accounts.SetAccount(ctx, actor, have.ID, model.EditAccount{Manager: a.Manager})
		return err
	})
}

func (p *plan) accountChange(a model.PartnerAccount, what string, have model.Account, networks []string) {
	var e model.EditAccount
	var d []string
	note(&d, &e.Name, "name", have.Name, a.Name)
	if valid.Fold(have.Parent) != valid.Fold(a.Parent) {
		note(&d, &e.Parent, "parent", have.Parent, a.Parent)
	}
	note(&d, &e.Region, "region", have.Region, a.Region)
	noteList(&d, &e.AllowIPs, "networks", have.AllowIPs, networks)
	if a.Manager != nil && have.Manager != nil && *have.Manager != *a.Manager {
		e.Manager = a.Manager
		d = append(d, "manager is "+address(*have.Manager)+", the file has "+address(*a.Manager))
	}
	p.differs(a.Line, what, d, func(ctx context.Context, actor string) error {
		_, err := p.s.accounts.SetAccount(ctx, actor, have.ID, e)
		return err
	})
}

func address(m model.Person) string { return (&mail.Address{Name: m.Name, Address: m.Email}).String() }

func (p *plan) user(a model.Account, u model.PartnerUser) error {
	name := cmp.Or(u.Name, strings.TrimSuffix(a.ID+"-"+u.Vendor, "-"))
	what := "user " + name
	n := model.NewUser{Account: a.ID, Vendor: u.Vendor, Name: name, StartDir: u.StartDir, AllowIPs: u.AllowIPs,
		RootRights: u.RootRights}
	networks, dir, err := p.s.accounts.CheckUser(n)
	if err != nil {
		p.mistake(u.Line, what, err)
		return nil
	}
	if other, twice := p.taken[valid.Fold(name)]; twice {
		p.wrong(u.Line, what, "The file has the username twice, for account %s, too.", other)
		return nil
	}
	if ok, err := p.vendorThere(u, what); err != nil || !ok {
		return err
	}
	have, err := p.q.User(name)
	fresh, err := missing(err)
	switch {
	case err != nil:
		return err
	case !fresh && (have.Account != a.ID || have.Vendor != u.Vendor):
		p.wrong(u.Line, what, "The username is taken by account %s%s.", have.Account, forVendor(have.Vendor))
		return nil
	}
	if fresh {
		if ok, err := p.onlyOne(a, u, what); err != nil || !ok {
			return err
		}
		p.add(u.Line, what, model.ImportAdds, "for account "+a.ID+forVendor(u.Vendor),
			func(ctx context.Context, actor string) error {
				_, err := p.s.accounts.AddUser(ctx, actor, n)
				return err
			})
		have = model.User{Name: name, Account: a.ID, Vendor: u.Vendor}
	} else {
		var e model.EditUser
		var d []string
		note(&d, &e.StartDir, "starting directory", have.StartDir, dir)
		noteList(&d, &e.AllowIPs, "networks", have.AllowIPs, networks)
		p.differs(u.Line, what, d, func(ctx context.Context, actor string) error {
			_, err := p.s.accounts.SetUser(ctx, actor, have.Name, e)
			return err
		})
	}
	p.taken[valid.Fold(name)] = a.ID
	p.tags(u.Line, what, have.Tags, model.EditTags{User: have.Name, Add: u.Tags})
	if err := p.keys(have, u); err != nil {
		return err
	}
	return p.feeds(have, u)
}

func forVendor(short string) string {
	if short == "" {
		return ""
	}
	return " and vendor " + short
}

// vendorThere checks that a user's vendor exists, or comes with the file.
func (p *plan) vendorThere(u model.PartnerUser, what string) (bool, error) {
	if u.Vendor == "" || p.vendors[u.Vendor] {
		return true, nil
	}
	_, err := p.q.Vendor(u.Vendor)
	gone, err := missing(err)
	if gone {
		p.wrong(u.Line, what, "There is no vendor %q, and the file has none.", u.Vendor)
	}
	return !gone && err == nil, err
}

// onlyOne refuses a second user of a vendor for an account. An account may have many users of its own.
func (p *plan) onlyOne(a model.Account, u model.PartnerUser, what string) (bool, error) {
	if u.Vendor == "" {
		return true, nil
	}
	other, err := p.q.UserOfVendor(a.ID, u.Vendor)
	none, err := missing(err)
	if !none && err == nil {
		p.wrong(u.Line, what, "Vendor %s has the user %s for account %s already.", u.Vendor, other.Name, a.ID)
	}
	return none, err
}

// keys plans the keys of a user. Keys that the file does not name stay.
func (p *plan) keys(have model.User, u model.PartnerUser) error {
	live := 0
	if have.ID != "" {
		old, err := p.q.Keys(have.ID)
		if err != nil {
			return err
		}
		for _, k := range old {
			if k.RevokedAt == nil && k.RetiresAt == nil {
				live++
			}
		}
	}
	for _, k := range u.Keys {
		line := cmp.Or(k.Line, u.Line)
		found, err := p.s.accounts.CheckKeys(k.Text)
		if err != nil {
			p.mistake(line, "key of "+have.Name, err)
			continue
		}
		for _, x := range found {
			added, err := p.key(line, have, x.Fingerprint, x.Line+" "+x.Comment)
			if err != nil {
				return err
			}
			if live += added; live > p.s.accounts.MaxKeys() && added > 0 {
				p.wrong(line, "key "+x.Fingerprint+" of "+have.Name, "The user would have %d keys; %d are the most.", live,
					p.s.accounts.MaxKeys())
			}
		}
	}
	return nil
}

// key plans one key, and returns how many it adds.
func (p *plan) key(line int, u model.User, fingerprint, text string) (int, error) {
	what := "key " + fingerprint + " of " + u.Name
	if b, err := p.q.Burned(fingerprint); err == nil {
		p.wrong(line, what, "This key can't be used here: it was blocked for ever (%s).", b.Why)
		return 0, nil
	} else if !fault.Is(err, fault.NotFound) {
		return 0, err
	}
	holders, err := p.q.KeyHolders(fingerprint)
	if err != nil {
		return 0, err
	}
	if slices.ContainsFunc(holders, func(k model.Key) bool { return k.User == u.Name }) {
		p.add(line, what, model.ImportSame, "", nil)
		return 0, nil
	}
	other, has := p.holders[fingerprint]
	for _, k := range holders {
		if h, err := p.q.User(k.User); err == nil {
			other, has = holder{h.Name, h.Vendor}, true
		}
	}
	if has && (u.Vendor == "" || other.vendor != u.Vendor) {
		p.wrong(line, what, "The key belongs to user %s; every user needs a key of its own.", other.user)
		return 0, nil
	}
	p.holders[fingerprint] = holder{u.Name, u.Vendor}
	p.add(line, what, model.ImportAdds, "", func(ctx context.Context, actor string) error {
		_, err := p.s.accounts.AddKeys(ctx, actor, u.Name, model.NewKey{Text: text})
		return err
	})
	return 1, nil
}

// feeds plans the subscriptions of a user. Those that the file does not name stay.
func (p *plan) feeds(u model.User, in model.PartnerUser) error {
	for _, w := range in.Feeds {
		line := cmp.Or(w.Line, in.Line)
		what := "feed " + w.Feed + " for " + u.Name
		f, err := p.q.Feed(w.Feed)
		gone, err := missing(err)
		switch {
		case err != nil:
			return err
		case gone:
			p.wrong(line, what, "There is no feed %q.", w.Feed)
			continue
		case len(f.Recipients) > 0 && !slices.Contains(f.Recipients, u.Account):
			p.wrong(line, what, "The feed is for %s; not for account %s.", strings.Join(f.Recipients, ", "), u.Account)
			continue
		}
		if err := p.subscription(line, what, f, u, w); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) subscription(line int, what string, f model.Feed, u model.User, w model.PartnerFeed) error {
	n := model.NewSubscription{User: u.Name, Types: w.Types, Dir: w.Dir}
	want, err := p.s.feeds.CheckSubscription(f, n)
	if err != nil {
		p.mistake(line, what, err)
		return nil
	}
	have, err := p.q.Subscription(f.Name, u.ID)
	fresh, err := missing(err)
	if err != nil {
		return err
	}
	if fresh {
		p.add(line, what, model.ImportAdds, fmt.Sprintf("in %s", want.Dir), func(ctx context.Context, actor string) error {
			_, err := p.s.feeds.Subscribe(ctx, actor, f.Name, n)
			return err
		})
		return nil
	}
	var e model.EditSubscription
	var d []string
	if w.Dir != "" {
		note(&d, &e.Dir, "folder", have.Dir, want.Dir)
	}
	noteList(&d, &e.Types, "types", have.Types, want.Types)
	p.differs(line, what, d, func(ctx context.Context, actor string) error {
		_, err := p.s.feeds.SetSubscription(ctx, actor, f.Name, u.Name, e)
		return err
	})
	return nil
}
