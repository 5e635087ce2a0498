package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// gauges are read from the database when somebody asks.
type gauges struct {
	n                                                        *Node
	events, waiting, dead, oldest, sealed, unsealed, session *prometheus.Desc
}

func newGauges(n *Node) *gauges {
	d := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("sallyport_"+name, help, nil, nil)
	}
	return &gauges{n, d("outbox_events", "Events that are not handed out yet."),
		d("messages_waiting", "Webhooks and mails that are not sent yet."),
		d("messages_dead", "Webhooks and mails that were given up."),
		d("queue_oldest_seconds", "Age of the oldest of what waits to be sent."),
		d("audit_sealed_rows", "Rows in the audit log."), d("audit_unsealed_rows", "Audit rows that are not sealed yet."),
		d("sessions", "Live SSH log-ins on this node.")}
}

// Describe lists what Collect reads.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.events, g.waiting, g.dead, g.oldest, g.sealed, g.unsealed, g.session} {
		out <- d
	}
}

// Collect reads the numbers. What the database does not say is left out.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	put := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	put(g.session, float64(len(g.n.ssh.Sessions())))
	if q, err := g.n.tell.Queue(ctx); err == nil {
		put(g.events, float64(q.Events))
		put(g.waiting, float64(q.Waiting))
		put(g.dead, float64(q.Dead))
		age := 0.0
		if q.OldestAt != nil {
			age = max(0, g.n.clock().Sub(*q.OldestAt).Seconds())
		}
		put(g.oldest, age)
	}
	if s, err := g.n.audits.Status(ctx); err == nil {
		put(g.sealed, float64(s.Sealed))
		put(g.unsealed, float64(s.Waiting))
	}
}

// openMetrics serves /metrics and /healthz, if the configuration says where.
func (n *Node) openMetrics() error {
	if n.cfg.Metrics.Listen == "" {
		return nil
	}
	l, err := net.Listen("tcp", n.cfg.Metrics.Listen)
	if err != nil {
		return busy(n.cfg.Metrics.Listen, err)
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(newGauges(n), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if err := n.store.Ping(r.Context()); err != nil {
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n")) // whoever asked may have gone
	})
	n.metrics = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelWarn)}
	n.background.Go(func() {
		if err := n.metrics.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("the metrics listener stopped", "err", err)
		}
	})
	return nil
}
