package node

import (
	"context"
	"net/netip"
	"path"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/expect"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/hotfolder"
	"github.com/sallyport-sftp/sallyport/internal/identity"
	"github.com/sallyport-sftp/sallyport/internal/inbox"
	"github.com/sallyport-sftp/sallyport/internal/naming"
	"github.com/sallyport-sftp/sallyport/internal/notify"
	"github.com/sallyport-sftp/sallyport/internal/notify/mail"
	"github.com/sallyport-sftp/sallyport/internal/notify/webhook"
	"github.com/sallyport-sftp/sallyport/internal/offline"
	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/trace"
	"github.com/sallyport-sftp/sallyport/model"
)

// buildExchange builds the services that exchange files.
func (n *Node) buildExchange(ctx context.Context) (err error) {
	words, err := offline.Words(&n.cfg, n.log)
	if err != nil {
		return err
	}
	n.words.Store(words)
	if n.tell, err = n.buildNotify(ctx); err != nil {
		return err
	}
	n.links.Join(n.mailLink)
	n.naming = naming.New(n.store, n.clock, n.ids,
		exchange.NameRules{Temporary: n.cfg.TemporaryNames, Doubtful: n.cfg.DoubtfulNames, Ignored: n.cfg.IgnoredNames,
			Grace: time.Duration(n.cfg.DoubtfulGrace)})
	n.retain = retention.New(retention.Options{Store: n.store, Blobs: n.blobs, Desk: n.desk, Clock: n.clock, IDs: n.ids,
		Log: n.log, Key: n.key, Node: n.name, Tell: n.mailPeople, Zone: n.cfg.Zones().Own,
		Policy: retentionPolicy(&n.cfg)})
	zone, err := time.LoadLocation(n.cfg.TimeZone)
	if err != nil {
		return fault.Wrap("node.buildExchange", fault.Invalid, err)
	}
	n.feeds = feed.New(feed.Options{Store: n.store, Blobs: n.blobs, Desk: n.desk, Clock: n.clock, IDs: n.ids, Key: n.key,
		Bounds: feedBounds(&n.cfg), Class: n.retain.Class, Changed: n.retain.Forget,
		May:   func(u model.User) string { return n.feedsMay(u.Kind) },
		Types: fileTypes(n.cfg.FileTypes), Checks: n.cfg.ContentChecks, Zone: zone,
		Remind: n.reminding()})
	if err := n.feeds.Recover(n.log); err != nil {
		return err
	}
	in := &n.cfg.Inbox
	n.inbox = inbox.New(inbox.Options{Store: n.store, Blobs: n.blobs, Clock: n.clock, IDs: n.ids, Log: n.log, Key: n.key,
		Lease: time.Duration(in.Lease), Scanner: in.Scanner, After: in.After, Names: n.naming.Rules,
		KeptUntil: n.retain.KeptUntil, Zones: n.cfg.Zones(),
		Odd: func(q *store.Q, f exchange.Received) (exchange.Odd, error) { return n.expect.Odd(q, f) }})
	n.expect = expect.New(expect.Options{Store: n.store, Clock: n.clock, IDs: n.ids, Log: n.log, Count: n.rows,
		Policy: expect.Policy{Larger: n.cfg.Expect.Larger, Later: n.cfg.Expect.Later}})
	n.traces = trace.New(trace.Options{Store: n.store, Clock: n.clock, Flush: func() { n.records.Flush() },
		Sessions: func() []model.Session { return n.ssh.Sessions() }, Unfinished: n.unfinished, Zones: n.cfg.Zones()})
	n.audits = audit.New(audit.Options{Store: n.store, Clock: n.clock, IDs: n.ids, Log: n.log, Key: n.key,
		Keep: n.cfg.Audit.Keep, Head: identity.HeadOf(n.cfg.Data), To: n.cfg.Audit.Checkpoints,
		Mail: n.tell.MailCheckpoint, Post: n.tell.PostCheckpoint,
		MailJournal: n.tell.MailJournal, PostJournal: n.tell.PostJournal})
	n.announced = n.buildAnnounce(zone)
	n.endpoints = n.buildEndpoints()
	n.ring.Join(identity.RingOptions{Host: n.cfg.Endpoint.Host, Zone: zone, Announce: n.announced.Announce,
		End: n.announced.End})
	n.requests = n.buildOnboard()
	f := &n.cfg.Folder
	n.folder, err = hotfolder.New(hotfolder.Options{Dir: n.cfg.FolderDir(), Feeds: n.feeds, Clock: n.clock, Log: n.log,
		Every: time.Duration(f.Every), Settle: time.Duration(f.Settle), Keep: time.Duration(f.Keep),
		Names: n.naming.Default(),
		Tell: func(ctx context.Context, path, why string) error {
			return n.store.Write(ctx, func(tx *store.Tx) error {
				return tx.Emit(model.Event{ID: n.ids.New(), Type: model.EventFolder, At: n.clock().UTC().Truncate(time.Microsecond),
					Data: model.FolderProblem{Path: path, Words: path + ": " + why + "."}})
			})
		}})
	return err
}

