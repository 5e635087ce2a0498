//go:build linux

package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/datadir"
	"github.com/sallyport-sftp/sallyport/internal/node"
	"github.com/sallyport-sftp/sallyport/internal/offline"
	"github.com/sallyport-sftp/sallyport/internal/sandbox"
	"github.com/sallyport-sftp/sallyport/internal/service"
)

func (a *app) serveCommand() *cobra.Command {
	var file string
	var listen []string
	var newSigning, newHost, acceptLog string
	c := command("serve", "Run the server", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		read := func() (config.Config, error) {
			cfg, err := a.config(file, listen)
			if err != nil {
				return cfg, err
			}
			return cfg, offline.CheckWords(cfg)
		}
		cfg, err := read()
		if err != nil {
			return err
		}
		if closed, err := node.IsClosed(cfg); err != nil {
			return err
		} else if closed {
			datadir.Umask()
			if err := node.ServeClosed(ctx, cfg, a.loggerOf(cfg)); err != nil {
				if ctx.Err() != nil { // told to stop
					return nil
				}
				return err
			}
		}
		return a.serve(ctx, served{app: a, Config: cfg, level: new(slog.LevelVar)}, node.Options{Config: cfg,
			Clock: a.Clock, NewSigningKey: newSigning, NewHostKeys: newHost, AcceptLog: acceptLog, Read: read}, file)
	})
	c.Flags().StringVar(&file, "config", "", "configuration file (SALLYPORT_CONFIG)")
	c.Flags().StringArrayVar(&listen, "ssh-listen", nil, "address to serve SFTP on, such as :2022 (repeatable)")
	c.Flags().StringVar(&acceptLog, "accept-log", "",
		"go on although the audit log is shorter than what was signed, since the database was restored; say why")
	c.Flags().StringVar(&newSigning, "new-signing-key", "",
		"begin a new signing key, since the old one is lost; say why")
	c.Flags().StringVar(&newHost, "new-host-keys", "", "make new host keys, since the old ones are lost; say why")
	return c
}

// served is a server that runs: its settings, and the level of its log, which a reload changes.
type served struct {
	*app
	config.Config
	level *slog.LevelVar
}

// serve runs a server until ctx ends. file is the configuration's; it may be "".
func (a *app) serve(ctx context.Context, s served, o node.Options, file string) error {
	datadir.Umask()
	o.Log = s.logger()
	sockets, err := service.Inherited()
	if err != nil {
		return err
	}
	if o.Sandbox, err = enterSandbox(s.Config, file, o.Log); err != nil {
		return err
	}
	o.Sockets, o.Reloaded = sockets, func(c config.Config) { setLevel(s.level, c) }
	n, err := node.Start(o)
	if err != nil {
		_ = sockets.Close() // why the start failed matters more
		return err
	}
	if err := sockets.Close(); err != nil {
		stop(n, 0)
		return err
	}
	if link := n.FirstLink(); link != "" {
		fmt.Fprintf(a.Out, "Nobody manages this server in a browser yet. The first administrator sets that up here, once:\n"+
			"  %s\n", link)
	}
	return a.untilStopped(ctx, n, o.Log)
}

// enterSandbox confines the process to what a configuration names. Folders of the server's own are made
// first, since only what is there can be granted.
func enterSandbox(c config.Config, file string, log *slog.Logger) (string, error) {
	if err := datadir.Make(c.Data, 0o700); err != nil {
		return "", err
	}
	if c.Folder.Dir != "" { // programs of other users may be let into it
		if err := datadir.Make(c.Folder.Dir, 0o750); err != nil {
			return "", err
		}
	}
	words, err := sandbox.Enter(c.Sandbox, sandbox.For(c, file))
	if err != nil {
		return "", err
	}
	log.Info("sandbox", "state", words)
	return words, nil
}

// logger returns a logger that writes one event per line to standard error.
func (s served) logger() *slog.Logger {
	setLevel(s.level, s.Config)
	return newLogger(s.Err, s.Log.Format, s.level)
}

// loggerOf returns a logger for a command that works on a data folder by itself.
func (a *app) loggerOf(c config.Config) *slog.Logger {
	return served{app: a, Config: c, level: new(slog.LevelVar)}.logger()
}

func setLevel(level *slog.LevelVar, c config.Config) {
	var l slog.Level
	_ = l.UnmarshalText([]byte(c.Log.Level)) // it was checked when it was loaded
	level.Set(l)
}

func newLogger(to io.Writer, format string, level slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(to, o))
	}
	return slog.New(slog.NewTextHandler(to, o))
}

// untilStopped waits until ctx ends, or the node must stop. Then it stops the node. Meanwhile it tells the
// service manager how the server is doing, and reads the configuration again on SIGHUP.
func (a *app) untilStopped(ctx context.Context, n *node.Node, log *slog.Logger) error {
	manager := service.Manager{Log: log}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	watched, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		if err := manager.Watch(watched, n.Alive); err != nil {
			log.Error("the watchdog of the service manager cannot be fed", "err", err)
		}
	})
	ready := "It serves SFTP on " + strings.Join(n.Addresses(), ", ") + "."
	manager.Ready(ready)
	err := error(nil)
	for running := true; running; {
		select {
		case <-hangup:
			manager.Reloading()
			_, _ = n.Reload(ctx, "system:signal") // it is logged
			manager.Ready(ready)
		case <-n.Failed():
			err, running = n.Failure(), false
		case <-ctx.Done():
			running = false
		}
	}
	lasts := n.Drain()
	if err != nil {
		lasts = 0 // no upload could be stored any more
	}
	manager.Stopping(lasts)
	cancel()
	stop(n, lasts)
	watching.Wait()
	return err
}

// stop drains and closes a node.
func stop(n *node.Node, drain time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	n.Close(ctx)
}
