package node

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/notify"
	"github.com/sallyport-sftp/sallyport/internal/offline"
	"github.com/sallyport-sftp/sallyport/model"
)

// inForce returns the configuration that is in force. Nobody changes it; a reload replaces it.
func (n *Node) inForce() *config.Config { return n.config.Load() }

// Drain returns how long running transfers may go on when the server stops.
func (n *Node) Drain() time.Duration { return time.Duration(n.inForce().Drain) }

// branding returns what partners see of the operator.
func (n *Node) branding() exchange.Operator { return *n.operator.Load() }

// allowedAt returns a function that says which networks may connect to a region's own listeners.
func (n *Node) allowedAt(region string) func() []netip.Prefix {
	return func() []netip.Prefix {
		e, _ := n.inForce().EndpointOf(region)
		return config.Networks(e.AllowIPs)
	}
}

// Reload reads the configuration again for somebody, and puts in force what needs no restart. A
// configuration with a
// mistake changes nothing: the error has all of its mistakes. No session ends.
func (n *Node) Reload(ctx context.Context, who string) (model.Reloaded, error) {
	const op = "node.Reload"
	if n.o.Read == nil {
		return model.Reloaded{}, fault.E(op, fault.Unsupported,
			"This server has no configuration that could be read again.")
	}
	n.reloading.Lock()
	defer n.reloading.Unlock()
	fresh, err := n.o.Read()
	if err != nil {
		n.log.Error("the configuration was not read again: it has mistakes, and the old one stays", "actor",
			who, "err", err)
		var all config.Mistakes
		if errors.As(err, &all) {
			words := strings.TrimSuffix(strings.ReplaceAll(all.Error(), "\n", " "), ".")
			return model.Reloaded{}, fault.E(op, fault.Invalid, "The old configuration stays. %s.", words)
		}
		return model.Reloaded{}, err
	}
	was := *n.inForce()
	is := was.Reloaded(fresh)
	if err := n.putInForce(&is); err != nil {
		n.log.Error("the configuration was not read again: it cannot be used, and the old one stays",
			"actor", who, "err", err)
		return model.Reloaded{}, err
	}
	out := model.Reloaded{Changed: slices.Concat([]string{}, config.Changes(was, is)),
		Restart: slices.Concat([]string{}, config.Changes(is, fresh))}
	n.log.Info("the configuration was read again", "actor", who, "changed", out.Changed, "restart", out.Restart)
	if err := n.audits.Reloaded(ctx, who, n.name, is.Redacted(), config.Difference); err != nil {
		return out, fault.Wrap(op, fault.Unavailable, err)
	}
	return out, nil
}

// putInForce puts a configuration in force. It makes everything that can fail before it changes anything.
func (n *Node) putInForce(c *config.Config) error {
	accounts, err := accountPolicy(c)
	if err != nil {
		return err
	}
	words, err := offline.Words(c, n.log)
	if err != nil {
		return err
	}
	shown, err := c.Operator.Read()
	if err != nil {
		return err
	}
	n.config.Store(c)
	n.words.Store(words)
	n.operator.Store(&shown)
	n.accounts.Replace(accounts)
	n.records.Replace(recordPolicy(c, accounts.EndpointIPs))
	n.tree.Replace(treePolicy(c))
	n.blobs.Replace(smallPolicy(c))
	n.feeds.Replace(feedBounds(c))
	n.retain.Replace(retentionPolicy(c))
	n.requests.Replace(onboardPolicy(c))
	n.operators.Replace(operatorPolicy(c))
	n.bandwidth.Set(rates(c.Limits))
	n.ssh.Replace(sshLimits(c.Limits, n.memory), config.Networks(c.Access.Proxies))
	if n.web != nil {
		n.pagesOn.put(n.webHandler(n.proxies)) // they show who the operator is, and how to reach support
	}
	if n.o.Reloaded != nil {
		n.o.Reloaded(*c)
	}
	return nil
}

// swapped is a handler that may be replaced while it serves.
type swapped struct{ now atomic.Pointer[http.Handler] }

func (s *swapped) put(h http.Handler) { s.now.Store(&h) }

// ServeHTTP serves a request with the handler of now.
func (s *swapped) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*s.now.Load()).ServeHTTP(w, r) }

// liveWords implements notify.Writer with the words in force.
type liveWords struct{ n *Node }

func (l liveWords) Write(letter notify.Letter) (notify.Written, error) {
	return l.n.words.Load().Write(letter)
}

func (l liveWords) Preview(html string) string { return l.n.words.Load().Preview(html) }

func (l liveWords) Banner(help, reference string) string {
	return l.n.words.Load().Banner(help, reference)
}

func (l liveWords) Banned(help, reference string, until time.Time) string {
	return l.n.words.Load().Banned(help, reference, until)
}

func (l liveWords) Languages() []string { return l.n.words.Load().Languages() }
