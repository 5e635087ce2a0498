package sshd

import (
	"slices"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/model"
)

// addOld adds the listener's old algorithms to what is offered, and returns those with which RSA host keys sign. A
// client chooses among what both sides have in its own order. So an old key exchange is offered only to a client
// that has none of ours; SHA-1 for a MAC or a signature, and CBC, come after everything else.
func (a *attempt) addOld(c *ssh.ServerConfig) (rsa []string) {
	exchanges := a.chosen(model.OldGroup14, model.OldExchange, model.OldGroup1)
	if !slices.ContainsFunc(a.hello.KeyExchanges,
		func(k string) bool { return k == curveOld || slices.Contains(allExchanges, k) }) {
		c.KeyExchanges = slices.Concat(c.KeyExchanges, exchanges)
	}
	c.Ciphers = slices.Concat(c.Ciphers, a.chosen(model.OldAESCBC, model.OldDESCBC))
	c.MACs = slices.Concat(c.MACs, a.chosen(model.OldMAC, model.OldMAC96))
	old := a.chosen(model.OldRSA)
	c.PublicKeyAuthAlgorithms = slices.Concat(c.PublicKeyAuthAlgorithms, old)
	return slices.Concat(sha2, old)
}

// chosen returns those of some algorithms that the listener offers.
func (a *attempt) chosen(names ...string) (out []string) {
	for _, n := range names {
		if slices.Contains(a.old, n) {
			out = append(out, n)
		}
	}
	return out
}

// used returns the old algorithms among those that were agreed on.
func (a *attempt) used(n ssh.NegotiatedAlgorithms) []string {
	old := []string{}
	for _, name := range []string{n.KeyExchange, n.HostKey, n.Read.Cipher, n.Write.Cipher, n.Read.MAC, n.Write.MAC,
		a.signature} {
		if slices.Contains(model.OldAlgorithms, name) && !slices.Contains(old, name) {
			old = append(old, name)
		}
	}
	return old
}
