package onboard

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	maxRelated = 20
	maxAlike   = 5
	maxUsers   = 50
	earlier    = 30 * 24 * time.Hour // for the number of files that a log-in would be given
)

// freeMail are providers where anybody has an address, so that a shared domain proves nothing.
var freeMail = []string{"gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "yahoo.com",
	"icloud.com", "proton.me", "protonmail.com", "gmx.net", "gmx.de", "web.de", "aol.com", "mail.com", "yandex.com",
	"qq.com", "163.com"}

// Judge returns what an operator needs to decide about a request. It changes nothing.
func (s *Service) Judge(ctx context.Context, id string) (model.Judgement, error) {
	q := s.o.Store.Read(ctx)
	r, err := s.whole(q, id)
	if err != nil {
		return model.Judgement{}, err
	}
	return s.judge(q, r)
}

// judging collects what decides about one request.
type judging struct {
	s   *Service
	q   *store.Q
	out *model.Judgement
	a   model.Approval // as it would be
}

func (s *Service) judge(q *store.Q, r model.Request) (model.Judgement, error) {
	out := model.Judgement{Request: r, Findings: []model.RequestFinding{}, Feeds: []model.RequestFeed{}}
	var err error
	if out.Proposed, err = s.complete(q, r, model.Approval{}); err != nil {
		return out, err
	}
	if r.Approval != nil {
		out.Proposed = *r.Approval
	}
	j := judging{s, q, &out, out.Proposed}
	for _, look := range []func() error{j.verified, j.account, j.key, j.username, j.feeds, j.related} {
		if err := look(); err != nil {
			return out, err
		}
	}
	grave := map[model.Weight]int{model.WeightStop: 0, model.WeightWarn: 1, model.WeightGood: 2}
	slices.SortStableFunc(out.Findings, func(a, b model.RequestFinding) int { return grave[a.Weight] - grave[b.Weight] })
	return out, nil
}

func (j *judging) add(topic string, w model.Weight, format string, args ...any) *model.RequestFinding {
	j.out.Findings = append(j.out.Findings, model.RequestFinding{Topic: topic, Weight: w,
		Text: fmt.Sprintf(format, args...)})
	return &j.out.Findings[len(j.out.Findings)-1]
}

// fails adds a finding for an error that approving would end with. Other errors are returned.
func (j *judging) fails(topic string, err error) error {
	if err == nil {
		return nil
	}
	if fault.Is(err, fault.Internal) || fault.Is(err, fault.Unavailable) {
		return err
	}
	text := fault.PublicText(err)
	if hint := fault.HintIn(err); hint != "" {
		text += " (" + hint + ")"
	}
	j.add(topic, model.WeightStop, "%s", text).Action = fault.ActionIn(err)
	return nil
}

func (j *judging) verified() error {
	r := j.out.Request
	if r.VerifiedAt == nil {
		j.add("verified", model.WeightStop, "The address %s is not confirmed.", r.Email).Action =
			model.Do("remind-request", "request", r.Reference)
		return nil
	}
	j.add("verified", model.WeightGood, "The address %s was confirmed: %s.", r.Email, r.Verified)
	return nil
}

