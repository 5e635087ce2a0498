package node

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/metrics"
	"github.com/sallyport-sftp/sallyport/internal/telemetry/otlp"
)

// traceWork sends traces, if an address for them is configured.
func (n *Node) traceWork(ctx context.Context) (err error) {
	t := &n.cfg.Traces
	if t.Endpoint == "" {
		return nil
	}
	n.stopTraces, err = otlp.Start(ctx, otlp.Options{Endpoint: t.Endpoint, Token: t.Token, CA: t.CA,
		Sample: float64(t.Percent) / 100, Version: exchange.Version, Node: n.name, Log: n.log})
	return err
}

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
		Backups: n.lastBackups, Database: n.databaseUse, Clock: n.clock, Log: n.log, Ping: n.store.Ping})
	n.metrics = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelWarn)}
	n.background.Go(func() {
		if err := n.metrics.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("the metrics listener stopped", "err", err)
		}
	})
	return nil
}

// databaseUse returns how large the database is, and what of it are small files.
func (n *Node) databaseUse(ctx context.Context) (metrics.Database, error) {
	size, err := n.store.Read(ctx).DatabaseSize()
	use := n.blobs.Use()
	return metrics.Database{Bytes: size.Bytes, Free: size.Free, Files: use.Count, Inline: use.Bytes,
		Oldest: use.Oldest}, err
}
