package sftpd

import "time"

// mostOfOne is what counts of one request: who takes longer waits for something that
// is not the processor.
const mostOfOne = 2 * time.Millisecond

// usedAtOnce is how much use is told at a time.
const usedAtOnce = 200 * time.Microsecond

// meter measures one request. What it takes to write replies does not count: a client
// that reads slowly uses nothing.
type meter struct {
	began time.Time
	wrote int64
}

func (s *Session) begin() (m meter) {
	if s.o.Used != nil {
		m = meter{time.Now(), s.out.wrote.Load()}
	}
	return m
}

// end counts a request, and pauses for as long as the session must.
func (s *Session) end(m meter) {
	if s.o.Used == nil {
		return
	}
	took := time.Since(m.began) - time.Duration(s.out.wrote.Load()-m.wrote)
	if s.used += min(max(took, 0), mostOfOne); s.used < usedAtOnce {
		return
	}
	pause := s.o.Used(s.used)
	s.used = 0
	if pause <= 0 {
		return
	}
	s.out.pause()
	defer s.out.resume()
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ctx.Done():
	}
}
