package metrics_test

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/sallyport-sftp/sallyport/internal/connection"
	"github.com/sallyport-sftp/sallyport/internal/metrics"
	"github.com/sallyport-sftp/sallyport/internal/overview"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var update = flag.Bool("update", false, "write the table of the documentation")

// world is what the numbers are taken from.
type world struct {
	figures overview.Figures
	err     error // of what reads the database
	reads   int
}

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func (w *world) scrape(t *testing.T) func() string {
	h := metrics.New(metrics.Options{Sessions: func() int { return 3 }, Moved: func() int64 { return 1 << 40 },
		Counts: func() connection.Counts {
			return connection.Counts{Outcomes: map[string]int64{model.ReasonOK: 7, model.ReasonUnknownKey: 2}}
		},
		Figures: func(context.Context) (overview.Figures, error) { w.reads++; return w.figures, w.err },
		Queue:   func(context.Context) (model.Queue, error) { return model.Queue{Waiting: 4}, w.err },
		Audit:   func(context.Context) (model.AuditStatus, error) { return model.AuditStatus{Sealed: 5}, w.err },
		Backups: func(context.Context) (newest, good time.Time, why string, err error) { return now, now, "", w.err },
		Database: func(context.Context) (metrics.Database, error) {
			return metrics.Database{Bytes: 8192, Files: 2, Oldest: now.Add(-time.Minute)}, w.err
		},
		Clock: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
		Ping: func(context.Context) error { return w.err }})
	return func() string {
		r := httptest.NewRecorder()
		h.ServeHTTP(r, httptest.NewRequest("GET", "/metrics", nil))
		body, err := io.ReadAll(r.Body)
		testkit.Must(t, err)
		if r.Code != 200 {
			t.Fatalf("%d %s", r.Code, body)
		}
		return string(body)
	}
}

func TestNumbers(t *testing.T) {
	w := &world{figures: overview.Figures{At: now, Free: 5e9, Floor: 1e9,
		Unclaimed: overview.Pile{Count: 2, Oldest: now.Add(-time.Hour)},
		Needs: []model.Need{{Topic: "bans", Urgency: model.UrgencyNow, Count: 2}, {Topic: "bans", Urgency: model.UrgencyNow},
			{Topic: "disk", Urgency: model.UrgencyToday}}}}
	scrape := w.scrape(t)
	text := scrape()
	for _, want := range []string{"sallyport_sessions 3", "sallyport_transferred_bytes_total 1.099511627776e+12",
		`sallyport_connections_total{outcome="ok"} 7`, `sallyport_connections_total{outcome="unknown_key"} 2`,
		"sallyport_unclaimed_files 2", "sallyport_unclaimed_oldest_seconds 3600", "sallyport_uncollected_oldest_seconds 0",
		`sallyport_needs{topic="bans",urgency="now"} 3`, `sallyport_needs{topic="disk",urgency="today"} 1`,
		"sallyport_removal_due_timestamp_seconds 0", "sallyport_messages_waiting 4", "sallyport_audit_sealed_rows 5",
		"sallyport_database_bytes 8192", "sallyport_inline_files 2", "sallyport_inline_oldest_seconds 60"} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	testkit.Must(t, err)
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, metrics.Prefix) {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	if scrape(); w.reads != 1 {
		t.Errorf("the database was asked %d times", w.reads)
	}
}

// What the database does not say is left out: a 0 would say that all is well.
func TestADatabaseThatDoesNotAnswer(t *testing.T) {
	w := &world{err: errors.New("gone")}
	text := w.scrape(t)()
	if !strings.Contains(text, "\nsallyport_sessions 3\n") {
		t.Error("what needs no database is missing")
	}
	for _, m := range metrics.Table {
		served := strings.Contains(text, "\n"+metrics.Prefix+m.Name)
		alone := m.Name == "info" || m.Name == "sessions" || m.Counter
		if served != alone {
			t.Errorf("%s is served: %v", m.Name, served)
		}
	}
}

// table is that of the documentation.
func table() string {
	var b strings.Builder
	b.WriteString("| Metric | Of | What it is |\n|---|---|---|\n")
	for _, m := range metrics.Table {
		name, of := metrics.Prefix+m.Name, "deployment"
		if len(m.Labels) > 0 {
			name += "{" + strings.Join(m.Labels, ",") + "}"
		}
		if m.Node {
			of = "node"
		}
		if m.Counter {
			of += ", counter"
		}
		b.WriteString("| `" + name + "` | " + of + " | " + m.Help + " |\n")
	}
	return b.String()
}

func TestDocumentedTable(t *testing.T) {
	const file, begin, end = "../../docs/operate/monitoring.md",
		"<!-- made by go test ./internal/metrics -update -->\n", "<!-- end -->"
	text := string(testkit.MustRead(t, file))
	before, rest, ok := strings.Cut(text, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("the page has no place for the table")
	}
	if want := before + begin + table() + end + after; want != text {
		if !*update {
			t.Fatal("the table is old: go test ./internal/metrics -update")
		}
		testkit.Must(t, os.WriteFile(file, []byte(want), 0o644))
	}
}

// Each of our names that the examples use is in the table.
func TestExamplesUseWhatThereIs(t *testing.T) {
	known := map[string]bool{}
	for _, m := range metrics.Table {
		known[metrics.Prefix+m.Name] = true
	}
	files, err := filepath.Glob("../../examples/*/*")
	testkit.Must(t, err)
	for _, file := range files {
		for _, name := range regexp.MustCompile(`\bsallyport_[a-z_]+`).FindAllString(string(testkit.MustRead(t, file)), -1) {
			if !known[name] {
				t.Errorf("%s: there is no %s", file, name)
			}
		}
	}
	if len(files) < 3 {
		t.Error("examples are missing")
	}
}
