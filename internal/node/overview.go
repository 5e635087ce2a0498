package node

import (
	"context"
	"crypto/tls"
	"slices"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/overview"
	"github.com/sallyport-sftp/sallyport/model"
)

// buildOverview builds the service that answers the questions of support.
func (n *Node) buildOverview() *overview.Service {
	zone, _ := time.LoadLocation(n.cfg.TimeZone) // check has accepted it
	o := overview.Options{Store: n.store, Clock: n.clock, IDs: n.ids, Zone: zone, Free: n.blobs.Free,
		Policy:   func() overview.Policy { return overviewPolicy(n.inForce()) },
		Partials: n.partials, Sessions: n.ssh.Sessions, Review: n.cfg.SignIn.Review, Flush: n.records.Flush,
		Audit: n.audits.Status, Checkpoints: len(n.cfg.Audit.Checkpoints) > 0, Queue: n.tell.Queue,
		Endpoints: n.endpoints.List,
		Backups:   n.lastBackups, BackupExpected: n.cfg.Backup.Expected, BackupAge: time.Duration(n.cfg.Backup.WarnAfter),
		Expectations: func(ctx context.Context) ([]model.Expectation, error) {
			return n.expect.List(ctx, model.EveryFilter{})
		}}
	switch {
	case n.cfg.Web.TLSCert != "":
		o.Certificate = func() (time.Time, error) { return certificateUntil(&n.cfg) }
	case n.cfg.Web.ACME.On():
		o.Ordered, o.Certificate = true, func() (time.Time, error) { return n.certificates.Until(n.clock()) }
	}
	return overview.New(o)
}

// certificateUntil returns when the certificate of the pages for partners expires.
func certificateUntil(c *config.Config) (time.Time, error) {
	pair, err := tls.LoadX509KeyPair(c.Web.TLSCert, c.Web.TLSKey)
	if err != nil {
		return time.Time{}, err
	}
	return pair.Leaf.NotAfter, nil
}

// partials lists uploads that broke off and were not written to since a time, the oldest first: of one
// user, or of all if userID is "".
func (n *Node) partials(userID string, before time.Time) (out []model.Partial) {
	for _, u := range n.tree.Unfinished(userID) {
		if !u.Live && u.Touched.Before(before) {
			out = append(out, model.Partial{UserID: u.UserID, DirID: u.DirID, Path: u.Name, Size: u.Size, At: u.Touched})
		}
	}
	slices.SortFunc(out, func(a, b model.Partial) int { return a.At.Compare(b.At) })
	return out
}
