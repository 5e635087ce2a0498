package node

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/api"
	"github.com/sallyport-sftp/sallyport/internal/backup"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/httpd"
)

// stillClosed is the error of everything that a restored data folder does not do until it is open.
func stillClosed(data string) error {
	return fault.E("node.closed", fault.Unavailable, "%s was restored from a backup and is closed.", data).
		WithHint("open it: sallyport restore --open; it shows first what was taken back after the backup (--dry-run)")
}

// IsClosed reports whether the configured data folder was restored and is not open yet.
func IsClosed(cfg config.Config) (bool, error) {
	m, err := backup.Closed(cfg.Data)
	return m != nil, err
}

// openLook is how often a closed server looks whether the data folder was opened.
const openLook = 500 * time.Millisecond

// ServeClosed answers commands and health checks for a restored data folder: it is not ready, and why. It opens no
// other listener, changes nothing and holds no lock, so that restore --open can work. It returns when the folder was
// opened, or when ctx has ended.
func ServeClosed(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	path, done, err := client.SocketPath(cfg.Data)
	if err != nil {
		return err
	}
	defer done()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	socket, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	refuse := func(w http.ResponseWriter, _ *http.Request) { api.Refuse(w, stillClosed(cfg.Data)) }
	servers := []*http.Server{{Handler: http.HandlerFunc(refuse), ReadHeaderTimeout: 10 * time.Second}}
	listeners := []net.Listener{httpd.LocalOnly{Listener: socket}}
	if cfg.Metrics.Listen != "" {
		l, err := net.Listen("tcp", cfg.Metrics.Listen)
		if err != nil {
			return errors.Join(busy(cfg.Metrics.Listen, err), socket.Close())
		}
		health := func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "restored from a backup and closed: sallyport restore --open", http.StatusServiceUnavailable)
		}
		servers = append(servers, &http.Server{Handler: http.HandlerFunc(health), ReadHeaderTimeout: 10 * time.Second})
		listeners = append(listeners, l)
	}
	ended := make(chan error, len(servers))
	for i, s := range servers {
		go func() { ended <- s.Serve(listeners[i]) }()
	}
	log.Warn("the data folder was restored from a backup and is closed; open it with: sallyport restore --open", "data",
		cfg.Data)
	err = untilOpen(ctx, cfg, ended)
	for _, s := range servers {
		_ = s.Close()
	}
	for range servers {
		if e := <-ended; err == nil && !errors.Is(e, http.ErrServerClosed) {
			err = e
		}
	}
	return err
}

func untilOpen(ctx context.Context, cfg config.Config, ended chan error) error {
	tick := time.NewTicker(openLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			ended <- err // its owner waits for each
			return fault.Wrap("node.ServeClosed", fault.Unavailable, err)
		case <-tick.C:
		}
		if m, err := backup.Closed(cfg.Data); m == nil {
			return err
		}
	}
}
