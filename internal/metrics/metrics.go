// Package metrics serves /metrics, in Prometheus' format, and /healthz. table.go lists what is served;
// docs/operate/monitoring.md has the same table.
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sallyport-sftp/sallyport/internal/connection"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/overview"
	"github.com/sallyport-sftp/sallyport/model"
)

// Options are the sources of the numbers.
type Options struct {
	Sessions func() int   // live ones on this node
	Moved    func() int64 // bytes that this node's SFTP channels read and wrote since its start
	Counts   func() connection.Counts
	Figures  func(ctx context.Context) (overview.Figures, error)
	Queue    func(ctx context.Context) (model.Queue, error)
	Audit    func(ctx context.Context) (model.AuditStatus, error)
	// Backups returns when the newest backup was made, and the newest that is whole; zero for none.
	Backups func(ctx context.Context) (newest, good time.Time, why string, err error)
	// Database returns how large the database is, and which small files it still has.
	Database func(ctx context.Context) (Database, error)
	Clock    exchange.Clock
	Log      *slog.Logger
	Ping     func(ctx context.Context) error // asks the database for an answer
}

// Database is the size of the database, and of it what small files take that are not moved yet.
type Database struct {
	Bytes, Free   int64 // on the disk, and of that what new rows use first
	Files, Inline int64 // small files, and their bytes
	Oldest        time.Time
}

// New makes the handler.
func New(o Options) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(&gauges{o: o}, collectors.NewGoCollector(),
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

// fresh is how long the numbers that take queries are served again, so that a monitor that asks often, or several of
// them, cost the database nothing more.
const fresh = 15 * time.Second

// reading is what was read of the database at a time.
type reading struct {
	at                   time.Time
	figures              *overview.Figures
	queue                *model.Queue
	audit                *model.AuditStatus
	database             *Database
	backups              bool
	newestTried, newGood time.Time
}

// gauges collects the numbers at each scrape.
type gauges struct {
	o Options

	mu      sync.Mutex
	last    reading
	failing bool
}

// Describe sends the descriptions of what Collect collects.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, m := range Table {
		out <- m.desc()
	}
}

// Collect collects the numbers. It leaves out those that the database fails to return.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	r := g.read()
	for _, m := range Table {
		for _, s := range m.samples(&source{Options: &g.o, reading: &r}) {
			out <- prometheus.MustNewConstMetric(m.desc(), m.kind(), s.value, s.labels...)
		}
	}
}

// read returns numbers that are fresh.
func (g *gauges) read() reading {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := time.Now(); !g.last.at.IsZero() && now.Sub(g.last.at) < fresh {
		return g.last
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r := reading{}
	f, err := g.o.Figures(ctx)
	g.note(err)
	if err == nil {
		r.figures = &f
	}
	if q, err := g.o.Queue(ctx); err == nil {
		r.queue = &q
	}
	if s, err := g.o.Audit(ctx); err == nil {
		r.audit = &s
	}
	if d, err := g.o.Database(ctx); err == nil {
		r.database = &d
	}
	if tried, good, _, err := g.o.Backups(ctx); err == nil {
		r.backups, r.newestTried, r.newGood = true, tried, good
	}
	r.at = time.Now()
	g.last = r
	return r
}

// note logs the first of consecutive errors.
func (g *gauges) note(err error) {
	if err != nil && !g.failing {
		g.o.Log.Warn("some numbers for the monitor could not be read", "err", err)
	}
	g.failing = err != nil
}
