package node

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/guide"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// guides fills connection cards from the services and the configuration.
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
		if k.State == model.KeyActive || k.State == model.KeyRetiring {
			c.Keys = append(c.Keys, k)
			c.Issued = c.Issued || k.Origin == model.OriginIssued
		}
	}
	q := n.store.Read(ctx)
	if c.Folders, err = folders(q, u.ID); err != nil {
		return c, err
	}
	for i := range c.Folders {
		c.Folders[i].Retention = n.retain.Period(u.ID, c.Folders[i].Path+"/", "")
	}
	c.Removal = n.retain.NextRun()
	subs, err := q.SubscriptionsOf(u.ID)
	for _, s := range subs {
		f := guide.Feed{Name: s.Feed, Title: s.Title, Dir: s.Dir, Retention: n.retain.Period(u.ID, s.Dir+"/", s.Feed),
			Types: s.Types, MayRemove: exchange.FeedRights(s.May, u.FeedsMay,
				n.cfg.Templates[u.Kind].FeedsMay)&exchange.Delete != 0}
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
