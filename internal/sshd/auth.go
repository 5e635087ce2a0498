package sshd

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/sshwire"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// The banner's rules (docs/decisions/0004-banner.md).
const (
	recentFailure = 15 * time.Minute
	// refusalsBefore is how many keys are refused on one connection before the banner is sent. OpenSSH's server ends a
	// connection after six tries, so whoever logs in elsewhere with an agent full of keys has the right one among six.
	refusalsBefore = 6
)

// errRefused is returned to the library for every refusal. The reason is kept in the
// attempt.
var errRefused = errors.New("refused")

// gcmCiphers are the only ciphers offered to a client that supports GCM. OpenSSH prefers
// ChaCha20, for which the library has no fast implementation.
var gcmCiphers = []string{ssh.CipherAES128GCM, ssh.CipherAES256GCM}

// algorithms are offered to other clients. None uses SHA-1.
var algorithms = ssh.Config{
	KeyExchanges: allExchanges,
	Ciphers: []string{ssh.CipherAES128GCM, ssh.CipherAES256GCM, ssh.CipherChaCha20Poly1305,
		ssh.CipherAES128CTR, ssh.CipherAES192CTR, ssh.CipherAES256CTR},
	MACs: []string{ssh.HMACSHA256ETM, ssh.HMACSHA512ETM, ssh.HMACSHA256, ssh.HMACSHA512},
}

// signatures are the accepted signature algorithms of user keys.
var signatures = []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
	ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512}

// Accepted returns the algorithms that are accepted, by kind: kex, cipher, mac, and key for signatures of users' keys.
func Accepted() map[string][]string {
	return map[string][]string{"kex": append(slices.Clone(allExchanges), curveOld),
		"cipher": slices.Clone(algorithms.Ciphers),
		"mac":    slices.Clone(algorithms.MACs), "key": slices.Clone(signatures)}
}

// attempt is the state of one connection until it has logged in.
type attempt struct {
	s       *Server
	ctx     context.Context
	place   *halfOpen // the connection's place at the gate
	rec     Record
	from    netip.Addr
	region  string // of the listener
	hello   sshwire.Hello
	pre     ssh.ServerPreAuthConn
	wire    *sshwire.Conn
	keys    HostKeys
	old     []string // old algorithms that the listener offers
	session *session

	bannered  bool
	refused   int    // keys refused
	failures  int    // failed tries, of any method but none
	reason    string // of the latest refusal; "" after an accepted key
	detail    string // the library's error text for it
	good      bool   // the key offered last may log in
	name      string // the user's name as stored; "" until the user is found
	signature string // algorithm of the user's signature
}

// unknownKept is how many unknown keys of a connection its record keeps.
const unknownKept = 3

// maxSaid is how many bytes of the client's version line are kept.
const maxSaid = 128

// loginKey is the key of the login in the ExtraData of ssh.Permissions.
type loginKey struct{}

// config returns the library's configuration for this connection.
func (a *attempt) config() *ssh.ServerConfig {
	c := &ssh.ServerConfig{
		Config:                    algorithms,
		PublicKeyAuthAlgorithms:   signatures,
		MaxAuthTries:              a.s.limits.Load().KeyOffers,
		ServerVersion:             Version,
		PublicKeyCallback:         a.offered,
		VerifiedPublicKeyCallback: a.verified,
		AuthLogCallback:           a.tried,
		PreAuthConnCallback:       func(p ssh.ServerPreAuthConn) { a.pre = p },
	}
	c.KeyExchanges, _ = offers(a.hello)
	if a.hello.Offers(ssh.CipherAES128GCM) {
		c.Ciphers = gcmCiphers
	}
	rsa := sha2
	if len(a.old) > 0 {
		rsa = a.addOld(c)
	}
	for _, k := range a.keys.Offered {
		c.AddHostKey(hostSigner(k, rsa))
	}
	return c
}

// offered is the PublicKeyCallback: it says whether a key may be used. The client has not
// proved yet that it has the key. The login is in the returned Permissions, which the
// library passes to verified only for the key that signs.
func (a *attempt) offered(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	a.rec.User = conn.User() // a wrong signature ends the connection before tried is called
	fp := ssh.FingerprintSHA256(key)
	if !slices.Contains(a.rec.Offered, fp) {
		a.rec.Offered = append(a.rec.Offered, fp)
	}
	login, reason, err := a.s.o.Authority.Check(a.ctx, conn.User(), fp, a.from)
	if err != nil {
		a.s.o.Log.Error("a log-in could not be checked", "reference", a.rec.Reference, "err", err)
		reason = model.ReasonUnavailable
	}
	a.good = reason == model.ReasonOK
	if login.User.Name != "" {
		a.name = login.User.Name
		a.rec.User = a.name
	}
	if !a.good {
		a.refused++
		a.reason = reason
		// Computed in every case, so that the time does not depend on whether the user exists.
		line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
		if reason == model.ReasonUnknownKey && len(a.rec.Unknown) < unknownKept {
			a.rec.UserID = login.User.ID
			a.rec.Unknown = append(a.rec.Unknown, line)
		}
		return nil, errRefused
	}
	a.reason = ""
	return &ssh.Permissions{ExtraData: map[any]any{loginKey{}: login}}, nil
}

