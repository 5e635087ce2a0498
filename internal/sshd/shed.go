package sshd

import "github.com/sallyport-sftp/sallyport/model"

// shed ends the session with the largest backlog if all backlogs together exceed
// Limits.Backlog. The library holds received data in memory until it is read, and only
// the end of the connection frees it.
func (s *Server) shed() {
	limit := s.limits.Load().Backlog
	if limit <= 0 || s.backlog.Load() <= limit || !s.shedding.TryLock() {
		return
	}
	defer s.shedding.Unlock()
	var heaviest *session
	var most, sum int64
	for _, sess := range s.live.all() {
		n := sess.wire.Backlog()
		if sess.shed.Load() {
			continue // it is ending, which frees its part
		}
		if sum += n; n > most {
			heaviest, most = sess, n
		}
	}
	if heaviest == nil || sum <= limit {
		return
	}
	heaviest.shed.Store(true)
	heaviest.refused(model.ReasonServerOverload, "")
	s.o.Log.Warn(
		"a session was ended: the server's memory for what clients send is full, and this one had most of it waiting",
		"user", heaviest.login.User.Name, "session", heaviest.login.Session, "bytes", most)
	heaviest.cancel(ErrCut)
	_ = heaviest.wire.Close()
}
