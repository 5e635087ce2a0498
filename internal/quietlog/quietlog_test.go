package quietlog

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lines is a log that can be written and read concurrently.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.buf.String()), "\n")
}

// TestWhatRepeatsIsSaidAndThenCounted: of a flood of one message, a few lines are logged, and then
// the count. Other lines are not lost.
func TestWhatRepeatsIsSaidAndThenCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lines
		log := slog.New(New(slog.NewTextHandler(&out, nil)))
		for i := range 30_000 {
			log.Info("log-in refused", "reference", fmt.Sprint(i), "address", "203.0.113.9", "reason", "banned")
		}
		log.Info("log-in refused", "reference", "other", "address", "203.0.113.10", "reason", "unknown_key")
		for range 1000 {
			log.With("session", "S").Error("the database is away", "err", "no answer")
		}
		for i := range 150 {
			log.Info("logged in", "user", fmt.Sprint(i))
		}
		got := out.all()
		if n := len(got); n != 5+1+5+150 {
			t.Fatalf("%d lines:\n%s", n, strings.Join(got[:20], "\n"))
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		text := strings.Join(out.all()[len(got):], "\n")
		for _, want := range []string{"repeated=29995", "reference=29999", "repeated=995", "session=S"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in\n%s", want, text)
			}
		}
		log.Info("log-in refused", "reference", "again", "address", "203.0.113.9", "reason", "banned")
		if last := out.all()[len(out.all())-1]; !strings.Contains(last, "reference=again") {
			t.Errorf("a new time begins with %s", last)
		}
	})
}

// TestAFloodOfManyAddressesIsBounded: a different address in each line does not evade the limits.
func TestAFloodOfManyAddressesIsBounded(t *testing.T) {
	var out lines
	log := slog.New(New(slog.NewTextHandler(&out, nil)))
	for i := range 50_000 {
		log.Info("log-in refused", "address", fmt.Sprintf("2001:db8::%x", i), "reason", "said_nothing")
	}
	if n := len(out.all()); n > maxAll+1 {
		t.Errorf("%d lines", n)
	}
}