// verified is the VerifiedPublicKeyCallback: the client has signed with this key. Identity
// is established here and nowhere earlier. It registers the session.
func (a *attempt) verified(conn ssh.ConnMetadata, _ ssh.PublicKey, p *ssh.Permissions,
	algorithm string) (*ssh.Permissions, error) {
	a.signature = algorithm
	login := p.ExtraData[loginKey{}].(exchange.Login)
	login.Address, login.Client, login.Session = a.from.String(), valid.Excerpt(string(conn.ClientVersion()), maxSaid),
		a.s.o.IDs.New()
	if !login.Probe {
		if err := a.pace(login.User); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancelCause(a.s.ctx)
	sess := &session{login: login, since: a.s.o.Clock(), wire: a.wire, cancel: cancel, writes: map[*stream]time.Time{}}
	sess.active()
	if !a.s.live.add(sess) {
		cancel(nil)
		a.reason = model.ReasonTooMany
		return nil, errRefused
	}
	// The session is registered, so a revocation from now on finds it. Confirm detects
	// one that came between Check and here.
	good, err := a.s.o.Authority.Confirm(a.ctx, login)
	if err != nil || !good {
		a.s.live.remove(sess)
		cancel(nil)
		a.reason = model.ReasonKeyRevoked
		if err != nil {
			a.reason = model.ReasonUnavailable
		}
		return nil, errRefused
	}
	a.session = sess
	a.greet(login.User.Account)
	if used := a.s.o.Used; used != nil {
		a.wire.Meter(func(took time.Duration) time.Duration { return used(login.User.ID, took) })
	}
	a.ctx = ctx
	return p, nil
}

// longestPace bounds the wait for one log-in.
const longestPace = 20 * time.Second

// pace delays a user that logs in more often than Limits.Logins, because each log-in
// leaves a record. It fails if the connection is evicted meanwhile.
func (a *attempt) pace(u model.User) error {
	s := a.s
	if s.limits.Load().Logins <= 0 {
		return nil
	}
	wait, tell := s.logins.Wait(u.ID, s.limits.Load().Logins, longestPace, time.Now())
	if tell {
		s.o.Log.Warn("a user logs in more often than limits.logins_per_hour, and is slowed down", "user", u.Name)
	}
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-a.place.ctx.Done():
		return errRefused
	}
}

// tried is the AuthLogCallback: it records each method that the client tried, and calls
// say after a failure. It treats known and unknown users alike.
func (a *attempt) tried(conn ssh.ConnMetadata, method string, err error) {
	a.rec.User = cmp.Or(a.name, conn.User())
	if len(a.rec.Methods) < 2*a.s.limits.Load().KeyOffers {
		a.rec.Methods = append(a.rec.Methods, known(method))
	}
	if err == nil {
		return
	}
	if method != "none" {
		a.failures++
	}
	a.say(method, err)
}

// known returns a method's name for the record; "other" for an unknown one, because the
// client chooses the text and its length.
func known(method string) string {
	switch method {
	case "none", "publickey", "password", "keyboard-interactive", "hostbased", "gssapi-with-mic":
		return method
	}
	return "other"
}

// say notes the reason of a failed try, and sends the banner, at most once, if it may help.
func (a *attempt) say(method string, err error) {
	if method == "publickey" && !errors.Is(err, errRefused) {
		// The library refused the key: SHA-1, a certificate, or a key type that is not accepted.
		a.reason, a.detail = model.ReasonWeakAlgorithm, strings.TrimPrefix(err.Error(), "ssh: ")
		a.refused++
	}
	if method == "password" || method == "keyboard-interactive" {
		a.reason = model.ReasonPassword
	}
	if a.bannered {
		return
	}
	say := false
	switch method {
	case "none":
		ok, failed := a.s.o.Authority.History(a.from)
		say = failed.After(ok) && a.s.o.Clock().Sub(failed) < recentFailure
	case "password", "keyboard-interactive":
		say = true
	case "publickey":
		say = a.refused >= refusalsBefore
	}
	if say && method != "password" && method != "keyboard-interactive" {
		say = !a.s.o.Authority.LogsInWell(a.rec.User, a.from)
	}
	if say && a.pre != nil {
		a.bannered = true
		_ = a.pre.SendAuthBanner(a.s.o.Banner(a.region, a.rec.Reference)) // fails only if the client is gone
	}
}

// secondRequest is a part of the SSH library's error when a client requests the log-in
// service again, as paramiko does with each key. OpenSSH grants this; the library ends the
// connection (docs/decisions/0019-second-request.md).
const secondRequest = "unexpected message type 5 "

// outcome returns why the attempt failed, as a model.Reason, and a detail, which may be "".
func (a *attempt) outcome(err error) (reason, detail string) {
	var noCommon *ssh.AlgorithmNegotiationError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), a.s.o.Clock().Sub(a.rec.At) >= a.s.limits.Load().Login:
		return model.ReasonTimeout, ""
	case errors.As(err, &noCommon):
		return model.ReasonNoAlgorithm, "it offered " + strings.Join(noCommon.RequestedAlgorithms, ", ")
	case a.failures >= a.s.limits.Load().KeyOffers:
		return model.ReasonTooManyTries, ""
	case strings.Contains(err.Error(), secondRequest):
		return model.ReasonSecondRequest, ""
	case a.reason != "":
		return a.reason, a.detail
	case a.good && strings.Contains(err.Error(), "verif"):
		a.rec.Methods = append(a.rec.Methods, "publickey")
		return model.ReasonBadSignature, ""
	case a.good:
		return model.ReasonNotSigned, ""
	case len(a.rec.Methods) > 0:
		return model.ReasonNoKeyOffered, ""
	case errors.Is(err, errNotSSH):
		return model.ReasonProtocol, "it began with " + strconv.Quote(a.rec.Client)
	case a.hello.Silent:
		return model.ReasonSilent, ""
	}
	return model.ReasonProtocol, ""
}
