package node

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/expect"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/hotfolder"
	"github.com/sallyport-sftp/sallyport/internal/inbox"
	"github.com/sallyport-sftp/sallyport/internal/naming"
	"github.com/sallyport-sftp/sallyport/internal/notify"
	"github.com/sallyport-sftp/sallyport/internal/notify/mail"
	"github.com/sallyport-sftp/sallyport/internal/notify/webhook"
	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/trace"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// buildExchange builds the services through which files come and go.
func (n *Node) buildExchange(ctx context.Context) (err error) {
	st := &n.cfg.Storage
	if n.key, err = n.signingKey(ctx); err != nil {
		return err
	}
	if n.tell, err = n.buildNotify(ctx); err != nil {
		return err
	}
	rt := &n.cfg.Retain
	n.naming = naming.New(n.store, n.clock, n.ids,
		exchange.NameRules{Temporary: n.cfg.TemporaryNames, Doubtful: n.cfg.DoubtfulNames, Ignored: n.cfg.IgnoredNames,
			Grace: time.Duration(n.cfg.DoubtfulGrace)})
	n.retain = retention.New(retention.Options{Store: n.store, Blobs: n.blobs, Desk: n.desk, Clock: n.clock, IDs: n.ids,
		Log: n.log, Key: n.key, Node: n.name, Tell: n.tellAccount,
		Policy: retention.Policy{Keep: rt.Keep, Day: rt.Day, Hour: rt.Hour, Notice: time.Duration(rt.Notice),
			Reminder: time.Duration(rt.Reminder), AfterClose: time.Duration(rt.AfterClose), RequireNotice: rt.RequireNotice}})
	zone, err := time.LoadLocation(n.cfg.TimeZone)
	if err != nil {
		return fault.Wrap("node.buildExchange", fault.Invalid, err)
	}
	n.feeds = feed.New(feed.Options{Store: n.store, Blobs: n.blobs, Desk: n.desk, Clock: n.clock, IDs: n.ids, Key: n.key,
		MaxFile: int64(st.MaxFile), FreeFloor: int64(st.FreeFloor), KeepUploads: time.Duration(st.KeepPartials),
		Class: n.retain.Class,
		May:   func(u model.User) string { return n.cfg.Templates[u.Kind].FeedsMay },
		Types: fileTypes(n.cfg.FileTypes), Checks: n.cfg.ContentChecks, Zone: zone})
	if err := n.feeds.Recover(n.log); err != nil {
		return err
	}
	in := &n.cfg.Inbox
	n.inbox = inbox.New(inbox.Options{Store: n.store, Blobs: n.blobs, Clock: n.clock, IDs: n.ids, Log: n.log, Key: n.key,
		Lease: time.Duration(in.Lease), Scanner: in.Scanner, After: in.After, Names: n.naming.Rules,
		KeptUntil: n.retain.KeptUntil})
	n.expect = expect.New(n.store, n.clock, n.ids, n.log, n.rows)
	n.traces = trace.New(n.store, n.clock)
	n.audits = audit.New(audit.Options{Store: n.store, Clock: n.clock, IDs: n.ids, Log: n.log, Key: n.key,
		Keep: n.cfg.Audit.Keep, Head: headOf(n.cfg.Data), Send: n.checkpointSender()})
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

// rows counts the lines of a version's content that are not empty.
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

// final reports whether a file in a mailbox is handed on.
func (n *Node) final(userID, full string) bool {
	return n.naming.Rules(userID, full).IsFinal(path.Base(full))
}

func (n *Node) buildNotify(ctx context.Context) (*notify.Service, error) {
	w, m := &n.cfg.Webhooks, &n.cfg.Mail
	var allow []netip.Prefix = config.Networks(w.Allow)
	vault, err := openVault(n.cfg.Data)
	if err != nil {
		return nil, err
	}
	n.hooks = webhook.New(webhook.Policy{Allow: allow, AllowHTTP: w.AllowHTTP}, n.clock)
	o := notify.Options{Store: n.store, Clock: n.clock, IDs: n.ids, Log: n.log, Poster: n.hooks, Vault: vault,
		Operators: m.Operators, Node: n.name, Keep: time.Duration(w.Keep), Help: n.helpOf,
		Notices: func(ctx context.Context, after string) ([]model.Notice, error) {
			return n.accounts.Notices(ctx, model.NoticeFilter{Paging: model.Paging{Cursor: after, Limit: 1000}})
		}}
	if m.Host != "" {
		mailer, err := mail.New(mail.Config{Host: m.Host, Port: m.Port, TLS: m.TLS, CA: m.CA, User: m.User,
			Password: m.Password, From: m.From, ReplyTo: m.ReplyTo, Bounces: m.Bounces, Templates: m.Templates, Name: m.Name,
			Log: n.log})
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

// helpOf is whom an account's people turn to.
func (n *Node) helpOf(ctx context.Context, id string) string {
	region := ""
	if a, err := n.store.Read(ctx).Account(id); err == nil {
		region = a.Region
	}
	_, s := n.cfg.EndpointOf(region)
	return s.Help()
}

// tellAccount mails what retention has to say to an account's people. Those
// whose mail came back are left out: they would count as not reached.
func (n *Node) tellAccount(tx *store.Tx, l retention.Letter) (mails int, err error) {
	people, err := tx.Contacts(l.Account, "")
	if err != nil || !n.tell.Mails() {
		return 0, err
	}
	for _, c := range notify.Reachable(people, model.RoleBilling, model.RoleTechnical) {
		if c.BouncedAt != nil {
			continue
		}
		letter := notify.Letter{Kind: l.Kind, To: c.Email, Account: l.Account, Text: l.Text, Head: l.Head, Rows: l.Rows,
			More: l.More, Attached: l.Signed}
		if err := n.tell.Mail(tx, letter, notify.Mailing{Contact: c.ID, Ref: l.Ref}); err != nil {
			return mails, err
		}
		mails++
	}
	return mails, nil
}

// checkpointSender carries checkpoints off this machine, to where the
// configuration says; nil if nowhere.
func (n *Node) checkpointSender() func(context.Context, string) error {
	if len(n.cfg.Audit.Checkpoints) == 0 {
		return nil
	}
	return func(ctx context.Context, note string) error {
		var errs []error
		for _, to := range n.cfg.Audit.Checkpoints {
			kind, target, _ := strings.Cut(to, ":")
			errs = append(errs, n.sendCheckpoint(ctx, kind, target, note))
		}
		return errors.Join(errs...)
	}
}

func (n *Node) sendCheckpoint(ctx context.Context, kind, target, note string) error {
	switch kind {
	case "file": // a log of its own, elsewhere: another disk, a mount that only grows
		f, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
		if err != nil {
			return fault.E("node.sendCheckpoint", fault.Unavailable, "A checkpoint cannot be written to %s: %v.", target, err)
		}
		// new: for whoever looks at the log, whatever our umask is
		if info, statErr := f.Stat(); statErr == nil && info.Size() == 0 {
			_ = f.Chmod(0o644)
		}
		_, err = f.WriteString(note + "\n")
		return errors.Join(err, f.Sync(), f.Close())
	case "mail":
		return n.store.Write(ctx, func(tx *store.Tx) error {
			return n.tell.Mail(tx, notify.Letter{Kind: "checkpoint", To: target, Attached: note,
				Text: "This is what the audit log was when this mail was written. Keep it: with it, anyone can show later " +
					"whether the log was rewritten.\n\n" +
					"To check: save the signed lines to a file and run  sallyport audit verify --against FILE"}, notify.Mailing{})
		})
	}
	return n.tell.Checkpoint(ctx, target, note)
}

// moved tells the feeds that a delivered file has another name.
func (n *Node) moved(tx *store.Tx, versionID string) error {
	_, err := n.feeds.Taken(tx, versionID)
	return err
}

// gone joins the tree to the inbox, to retention and to the feeds: a version that one of
// them needs stays.
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

// configSetting remembers the configuration of the last start.
const configSetting = "config"

// noteStart writes that the server starts, and what its configuration has that
// it did not have the last time. Secrets are never compared in clear.
func (n *Node) noteStart(ctx context.Context) error {
	now := redacted(n.cfg)
	was, err := n.store.Read(ctx).Setting(configSetting)
	if err != nil {
		return err
	}
	text, err := json.Marshal(now)
	if err != nil {
		return fault.Wrap("node.noteStart", fault.Internal, err)
	}
	if string(text) != was {
		before := map[string]string{}
		_ = json.Unmarshal([]byte(was), &before) // the first start has none
		if err := n.store.Write(ctx,
			func(tx *store.Tx) error { return tx.SetSetting(configSetting, string(text)) }); err != nil {
			return err
		}
		if was != "" {
			if err := n.audits.Note(ctx, model.AuditRow{Actor: "system:node", Action: "config.change", Subject: n.name,
				Detail: difference(before, now)}); err != nil {
				return err
			}
		}
	}
	return n.audits.Note(ctx, model.AuditRow{Actor: "system:node", Action: "server.start", Subject: n.name,
		Detail: map[string]string{"version": Version}})
}

// noteStop writes that the server stops.
func (n *Node) noteStop(ctx context.Context) {
	if n.audits == nil || n.name == "" {
		return
	}
	if err := n.audits.Note(ctx, model.AuditRow{Actor: "system:node", Action: "server.stop", Subject: n.name,
		Detail: map[string]string{"version": Version}}); err != nil {
		n.log.Error("the stop could not be written down", "err", err)
	}
}

// nodeName is how this process is known to others that share the database.
func nodeName(data string, ids *exchange.IDs) string {
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	id, err := os.ReadFile(filepath.Join(data, "node"))
	if errors.Is(err, fs.ErrNotExist) {
		id = []byte(ids.New())
		_ = os.WriteFile(filepath.Join(data, "node"), id, 0o600) // the next start makes another
	}
	return valid.Printable(host) + "/" + strings.TrimSpace(string(id))
}
