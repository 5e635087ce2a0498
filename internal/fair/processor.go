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

// When the processor is short: this process uses most of it, or what could run waits
// for it, as it does when other processes use it.
const (
	busyPart  = 0.8                    // of the processors this process may use
	waitsFor  = 100 * time.Microsecond // on average; on an idle machine it is 5 to 20
	looksEach = 50 * time.Millisecond
	holds     = time.Second // so that what relieves it does not end at once
)

const latencies = "/sched/latencies:seconds"

// Processor tells whether the processor is short.
type Processor struct {
	mu     sync.Mutex
	looked time.Time
	until  time.Time // it counts as short
	used   time.Duration
	waited metrics.Float64Histogram // counts of the last look
	sample [1]metrics.Sample
}

// Short reports whether it is, or was just now. It looks when it is asked, twenty times
// a second at most.
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

// look compares with the last look, which was so long ago.
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

// meanSince is the mean of what a histogram of seconds gained over its counts before.
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
