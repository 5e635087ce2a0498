// Package webhook posts events to receivers as the Standard Webhooks specification says: with a
// signature, a timestamp and an id that is the same for all tries.
//
// It never follows a redirect. It checks the resolved address at the moment of connecting, so
// that no receiver's name can make the server call itself or its neighbours.
package webhook

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/telemetry"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	timeout   = 20 * time.Second
	maxAnswer = 2 << 10 // bytes of an answer that are read
)

// Policy is what the operator allows beyond HTTPS to the open internet.
type Policy struct {
	Allow     []netip.Prefix // private networks in which receivers are allowed
	AllowHTTP bool           // allows receivers without TLS
}

// Sender posts to receivers. It is safe for concurrent use.
type Sender struct {
	policy Policy
	http   *http.Client
	clock  exchange.Clock
}

// New returns a sender.
func New(p Policy, clock exchange.Clock) *Sender {
	s := &Sender{policy: p, clock: clock}
	dial := &net.Dialer{Timeout: 10 * time.Second, Control: s.guard}
	s.http = &http.Client{Timeout: timeout,
		Transport: &http.Transport{DialContext: dial.DialContext, TLSHandshakeTimeout: 10 * time.Second,
			MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: timeout,
			MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2:      true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s
}

// Close closes idle connections.
func (s *Sender) Close() { s.http.CloseIdleConnections() }

// Reachable reports whether a receiver may be at an address.
func (p *Policy) Reachable(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, n := range p.Allow {
		if n.Contains(a) {
			return true
		}
	}
	return valid.IsPublic(a)
}

// guard checks an address before the connection is made.
func (s *Sender) guard(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !s.policy.Reachable(a.Addr()) {
		return fault.E("webhook.guard", fault.Denied, "The receiver's name leads to %s, which is not on the open internet.",
			a.Addr()).
			WithHint("allow its network with webhooks.allow in the configuration")
	}
	return nil
}

// CheckURL returns Invalid or Denied for a URL that cannot be a receiver.
func (p *Policy) CheckURL(s string) error {
	const op = "webhook.CheckURL"
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || len(s) > 2000 ||
		valid.Printable(s) != s {
		return fault.E(op, fault.Invalid, "%q is not a receiver's address.", valid.Printable(s)).
			WithHint("such as https://billing.example.com/hooks/files")
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && p.AllowHTTP) {
		return fault.E(op, fault.Invalid, "A receiver's address begins with https://.").
			WithHint("webhooks.allow_http permits http within a network of your own")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return fault.E(op, fault.Invalid, "%q is not a port.", port)
		}
	}
	if a, err := netip.ParseAddr(strings.Trim(u.Hostname(), "[]")); err == nil && !p.Reachable(a) {
		return fault.E(op, fault.Denied, "%s is not on the open internet.", a).
			WithHint("allow its network with webhooks.allow in the configuration")
	}
	return nil
}

// CheckURL returns Invalid or Denied for a URL that cannot be a receiver.
func (s *Sender) CheckURL(u string) error { return s.policy.CheckURL(u) }

// Post sends one message. Every answer except 2xx is an error. 410 Gone is NotFound: the
// receiver wants no more messages.
func (s *Sender) Post(ctx context.Context, w model.Webhook, m model.Message) (err error) {
	const op = "webhook.Post"
	ctx, end := telemetry.Call(ctx, "post webhook", telemetry.Target.String(w.Name), telemetry.Kind.String(m.Kind),
		telemetry.Message.String(m.ID))
	defer func() { end(err) }()
	now := s.clock()
	signatures := make([]string, 0, 2)
	for _, secret := range []string{w.Secret, w.OldSecret} {
		if secret == "" {
			continue
		}
		signer, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return fault.Wrap(op, fault.Internal, err)
		}
		signature, err := signer.Sign(m.EventID, now, []byte(m.Body))
		if err != nil {
			return fault.Wrap(op, fault.Internal, err)
		}
		signatures = append(signatures, signature)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, strings.NewReader(m.Body))
	if err != nil {
		return fault.Wrap(op, fault.Invalid, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Sallyport")
	req.Header.Set(standardwebhooks.HeaderWebhookID, m.EventID)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	telemetry.Into(ctx, req.Header)
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	resp, err := s.http.Do(req)
	if err != nil {
		text := fault.PublicText(err)
		if fault.KindIn(err) == fault.Internal { // an error of the network
			text = fmt.Sprintf("The receiver could not be reached: %v.", err)
		}
		return &fault.Error{Op: op, Kind: fault.Unavailable, Public: valid.Printable(text), Err: err}
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return judge(resp.StatusCode, string(answer))
}

func judge(status int, answer string) error {
	const op = "webhook.Post"
	if answer = valid.Printable(strings.TrimSpace(answer)); len(answer) > 200 {
		answer = strings.ToValidUTF8(answer[:200], "") + "…"
	}
	switch {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusGone:
		return fault.E(op, fault.NotFound, "The receiver answered 410: it wants no more.")
	case status >= 300 && status < 400:
		return fault.E(op, fault.Unavailable, "The receiver answered %d, a redirect, which is never followed.", status)
	}
	return fault.E(op, fault.Unavailable, "The receiver answered %d: %s", status, answer)
}
