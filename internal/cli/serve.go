package cli

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/datadir"
	"github.com/sallyport-sftp/sallyport/internal/node"
)

func (a *app) serveCommand() *cobra.Command {
	var file string
	var listen []string
	var newSigning, newHost, acceptLog string
	c := command("serve", "Run the server", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		cfg, err := a.config(file, listen)
		if err != nil {
			return err
		}
		datadir.Umask()
		if closed, err := node.IsClosed(cfg); err != nil {
			return err
		} else if closed {
			if err := node.ServeClosed(ctx, cfg, a.logger(cfg)); err != nil {
				if ctx.Err() != nil { // told to stop
					return nil
				}
				return err
			}
		}
		n, err := node.Start(node.Options{Config: cfg, Log: a.logger(cfg), Clock: a.Clock, NewSigningKey: newSigning,
			NewHostKeys: newHost, AcceptLog: acceptLog})
		if err != nil {
			return err
		}
		if link := n.FirstLink(); link != "" {
			fmt.Fprintf(a.Out, "Nobody manages this server in a browser yet. The first administrator sets that up here, once:\n"+
				"  %s\n", link)
		}
		return a.untilStopped(ctx, n, cfg)
	})
	a.serveFlags(c, &file, &listen)
	c.Flags().StringVar(&acceptLog, "accept-log", "",
		"go on although the audit log is shorter than what was signed, since the database was restored; say why")
	c.Flags().StringVar(&newSigning, "new-signing-key", "", "begin a new signing key, since the old one is lost; say why")
	c.Flags().StringVar(&newHost, "new-host-keys", "", "make new host keys, since the old ones are lost; say why")
	return c
}

func (a *app) serveFlags(c *cobra.Command, file *string, listen *[]string) {
	c.Flags().StringVar(file, "config", "", "configuration file (SALLYPORT_CONFIG)")
	c.Flags().StringArrayVar(listen, "ssh-listen", nil, "address to serve SFTP on, such as :2022 (repeatable)")
}

// config loads the configuration, and overrides it with the command line's flags.
func (a *app) config(file string, listen []string) (config.Config, error) {
	if file == "" {
		file = a.env["SALLYPORT_CONFIG"]
	}
	cfg, err := config.Load(file, a.Env)
	if err != nil {
		return cfg, err
	}
	if a.data != "" {
		cfg.Data = a.data
	}
	if len(listen) > 0 {
		cfg.Listen = listen
	}
	return cfg, nil
}

// logger returns a logger that writes one event per line to standard error.
func (a *app) logger(cfg config.Config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Log.Level)) // it was checked when it was loaded
	o := &slog.HandlerOptions{Level: level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(a.Err, o))
	}
	return slog.New(slog.NewTextHandler(a.Err, o))
}

// untilStopped waits until ctx ends, or the node must stop. Then it stops the node.
func (a *app) untilStopped(ctx context.Context, n *node.Node, cfg config.Config) error {
	select {
	case <-ctx.Done():
		stop(n, cfg)
		return nil
	case <-n.Failed():
	}
	cfg.Drain = 0 // no upload could be stored any more
	stop(n, cfg)
	return n.Failure()
}

// stop drains and closes a node.
func stop(n *node.Node, cfg config.Config) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(cfg.Drain))
	defer cancel()
	n.Close(ctx)
}

func (a *app) versionCommand() *cobra.Command {
	return command("version", "Print the version", cobra.NoArgs,
		func(context.Context, []string) error { return a.printVersion() })
}

func (a *app) printVersion() error {
	v := map[string]string{"version": node.Version, "go": runtime.Version(),
		"platform": runtime.GOOS + "/" + runtime.GOARCH}
	return a.done(v, "sallyport %s (%s, %s)", v["version"], v["go"], v["platform"])
}
