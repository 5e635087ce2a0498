package inbox

import "time"

// rests remembers what failed lately and is not tried again for a while. It
// belongs to the goroutine of Keep; a restart tries everything anew.
type rests map[string]rest

type rest struct {
	until time.Time
	pause time.Duration
}

func (r rests) resting(id string, now time.Time) bool { return now.Before(r[id].until) }

// rest lets something rest, twice as long as the last time.
func (r rests) rest(id string, now time.Time) {
	pause := min(max(2*r[id].pause, firstRest), lastRest)
	r[id] = rest{now.Add(pause), pause}
}

func (r rests) over(id string) { delete(r, id) }

// forget drops what was not tried again for long after its rest: somebody else
// did it.
func (r rests) forget(now time.Time) {
	for id, v := range r {
		if now.Sub(v.until) > lastRest {
			delete(r, id)
		}
	}
}
