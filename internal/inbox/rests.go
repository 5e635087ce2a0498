package inbox

import "time"

// rests remembers what failed recently and when it may be tried again. Only the goroutine of
// Keep uses it. It is lost on a restart.
type rests map[string]rest

type rest struct {
	until time.Time
	pause time.Duration
}

func (r rests) resting(id string, now time.Time) bool { return now.Before(r[id].until) }

// rest starts a pause for id, twice as long as its last one, within firstRest and lastRest.
func (r rests) rest(id string, now time.Time) {
	pause := min(max(2*r[id].pause, firstRest), lastRest)
	r[id] = rest{now.Add(pause), pause}
}

func (r rests) over(id string) { delete(r, id) }

// forget deletes entries that were not tried again long after their pause, because another node
// did the work.
func (r rests) forget(now time.Time) {
	for id, v := range r {
		if now.Sub(v.until) > lastRest {
			delete(r, id)
		}
	}
}
