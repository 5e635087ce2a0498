// Package metrics serves /metrics, in Prometheus' format, and /healthz.
package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/model"
)

// Options are the sources of the numbers.
type Options struct {
	Sessions func() int // live ones on this node
	Queue    func(ctx context.Context) (model.Queue, error)
	Audit    func(ctx context.Context) (model.AuditStatus, error)
	// Backups returns when the newest backup was made, and the newest that is whole; zero for none.
	Backups func(ctx context.Context) (newest, good time.Time, why string, err error)
	Clock   exchange.Clock
	Ping    func(ctx context.Context) error // asks the database for an answer
}

// New makes the handler.
func New(o Options) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(newGauges(o), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if err := o.Ping(r.Context()); err != nil {
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n")) // the client may be gone
	})
	return mux
}

// gauges are read from the database at each scrape.
type gauges struct {
	o                                                        Options
	events, waiting, dead, oldest, sealed, unsealed, session *prometheus.Desc
	tried, backup                                            *prometheus.Desc
}

func newGauges(o Options) *gauges {
	d := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("sallyport_"+name, help, nil, nil)
	}
	return &gauges{o, d("outbox_events", "Events that are not handed out yet."),
		d("messages_waiting", "Webhooks and mails that are not sent yet."),
		d("messages_dead", "Webhooks and mails that were given up."),
		d("queue_oldest_seconds", "Age of the oldest of what waits to be sent."),
		d("audit_sealed_rows", "Rows in the audit log."), d("audit_unsealed_rows", "Audit rows that are not sealed yet."),
		d("sessions", "Live SSH log-ins on this node."),
		d("backup_tried_timestamp_seconds", "When the newest backup was made, whether it succeeded or not; 0: never."),
		d("backup_good_timestamp_seconds", "When the newest backup was made that is whole; 0: never.")}
}

// Describe sends the descriptions of what Collect collects.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.events, g.waiting, g.dead, g.oldest, g.sealed, g.unsealed, g.session,
		g.tried, g.backup} {
		out <- d
	}
}

// Collect collects the numbers. It leaves out those that the database fails to return.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	put := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	put(g.session, float64(g.o.Sessions()))
	if q, err := g.o.Queue(ctx); err == nil {
		put(g.events, float64(q.Events))
		put(g.waiting, float64(q.Waiting))
		put(g.dead, float64(q.Dead))
		age := 0.0
		if q.OldestAt != nil {
			age = max(0, g.o.Clock().Sub(*q.OldestAt).Seconds())
		}
		put(g.oldest, age)
	}
	if newest, good, _, err := g.o.Backups(ctx); err == nil {
		put(g.tried, seconds(newest))
		put(g.backup, seconds(good))
	}
	if s, err := g.o.Audit(ctx); err == nil {
		put(g.sealed, float64(s.Sealed))
		put(g.unsealed, float64(s.Waiting))
	}
}

// seconds is a time as Prometheus has it; 0 for none.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.Unix())
}
