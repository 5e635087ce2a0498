package node

import (
	"errors"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/blob/small"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/connection"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fair"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/onboard"
	"github.com/sallyport-sftp/sallyport/internal/operator"
	"github.com/sallyport-sftp/sallyport/internal/overview"
	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/internal/sshd"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/model"
)

// accountPolicy makes the policy of accounts from the configuration.
func accountPolicy(c *config.Config) (account.Policy, error) {
	p := account.Policy{Templates: map[model.UserKind]account.Template{}, MaxKeys: c.Keys.PerUser, KeyTypes: c.Keys.Types,
		MinRSA: c.Keys.RSAMin, MaxRSA: c.Keys.RSAMax, KeyExpiry: time.Duration(c.Keys.ExpireAfter),
		Overlap: time.Duration(c.Keys.Overlap), KeysBy: c.Keys.MadeBy,
		NameRule: c.Users.NameRule, NamePattern: c.Users.NamePattern, Contacts: c.Contacts.Needed.ByRole(),
		Inactive: account.InactivePolicy{After: time.Duration(c.Access.Inactive.Disable),
			Notice: time.Duration(c.Access.Inactive.Notice), Kinds: kinds(c.Access.Inactive.Kinds)},
		Help: c.Support.Help(), Limits: defaultLimits(&c.Storage), Account: accountLimits(&c.Storage),
		AfterClose: time.Duration(c.Retain.AfterClose), CloseAccess: c.Retain.CloseAccess,
		KeepNames:   time.Duration(c.Records.Keep),
		EndpointIPs: map[string][]string{"": prefixes(c.Endpoint.AllowIPs)}, Regions: map[string]string{}}
	for region := range c.Regions {
		e, s := c.EndpointOf(region)
		p.EndpointIPs[region], p.Regions[region] = prefixes(e.AllowIPs), s.Help()
	}
	for kind, t := range c.Templates {
		var err error
		if p.Templates[kind], err = template(t); err != nil {
			return p, err
		}
	}
	return p, nil
}

func kinds(names []string) (out []model.UserKind) {
	for _, name := range names {
		out = append(out, model.UserKind(name))
	}
	return out
}

func defaultLimits(s *config.Storage) exchange.DefaultLimits {
	return exchange.DefaultLimits{QuotaBytes: int64(s.Quota), QuotaFiles: s.QuotaFiles, KeptPercent: s.KeptPercent}
}

func accountLimits(s *config.Storage) exchange.AccountLimits {
	return exchange.AccountLimits{Bytes: int64(s.AccountKept), Items: s.AccountKeptItems}
}

// smallPolicy makes the policy of small files from the configuration.
func smallPolicy(c *config.Config) small.Policy {
	return small.Policy{Bound: int64(c.Storage.Inline), Memory: int64(c.Storage.InlineMemory),
		Stay: time.Duration(c.Storage.InlineFor)}
}

// treePolicy makes the policy of mailboxes from the configuration.
func treePolicy(c *config.Config) tree.Policy {
	s := &c.Storage
	return tree.Policy{MaxFile: int64(s.MaxFile), Limits: defaultLimits(s),
		Account: accountLimits(s), Directories: s.Directories,
		Unfinished: s.Unfinished, Changes: c.Limits.Changes, FreeFloor: int64(s.FreeFloor),
		MaxCopy: int64(s.MaxCopy), ReadMemory: int64(s.InlineMemory), KeepPartial: time.Duration(s.KeepPartials)}
}

// fileTypes converts the configured file types for the feeds.
func fileTypes(configured map[string]config.FileType) map[string]feed.Type {
	out := map[string]feed.Type{}
	for name, t := range configured {
		begins, _ := t.Beginnings() // check has accepted them
		out[name] = feed.Type{Extensions: append([]string{name}, t.Extensions...), Begins: begins, Within: t.Within,
			Text: t.Text}
	}
	return out
}

// prefixes converts addresses and networks to networks.
func prefixes(list []string) (out []string) {
	for _, n := range config.Networks(list) {
		out = append(out, n.String())
	}
	return out
}

func template(t config.Template) (account.Template, error) {
	root, err := exchange.ParseRights(t.Root)
	out := account.Template{StartDir: t.StartDir, Root: root, FeedsMay: t.FeedsMay}
	for _, d := range t.Dirs {
		rights, dirErr := exchange.ParseRights(d.Rights)
		err = errors.Join(err, dirErr)
		out.Dirs = append(out.Dirs, account.TemplateDir{Path: d.Path, Rights: rights, Staging: d.Staging})
	}
	return out, err
}

