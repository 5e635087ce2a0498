package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/guide"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// guides fills connection cards from the rooms and the configuration.
type guides struct{ n *Node }

// Card gathers what a user's partner is told.
func (g guides) Card(ctx context.Context, user string) (guide.Card, error) {
	n := g.n
	u, err := n.accounts.User(ctx, user)
	if err != nil {
		return guide.Card{}, err
	}
	a, err := n.accounts.Account(ctx, u.Account)
	if err != nil {
		return guide.Card{}, err
	}
	e, s := n.cfg.EndpointOf(a.Region)
	c := guide.Card{Account: a.Name, User: u.Name, Host: e.Host, Port: e.Port, HostKeys: n.hostKeys, StartDir: u.StartDir,
		AllowIPs: narrowest(u.AllowIPs, a.AllowIPs, e.AllowIPs), Support: guide.Support(s), Made: n.clock().UTC()}
	n.fallBack(&c)
	keys, err := n.accounts.Keys(ctx, user)
	if err != nil {
		return c, err
	}
	for _, k := range keys {
		if k.State == exchange.KeyActive || k.State == exchange.KeyRetiring {
			c.Keys = append(c.Keys, k)
			c.Issued = c.Issued || k.Origin == exchange.OriginIssued
		}
	}
	q := n.store.Read(ctx)
	if c.Folders, err = folders(q, u.ID); err != nil {
		return c, err
	}
	subs, err := q.SubscriptionsOf(u.ID)
	for _, s := range subs {
		f := guide.Feed{Name: s.Feed, Dir: s.Dir, Retention: s.Retention, Types: s.Types}
		if len(f.Types) == 0 {
			f.Types = s.FeedTypes
		}
		c.Feeds = append(c.Feeds, f)
	}
	return c, err
}

// narrowest is the list that a partner is told: each must allow an address, so
// the user's own says most.
func narrowest(lists ...[]string) []string {
	for _, l := range lists {
		if len(l) > 0 {
			return l
		}
	}
	return nil
}

// fallBack names the listener where the configuration names no endpoint.
func (n *Node) fallBack(c *guide.Card) {
	host, port := "", ""
	if len(n.listeners) > 0 {
		host, port, _ = net.SplitHostPort(n.listeners[0].Addr().String())
	}
	if c.Port == 0 {
		c.Port, _ = strconv.Atoi(port)
	}
	if c.Host != "" {
		return
	}
	if ip, err := netip.ParseAddr(host); err == nil && !ip.IsUnspecified() {
		c.Host = host
	} else if c.Host, err = os.Hostname(); err != nil {
		c.Host = "localhost"
	}
}

