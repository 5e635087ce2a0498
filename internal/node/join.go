package node

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/connection"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/platform"
	"github.com/sallyport-sftp/sallyport/internal/sftpd"
	"github.com/sallyport-sftp/sallyport/internal/sshd"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// authority implements sshd.Authority with the services.
type authority struct{ n *Node }

func (a authority) Check(ctx context.Context, user, fingerprint string,
	from netip.Addr) (exchange.Login, string, error) {
	if a.n.probes.MayLogIn(user, fingerprint, a.n.clock()) {
		return a.n.accounts.Probe(ctx, user, fingerprint)
	}
	return a.n.accounts.Check(ctx, user, fingerprint, from)
}

func (a authority) Confirm(ctx context.Context, l exchange.Login) (bool, error) {
	return a.n.accounts.Confirm(ctx, l)
}

func (a authority) History(from netip.Addr) (ok, failed time.Time) { return a.n.records.History(from) }

func (a authority) LogsInWell(user string, from netip.Addr) bool {
	return a.n.records.LogsInWell(user, from)
}

func (a authority) Admit(from netip.Addr) sshd.Admission {
	return sshd.Admission(a.n.records.Admit(from))
}

func (a authority) Ended(r sshd.Record) {
	c := r.Connection
	if a.n.probes.Own(c.Client, c.Offered, c.At) {
		return // a test of our own leaves no record
	}
	c.User, c.Client, c.Detail = clip(c.User), clip(c.Client), clip(c.Detail)
	a.n.records.Note(connection.Record{From: r.From, Connection: c})
	if c.LoggedIn && c.EndedAt == nil {
		a.n.loggedIn(r)
	}
	if !a.n.inForce().Keys.Pending || c.LoggedIn {
		return
	}
	for _, line := range r.Unknown {
		select {
		case a.n.offered <- model.PendingKey{UserID: c.UserID, Public: line, Address: c.Address, Client: c.Client}:
		default: // the queue is full: the client will offer the key again
		}
	}
}

// noteOffered records unknown keys that were offered for existing users.
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

// clip shortens and escapes text from an unknown client for a record.
func clip(s string) string { return valid.Excerpt(s, 128) }

// used counts processor time of a user's sessions. It returns how long the session must pause.
func (n *Node) used(user string, d time.Duration) (pause time.Duration) {
	return n.processor.Used(user, d, time.Now())
}

// share is a user's part of the bandwidth, for one channel.
type share struct {
	n    *Node
	user string // id
	hold func() (release func())
}

// Take waits until n bytes of a file may be moved.
func (s share) Take(ctx context.Context, n int, before func()) error {
	var release func()
	err := s.n.bandwidth.Take(ctx, s.user, n, func() {
		before()
		release = s.hold()
	})
	if release != nil {
		release()
	}
	return err
}

// Back returns n bytes that were not moved.
func (s share) Back(n int) { s.n.bandwidth.Back(s.user, n) }

// limitsRate reports whether the limits of the bandwidth are for a user: they are not for the platform's own
// programs, whose files the partners wait for.
func limitsRate(u model.User) bool { return u.Kind != model.KindService }

// rateLimit returns the most that a user can move, in bytes a second; 0 is any number.
func (n *Node) rateLimit(u model.User) int64 {
	if !limitsRate(u) {
		return 0
	}
	return n.bandwidth.Rates().Least()
}

// serveSFTP serves a channel with its user's mailbox.
func (n *Node) serveSFTP(ctx context.Context, sub *sshd.Subsystem) error {
	s, fs, end, err := n.openSFTP(ctx, sub)
	if err != nil {
		return err
	}
	defer end()
	return n.serve(ctx, s, sub, fs)
}

// openSFTP makes a channel's session and what it shows. end must be called when the channel has ended. It returns
// before the session is served, as it needs much stack.
func (n *Node) openSFTP(ctx context.Context, sub *sshd.Subsystem) (s *sftpd.Session, fs sftpd.FileSystem, end func(),
	err error) {
	o := sftpd.Options{Log: n.log.With("session", sub.Login.Session), Clock: n.clock,
		MaxHandles: n.inForce().Limits.Handles, Bulk: sub.Bulk,
		Used: func(took time.Duration) time.Duration { return n.used(sub.Login.User.ID, took) }}
	if limitsRate(sub.Login.User) {
		o.Bandwidth = share{n, sub.Login.User.ID, sub.Hold}
	}
	s = sftpd.New(sub.Channel, o)
	if sub.Login.User.Kind == model.KindService {
		fs := platform.Begin(n.platformOptions(), sub.Login, "")
		return s, sftpd.Of(fs), fs.End, nil
	}
	produces, err := n.store.Read(ctx).Produces(sub.Login.User.Account)
	if err != nil {
		return nil, nil, nil, err
	}
	box := n.tree.Begin(sub.Login, s.BeforeWait)
	box.OnSlowed(func() { sub.Refused(model.ReasonSlowed, "") })
	whole := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), sshd.ErrCut) {
			box.Stop()
		}
	})
	leave := func() {
		whole()
		_ = fault.Guard(n.log, "a session's end", func() error { box.End(); return nil })
	}
	if !produces || sub.Login.User.Kind != model.KindCustomer {
		return s, sftpd.Of(box), leave, nil
	}
	out := platform.Begin(n.platformOptions(), sub.Login, sub.Login.User.Account)
	return s, sftpd.Mount{FileSystem: sftpd.Of(box),
			At: map[string]sftpd.FileSystem{"/" + platform.Outbound: sftpd.Of(out)}},
		func() {
			defer leave()
			out.End()
		}, nil
}

// limited returns what a login may do with a file system: a probe only lists.
func limited(l *exchange.Login, fs sftpd.FileSystem) sftpd.FileSystem {
	if l.Probe {
		return sftpd.Listing{FileSystem: fs}
	}
	return fs
}

// seen records what a partner read or listed.
func (n *Node) seen(l *exchange.Login, action, path string, bytes int64) {
	if !l.Probe {
		n.records.Seen(l, action, path, bytes)
	}
}

// serve serves a file system and keeps the record of what is refused: in the connection's record, and of each upload
// by its path.
func (n *Node) serve(ctx context.Context, s *sftpd.Session, sub *sshd.Subsystem, fs sftpd.FileSystem) error {
	noted := &sftpd.Noted{FileSystem: fs,
		Refused: func(did, path string, err error) {
			if fault.Is(err, fault.Quota) {
				sub.Refused(model.ReasonQuota, path+": "+fault.PublicText(err))
				return
			}
			what := did + " " + path
			if fault.PublicText(err) == exchange.OnlyFetches {
				what += ": " + exchange.OnlyFetches
			}
			sub.Refused(model.ReasonDirectory, what)
		},
		Upload: func(path string, end int64, err error, again bool) {
			n.records.UploadRefused(&sub.Login, connection.Refusal{Path: path, End: end, Err: err, Again: again,
				Unfinished: errors.Is(err, sftpd.ErrUnfinished)})
		}}
	defer noted.End()
	return s.Serve(ctx, limited(&sub.Login, noted))
}

// platformOptions returns the options of the platform's tree.
func (n *Node) platformOptions() platform.Options {
	return platform.Options{Store: n.store, Feeds: n.feeds, Inbox: n.inbox, Clock: n.clock, Log: n.log,
		Names: n.naming.Rules, Readings: n.readings, MayWrite: n.revoked.MayStill}
}
