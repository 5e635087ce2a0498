package onboard

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// maxDays is how many past days' files a new log-in may be given.
const maxDays = 36500

// Approve makes the log-in that a request asks for: in one transaction what is missing of account, contact, user,
// key and subscriptions. Earlier files are placed behind it, even if the request ends. With four eyes, the first
// approval is recorded, and another operator's does it.
func (s *Service) Approve(ctx context.Context, actor, id string, a model.Approval) (model.Request, error) {
	if a.Days < 0 || a.Days > maxDays {
		return model.Request{}, fault.E("onboard.Approve", fault.Invalid, "%d is no number of days to fill in.", a.Days).
			WithField("days")
	}
	r, err := store.Change(ctx, s.o.Store, func(tx *store.Tx) (model.Request, error) {
		r, err := s.locked(tx, id)
		if err != nil {
			return r, err
		}
		if err := may(r, model.StepApprove); err != nil {
			return r, err
		}
		if err := s.approve(tx, actor, &r, a); err != nil {
			return r, err
		}
		return s.whole(&tx.Q, r.ID)
	})
	if err == nil && r.State == model.RequestReady {
		if fillErr := s.Fill(context.WithoutCancel(ctx)); fillErr != nil {
			s.o.Log.Error("earlier files of a new log-in will be placed later", "request", r.Reference, "err", fillErr)
		}
	}
	return r, err
}

// approve records an approval and, unless a second one is needed, makes the log-in.
func (s *Service) approve(tx *store.Tx, actor string, r *model.Request, a model.Approval) error {
	const op = "onboard.Approve"
	second := r.State == model.RequestApproved
	if second {
		given := a
		a = *r.Approval
		switch {
		case !s.policy.Load().FourEyes: // it was on when the first one approved
		case actor == r.Approver:
			return fault.E(op, fault.Denied, "You approved the request %s first. A second person has to.", r.Reference)
		}
		if !reflect.DeepEqual(given, model.Approval{}) && !reflect.DeepEqual(given, a) {
			return fault.E(op, fault.Conflict, "%s approved something else for %s.", r.Approver, r.Reference).
				WithHint("approve it as it is, by saying nothing else; or ask or reject").
				WithAction("show-request", "request", r.Reference)
		}
	} else {
		var err error
		if a, err = s.complete(&tx.Q, *r, a); err != nil {
			return err
		}
		s.enter(r, model.RequestApproved)
		r.Approver, r.Approval = actor, &a
	}
	if a.Account == "" {
		return fault.E(op, fault.Invalid, "The request %s names no account number.", r.Reference).
			WithHint("name the account").WithField("account")
	}
	if err := s.move(tx, *r, step{actor: actor, action: model.StepApprove, detail: approvalDetail(a)}); err != nil {
		return err
	}
	if s.policy.Load().FourEyes && !second {
		if s.o.Mail == nil {
			return nil
		}
		return s.mail(tx, Letter{Kind: MailNew, Request: *r, Operators: true})
	}
	return s.admit(tx, actor, r, a)
}

// complete fills in what an operator left to the request.
func (s *Service) complete(q *store.Q, r model.Request, a model.Approval) (model.Approval, error) {
	a.Account = cmp.Or(a.Account, r.AccountNumber)
	if have, err := q.Account(a.Account); err == nil {
		a.Account = have.ID // the stored spelling
	} else if !fault.Is(err, fault.NotFound) {
		return a, err
	}
	if a.CreateAccount {
		a.AccountName = cmp.Or(a.AccountName, r.Company)
	}
	if a.Username == "" {
		a.Username = s.username(r, a.Account)
	}
	if a.Feeds == nil && !a.NoFeeds {
		a.Feeds = r.Feeds
	}
	if a.Types == nil {
		a.Types = r.Types
	}
	return a, nil
}

// username is the one that was wished for, if it may be had, or else the account's ID.
func (s *Service) username(r model.Request, account string) string {
	wished := model.User{Name: r.Username, Account: account, Kind: model.KindCustomer}
	if r.Username != "" && s.o.Accounts.MayBeNamed(wished) == nil {
		return r.Username
	}
	return account
}

// approvalDetail is an approval in the audit log.
func approvalDetail(a model.Approval) map[string]string {
	out := map[string]string{"account": a.Account, "username": a.Username, "feeds": strings.Join(a.Feeds, " "),
		"types": strings.Join(a.Types, " ")}
	for name, yes := range map[string]bool{"create_account": a.CreateAccount, "user_exists": a.UserExists} {
		if yes {
			out[name] = "yes"
		}
	}
	if a.Days > 0 {
		out["days"] = strconv.Itoa(a.Days)
	}
	return out
}

