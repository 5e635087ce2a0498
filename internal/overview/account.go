package overview

import (
	"cmp"
	"context"
	"fmt"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// AccountPage is all that support needs to know of an account.
func (s *Service) AccountPage(ctx context.Context, id string) (p model.AccountPage, err error) {
	s = s.reading(ctx)
	q := s.read(ctx)
	if p.Account, err = q.Account(id); err != nil {
		return p, fault.Missing("overview.AccountPage", err, "There is no account %q.", valid.Printable(id))
	}
	a := p.Account
	if a.Parent != "" {
		parent, err := q.Account(a.Parent)
		if err != nil {
			return p, err
		}
		p.Parent = &parent
	}
	if p.Children, err = q.ChildAccounts(a.ID, pageUsers+1); err != nil {
		return p, err
	}
	p.Children = cut(&p.More, "children", p.Children, pageUsers)
	contacts, err := q.Contacts(a.ID, "")
	if err != nil {
		return p, err
	}
	p.Contacts = cut(&p.More, "contacts", present(contacts), pageContacts)
	if p.Keys, err = q.KeysOfAccount(a.ID, pageKeys+1); err != nil {
		return p, err
	}
	p.Keys = cut(&p.More, "keys", p.Keys, pageKeys)
	for i := range p.Keys {
		p.Keys[i].State = p.Keys[i].StateAt(s.now())
	}
	users, err := s.usersOf(q, &p)
	if err != nil {
		return p, err
	}
	if p.Feeds, err = q.FeedsOfAccount(a.ID, pageKeys+1); err != nil {
		return p, err
	}
	p.Feeds = cut(&p.More, "feeds", p.Feeds, pageKeys)
	use, err := q.AccountKept(a.ID)
	if err != nil {
		return p, err
	}
	p.Kept, p.KeptItems = use.Bytes, use.Items
	p.KeepBytes, p.KeepItems = cmp.Or(use.KeepBytes, s.o.Policy().Account.Bytes), cmp.Or(use.KeepItems,
		s.o.Policy().Account.Items)
	if p.Waiting, err = s.waiting(q, users, &p.More); err != nil {
		return p, err
	}
	if p.Expectations, err = s.expectationsOf(ctx, q, a.ID); err != nil {
		return p, err
	}
	if p.Holds, err = q.HoldsOf(a.ID, pageRows+1); err != nil {
		return p, err
	}
	p.Holds = cut(&p.More, "holds", p.Holds, pageRows)
	if p.Notes, err = q.Notes(store.AboutAccount, a.ID, model.Paging{Limit: pageRows + 1}); err != nil {
		return p, err
	}
	p.Notes = cut(&p.More, "notes", p.Notes, pageRows)
	p.Findings, err = s.accountFindings(q, &p)
	return p, err
}

// usersOf fills in an account's users, and returns them.
func (s *Service) usersOf(q *store.Q, p *model.AccountPage) ([]model.User, error) {
	users, err := q.Users(model.UserFilter{Account: p.Account.ID, Paging: model.Paging{Limit: pageUsers + 1}})
	if err != nil {
		return nil, err
	}
	users = cut(&p.More, "users", users, pageUsers)
	p.Users = []model.UserLine{}
	for _, u := range users {
		limits := s.o.Policy().Limits.Of(u.OwnLimits())
		u.Limits = &limits
		line := model.UserLine{User: u}
		at, err := q.LastLogin(u.ID)
		if err != nil {
			return nil, err
		}
		if !at.IsZero() {
			line.LastLogin = &at
		}
		for _, k := range p.Keys {
			if k.User == u.Name && works(k) {
				line.Keys++
			}
		}
		p.Users = append(p.Users, line)
	}
	return users, nil
}

// expectationsOf lists an account's expectations with their next deadlines.
func (s *Service) expectationsOf(ctx context.Context, q *store.Q, account string) ([]model.Expectation, error) {
	own, err := q.AccountExpectations(account)
	if err != nil || len(own) == 0 {
		return []model.Expectation{}, err
	}
	all, err := s.o.Expectations(ctx)
	next := map[string]model.Expectation{}
	for _, e := range all {
		next[e.ID] = e
	}
	for i := range own {
		own[i].NextAt = next[own[i].ID].NextAt
	}
	return own, err
}

// accountFindings says what is wrong with an account now.
func (s *Service) accountFindings(q *store.Q, p *model.AccountPage) ([]model.Finding, error) {
	f := findings{}
	s.accountState(&f, p.Account)
	contactFindings(&f, p.Account.ID, p.Contacts)
	if len(p.Users) == 0 {
		f.add(model.Do("add-user", "account", p.Account.ID), "It has no user, so nobody can log in.")
	}
	for _, u := range p.Users {
		if !u.Enabled {
			f.add(model.Do("edit-user", "user", u.Name, "enabled", "true"), "User %s is disabled: it cannot log in.", u.Name)
		}
		var keys []model.Key
		for _, k := range p.Keys {
			if k.User == u.Name {
				keys = append(keys, k)
			}
		}
		s.keyFindings(&f, u.User, keys)
		s.limitFindings(&f, u.User)
		if err := s.bannedFindings(q, &f, keys); err != nil {
			return nil, err
		}
	}
	for _, l := range []struct {
		have, limit int64
		words       string
		field       string
	}{{p.Kept, p.KeepBytes, valid.Size(p.Kept) + " of " + valid.Size(p.KeepBytes), "keep_bytes"},
		{p.KeptItems, p.KeepItems, fmt.Sprintf("%d of %d files and directories", p.KeptItems, p.KeepItems), "keep_items"}} {
		if l.limit > 0 && float64(l.have) >= float64(l.limit)*exchange.NearPercent/100 {
			f.add(model.Do("edit-account", "account", p.Account.ID, l.field, ""),
				"Its users keep %s together; at the limit their uploads are refused.", l.words)
		}
	}
	for _, e := range p.Expectations {
		if e.State == model.ExpectMissed {
			f.add(model.Do("list-expectations"), "The expected file %s did not come in time.", e.Name)
		}
	}
	s.waitingFindings(&f, p.Account.ID, p.Waiting)
	return f, nil
}
