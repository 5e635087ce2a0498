//go:build unix

package fair

import (
	"math"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"syscall"
	"time"
)

// The processor is short if this process uses most of it, or if goroutines that could run have to wait
// for it. They also wait when other processes use it.
const (
	busyPart  = 0.8                    // of the processors this process may use
	waitsFor  = 100 * time.Microsecond // average wait of a goroutine; 5 to 20 µs on an idle machine
	looksEach = 50 * time.Millisecond
	holds     = time.Second // it counts as short for this long, so that measures against it last
)

const latencies = "/sched/latencies:seconds"

// Processor tells whether the processor is short.
type Processor struct {
	mu     sync.Mutex
	looked time.Time
	until  time.Time // until then it counts as short
	used   time.Duration
	waited metrics.Float64Histogram // counts at the last look
	sample [1]metrics.Sample
}

// Short reports whether the processor is short, or was during the last second. It looks when it is
// called, at most once per looksEach.
func (p *Processor) Short(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if passed := now.Sub(p.looked); passed >= looksEach {
		if p.look(passed) {
			p.until = now.Add(holds)
		}
		p.looked = now
	}
	return now.Before(p.until)
}

// look reports whether the processor was short since the last look, which was passed ago.
func (p *Processor) look(passed time.Duration) bool {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return false
	}
	used := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	part := float64(used-p.used) / float64(passed) / float64(runtime.GOMAXPROCS(0))
	p.used = used
	p.sample[0].Name = latencies
	metrics.Read(p.sample[:])
	if p.sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return part > busyPart
	}
	h := p.sample[0].Value.Float64Histogram()
	wait := meanSince(p.waited.Counts, h)
	p.waited.Counts = slices.Clone(h.Counts)
	return part > busyPart || wait > waitsFor
}

// meanSince returns the mean of what a histogram of seconds gained since its counts were before.
func meanSince(before []uint64, h *metrics.Float64Histogram) time.Duration {
	if len(before) != len(h.Counts) {
		return 0 // the first look
	}
	var n, sum float64
	for i, count := range h.Counts {
		seconds := h.Buckets[i+1]
		if math.IsInf(seconds, 0) {
			seconds = h.Buckets[i]
		}
		n += float64(count - before[i])
		sum += float64(count-before[i]) * seconds
	}
	if n == 0 {
		return 0
	}
	return time.Duration(sum / n * float64(time.Second))
}
