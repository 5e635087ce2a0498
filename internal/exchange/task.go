package exchange

import (
	"context"
	"log/slog"
	"time"
)

// Task is something that is done again and again, such as expiring links.
type Task struct {
	Every   time.Duration
	Later   bool            // not at once: the first time after Every
	Soon    <-chan struct{} // a value in it does the task before its time; nil: none comes
	Do      func(ctx context.Context) error
	Failure string       // what the log says of an error: "links could not be expired"
	Log     *slog.Logger // nil for a task that does not fail
}

// Run does the task until ctx ends, and returns when it is not under way any more. Of
// errors in a row the first is logged; none is once ctx has ended.
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
