package guide

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Endpoint is the server address that partners of a region are given.
type Endpoint struct {
	Host     string
	Port     int // 0: the listener's port
	AllowIPs []string
	Support  exchange.Support
	Setting  string // where the configuration names the host
	Known    bool   // the configuration has this region, or has no regions
}

// Options are the dependencies of the service.
type Options struct {
	Store    *store.Store
	Accounts *account.Service
	Clock    exchange.Clock
	HostKeys func() []model.HostKey
	Operator func() exchange.Operator         // who runs the server; nil: nobody is named
	Listener string                           // address of the listener; "": none
	Endpoint func(region string) Endpoint     // from the configuration
	FeedsMay func(kind model.UserKind) string // what users of a kind may do with delivered files
	// Retention says how long files are kept, and when old files are removed next.
	Retention interface {
		Period(userID, path, feed string) string
		NextRun() time.Time
	}
	Larger, Later string           // what happens to files that are not as expected: exchange.OddRefuse
	Probes        *exchange.Probes // log-ins of our own, for Test
	// Resolve and Dial are for tests, and nil otherwise.
	Resolve func(ctx context.Context, host string) ([]string, error)
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

// keys returns the server's keys; none in a test that has none.
func (o *Options) keys() []model.HostKey {
	if o.HostKeys == nil {
		return nil
	}
	return o.HostKeys()
}

// Service fills cards from the services and the configuration, and tests users' set-ups.
type Service struct{ o Options }

// New makes the service.
func New(o Options) *Service {
	if o.Operator == nil {
		o.Operator = func() exchange.Operator { return exchange.Operator{} }
	}
	if o.Resolve == nil {
		o.Resolve = net.DefaultResolver.LookupHost
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Probes == nil {
		o.Probes = exchange.NewProbes()
	}
	return &Service{o}
}

// subject is everything that is known of a user whose card is filled or tested.
type subject struct {
	card     Card
	user     model.User
	account  model.Account
	endpoint Endpoint
	contacts []model.Contact
}

// Card fills the card of a user. It fails while the server's public name is not known, and while the account has fewer
// contacts than the operator needs.
func (s *Service) Card(ctx context.Context, user string) (Card, error) {
	v, err := s.subject(ctx, user)
	if err != nil {
		return v.card, err
	}
	if v.card.Host == "" {
		return v.card, nameless(v.endpoint)
	}
	return v.card, s.o.Accounts.EnoughContacts(v.user, v.contacts)
}

// nameless is the error of a card that could not say where the server is.
func nameless(e Endpoint) error {
	return fault.E("guide.Card", fault.Conflict,
		"The name under which partners reach this server is not known, so a guide would lead them nowhere.").
		WithHint("set %s in the configuration to that name, such as files.example.com, and restart", e.Setting)
}

// subject reads a user, what belongs to it, and fills its card. Without a public name, the card has no Host.
func (s *Service) subject(ctx context.Context, user string) (v subject, err error) {
	if v.user, err = s.o.Accounts.User(ctx, user); err != nil {
		return v, err
	}
	if v.account, err = s.o.Accounts.Account(ctx, v.user.Account); err != nil {
		return v, err
	}
	q := s.o.Store.Read(ctx)
	if v.contacts, err = s.o.Accounts.People(q, v.user); err != nil {
		return v, err
	}
	v.endpoint = s.o.Endpoint(v.account.Region)
	return v, s.fill(ctx, q, &v)
}

// fill fills the card.
func (s *Service) fill(ctx context.Context, q *store.Q, v *subject) (err error) {
	u, e := v.user, v.endpoint
	v.card = Card{Operator: s.o.Operator(), Account: v.account.Name, User: u.Name, Kind: u.Kind, StartDir: u.StartDir,
		Support: e.Support, KeysBy: s.o.Accounts.KeysMadeBy(), Made: s.o.Clock().UTC()}
	c := &v.card
	for _, k := range s.o.keys() {
		if k.State == model.HostKeyComing {
			c.Coming = append(c.Coming, k)
		} else {
			c.HostKeys = append(c.HostKeys, k)
		}
	}
	c.Host, c.Port = s.public(e)
	c.AllowIPs, c.Shut = common(u.AllowIPs, v.account.AllowIPs, e.AllowIPs)
	if u.Vendor != "" {
		vendor, err := s.o.Accounts.Vendor(ctx, u.Vendor)
		if err != nil {
			return err
		}
		c.Vendor = cmp.Or(vendor.Name, vendor.Short)
	}
	keys, err := s.o.Accounts.Keys(ctx, u.Name)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.State == model.KeyActive || k.State == model.KeyRetiring {
			c.Keys = append(c.Keys, k)
			c.Issued = c.Issued || k.Origin == model.OriginIssued
		}
	}
	if c.Outbound, err = outbound(q, u); err != nil {
		return err
	}
	if u.Kind == model.KindService { // its tree is the platform's, and has no directories of its own
		c.Inbox = true
		return nil
	}
	return s.fillFiles(q, u, c)
}

// fillFiles adds the folders and feeds of a partner's card.
func (s *Service) fillFiles(q *store.Q, u model.User, c *Card) (err error) {
	if c.Folders, err = folders(q, u.ID); err != nil {
		return err
	}
	for i := range c.Folders {
		c.Folders[i].Retention = s.o.Retention.Period(u.ID, c.Folders[i].Path+"/", "")
	}
	c.Removal = s.o.Retention.NextRun()
	if c.Expected, err = s.expected(q, u.ID); err != nil {
		return err
	}
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
	return err
}

// mostExpected is how many expectations a card names.
const mostExpected = 5

// expected lists what is expected of a user and concerns it: it is told when it is missed, or what is not as expected
// is refused.
func (s *Service) expected(q *store.Q, userID string) (out []Expected, err error) {
	list, err := q.ExpectationsOf(userID)
	for _, e := range list {
		v := Expected{Glob: e.Glob, Days: e.Days, Clock: e.Clock, Zone: e.Zone, MostBytes: e.MostBytes,
			Larger: s.o.Larger == exchange.OddRefuse && e.MostBytes > 0, Later: s.o.Later == exchange.OddRefuse}
		if (e.Tell || v.Larger || v.Later) && len(out) < mostExpected {
			out = append(out, v)
		}
	}
	return out, err
}

// public returns the address that partners are told. Without a configured name it is the listener's, if that is an
// address that others can reach; host is "" if it is not known.
func (s *Service) public(e Endpoint) (host string, port int) {
	listens, at, _ := net.SplitHostPort(s.o.Listener) // "": there is none
	if host, port = e.Host, e.Port; port == 0 {
		port, _ = strconv.Atoi(at)
	}
	if ip, err := netip.ParseAddr(listens); host == "" && err == nil && !ip.IsUnspecified() && !ip.IsLoopback() {
		host = listens
	}
	return host, port
}
