package cli

import (
	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) hostkeyCommand() *cobra.Command {
	list := listCommand(a, &listing[model.EveryFilter, model.HostKey]{use: "list",
		short: "List the server's host keys, as partners should see them", head: hostKeyColumns,
		read: (*client.Client).ListHostkeys, row: hostKeyRow})
	return group("hostkey", "The server's own keys", list, a.hostkeyImport(), a.hostkeyPrint(), a.hostkeyRotate(),
		a.hostkeyRotation(), a.hostkeyClients(), a.hostkeyCancel())
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