// folders lists the directories that mean something to a partner: those the
// operator made, with what may be done there, but for the way to them.
func folders(q *store.Q, userID string) (out []guide.Folder, err error) {
	dirs, err := q.FixedDirs(userID)
	if err != nil {
		return nil, err
	}
	byID := map[string]store.Dir{}
	for _, d := range dirs {
		byID[d.ID] = d
	}
	rights := map[string]exchange.Rights{}
	for _, d := range dirs {
		p := "/"
		granted, known := exchange.Rights(0), false
		for at := d; ; at = byID[at.Parent] {
			if at.Rights != nil && !known {
				granted, known = *at.Rights, true
			}
			if at.Parent == "" {
				break
			}
			p = path.Join("/", at.Name, p)
		}
		rights[p] = granted
	}
	for p, r := range rights {
		way := p == "/"
		for other := range rights {
			way = way || strings.HasPrefix(other, p+"/")
		}
		if does := whatFor(r); does != "" && (!way || r&exchange.Write != 0) {
			out = append(out, guide.Folder{Path: p, Does: does})
		}
	}
	slices.SortFunc(out, func(a, b guide.Folder) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// whatFor says in words what rights are for.
func whatFor(r exchange.Rights) string {
	switch {
	case r&exchange.Write != 0 && r&exchange.Read != 0:
		return "send files; see and fetch them"
	case r&exchange.Write != 0:
		return "send files"
	case r&exchange.Read != 0:
		return "fetch files"
	}
	return ""
}

// dialWait bounds the test of an endpoint.
const dialWait = 5 * time.Second

// errSeen ends a handshake once the host key was seen.
var errSeen = errors.New("the host key was seen")

// Test checks, before a partner does, that a user could log in and work.
func (g guides) Test(ctx context.Context, user string) ([]exchange.Check, error) {
	c, err := g.Card(ctx, user)
	if err != nil {
		return nil, err
	}
	u, err := g.n.accounts.User(ctx, user)
	if err != nil {
		return nil, err
	}
	a, err := g.n.accounts.Account(ctx, u.Account)
	if err != nil {
		return nil, err
	}
	t := tests{card: &c}
	t.door(ctx)
	t.region(g.n, a)
	t.standing(u, a)
	t.keys()
	t.folders(u)
	err = t.people(ctx, g.n, u)
	return t.out, err
}

// tests gathers findings.
type tests struct {
	card *guide.Card
	out  []exchange.Check
}

func (t *tests) add(what string, ok bool, says, hint string) {
	if ok {
		hint = ""
	}
	t.out = append(t.out, exchange.Check{What: what, OK: ok, Says: says, Hint: hint})
}

// door resolves the name, connects, and compares the host key.
func (t *tests) door(ctx context.Context) {
	c := t.card
	ctx, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, c.Host)
	if err != nil {
		t.add("Server address", false, fmt.Sprintf("%s is not known to the DNS here: %v.", c.Host, err), "set endpoint.host to a name that partners can resolve, and make its DNS record")
		return
	}
	t.add("Server address", true, fmt.Sprintf("%s is %s.", c.Host, strings.Join(addrs, ", ")), "")
	var seen string
	conf := &ssh.ClientConfig{User: "guide-test", Timeout: dialWait, HostKeyCallback: func(_ string, _ net.Addr, k ssh.PublicKey) error {
		seen = ssh.FingerprintSHA256(k)
		return errSeen
	}}
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", c.Address())
	if err != nil {
		t.add("Port", false, fmt.Sprintf("%s can't be reached from here: %v.", c.Address(), err), "check the listener, the firewall and any load balancer")
		return
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(dialWait))
	if _, _, _, err := ssh.NewClientConn(nc, c.Address(), conf); seen == "" {
		t.add("Port", false, fmt.Sprintf("%s answers, but not with SSH: %v.", c.Address(), err), "does something else listen there, or a proxy that speaks for it?")
		return
	}
	ours := slices.ContainsFunc(c.HostKeys, func(k exchange.HostKey) bool { return k.Fingerprint == seen })
	t.add("Port", true, fmt.Sprintf("%s answers.", c.Address()), "")
	t.add("Host key", ours, fmt.Sprintf("It shows %s.", seen), "that is another server: partners would be warned, or connect to the wrong one")
}

func (t *tests) region(n *Node, a exchange.Account) {
	if a.Region == "" {
		return
	}
	_, ok := n.cfg.Regions[a.Region]
	t.add("Region", ok || len(n.cfg.Regions) == 0, fmt.Sprintf("The account's region is %s; it is told %s.", a.Region, t.card.Address()), fmt.Sprintf("add regions.%s to the configuration", a.Region))
}

func (t *tests) standing(u exchange.User, a exchange.Account) {
	t.add("User", u.Enabled, "User "+u.Name+" is "+map[bool]string{true: "enabled", false: "disabled"}[u.Enabled]+".", "sallyport user enable "+u.Name)
	t.add("Account", a.State == exchange.AccountActive, fmt.Sprintf("Account %s is %s.", a.ID, strings.ReplaceAll(a.State, "_", "-")), "sallyport account reinstate "+a.ID)
	t.add("Log in from", true, "It may log in from "+strings.Join(append([]string{}, orEverywhere(t.card.AllowIPs)...), ", ")+".", "")
}

func orEverywhere(list []string) []string {
	if len(list) == 0 {
		return []string{"everywhere"}
	}
	return list
}

func (t *tests) keys() {
	if len(t.card.Keys) == 0 {
		t.add("Key", false, "No key on file works.", "sallyport key add "+t.card.User+" FILE, or: sallyport key issue "+t.card.User+" --out DIR")
	}
	for _, k := range t.card.Keys {
		says := fmt.Sprintf("%s (%s, %d bits) works", k.Fingerprint, k.Type, k.Bits)
		if k.ExpiresAt != nil {
			says += " until " + k.ExpiresAt.Format(time.DateOnly)
		}
		if k.LastUsedAt != nil {
			says += ", and was used on " + k.LastUsedAt.Format(time.DateOnly)
		}
		t.add("Key", k.Flag == "", says+flagged(k.Flag)+".", "look into it, then: sallyport key set "+t.card.User+" "+k.Fingerprint+" --flag ''")
	}
}

func flagged(why string) string {
	if why == "" {
		return ""
	}
	return ", but is flagged: " + why
}

func (t *tests) folders(u exchange.User) {
	send := false
	for _, f := range t.card.Folders {
		send = send || strings.HasPrefix(f.Does, "send")
		t.add("Folder", true, fmt.Sprintf("%s: %s.", f.Path, f.Does), "")
	}
	for _, f := range t.card.Feeds {
		t.add("Feed", true, fmt.Sprintf("%s arrives in %s.", f.Name, f.Dir), "")
	}
	switch {
	case u.Kind == exchange.KindVendor && !send:
		t.add("Folder", false, "There is no folder that this vendor could send to.", "check templates.vendor in the configuration")
	case u.Kind == exchange.KindCustomer && len(t.card.Feeds) == 0:
		t.add("Feed", false, "No feed is subscribed, so nothing will arrive.", "sallyport feed subscribe FEED "+u.Name)
	}
}

// people checks that somebody can be told things.
func (t *tests) people(ctx context.Context, n *Node, u exchange.User) error {
	list, err := n.store.Read(ctx).Contacts(u.Account, u.Vendor)
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
	hint := "sallyport contact add " + u.Account + " --name N --email E"
	t.add("Contacts", there >= 2, fmt.Sprintf("%d contacts, %d of them with a verified address; two are needed to issue or replace a key.", there, verified), hint)
	return nil
}
