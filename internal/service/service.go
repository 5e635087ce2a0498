// Package service talks to the service manager (systemd) that started this process: the sockets that
// it opened for us,
// how the service is doing, and its watchdog. Started by anything else, it does nothing.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Manager tells the service manager how the service is doing. The zero Manager can be used.
type Manager struct {
	Log *slog.Logger
}

// tell sends lines to the service manager, if there is one.
func (m Manager) tell(lines ...string) {
	if _, err := daemon.SdNotify(false, strings.Join(lines, "\n")); err != nil && m.Log != nil {
		m.Log.Warn("the service manager could not be told how the service is doing", "err", err)
	}
}

// Ready says that the service does its work. words are shown to whoever asks for its status.
func (m Manager) Ready(words string) { m.tell(daemon.SdNotifyReady, "STATUS="+words) }

// Reloading says that the configuration is being read again. Ready must follow. The time is that of the request, by
// which the manager knows which of several requests is answered.
func (m Manager) Reloading() {
	m.tell(daemon.SdNotifyReloading, daemon.SdNotifyMonotonicUsec(), "STATUS=The configuration is read again.")
}

// Stopping says that the service ends, and takes at most that long.
func (m Manager) Stopping(within time.Duration) {
	more := within + time.Minute // what follows the transfers: answers in progress, the database
	m.tell(daemon.SdNotifyStopping, fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", more.Microseconds()),
		"STATUS=Running transfers are finished.")
}

// Watch feeds the manager's watchdog, if it has one, until ctx ends: twice in its period, as long as
// alive succeeds. A
// service whose database or disk does not answer for the whole period is started anew.
func (m Manager) Watch(ctx context.Context, alive func(context.Context) error) error {
	period, err := daemon.SdWatchdogEnabled(false)
	if err != nil || period == 0 {
		return err
	}
	var checks sync.WaitGroup
	defer checks.Wait()
	tick := time.NewTicker(period / 2)
	defer tick.Stop()
	for {
		result := make(chan error, 1)
		checks.Go(func() { result <- alive(ctx) })
		select {
		case <-ctx.Done():
			return nil
		case err := <-result:
			if err == nil {
				m.tell(daemon.SdNotifyWatchdog)
			} else if ctx.Err() == nil && m.Log != nil {
				m.Log.Error("the watchdog is not fed: the server cannot do its work", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Socket is a listening socket that the service manager opened.
type Socket struct {
	Name string // FileDescriptorName of the unit
	net.Listener
}

// Sockets are those that no part of the server has taken yet.
type Sockets struct{ left []Socket }

// Inherited returns the sockets that the service manager opened for this process; none if it opened none.
func Inherited() (*Sockets, error) {
	const op = "service.Inherited"
	s := &Sockets{}
	for _, f := range activation.Files(true) { // a program that we would start does not inherit them
		l, err := net.FileListener(f)
		name := f.Name()
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fault.E(op, fault.Invalid,
				"The service manager passed something that is no listening socket (%s).", name)
		}
		s.left = append(s.left, Socket{Name: name, Listener: l})
	}
	return s, nil
}

// Listen returns the listening socket of an address: one that was inherited, or a new one. A nil Sockets has none.
func (s *Sockets) Listen(addr string) (net.Listener, error) {
	if s != nil {
		for i, have := range s.left {
			if same(have.Addr(), addr) {
				s.left = slices.Delete(s.left, i, i+1)
				return have.Listener, nil
			}
		}
	}
	return net.Listen("tcp", addr)
}

// Close closes what nobody took. It returns an error if there was any: the manager would let clients
// connect, and nobody
// would ever answer them.
func (s *Sockets) Close() error {
	if s == nil || len(s.left) == 0 {
		return nil
	}
	var names []string
	for _, have := range s.left {
		names = append(names, have.Name+" ("+have.Addr().String()+")")
		_ = have.Close()
	}
	s.left = nil
	return fault.E("service.Sockets", fault.Invalid, "The service manager opened sockets that no setting names: %s.",
		strings.Join(names, ", ")).
		WithHint("the addresses of listen, regions.NAME.listen, web.listen, web.acme.http_listen and " +
			"metrics.listen must be " +
			"those of the socket units")
}

// same reports whether a socket listens on a configured address. ":22" is every address of the machine.
func same(have net.Addr, configured string) bool {
	at, ok := have.(*net.TCPAddr)
	if !ok {
		return false
	}
	want, err := net.ResolveTCPAddr("tcp", configured)
	if err != nil || want.Port != at.Port || want.Port == 0 {
		return false
	}
	every := want.IP == nil || want.IP.IsUnspecified()
	if every || at.IP.IsUnspecified() {
		return every && at.IP.IsUnspecified()
	}
	return want.IP.Equal(at.IP) && want.Zone == at.Zone
}

// Started reports whether a service manager started this process and waits for word of it.
func Started() bool { return os.Getenv("NOTIFY_SOCKET") != "" }
