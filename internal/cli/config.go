package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/offline"
)

func (a *app) configCommand() *cobra.Command {
	return group("config", "The server's configuration", a.configInit(), a.configCheck())
}

func (a *app) configInit() *cobra.Command {
	var out string
	c := command("init", "Print a configuration with every setting, its meaning and its default", cobra.NoArgs,
		func(context.Context, []string) error {
			if out == "" {
				_, err := a.Out.Write(config.Example())
				return err
			}
			const op = "cli.configInit"
			f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // it may get a password
			if errors.Is(err, fs.ErrExist) {
				return fault.E(op, fault.Exists, "%s exists already, and was not changed.", out).
					WithHint("name another file, and compare the two")
			}
			if err == nil {
				_, err = f.Write(config.Example())
				err = errors.Join(err, f.Sync(), f.Close())
			}
			if errors.Is(err, fs.ErrNotExist) {
				return fault.E(op, fault.NotFound, "The folder of %s does not exist.", out).WithHint("make the folder first")
			}
			if err != nil {
				return fault.E(op, fault.Invalid, "The configuration cannot be written: %s.", fault.InWords(err))
			}
			return a.done(map[string]string{"file": out},
				"%s has every setting with its default. Change what you need, then: sallyport config check --config %s", out,
				shellQuote(out))
		})
	c.Flags().StringVar(&out, "out", "", "file to write; it is never overwritten (default: standard output)")
	return c
}

func (a *app) configCheck() *cobra.Command {
	var file string
	var printAll bool
	c := command("check", "Check the configuration, and tell all mistakes, without starting anything", cobra.NoArgs,
		func(context.Context, []string) error {
			cfg, err := a.config(file, nil)
			if err != nil {
				return err
			}
			if err := offline.CheckWords(cfg); err != nil {
				return err
			}
			if printAll {
				return a.printConfig(cfg)
			}
			return a.done(map[string]bool{"ok": true}, "The configuration is good.")
		})
	c.Flags().StringVar(&file, "config", "", "configuration file (SALLYPORT_CONFIG)")
	c.Flags().BoolVar(&printAll, "print", false, "print every setting as it is in force")
	return c
}

// printConfig prints a configuration as YAML, or as JSON. It hides secrets.
func (a *app) printConfig(cfg config.Config) error {
	for _, secret := range []*string{&cfg.Database.URL, &cfg.Mail.Password} { // the URL may have a password
		if *secret != "" {
			*secret = "(set)"
		}
	}
	text, err := yaml.Marshal(cfg)
	if err == nil && a.json {
		text, err = yaml.YAMLToJSON(text)
	}
	if err != nil {
		return fault.Wrap("cli.config", fault.Internal, err)
	}
	if a.json {
		return a.show(json.RawMessage(text), table{})
	}
	_, err = fmt.Fprintf(a.Out, "%s", text)
	return err
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
