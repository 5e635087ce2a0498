package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) healthCommand() *cobra.Command {
	return command("health", "Fail unless the server, its database and its disk answer, for a container or a monitor",
		cobra.NoArgs, func(ctx context.Context, _ []string) error {
			v, err := a.client().CheckHealth(ctx)
			if err != nil {
				return err
			}
			confined := v.Sandbox
			if confined == "" {
				confined = "off"
			}
			return a.done(v, "The server works. Sandbox: %s.", confined)
		})
}

func (a *app) reloadCommand() *cobra.Command {
	return command("reload", "Have the server read its configuration again, and say what needs a restart", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			v, err := a.client().ReloadServer(ctx)
			if err != nil {
				return err
			}
			var lines []string
			if len(v.Changed) == 0 {
				lines = append(lines, "Nothing has changed in the running server.")
			} else {
				lines = append(lines, "Changed: "+strings.Join(v.Changed, ", ")+".")
			}
			if len(v.Restart) > 0 {
				lines = append(lines, "These need a restart: "+strings.Join(v.Restart, ", ")+".")
			}
			return a.done(v, "%s", strings.Join(lines, "\n"))
		})
}
