package metrics

import (
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/overview"
)

// Metric is a number, or one for each value of its labels.
type Metric struct {
	Name    string // without the prefix
	Help    string // a sentence
	Counter bool   // it only grows, and begins at 0 when the server starts
	Node    bool   // of this node; the others are of the whole deployment, the same on each node
	Labels  []string
	samples func(s *source) []sample
}

// Prefix begins the names of all metrics.
const Prefix = "sallyport_"

func (m Metric) desc() *prometheus.Desc {
	return prometheus.NewDesc(Prefix+m.Name, m.Help, m.Labels, nil)
}

func (m Metric) kind() prometheus.ValueType {
	if m.Counter {
		return prometheus.CounterValue
	}
	return prometheus.GaugeValue
}

// sample is a value with those of its metric's labels.
type sample struct {
	value  float64
	labels []string
}

// source is what the samples are taken from.
type source struct {
	*Options
	*reading
}

func one(v float64) []sample { return []sample{{value: v}} }

// stamp is a time as Prometheus has it; 0 for none.
func stamp(t time.Time) []sample {
	if t.IsZero() {
		return one(0)
	}
	return one(float64(t.UnixMicro()) / 1e6)
}

// figure is a number of overview.Figures.
func figure(v func(f *overview.Figures) []sample) func(*source) []sample {
	return func(s *source) []sample {
		if s.figures == nil {
			return nil
		}
		return v(s.figures)
	}
}

func count(v func(f *overview.Figures) int64) func(*source) []sample {
	return figure(func(f *overview.Figures) []sample { return one(float64(v(f))) })
}

// age is how many seconds ago something was; 0 for never.
func age(now, t time.Time) []sample {
	if t.IsZero() {
		return one(0)
	}
	return one(max(0, now.Sub(t).Seconds()))
}

func oldest(v func(f *overview.Figures) time.Time) func(*source) []sample {
	return figure(func(f *overview.Figures) []sample { return age(f.At, v(f)) })
}

