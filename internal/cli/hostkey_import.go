//go:build linux

package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/identity"
)

func (a *app) hostkeyImport() *cobra.Command {
	replace := false
	imp := command("import FILE...", "Take over the private host keys of the server that partners know",
		cobra.MinimumNArgs(1), func(_ context.Context, args []string) error {
			v, err := identity.ImportHostKeys(a.dataDir(), args, replace)
			if err != nil {
				return err
			}
			if err := a.show(v, hostKeyTable(v)); err != nil || a.json {
				return err
			}
			_, err = fmt.Fprintln(a.Out, "Only these are offered from the next start of the server on.")
			return err
		})
	imp.Flags().BoolVar(&replace, "replace", false,
		"replace the keys that this server has (the old ones are kept beside them)")
	return imp
}
