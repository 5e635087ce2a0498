package node

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/connection"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/platform"
	"github.com/sallyport-sftp/sallyport/internal/sftpd"
	"github.com/sallyport-sftp/sallyport/internal/sshd"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// authority answers the SSH server's questions from the services.
type authority struct{ n *Node }

func (a authority) Check(ctx context.Context, user, fingerprint string,
	from netip.Addr) (exchange.Login, string, error) {
	return a.n.accounts.Check(ctx, user, fingerprint, from)
}

func (a authority) Confirm(ctx context.Context, l exchange.Login) (bool, error) {
	return a.n.accounts.Confirm(ctx, l)
}

func (a authority) History(from netip.Addr) (ok, failed time.Time) { return a.n.records.History(from) }

func (a authority) Admit(from netip.Addr) sshd.Admission {
	return sshd.Admission(a.n.records.Admit(from))
}

func (a authority) Ended(r sshd.Record) {
	c := r.Connection
	c.User, c.Client, c.Detail = clip(c.User), clip(c.Client), clip(c.Detail)
	a.n.records.Note(connection.Record{From: r.From, Connection: c})
	if !a.n.cfg.Keys.Pending || c.LoggedIn {
		return
	}
	for _, line := range r.Unknown {
		select {
		case a.n.offered <- model.PendingKey{UserID: c.UserID, Public: line, Address: c.Address, Client: c.Client}:
		default: // a flood: what matters is offered again
		}
	}
}

// noteOffered writes down unknown keys that were offered for real users.
func (n *Node) noteOffered(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-n.offered:
			if err := n.accounts.Offered(ctx, p); err != nil && ctx.Err() == nil {
				n.log.Error("an unknown key could not be noted", "err", err)
			}
		}
	}
}

// clip makes a stranger's text fit for a record.
func clip(s string) string { return valid.Excerpt(s, 128) }

// used counts what a user's sessions use of the processor, and says how long they pause.
func (n *Node) used(user string, d time.Duration) (pause time.Duration) {
	return n.processor.Used(user, d, time.Now())
}

// serveSFTP joins a channel to its user's mailbox.
func (n *Node) serveSFTP(ctx context.Context, sub sshd.Subsystem) error {
	s := sftpd.New(sub.Channel, sftpd.Options{Log: n.log.With("session", sub.Login.Session), Clock: n.clock,
		MaxHandles: n.cfg.Limits.Handles, Bulk: sub.Bulk,
		Used: func(took time.Duration) time.Duration { return n.used(sub.Login.User.ID, took) },
		Refused: func(kind fault.Kind, text string) {
			if kind == fault.Quota {
				sub.Refused(model.ReasonQuota, text)
			}
		}})
	if sub.Login.User.Kind == model.KindService {
		fs := newService(platform.Begin(n.platformOptions(), sub.Login, ""))
		defer fs.End()
		return s.Serve(ctx, fs)
	}
	box := n.tree.Begin(sub.Login, s.BeforeWait)
	defer func() { _ = fault.Guard(n.log, "a session's end", func() error { box.End(); return nil }) }()
	defer context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), sshd.ErrCut) {
			box.Stop()
		}
	})()
	box.OnSlowed(func() { sub.Refused(model.ReasonSlowed, "") })
	own := mailbox{box, sub.Refused}
	produces, err := n.store.Read(ctx).Produces(sub.Login.User.Account)
	if err != nil {
		return err
	}
	if !produces || sub.Login.User.Kind != model.KindCustomer {
		return s.Serve(ctx, own)
	}
	out := newService(platform.Begin(n.platformOptions(), sub.Login, sub.Login.User.Account))
	defer out.End()
	return s.Serve(ctx, both{own, out})
}

// mailbox is a tree session as the SFTP server sees it. Refusals in a
// directory are noted with what was asked for.
type mailbox struct {
	*tree.Session
	refused func(reason, detail string)
}

// denied notes a refusal on its way to the client.
func (m mailbox) denied(err error, did, path string) error {
	if fault.Is(err, fault.Denied) {
		m.refused(model.ReasonDirectory, did+" "+path)
	}
	return err
}

func (m mailbox) Open(path string, flags exchange.OpenFlags, mode uint32) (sftpd.File, error) {
	h, err := m.Session.Open(path, flags, mode)
	if err != nil {
		did := "read"
		if flags&exchange.FlagWrite != 0 {
			did = "write"
		}
		return nil, m.denied(err, did, path)
	}
	return h, nil
}

func (m mailbox) OpenDir(path string) (sftpd.Dir, error) {
	l, err := m.Session.OpenDir(path)
	if err != nil {
		return nil, m.denied(err, "list", path)
	}
	return l, nil
}

func (m mailbox) Mkdir(path string) error  { return m.denied(m.Session.Mkdir(path), "make", path) }
func (m mailbox) Rmdir(path string) error  { return m.denied(m.Session.Rmdir(path), "remove", path) }
func (m mailbox) Remove(path string) error { return m.denied(m.Session.Remove(path), "remove", path) }

func (m mailbox) Rename(from, to string, replace bool) error {
	return m.denied(m.Session.Rename(from, to, replace), "rename", from+" to "+to)
}

// Revocations are looked for twice a second; without an answer for too long,
// nothing more is written, since a revoked login could be doing it.
const (
	pollEvery = 500 * time.Millisecond
	pollLimit = 10 * time.Second
)

// revocations ends the sessions of what was revoked, on any node.
type revocations struct {
	store *store.Store
	clock exchange.Clock
	log   *slog.Logger
	end   func(match func(*exchange.Login) bool) int

	last   int64
	polled atomic.Int64 // UnixNano of the last answer, monotonic enough
}

func (r *revocations) start() (err error) {
	r.last, err = r.store.Read(context.Background()).RevocationNumber()
	r.polled.Store(time.Now().UnixNano())
	return err
}

// mayWrite fails once revocations can't be learned of.
func (r *revocations) mayWrite() error {
	if time.Since(time.Unix(0, r.polled.Load())) < pollLimit {
		return nil
	}
	return fault.E("node.mayWrite", fault.Unavailable, "The server cannot store files now; please try again.")
}

func (r *revocations) run(ctx context.Context) {
	exchange.Task{Every: pollEvery, Later: true, Log: r.log, Failure: "revocations could not be read", Do: r.poll}.Run(ctx)
}

func (r *revocations) poll(context.Context) error {
	q := r.store.Read(context.Background())
	number, err := q.RevocationNumber()
	if err != nil {
		return err
	}
	if number > r.last {
		list, err := q.RevocationsAfter(r.last)
		if err != nil {
			return err
		}
		for _, v := range list {
			ended := r.end(func(l *exchange.Login) bool {
				return l.User.ID == v.UserID && (v.Fingerprint == "" || v.Fingerprint == l.Fingerprint) && l.Revocation < v.Number
			})
			if ended > 0 {
				r.log.Info("sessions were ended", "count", ended, "reason", v.Reason)
			}
			r.last = v.Number
		}
	}
	r.polled.Store(time.Now().UnixNano())
	return nil
}