// Table lists what is served, beside the numbers of the Go runtime and of the process.
var Table = []Metric{
	{Name: "info", Help: "1, with the version that runs.", Node: true, Labels: []string{"version"},
		samples: func(*source) []sample { return []sample{{1, []string{exchange.Version}}} }},
	{Name: "sessions", Help: "Live SSH log-ins.", Node: true,
		samples: func(s *source) []sample { return one(float64(s.Sessions())) }},
	{Name: "transferred_bytes_total", Help: "Bytes that SFTP channels read and wrote, both directions together.",
		Counter: true, Node: true, samples: func(s *source) []sample { return one(float64(s.Moved())) }},
	{Name: "connections_total", Help: "SSH connections by outcome: ok for log-ins, else why there was none " +
		"(unknown_key, password_tried, banned, …).", Counter: true, Node: true, Labels: []string{"outcome"},
		samples: connections},
	{Name: "needs", Help: "Things that need a person, as the status lists them: how many of each topic, at least 1.",
		Labels: []string{"topic", "urgency"}, samples: figure(needs)},
	{Name: "disk_free_bytes", Help: "Free bytes of the disk that files are stored on.", Node: true,
		samples: count(func(f *overview.Figures) int64 { return f.Free })},
	{Name: "disk_floor_bytes", Help: "Free bytes below which uploads are refused (storage.free_floor).", Node: true,
		samples: count(func(f *overview.Figures) int64 { return f.Floor })},
	{Name: "unclaimed_files", Help: "Received files that no program has claimed; at most 10000 are counted.",
		samples: count(func(f *overview.Figures) int64 { return f.Unclaimed.Count })},
	{Name: "unclaimed_oldest_seconds", Help: "How long the oldest of them has waited; 0: there are none.",
		samples: oldest(func(f *overview.Figures) time.Time { return f.Unclaimed.Oldest })},
	{Name: "unscanned_files", Help: "Received files that the scanner has not cleared; at most 10000 are counted.",
		samples: count(func(f *overview.Figures) int64 { return f.Unscanned.Count })},
	{Name: "unscanned_oldest_seconds", Help: "How long the oldest of them has waited; 0: there are none.",
		samples: oldest(func(f *overview.Figures) time.Time { return f.Unscanned.Oldest })},
	{Name: "uncollected_files", Help: "Published files that were not downloaded yet; at most 10000 are counted.",
		samples: count(func(f *overview.Figures) int64 { return f.Uncollected.Count })},
	{Name: "uncollected_oldest_seconds", Help: "How long the oldest of them has waited; 0: there are none.",
		samples: oldest(func(f *overview.Figures) time.Time { return f.Uncollected.Oldest })},
	{Name: "partial_uploads", Help: "Uploads that broke off and can be resumed.", Node: true,
		samples: count(func(f *overview.Figures) int64 { return f.Partials.Count })},
	{Name: "partial_bytes", Help: "What they take on the disk.", Node: true,
		samples: count(func(f *overview.Figures) int64 { return f.PartialSize })},
	{Name: "banned_addresses", Help: "Addresses and networks that are kept out for a while.",
		samples: count(func(f *overview.Figures) int64 { return f.Bans })},
	{Name: "removal_due_timestamp_seconds", Help: "When the next retention run removes files; 0: none was announced.",
		samples: figure(func(f *overview.Figures) []sample { return stamp(f.RemovalDue) })},
	{Name: "removal_files", Help: "How many files it removes.",
		samples: count(func(f *overview.Figures) int64 { return f.RemovalFiles })},
	{Name: "removal_bytes", Help: "How many bytes it removes.",
		samples: count(func(f *overview.Figures) int64 { return f.RemovalBytes })},
	{Name: "certificate_expiry_timestamp_seconds", Help: "When the certificate of the pages expires; 0: there is none.",
		Node: true, samples: figure(func(f *overview.Figures) []sample { return stamp(f.Certificate) })},
	{Name: "outbox_events", Help: "Events that are not handed out yet.",
		samples: queue(func(s *source) float64 { return float64(s.queue.Events) })},
	{Name: "messages_waiting", Help: "Webhooks and mails that are not sent yet.",
		samples: queue(func(s *source) float64 { return float64(s.queue.Waiting) })},
	{Name: "messages_dead", Help: "Webhooks and mails that were given up.",
		samples: queue(func(s *source) float64 { return float64(s.queue.Dead) })},
	{Name: "queue_oldest_seconds", Help: "Age of the oldest event, webhook or mail that waits; 0: there is none.",
		samples: queue(func(s *source) float64 {
			if s.queue.OldestAt == nil {
				return 0
			}
			return max(0, s.Clock().Sub(*s.queue.OldestAt).Seconds())
		})},
	{Name: "audit_sealed_rows", Help: "Rows in the audit log.",
		samples: sealing(func(s *source) float64 { return float64(s.audit.Sealed) })},
	{Name: "audit_unsealed_rows", Help: "Audit rows that are not sealed yet.",
		samples: sealing(func(s *source) float64 { return float64(s.audit.Waiting) })},
	{Name: "database_bytes", Help: "What the database takes on its disk.",
		samples: database(func(d *Database) float64 { return float64(d.Bytes) })},
	{Name: "database_free_bytes", Help: "Of these, left by removed rows, to be used by new ones (SQLite).",
		samples: database(func(d *Database) float64 { return float64(d.Free) })},
	{Name: "inline_files", Help: "Small files whose bytes the database has, as of the last minute.",
		samples: database(func(d *Database) float64 { return float64(d.Files) })},
	{Name: "inline_bytes", Help: "Their bytes.",
		samples: database(func(d *Database) float64 { return float64(d.Inline) })},
	{Name: "inline_oldest_seconds", Help: "How long the oldest of them has been there; they are moved after " +
		"storage.inline_for. 0: there are none.", samples: func(s *source) []sample {
		if s.database == nil {
			return nil
		}
		return age(s.Clock(), s.database.Oldest)
	}},
	{Name: "backup_tried_timestamp_seconds", Help: "When the newest backup was made, " +
		"whether it succeeded or not; 0: never.",
		samples: backups(func(s *source) time.Time { return s.newestTried })},
	{Name: "backup_good_timestamp_seconds", Help: "When the newest backup was made that is whole; 0: never.",
		samples: backups(func(s *source) time.Time { return s.newGood })},
}

func queue(v func(s *source) float64) func(*source) []sample {
	return func(s *source) []sample {
		if s.queue == nil {
			return nil
		}
		return one(v(s))
	}
}

func sealing(v func(s *source) float64) func(*source) []sample {
	return func(s *source) []sample {
		if s.audit == nil {
			return nil
		}
		return one(v(s))
	}
}

func database(v func(d *Database) float64) func(*source) []sample {
	return func(s *source) []sample {
		if s.database == nil {
			return nil
		}
		return one(v(s.database))
	}
}

func backups(v func(s *source) time.Time) func(*source) []sample {
	return func(s *source) []sample {
		if !s.backups {
			return nil
		}
		return stamp(v(s))
	}
}

func connections(s *source) (out []sample) {
	of := s.Counts().Outcomes
	for _, outcome := range slices.Sorted(maps.Keys(of)) {
		out = append(out, sample{float64(of[outcome]), []string{outcome}})
	}
	return out
}

// needs adds up the needs of a topic with the same urgency.
func needs(f *overview.Figures) (out []sample) {
	for _, n := range f.Needs {
		v := float64(max(1, n.Count))
		at := slices.IndexFunc(out, func(s sample) bool {
			return s.labels[0] == n.Topic && s.labels[1] == string(n.Urgency)
		})
		if at >= 0 {
			out[at].value += v
			continue
		}
		out = append(out, sample{v, []string{n.Topic, string(n.Urgency)}})
	}
	return out
}
