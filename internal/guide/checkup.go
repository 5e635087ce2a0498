package guide

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// dialWait bounds the test of the server address.
const dialWait = 5 * time.Second

// errSeen ends a handshake once the host key was seen.
var errSeen = errors.New("the host key was seen")

// Test checks whether a user could log in and work, before the partner tries.
func (s *Service) Test(ctx context.Context, user string) ([]model.Check, error) {
	c, err := s.Card(ctx, user)
	if err != nil {
		return nil, err
	}
	u, err := s.o.Accounts.User(ctx, user)
	if err != nil {
		return nil, err
	}
	a, err := s.o.Accounts.Account(ctx, u.Account)
	if err != nil {
		return nil, err
	}
	e := s.o.Endpoint(a.Region)
	t := tests{card: &c, setting: e.Setting, probe: s.o.Probe}
	t.server(ctx)
	t.region(a.Region, e.Known)
	t.standing(u, a)
	t.keys()
	t.folders(u)
	err = t.people(s.o.Store.Read(ctx), u)
	return t.out, err
}

// tests collects the results.
type tests struct {
	card    *Card
	setting string // where the server address is configured
	probe   func() (version string, done func())
	out     []model.Check
}

func (t *tests) add(what string, ok bool, says, hint string) {
	t.addDo(what, ok, says, hint, nil)
}

// addDo adds a result. If it is not ok, it comes with a hint and an operation that helps.
func (t *tests) addDo(what string, ok bool, says, hint string, do *model.Action) {
	if ok {
		hint, do = "", nil
	}
	t.out = append(t.out, model.Check{What: what, OK: ok, Says: says, Hint: hint, Action: do})
}

// server resolves the name, connects, and compares the host key.
func (t *tests) server(ctx context.Context) {
	c := t.card
	ctx, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, c.Host)
	if err != nil {
		t.add("Server address", false, fmt.Sprintf("%s is not known to the DNS here: %v.", c.Host, err),
			"set "+t.setting+" to a name that partners can resolve, and make its DNS record")
		return
	}
	t.add("Server address", true, fmt.Sprintf("%s is %s.", c.Host, strings.Join(addrs, ", ")), "")
	var seen string
	conf := &ssh.ClientConfig{User: "guide-test", Timeout: dialWait,
		HostKeyCallback: func(_ string, _ net.Addr, k ssh.PublicKey) error {
			seen = ssh.FingerprintSHA256(k)
			return errSeen
		}}
	if t.probe != nil {
		version, done := t.probe()
		defer done()
		conf.ClientVersion = version
	}
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", c.Address())
	if err != nil {
		t.add("Port", false, fmt.Sprintf("%s can't be reached from here: %v.", c.Address(), err),
			"check the listener, the firewall and any load balancer")
		return
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(dialWait))
	if _, _, _, err := ssh.NewClientConn(nc, c.Address(), conf); seen == "" {
		t.add("Port", false, fmt.Sprintf("%s answers, but not with SSH: %v.", c.Address(), err),
			"does something else listen there, or a proxy that speaks for it?")
		return
	}
	ours := slices.ContainsFunc(c.HostKeys, func(k model.HostKey) bool { return k.Fingerprint == seen })
	t.add("Port", true, fmt.Sprintf("%s answers.", c.Address()), "")
	t.add("Host key", ours, fmt.Sprintf("It shows %s.", seen),
		"that is another server: partners would be warned, or connect to the wrong one")
}

func (t *tests) region(region string, known bool) {
	if region == "" {
		return
	}
	t.add("Region", known, fmt.Sprintf("The account's region is %s; it is told %s.", region, t.card.Address()),
		fmt.Sprintf("add regions.%s to the configuration", region))
}

func (t *tests) standing(u model.User, a model.Account) {
	t.addDo("User", u.Enabled, "User "+u.Name+" is "+map[bool]string{true: "enabled", false: "disabled"}[u.Enabled]+".",
		"", model.Do("edit-user", "user", u.Name, "enabled", "true"))
	t.addDo("Account", a.State == model.AccountActive,
		fmt.Sprintf("Account %s is %s.", a.ID, strings.ReplaceAll(string(a.State), "_", "-")),
		"", model.Do("edit-account", "account", a.ID, "state", string(model.AccountActive)))
	t.add("Log in from", true, "It may log in from "+strings.Join(orAnywhere(t.card.AllowIPs), ", ")+".", "")
}

func orAnywhere(list []string) []string {
	if len(list) == 0 {
		return []string{"anywhere"}
	}
	return list
}

func (t *tests) keys() {
	if len(t.card.Keys) == 0 {
		t.addDo("Key", false, "No key on file works.", "", model.Do("add-keys", "user", t.card.User, "issue", ""))
	}
	for _, k := range t.card.Keys {
		says := fmt.Sprintf("%s (%s, %d bits) works", k.Fingerprint, k.Type, k.Bits)
		if k.ExpiresAt != nil {
			says += " until " + k.ExpiresAt.Format(time.DateOnly)
		}
		if k.LastUsedAt != nil {
			says += ", and was used on " + k.LastUsedAt.Format(time.DateOnly)
		}
		t.addDo("Key", k.Flag == "", says+flagged(k.Flag)+".", "look into it, then take the flag off",
			model.Do("edit-key", "user", t.card.User, "fingerprint", k.Fingerprint, "flag", ""))
	}
}

func flagged(why string) string {
	if why == "" {
		return ""
	}
	return ", but is flagged: " + why
}

func (t *tests) folders(u model.User) {
	send := false
	for _, f := range t.card.Folders {
		send = send || strings.HasPrefix(f.Does, "send")
		t.add("Folder", true, fmt.Sprintf("%s: %s.", f.Path, f.Does), "")
	}
	for _, f := range t.card.Feeds {
		t.add("Feed", true, fmt.Sprintf("%s arrives in %s.", f.Name, f.Dir), "")
	}
	switch {
	case u.Kind == model.KindVendor && !send:
		t.add("Folder", false, "There is no folder that this vendor could send to.",
			"check templates.vendor in the configuration")
	case u.Kind == model.KindCustomer && len(t.card.Feeds) == 0:
		t.addDo("Feed", false, "No feed is subscribed, so nothing will arrive.", "", model.Do("subscribe", "user", u.Name))
	}
}

// people checks that there are at least two contacts, and counts those with a verified address.
func (t *tests) people(q *store.Q, u model.User) error {
	list, err := q.Contacts(u.Account, u.Vendor)
	if err != nil {
		return err
	}
	there, verified := 0, 0
	for _, c := range list {
		if c.LeftAt != nil {
			continue
		}
		there++
		if c.VerifiedAt != nil {
			verified++
		}
	}
	t.addDo("Contacts", there >= 2,
		fmt.Sprintf("%d contacts, %d of them with a verified address; two are needed to issue or replace a key.", there,
			verified), "", model.Do("add-contact", "account", u.Account))
	return nil
}
