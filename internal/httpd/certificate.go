package httpd

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// lookAgain is how often at most the files of a certificate are looked at.
const lookAgain = time.Second

// Certificate is a certificate in two files, which is read again when they change. It is safe for
// concurrent use.
type Certificate struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	marks   [2]mark // of the files from which pair was read, or tried to
	lookAt  time.Time
	refused bool
}

// mark tells whether a file has changed.
type mark struct {
	at   time.Time
	size int64
}

// ReadCertificate reads a certificate and its key.
func ReadCertificate(cert, key string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key, log: log}
	c.marks = c.look()
	pair, err := tls.LoadX509KeyPair(cert, key)
	c.pair = &pair
	return c, err
}

func (c *Certificate) look() (marks [2]mark) {
	for i, name := range []string{c.cert, c.key} {
		if info, err := os.Stat(name); err == nil {
			marks[i] = mark{info.ModTime(), info.Size()}
		}
	}
	return marks
}

// Get returns the certificate, for tls.Config.GetCertificate. If the files have changed and do not
// fit together, because only one was replaced so far, it is the earlier one.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Before(c.lookAt) {
		return c.pair, nil
	}
	c.lookAt = now.Add(lookAgain)
	marks := c.look()
	if marks == c.marks && !c.refused {
		return c.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		if marks != c.marks {
			c.log.Error("the new certificate cannot be read; the one before stays in use", "file", c.cert, "err", err)
		}
		c.marks, c.refused = marks, true
		return c.pair, nil
	}
	c.marks, c.refused, c.pair = marks, false, &pair
	c.log.Info("the certificate was read again", "file", c.cert, "until", pair.Leaf.NotAfter)
	return c.pair, nil
}
