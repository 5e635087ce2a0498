package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// TestATaskIsDoneAgainAndAgain: a task runs at once or after its interval, then at its interval, and
// sooner when asked. Of consecutive errors only the first is logged. The task ends with its context.
func TestATaskIsDoneAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		began := time.Now()
		done := []time.Duration{}
		outcome := []error{nil, errors.New("one"), errors.New("two"), nil, errors.New("three"), context.Canceled}
		soon := make(chan struct{}, 1)
		ctx, stop := context.WithCancel(t.Context())
		task := exchange.Task{Every: time.Minute, Soon: soon,
			Failure: "it could not be done", Log: slog.New(slog.NewTextHandler(&log, nil)),
			Do: func(context.Context) error {
				done = append(done, time.Since(began))
				switch n := len(done); {
				case n == 2:
					soon <- struct{}{}
				case n == len(outcome):
					stop()
				}
				return outcome[len(done)-1]
			}}
		task.Run(ctx)
		want := []time.Duration{0, time.Minute, time.Minute, 2 * time.Minute, 3 * time.Minute, 4 * time.Minute}
		for i := range want {
			if len(done) != len(want) || done[i] != want[i] {
				t.Fatalf("it was done at %v, want %v", done, want)
			}
		}
		said := log.String()
		if strings.Count(said, "it could not be done") != 2 || !strings.Contains(said, "err=one") ||
			!strings.Contains(said, "err=three") {
			t.Fatalf("the log has\n%s", said)
		}

		later, stopLater := context.WithTimeout(t.Context(), 90*time.Second)
		defer stopLater()
		began, n := time.Now(), 0
		exchange.Task{Every: time.Minute, Later: true, Do: func(context.Context) error {
			n++
			if at := time.Since(began); at != time.Minute {
				t.Errorf("the first time is after %v", at)
			}
			return nil
		}}.Run(later)
		if n != 1 || time.Since(began) != 90*time.Second {
			t.Fatalf("it was done %d times in %v", n, time.Since(began))
		}
	})
}