// admit makes the log-in of a request.
func (s *Service) admit(tx *store.Tx, actor string, r *model.Request, a model.Approval) error {
	found, err := keys.Read([]byte(r.Key.Public))
	if err != nil {
		return err
	}
	key := found[0]
	key.Comment, key.Format = r.Key.Comment, r.Key.Format
	made, err := s.o.Accounts.Admit(tx, actor, account.Admission{
		Account:     model.NewAccount{ID: a.Account, Name: a.AccountName, Region: a.Region, Language: r.Language},
		MakeAccount: a.CreateAccount, User: model.NewUser{Name: a.Username}, UserExists: a.UserExists,
		Contact: model.NewContact{Name: r.Name(), Email: r.Email, Phone: r.Phone, Roles: a.Roles, Language: r.Language},
		// An address that a link confirmed needs no second link.
		Verified: "request " + r.Reference + ", " + r.Verified, Key: key})
	if err != nil {
		return err
	}
	if err := s.subscribe(tx, actor, *r, made, a); err != nil {
		return err
	}
	s.enter(r, model.RequestReady)
	r.Account, r.User, r.UserID, r.Contact = made.Account.ID, made.User.Name, made.User.ID, made.Contact.ID
	if err := s.move(tx, *r, step{actor: actor, action: model.StepReady, text: r.User,
		detail: map[string]string{"account": r.Account, "user": r.User, "fingerprint": r.Key.Fingerprint}}); err != nil {
		return err
	}
	if valid.Fold(r.Account) != valid.Fold(r.AccountNumber) { // its contacts have not heard of the request
		if err := s.tellContacts(tx, *r, r.Account); err != nil {
			return err
		}
	}
	return s.mailStatus(tx, MailReady, *r, "")
}

// subscribe entitles a new log-in to the feeds, and notes which need earlier files.
func (s *Service) subscribe(tx *store.Tx, actor string, r model.Request, made account.Admitted,
	a model.Approval) error {
	feeds := slices.Clone(a.Feeds)
	slices.Sort(feeds)
	for _, name := range slices.Compact(feeds) {
		f, err := tx.Feed(name)
		if err != nil {
			return fault.Missing("onboard.subscribe", err, "There is no feed %q.", valid.Printable(name))
		}
		types, err := wanted(f, a.Types)
		if err != nil {
			return err
		}
		if _, err := s.o.Feeds.SubscribeWithin(tx, actor, model.Subscription{Feed: f.Name, User: made.User.Name,
			Types: types}); err != nil {
			return err
		}
		if a.Days > 0 {
			if err := tx.AddRequestFill(store.RequestFill{Request: r.ID, Feed: f.Name, Days: a.Days,
				Actor: actor}); err != nil {
				return err
			}
		}
	}
	return nil
}

// wanted returns the wished types that a feed has; none of them is an error.
func wanted(f model.Feed, types []string) ([]string, error) {
	if len(f.Types) == 0 || len(types) == 0 {
		return types, nil
	}
	out := slices.DeleteFunc(slices.Clone(types), func(t string) bool { return !slices.Contains(f.Types, t) })
	if len(out) == 0 {
		return nil, fault.E("onboard.wanted", fault.Invalid, "The feed %q has no %s files.", f.Name,
			strings.Join(types, " or ")).WithHint("choose other types, or leave the feed out").WithField("types")
	}
	return out, nil
}

// fillsAtOnce is how many subscriptions one run fills.
const fillsAtOnce = 50

// Fill gives new log-ins the earlier files that they were promised. What an earlier run left out is placed.
func (s *Service) Fill(ctx context.Context) error {
	list, err := s.o.Store.Read(ctx).RequestFills(fillsAtOnce)
	if err != nil {
		return err
	}
	for _, f := range list {
		if f.User != "" {
			_, err := s.o.Feeds.Fill(ctx, f.Actor, f.Feed, f.User, f.At.AddDate(0, 0, -f.Days))
			if err != nil && !fault.Is(err, fault.NotFound) { // gone: the feed, the user or the subscription
				return err
			}
		}
		if err := s.o.Store.Write(ctx, func(tx *store.Tx) error {
			return tx.RequestFilled(f.Request, f.Feed)
		}); err != nil {
			return err
		}
	}
	return nil
}