// recordPolicy makes the policy of records and bans from the configuration.
func recordPolicy(c *config.Config, endpointIPs map[string][]string) connection.Policy {
	return connection.Policy{EndpointIPs: endpointIPs, KeepFor: time.Duration(c.Records.Keep),
		KeepFailed: c.Records.Failed, KeepSeen: c.Records.Activity, CloseAccess: c.Retain.CloseAccess,
		Limits: defaultLimits(&c.Storage),
		Bans: connection.BanPolicy{After: c.Access.BanAfter, Within: time.Duration(c.Access.BanWithin),
			For: time.Duration(c.Access.BanFor), Never: config.Networks(c.Access.NeverBan)}}
}

// operatorPolicy makes the policy of operators and tokens from the configuration.
func operatorPolicy(c *config.Config) operator.Policy {
	sso := c.SignIn.SSO
	return operator.Policy{Rate: c.Limits.TokenRequests, Burst: max(c.Limits.TokenRequests/4, 20),
		After: c.Access.BanAfter, Within: time.Duration(c.Access.BanWithin), For: time.Duration(c.Access.BanFor),
		Never: config.Networks(c.Access.NeverBan), Idle: time.Duration(c.SignIn.Idle),
		Longest: time.Duration(c.SignIn.Longest), Unused: time.Duration(c.SignIn.Unused), Password: c.SignIn.Password,
		Passkeys: c.SignIn.Passkeys, SSO: operator.SSO{Issuer: sso.Issuer, ClientID: sso.ClientID,
			ClientSecret: sso.ClientSecret, Name: sso.Name, Scopes: sso.Scopes, TrustEmail: sso.TrustEmail,
			Claim: sso.Claim, Roles: sso.Roles}}
}

// The default of limits.unread: a share of the memory. The buffers take up to three times as much
// memory as the data in them.
const (
	unreadShare = 64
	leastUnread = 32 << 20
)

func sshLimits(l config.Limits, memory int64) sshd.Limits {
	unread := int64(l.Unread)
	if unread == 0 {
		unread = max(leastUnread, memory/unreadShare)
	}
	return sshd.Limits{HalfOpen: l.HalfOpen, HalfOpenAddress: l.HalfOpenAddress, Handshake: time.Duration(l.Handshake),
		Login: time.Duration(l.Login), KeyOffers: l.KeyOffers, User: l.UserSessions, Account: l.AccountSessions,
		Address: l.AddressSessions,
		Idle:    time.Duration(l.Idle), KeepAlive: time.Duration(l.KeepAlive), Stall: time.Duration(l.Stall),
		Channels: l.Channels,
		Backlog:  unread, Logins: l.Logins}
}

// rates makes the limits of the bandwidth from the configuration.
func rates(l config.Limits) fair.Rates {
	return fair.Rates{Party: int64(l.UserRate), All: int64(l.Rate)}
}

// helpAt returns how to reach support at a region's endpoint.
func (n *Node) helpAt(region string) string {
	_, s := n.inForce().EndpointOf(region)
	return s.Help()
}

// retentionPolicy makes the policy of retention from the configuration.
func retentionPolicy(c *config.Config) retention.Policy {
	r := &c.Retain
	return retention.Policy{Keep: r.Keep, Day: r.Day, Hour: r.Hour, Notice: time.Duration(r.Notice),
		Reminder: time.Duration(r.Reminder), AfterClose: time.Duration(r.AfterClose), CloseAccess: r.CloseAccess,
		RequireNotice: r.RequireNotice}
}

// onboardPolicy makes the policy of requests for access from the configuration.
func onboardPolicy(c *config.Config) onboard.Policy {
	o := &c.Onboard
	return onboard.Policy{Help: c.Support.Help(), Open: o.Open, FourEyes: o.FourEyes,
		AnswerWithin: time.Duration(o.AnswerWithin), VerifyWithin: time.Duration(o.VerifyWithin),
		RemindAfter: time.Duration(o.RemindAfter), ExpireAfter: time.Duration(o.ExpireAfter), Feeds: o.Feeds,
		PerAddress: o.PerAddress, PerEmail: o.PerEmail, Unverified: o.Unverified, PerHour: o.PerHour}
}

// overviewPolicy makes what support is told from the configuration.
func overviewPolicy(c *config.Config) overview.Policy {
	return overview.Policy{Limits: defaultLimits(&c.Storage), Account: accountLimits(&c.Storage),
		Floor: int64(c.Storage.FreeFloor), KeepPartials: time.Duration(c.Storage.KeepPartials),
		Notice: time.Duration(c.Retain.Notice)}
}

// feedBounds makes the bounds of published files from the configuration.
func feedBounds(c *config.Config) feed.Bounds {
	return feed.Bounds{MaxFile: int64(c.Storage.MaxFile), FreeFloor: int64(c.Storage.FreeFloor),
		KeepUploads: time.Duration(c.Storage.KeepPartials)}
}