// account looks at the account and its people.
func (j *judging) account() error {
	r, id := j.out.Request, j.a.Account
	if id == "" {
		j.add("account", model.WeightStop, "The request names no account number. Name the account.")
		return nil
	}
	a, err := j.q.Account(id)
	if fault.Is(err, fault.NotFound) {
		w := model.WeightStop
		if j.a.CreateAccount {
			w = model.WeightWarn
		}
		j.add("account", w, "There is no account %q. Name another, or have it made.", valid.Printable(id)).Action =
			model.Do("approve-request", "request", r.Reference, "create_account", "true")
		return j.fails("contacts", j.s.o.Accounts.EnoughContacts(j.user(), []model.Contact{j.person()}))
	} else if err != nil {
		return err
	}
	switch a.State {
	case model.AccountActive:
		j.add("account", model.WeightGood, "The account number is that of %s (%s).", a.Name, a.ID)
	case model.AccountClosed:
		j.add("account", model.WeightStop, "The account %s (%s) is closed.", a.Name, a.ID).Action =
			model.Do("reopen-account", "account", a.ID)
	default:
		j.add("account", model.WeightWarn, "The account %s (%s) is %s.", a.Name, a.ID, model.Word(a.State))
	}
	out := &model.RequestAccount{ID: a.ID, Name: a.Name, Region: a.Region, State: a.State, Contacts: []model.Contact{},
		Users: []string{}}
	j.out.Account = out
	people, err := j.q.Contacts(a.ID, "")
	if err != nil {
		return err
	}
	for _, c := range people {
		if c.LeftAt == nil {
			out.Contacts = append(out.Contacts, c)
		}
	}
	users, err := j.q.Users(model.UserFilter{Account: a.ID, Paging: model.Paging{Limit: maxUsers}})
	if err != nil {
		return err
	}
	for _, u := range users {
		out.Users = append(out.Users, u.Name)
	}
	j.address(people)
	return j.fails("contacts", j.s.o.Accounts.EnoughContacts(j.user(), append(slices.Clone(out.Contacts), j.person())))
}

// user is the user that approving would make.
func (j *judging) user() model.User {
	return model.User{Name: j.a.Username, Account: j.a.Account, Kind: model.KindCustomer}
}

// person is the contact that approving would make.
func (j *judging) person() model.Contact {
	roles := j.a.Roles
	if len(roles) == 0 {
		roles = []string{model.RoleTechnical}
	}
	return model.Contact{Email: j.out.Request.Email, Roles: roles}
}

// address compares the requester's address with the account's people.
func (j *judging) address(people []model.Contact) {
	email := j.out.Request.Email
	_, domain, _ := strings.Cut(email, "@")
	same := 0
	present := 0
	for _, c := range people {
		if strings.EqualFold(c.Email, email) {
			if c.LeftAt != nil {
				j.add("domain", model.WeightWarn, "%s was a contact of the account and left on %s.", c.Name,
					c.LeftAt.Format(time.DateOnly))
				return
			}
			j.add("domain", model.WeightGood, "%s is a contact of the account: %s.", email, c.Name)
			return
		}
		if c.LeftAt != nil {
			continue
		}
		present++
		if _, d, _ := strings.Cut(c.Email, "@"); strings.EqualFold(d, domain) {
			same++
		}
	}
	switch {
	case present == 0:
		j.add("domain", model.WeightWarn, "The account has no contact who was told, and none to compare %s with.", email)
	case slices.Contains(freeMail, domain):
		j.add("domain", model.WeightWarn, "Anybody can have an address at %s. Ask one of the account's contacts.", domain)
	case same > 0:
		j.add("domain", model.WeightGood, "%d of %d contacts have addresses at %s, too.", same, present, domain)
	default:
		j.add("domain", model.WeightWarn, "No contact of the account has an address at %s. Ask one of them.", domain)
	}
}

// key looks whether the key can be enrolled.
func (j *judging) key() error {
	k := j.out.Request.Key
	found, err := keys.Read([]byte(k.Public))
	if err != nil {
		return err
	}
	if err := j.s.o.Accounts.Accepts(found[0]); err != nil {
		return j.fails("key", err)
	}
	if b, err := j.q.Burned(k.Fingerprint); err == nil {
		j.add("key", model.WeightStop, "The key was blocked for ever on %s: %s. A new pair is needed.",
			b.At.Format(time.DateOnly), b.Why).Action =
			model.Do("ask-request", "request", j.out.Request.Reference)
		return nil
	} else if !fault.Is(err, fault.NotFound) {
		return err
	}
	holders, err := j.q.KeyHolders(k.Fingerprint)
	if err != nil {
		return err
	}
	for _, h := range holders {
		if h.User == j.out.Request.User { // it was approved
			continue
		}
		j.add("key", model.WeightStop, "The key is user %s's already. Every user needs a key of its own.", h.User).Action =
			model.Do("list-keys", "user", h.User)
		return nil
	}
	j.add("key", model.WeightGood, "The key is a %s of %d bits, and nobody has it.", k.Type, k.Bits)
	return nil
}

