//go:build !linux

package cli

import (
	"context"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// The server runs on Linux. Elsewhere these commands say so, whatever their flags are.

func (a *app) serveCommand() *cobra.Command { return linuxOnly("serve", "Run the server") }

func (a *app) quickstartCommand() *cobra.Command {
	return linuxOnly("quickstart", "Start a server with demo accounts, keys and files, and print how to connect")
}

func (a *app) hostkeyImport() *cobra.Command {
	return linuxOnly("import FILE...", "Take over the private host keys of the server that partners know")
}

func (a *app) backupCommand() *cobra.Command {
	return linuxOnly("backup TARGET", "Copy the deployment elsewhere")
}

func (a *app) restoreCommand() *cobra.Command {
	return linuxOnly("restore SOURCE", "Bring a backup back, or prove that it is whole")
}

func (a *app) doctorCommand() *cobra.Command {
	return linuxOnly("doctor", "Look at the whole deployment, and say what is wrong and what mends it")
}

func (a *app) importCommand() *cobra.Command {
	return linuxOnly("import", "Move in from an old server")
}

func linuxOnly(use, short string) *cobra.Command {
	c := command(use, short, cobra.ArbitraryArgs, func(context.Context, []string) error {
		return fault.E("cli.linuxOnly", fault.Unsupported, "The server runs on Linux; this program was built for %s.",
			runtime.GOOS).WithHint("the commands that manage a server work here: --url and --token-file")
	})
	c.DisableFlagParsing = true
	return c
}
