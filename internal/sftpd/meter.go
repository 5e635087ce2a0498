package sftpd

import (
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// mostOfOne is the most time that counts for one request: a longer one mostly waits for
// something other than the processor.
const mostOfOne = 2 * time.Millisecond

// usedAtOnce is how much time accumulates before it is reported to Options.Used.
const usedAtOnce = 200 * time.Microsecond

// meter measures one request. Time spent writing replies or waiting for bandwidth does not
// count: that uses no processor.
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

// take waits until n bytes of a file may be moved. Replies are sent before that.
func (s *Session) take(n int) error {
	if s.o.Bandwidth == nil {
		return nil
	}
	var began time.Time
	err := s.o.Bandwidth.Take(s.ctx, n, func() {
		s.out.pause()
		began = time.Now()
	})
	if !began.IsZero() {
		s.out.resume()
		s.out.wrote.Add(int64(time.Since(began)))
	}
	if err != nil {
		return fault.E("sftpd.take", fault.Conflict, "The session ends.")
	}
	return nil
}

// giveBack returns what was taken and not moved.
func (s *Session) giveBack(n int) {
	if s.o.Bandwidth != nil {
		s.o.Bandwidth.Back(n)
	}
}

// end counts a request's time, and pauses for as long as Options.Used says.
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