// unfinished lists the uploads that are not complete.
func (n *Node) unfinished(userID string) []trace.Unfinished {
	list := n.tree.Unfinished(userID)
	out := make([]trace.Unfinished, len(list))
	for i, u := range list {
		out[i] = trace.Unfinished(u)
	}
	return out
}

// rows counts the non-empty lines of a version's content.
func (n *Node) rows(versionID string) (int64, error) {
	c, err := n.store.Read(context.Background()).Content(versionID)
	if err != nil {
		return 0, err
	}
	b, err := n.blobs.Open(c.Key, c.Size)
	if err != nil {
		return 0, err
	}
	defer b.Close()
	return expect.CountRows(b, c.Size)
}

// final reports whether a file may be handed on, by its name.
func (n *Node) final(userID, full string) bool {
	return n.naming.Rules(userID, full).IsFinal(path.Base(full))
}

func (n *Node) buildNotify(ctx context.Context) (*notify.Service, error) {
	w, m := &n.cfg.Webhooks, &n.cfg.Mail
	var allow []netip.Prefix = config.Networks(w.Allow)
	n.hooks = webhook.New(webhook.Policy{Allow: allow, AllowHTTP: w.AllowHTTP}, n.clock)
	o := notify.Options{Store: n.store, Clock: n.clock, IDs: n.ids, Log: n.log, Poster: n.hooks, Vault: n.vault,
		Writer: liveWords{n}, Zones: n.cfg.Zones(), Operators: m.Operators, Node: n.name, Keep: time.Duration(w.Keep),
		Help: n.helpOf,
		Notices: func(ctx context.Context, after string) ([]model.Notice, error) {
			return n.accounts.Notices(ctx, model.NoticeFilter{Paging: model.Paging{Cursor: after, Limit: 1000}})
		}}
	if m.Welcome {
		o.Welcome = n.welcome
	}
	if m.Host != "" {
		mailer, err := mail.New(mail.Config{Host: m.Host, Port: m.Port, TLS: m.TLS, CA: m.CA, User: m.User,
			Password: m.Password, From: m.From, ReplyTo: m.ReplyTo, Bounces: m.Bounces, Writer: n.words.Load})
		if err != nil {
			return nil, err
		}
		o.Mailer = mailer
	}
	service := notify.New(o)
	lost, err := service.SealSecrets(ctx)
	if len(lost) > 0 {
		n.log.Error("secrets of webhooks were sealed under another secrets.key: their messages wait; restore it, or run "+
			"sallyport webhook set NAME --rotate-secret",
			"webhooks", strings.Join(lost, " "))
	}
	return service, err
}

// helpOf returns how an account's people reach support.
func (n *Node) helpOf(ctx context.Context, id string) string {
	region := ""
	if a, err := n.store.Read(ctx).Account(id); err == nil {
		region = a.Region
	}
	return n.helpAt(region)
}

// moved tells the feeds that a delivered file was renamed.
func (n *Node) moved(tx *store.Tx, versionID string) error {
	_, err := n.feeds.Taken(tx, versionID)
	return err
}

// gone tells the inbox, retention and the feeds that a version was removed or replaced. It reports
// whether one of them still needs the version.
func (n *Node) gone(tx *store.Tx, versionID string, replaced bool) (bool, error) {
	needed, err := n.inbox.Gone(tx, versionID, replaced)
	if err != nil {
		return false, err
	}
	held, err := n.retain.Held(tx, versionID)
	if err != nil {
		return false, err
	}
	delivered, err := n.feeds.Taken(tx, versionID)
	return needed || held || delivered, err
}
