package guide

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Endpoint is the server address that partners of a region are given.
type Endpoint struct {
	Host     string
	Port     int // 0: the listener's port
	AllowIPs []string
	Support  Support
	Setting  string // where the configuration names the host
	Known    bool   // the configuration has this region, or has no regions
}

// Options are the dependencies of the service.
type Options struct {
	Store    *store.Store
	Accounts *account.Service
	Clock    exchange.Clock
	HostKeys []model.HostKey
	Listener string                           // address of the listener; "": none
	Endpoint func(region string) Endpoint     // from the configuration
	FeedsMay func(kind model.UserKind) string // what users of a kind may do with delivered files
	// Probe returns the version line of a client whose connections leave no record, until done is called. Nil: they leave
	// one.
	Probe func() (version string, done func())
	// Retention says how long files are kept, and when old files are removed next.
	Retention interface {
		Period(userID, path, feed string) string
		NextRun() time.Time
	}
}

// Service fills cards from the services and the configuration, and tests users' set-ups.
type Service struct{ o Options }

// New makes the service.
func New(o Options) *Service { return &Service{o} }

// Card fills the card of a user.
func (s *Service) Card(ctx context.Context, user string) (Card, error) {
	u, err := s.o.Accounts.User(ctx, user)
	if err != nil {
		return Card{}, err
	}
	a, err := s.o.Accounts.Account(ctx, u.Account)
	if err != nil {
		return Card{}, err
	}
	e := s.o.Endpoint(a.Region)
	c := Card{Account: a.Name, User: u.Name, Host: e.Host, Port: e.Port, HostKeys: s.o.HostKeys, StartDir: u.StartDir,
		AllowIPs: narrowest(u.AllowIPs, a.AllowIPs, e.AllowIPs), Support: e.Support, Made: s.o.Clock().UTC()}
	s.fallBack(&c)
	keys, err := s.o.Accounts.Keys(ctx, user)
	if err != nil {
		return c, err
	}
	for _, k := range keys {
		if k.State == model.KeyActive || k.State == model.KeyRetiring {
			c.Keys = append(c.Keys, k)
			c.Issued = c.Issued || k.Origin == model.OriginIssued
		}
	}
	q := s.o.Store.Read(ctx)
	if c.Folders, err = folders(q, u.ID); err != nil {
		return c, err
	}
	for i := range c.Folders {
		c.Folders[i].Retention = s.o.Retention.Period(u.ID, c.Folders[i].Path+"/", "")
	}
	c.Removal = s.o.Retention.NextRun()
	subs, err := q.SubscriptionsOf(u.ID)
	for _, sub := range subs {
		f := Feed{Name: sub.Feed, Title: sub.Title, Dir: sub.Dir,
			Retention: s.o.Retention.Period(u.ID, sub.Dir+"/", sub.Feed), Types: sub.Types,
			MayRemove: exchange.FeedRights(sub.May, u.FeedsMay, s.o.FeedsMay(u.Kind))&exchange.Delete != 0}
		if len(f.Types) == 0 {
			f.Types = sub.FeedTypes
		}
		c.Feeds = append(c.Feeds, f)
	}
	return c, err
}

// narrowest returns the first list that is not empty. All lists must allow an address. The user's
// own is the most specific, so it comes first.
func narrowest(lists ...[]string) []string {
	for _, l := range lists {
		if len(l) > 0 {
			return l
		}
	}
	return nil
}

// fallBack uses the listener where no endpoint is configured.
func (s *Service) fallBack(c *Card) {
	host, port, _ := net.SplitHostPort(s.o.Listener) // "": none
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

// folders lists the directories that the operator made and in which the user may do something. It
// leaves out directories that only lead to others, unless the user may write to them.
func folders(q *store.Q, userID string) (out []Folder, err error) {
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
			out = append(out, Folder{Path: p, Does: does})
		}
	}
	slices.SortFunc(out, func(a, b Folder) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// whatFor describes rights in words.
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
