package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/identity"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) hostkeyCommand() *cobra.Command {
	list := command("list", "List the server's host keys, as partners should see them", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			v, err := client.All(ctx, a.client().ListHostkeys, model.EveryFilter{})
			if err != nil {
				return err
			}
			return a.show(v, hostKeyTable(v))
		})
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
	return group("hostkey", "The server's own keys", list, imp)
}

func hostKeyTable(v []model.HostKey) table {
	t := table{head: []string{"TYPE", "BITS", "FINGERPRINT"}}
	for _, k := range v {
		t.add(k.Type, fmt.Sprint(k.Bits), k.Fingerprint)
	}
	return t
}
