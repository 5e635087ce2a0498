package sshd

import (
	"crypto/rand"

	"github.com/sallyport-sftp/sallyport/model"
)

// probeVersion begins the version line of our own probes.
const probeVersion = "SSH-2.0-SallyportProbe_"

// Probe returns a client's version line, with a secret, for a test of our own. Connections with it leave no record and
// count as no failure. done ends that.
func (s *Server) Probe() (version string, done func()) {
	version = probeVersion + rand.Text()
	s.probes.Store(version, true)
	return version, func() { s.probes.Delete(version) }
}

// ours reports whether a connection is a test of our own, or a health check of a trusted proxy: one that the proxy made
// for nobody else (a LOCAL or UNKNOWN PROXY header), and that did not try to log in.
func (s *Server) ours(a *attempt) bool {
	return a.probe || len(a.rec.Methods) == 0 && a.rec.Outcome != model.ReasonBanned && s.trusted(a.from)
}
