package hostile

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Pace is how an honest partner got on.
type Pace struct {
	Rate        float64 // files a second
	Median, P95 time.Duration
	WorstLogin  time.Duration
}

func (p Pace) String() string {
	ms := time.Millisecond
	return fmt.Sprintf("%.0f files a second, median %v, 95%% within %v, slowest log-in %v", p.Rate, p.Median.Round(ms),
		p.P95.Round(ms), p.WorstLogin.Round(ms))
}

// Honest uploads files of 4 KiB one after another for a while, and logs in again and
// again beside that.
func Honest(s Server, lasts time.Duration) (out Pace, err error) {
	end := time.Now().Add(lasts)
	var logins sync.WaitGroup
	var loginErr error
	logins.Go(func() {
		for time.Now().Before(end) {
			began := time.Now()
			p, err := s.join()
			if err != nil {
				loginErr = fmt.Errorf("an honest log-in: %w", err)
				return
			}
			p.close()
			out.WorstLogin = max(out.WorstLogin, time.Since(began))
			time.Sleep(200 * time.Millisecond)
		}
	})
	took, err := uploads(s, end)
	logins.Wait()
	if err := errors.Join(err, loginErr); err != nil {
		return out, err
	}
	slices.Sort(took)
	out.Rate = float64(len(took)) / lasts.Seconds()
	out.Median, out.P95 = took[len(took)/2], took[len(took)*95/100]
	return out, nil
}

func uploads(s Server, end time.Time) (took []time.Duration, err error) {
	p, err := s.join()
	if err != nil {
		return nil, fmt.Errorf("an honest session: %w", err)
	}
	defer p.close()
	content := make([]byte, 4096)
	for i := 0; time.Now().Before(end) || i == 0; i++ {
		began := time.Now()
		if err := p.put([]string{"/upload/a.csv", "/upload/b.csv", "/upload/c.csv"}[i%3], content); err != nil {
			return nil, fmt.Errorf("an honest upload: %w", err)
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}
