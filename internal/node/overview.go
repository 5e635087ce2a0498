package node

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/overview"
	"github.com/sallyport-sftp/sallyport/model"
)

// buildOverview builds the service that answers the questions of support.
func (n *Node) buildOverview() *overview.Service {
	zone, _ := time.LoadLocation(n.cfg.TimeZone) // check has accepted it
	o := overview.Options{Store: n.store, Clock: n.clock, Zone: zone, Limits: defaultLimits(&n.cfg.Storage),
		Account: accountLimits(&n.cfg.Storage), Free: n.blobs.Free, Floor: int64(n.cfg.Storage.FreeFloor),
		Partials: n.tree.Partials, KeepPartials: time.Duration(n.cfg.Storage.KeepPartials), Sessions: n.ssh.Sessions,
		Flush: n.records.Flush,
		Audit: n.audits.Status, Checkpoints: len(n.cfg.Audit.Checkpoints) > 0, Queue: n.tell.Queue,
		Expectations: func(ctx context.Context) ([]model.Expectation, error) {
			return n.expect.List(ctx, model.EveryFilter{})
		}}
	if n.cfg.Web.TLSCert != "" {
		o.Certificate = n.certificateUntil
	}
	return overview.New(o)
}

// certificateUntil returns when the certificate of the pages for partners expires.
func (n *Node) certificateUntil() (time.Time, error) {
	pair, err := tls.LoadX509KeyPair(n.cfg.Web.TLSCert, n.cfg.Web.TLSKey)
	if err != nil {
		return time.Time{}, err
	}
	return pair.Leaf.NotAfter, nil
}
