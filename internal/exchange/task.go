package exchange

import (
	"context"
	"log/slog"
	"time"
)

// Task is periodic work, such as expiring links.
type Task struct {
	Every   time.Duration
	Later   bool            // the first run is after Every, not at once
	Soon    <-chan struct{} // a value received from it starts a run at once; may be nil
	Do      func(ctx context.Context) error
	Failure string       // the log message for an error: "links could not be expired"
	Log     *slog.Logger // may be nil if Do never fails
}

// Run runs the task until ctx ends, and returns when the last run has finished. Of consecutive errors
// only the first is logged, and none after ctx has ended.
func (t Task) Run(ctx context.Context) {
	tick := time.NewTicker(t.Every)
	defer tick.Stop()
	failing, wait := false, t.Later
	for {
		if !wait {
			err := t.Do(ctx)
			if err != nil && !failing && ctx.Err() == nil {
				t.Log.Error(t.Failure, "err", err)
			}
			failing = err != nil
		}
		wait = false
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-t.Soon:
		}
	}
}
