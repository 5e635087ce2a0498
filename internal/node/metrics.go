package node

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/metrics"
)

// openMetrics serves /metrics and /healthz, if an address is configured.
func (n *Node) openMetrics() error {
	if n.cfg.Metrics.Listen == "" {
		return nil
	}
	l, err := n.o.Sockets.Listen(n.cfg.Metrics.Listen)
	if err != nil {
		return busy(n.cfg.Metrics.Listen, err)
	}
	handler := metrics.New(metrics.Options{Sessions: func() int { return len(n.ssh.Sessions()) }, Moved: n.ssh.Moved,
		Counts: n.records.Counts, Figures: n.overview.Figures, Queue: n.tell.Queue, Audit: n.audits.Status,
		Backups: n.lastBackups, Clock: n.clock, Log: n.log, Ping: n.store.Ping})
	n.metrics = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelWarn)}
	n.background.Go(func() {
		if err := n.metrics.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("the metrics listener stopped", "err", err)
		}
	})
	return nil
}
