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
	list := listCommand(a, &listing[model.EveryFilter, model.HostKey]{use: "list",
		short: "List the server's host keys, as partners should see them", head: hostKeyColumns,
		read: (*client.Client).ListHostkeys, row: hostKeyRow})
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
	return group("hostkey", "The server's own keys", list, imp, a.hostkeyPrint(), a.hostkeyRotate(), a.hostkeyRotation(),
		a.hostkeyClients(), a.hostkeyCancel())
}

// hostKeyColumns are the headings of hostKeyRow.
var hostKeyColumns = []string{"TYPE", "BITS", "FINGERPRINT", "STATE", "FROM"}

func hostKeyRow(k model.HostKey) []any {
	return []any{k.Type, k.Bits, k.Fingerprint, model.Word(k.State), k.From}
}

func hostKeyTable(v []model.HostKey) table {
	t := table{head: hostKeyColumns}
	for _, k := range v {
		t.add(hostKeyRow(k)...)
	}
	return t
}