// username looks whether the name can be had, and what it looks like.
func (j *judging) username() error {
	r, name := j.out.Request, j.a.Username
	if r.Username != "" && !j.a.UserExists && r.Username != name {
		j.add("username", model.WeightWarn, "The username %q was wished for, and is not allowed here. It would be %q.",
			valid.Printable(r.Username), name)
	}
	if name == "" {
		return nil
	}
	if err := j.s.o.Accounts.MayBeNamed(j.user()); err != nil {
		return j.fails("username", err)
	}
	u, err := j.q.User(name)
	switch {
	case err == nil && u.ID == r.UserID:
		return nil // it was approved
	case err == nil && j.a.UserExists:
		j.add("username", model.WeightWarn, "The key would be added to the user %s, who is there.", u.Name)
		return nil
	case err == nil:
		j.add("username", model.WeightStop, "The username %q is taken, by account %s.", u.Name, u.Account).Action =
			model.Do("show-user", "user", u.Name)
		return nil
	case !fault.Is(err, fault.NotFound):
		return err
	}
	if was, err := j.q.FormerName(name); err == nil {
		j.add("username", model.WeightWarn, "%q was the name of the user %s until %s.", was.From, was.To,
			was.At.Format(time.DateOnly))
	} else if !fault.Is(err, fault.NotFound) {
		return err
	}
	alike, err := j.q.NamesAlike(name, maxAlike)
	if err != nil {
		return err
	}
	if len(alike) > 0 {
		j.add("username", model.WeightWarn, "The username %q looks like %s.", name, strings.Join(alike, ", "))
		return nil
	}
	j.add("username", model.WeightGood, "The username %q is free.", name)
	return nil
}

// feeds looks what the requester would get.
func (j *judging) feeds() error {
	for _, name := range j.a.Feeds {
		f, err := j.q.Feed(name)
		if fault.Is(err, fault.NotFound) {
			j.add("feed", model.WeightStop, "There is no feed %q any more.", name)
			continue
		} else if err != nil {
			return err
		}
		out := model.RequestFeed{Name: f.Name, Title: f.Title, Types: f.Types, Offered: j.s.offered(f)}
		types, err := wanted(f, j.a.Types)
		switch {
		case err != nil:
			out.Problem = fault.PublicText(err)
		case len(f.Recipients) > 0 && !slices.Contains(f.Recipients, j.a.Account):
			out.Problem = fmt.Sprintf("The feed %q is for %s alone.", f.Name, strings.Join(f.Recipients, ", "))
		}
		if out.Problem != "" {
			j.add("feed", model.WeightStop, "%s", out.Problem)
		} else if !out.Offered {
			j.add("feed", model.WeightWarn, "The feed %q may not be asked for any more (onboarding.feeds).", f.Name)
		}
		if out.Files30, err = j.s.o.Feeds.Earlier(j.q, f.Name, j.a.Account, types, j.s.now().Add(-earlier)); err != nil {
			return err
		}
		j.out.Feeds = append(j.out.Feeds, out)
	}
	return nil
}

// related looks at other requests of the same person, account or key.
func (j *judging) related() (err error) {
	r := j.out.Request
	if j.out.Earlier, err = j.q.RelatedRequests(r, maxRelated); err != nil {
		return err
	}
	for _, o := range j.out.Earlier {
		show := model.Do("show-request", "request", o.Reference)
		switch {
		case o.State == model.RequestRejected:
			j.add("earlier", model.WeightWarn, "The request %s was rejected on %s: %s", o.Reference,
				o.Since.Format(time.DateOnly), o.Reason).Action = show
		case slices.Contains(undecided, o.State) && o.Key.Fingerprint == r.Key.Fingerprint && o.Email != r.Email:
			j.add("duplicate", model.WeightWarn, "The request %s of %s has the same key.", o.Reference, o.Email).Action = show
		case slices.Contains(undecided, o.State):
			j.add("duplicate", model.WeightWarn, "The request %s of %s is undecided, too.", o.Reference, o.Email).Action = show
		}
	}
	return nil
}
