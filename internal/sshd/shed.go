package sshd

import "github.com/sallyport-sftp/sallyport/model"

// shed ends the session that has most waiting while all of them together have too
// much: the memory of what arrives is the library's, and nothing else takes it back.
func (s *Server) shed() {
	limit := s.o.Limits.Backlog
	if limit <= 0 || s.backlog.Load() <= limit || !s.shedding.TryLock() {
		return
	}
	defer s.shedding.Unlock()
	var heaviest *session
	var most, sum int64
	for _, sess := range s.live.all() {
		n := sess.wire.Backlog()
		if sess.shed.Load() {
			continue // its part goes when it has ended
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
