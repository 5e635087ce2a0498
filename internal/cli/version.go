package cli

import (
	"context"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

func (a *app) versionCommand() *cobra.Command {
	return command("version", "Print the version", cobra.NoArgs,
		func(context.Context, []string) error { return a.printVersion() })
}

func (a *app) printVersion() error {
	v := map[string]string{"version": exchange.Version, "go": runtime.Version(),
		"platform": runtime.GOOS + "/" + runtime.GOARCH}
	return a.done(v, "sallyport %s (%s, %s)", v["version"], v["go"], v["platform"])
}
