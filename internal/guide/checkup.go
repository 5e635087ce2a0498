package guide

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

// Test checks whether a user could log in and work, before the partner tries.
func (s *Service) Test(ctx context.Context, user string) ([]model.Check, error) {
	v, err := s.subject(ctx, user)
	if err != nil {
		return nil, err
	}
	t := tests{s: s, subject: v}
	t.region()
	t.standing()
	t.from()
	t.keys()
	t.folders()
	t.people()
	rest := t.out
	t.out = nil
	t.server(ctx)
	t.out = append(t.out, rest...)
	t.add(model.Check{What: "Not tested", Left: true, Says: t.untested()})
	return t.out, nil
}

// tests collects the results.
type tests struct {
	s *Service
	subject
	out   []model.Check
	tried bool // a log-in, with a key made for the moment
}

func (t *tests) add(c model.Check) {
	if c.OK {
		c.Hint, c.Action = "", nil
	}
	t.out = append(t.out, c)
}

// untested says what a test from here can't show.
func (t *tests) untested() string {
	where := t.card.Address()
	if t.card.Host == "" {
		where = "this server"
	}
	says := "This ran on the server's own machine, with a key made for the moment. So it does not show whether the "
	if !t.tried {
		says = "No log-in was tried. What was looked at, was from the server's own machine, which does not show whether the "
	}
	says += "partner's network lets it reach " + where + ", nor whether its program uses the right key."
	if t.tried && t.card.sends() {
		says += " Nothing was sent or read."
	}
	return says
}

func (t *tests) region() {
	if t.account.Region == "" {
		return
	}
	t.add(model.Check{What: "Region", OK: t.endpoint.Known,
		Says: fmt.Sprintf("The account's region is %s; it is told %s.", t.account.Region, t.card.Address()),
		Hint: fmt.Sprintf("add regions.%s to the configuration", t.account.Region)})
}

// standing checks that user and account may log in at all.
func (t *tests) standing() {
	u, a := t.user, t.account
	t.add(model.Check{What: "User", OK: u.Enabled,
		Says:   "User " + u.Name + " is " + map[bool]string{true: "enabled", false: "disabled"}[u.Enabled] + ".",
		Action: model.Do("edit-user", "user", u.Name, "enabled", "true")})
	open := model.Do("edit-account", "account", a.ID, "state", string(model.AccountActive))
	if a.State == model.AccountClosed {
		open = model.Do("reopen-account", "account", a.ID)
	}
	t.add(model.Check{What: "Account", OK: a.State == model.AccountActive,
		Says:   fmt.Sprintf("Account %s is %s.", a.ID, strings.ReplaceAll(string(a.State), "_", "-")),
		Action: open})
}

// from checks that the allow-lists leave an address to log in from.
func (t *tests) from() {
	if t.card.Shut {
		t.add(model.Check{What: "Log in from", Hint: "change one of the lists, so that they overlap", Says: fmt.Sprintf(
			"Nowhere: an address must be in every list, and they have none in common: %s.", t.lists())})
		return
	}
	list := t.card.AllowIPs
	if len(list) == 0 {
		list = []string{"anywhere"}
	}
	t.add(model.Check{What: "Log in from", OK: true, Says: "It may log in from " + strings.Join(list, ", ") + "."})
}

// lists names the allow-lists that are not empty.
func (t *tests) lists() string {
	var out []string
	for _, l := range []struct {
		of   string
		list []string
	}{{"the user's", t.user.AllowIPs}, {"the account's", t.account.AllowIPs},
		{"the server address's", t.endpoint.AllowIPs}} {
		if len(l.list) > 0 {
			out = append(out, l.of+" ("+strings.Join(l.list, " ")+")")
		}
	}
	return listed(out, "and")
}

func (t *tests) keys() {
	if len(t.card.Keys) == 0 {
		do := model.Do("add-keys", "user", t.card.User, "issue", "")
		switch t.card.KeysBy {
		case model.KeysByCustomer:
			do = model.Do("add-keys", "user", t.card.User)
		case model.KeysByOperator:
			do = model.Do("add-keys", "user", t.card.User, "origin", string(model.OriginIssued))
		}
		t.add(model.Check{What: "Key", Says: "No key on file works.", Action: do})
	}
	for _, k := range t.card.Keys {
		says := fmt.Sprintf("%s (%s, %d bits) works", k.Fingerprint, k.Type, k.Bits)
		if k.ExpiresAt != nil {
			says += " until " + k.ExpiresAt.Format(time.DateOnly)
		}
		if k.LastUsedAt != nil {
			says += ", and was used on " + k.LastUsedAt.Format(time.DateOnly)
		}
		if k.Flag != "" {
			says += ", but is flagged: " + k.Flag
		}
		t.add(model.Check{What: "Key", OK: k.Flag == "", Says: says + ".", Hint: "look into it, then take the flag off",
			Action: model.Do("edit-key", "user", t.card.User, "fingerprint", k.Fingerprint, "flag", "")})
	}
}

// folders checks that the user has something to do. That the folders are there is seen in the log-in.
func (t *tests) folders() {
	switch {
	case t.user.Kind == model.KindVendor && !t.card.sends():
		t.add(model.Check{What: "Folder", Says: "There is no folder that this vendor could send to.",
			Hint: "check templates.vendor in the configuration"})
	case t.user.Kind == model.KindCustomer && len(t.card.Feeds) == 0 && len(t.card.Outbound) == 0:
		t.add(model.Check{What: "Feed", Says: "No feed is subscribed, so nothing will arrive.",
			Action: model.Do("subscribe", "user", t.user.Name)})
	}
}

// people checks that there are at least two contacts, and as many as the policy needs, and counts those with a
// verified address.
func (t *tests) people() {
	if t.user.Kind == model.KindService {
		return
	}
	verified := 0
	for _, c := range t.contacts {
		if c.VerifiedAt != nil {
			verified++
		}
	}
	t.add(model.Check{What: "Contacts", OK: len(t.contacts) >= 2,
		Says: fmt.Sprintf("%d contacts, %d of them with a verified address; two are needed to issue or replace a key.",
			len(t.contacts), verified), Action: model.Do("add-contact", "account", t.user.Account)})
	if err := t.s.o.Accounts.EnoughContacts(t.user, t.contacts); err != nil {
		t.add(failed("Contacts", err))
	}
}
