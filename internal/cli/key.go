package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/node"
)

// maxKeyFile is the largest key file that is read, in bytes; the server says
// what is wrong with larger ones that fit.
const maxKeyFile = 1 << 20

func (a *app) keyCommand() *cobra.Command {
	return group("key", "Users' public keys", a.keyAdd(), a.keyList(), a.keyRevoke())
}

func (a *app) keyAdd() *cobra.Command {
	return command("add USER FILE|-", "Enrol a public key: an OpenSSH .pub file, or what PuTTYgen's \"Save public key\" wrote",
		cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
			text, err := a.readKey(args[1])
			if err != nil {
				return err
			}
			k, err := call[exchange.Key](ctx, a, "POST", "/users/"+url.PathEscape(args[0])+"/keys", map[string]string{"text": string(text)})
			if err != nil {
				return err
			}
			return a.done(k, "Key %s (%s, %d bits) may log in as %s now.", k.Fingerprint, k.Type, k.Bits, k.User)
		})
}

// readKey reads a key file, or standard input for "-". A private key goes no
// further than here.
func (a *app) readKey(name string) ([]byte, error) {
	const op = "cli.readKey"
	in := a.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, exchange.E(op, exchange.NotFound, "The key file cannot be read: %v.", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxKeyFile+1))
	if err != nil {
		return nil, exchange.E(op, exchange.Invalid, "The key file cannot be read: %v.", err)
	}
	if len(text) > maxKeyFile {
		return nil, exchange.E(op, exchange.Invalid, "This is far too large for a public key.")
	}
	if _, err := keys.Read(text); err != nil {
		return nil, err
	}
	return text, nil
}

func (a *app) keyList() *cobra.Command {
	return command("list USER", "List a user's keys", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v, err := call[[]exchange.Key](ctx, a, "GET", "/users/"+url.PathEscape(args[0])+"/keys", nil)
		if err != nil {
			return err
		}
		t := table{head: []string{"FINGERPRINT", "TYPE", "BITS", "COMMENT", "ADDED", "LAST USED", "STATE"}, none: "The user has no keys yet."}
		for _, k := range v {
			state := "active"
			if k.RevokedAt != nil {
				state = "revoked " + when(*k.RevokedAt) + ": " + k.RevokedWhy
			}
			t.add(k.Fingerprint, k.Type, fmt.Sprint(k.Bits), k.Comment, when(k.CreatedAt), whenPtr(k.LastUsedAt), state)
		}
		return a.show(v, t)
	})
}

func (a *app) keyRevoke() *cobra.Command {
	var reason string
	c := command("revoke FINGERPRINT --reason TEXT", "Revoke a key and end its sessions", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v, err := call[[]exchange.Key](ctx, a, "POST", "/keys/revoke", map[string]string{"fingerprint": args[0], "reason": reason})
		if err != nil {
			return err
		}
		t := table{head: []string{"USER", "FINGERPRINT", "STATE"}}
		for _, k := range v {
			t.add(k.User, k.Fingerprint, "revoked")
		}
		return a.show(v, t)
	})
	c.Flags().StringVar(&reason, "reason", "", "why, for the record")
	_ = c.MarkFlagRequired("reason")
	return c
}

func (a *app) hostkeyCommand() *cobra.Command {
	list := command("list", "List the server's host keys, as partners should see them", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		v, err := call[[]exchange.HostKey](ctx, a, "GET", "/hostkeys", nil)
		if err != nil {
			return err
		}
		return a.show(v, hostKeyTable(v))
	})
	replace := false
	imp := command("import FILE...", "Take over the private host keys of the server that partners know",
		cobra.MinimumNArgs(1), func(_ context.Context, args []string) error {
			v, err := node.ImportHostKeys(a.dataDir(), args, replace)
			if err != nil {
				return err
			}
			if err := a.show(v, hostKeyTable(v)); err != nil || a.json {
				return err
			}
			_, err = fmt.Fprintln(a.Out, "Only these are offered from the next start of the server on.")
			return err
		})
	imp.Flags().BoolVar(&replace, "replace", false, "replace the keys that this server has (the old ones are kept beside them)")
	return group("hostkey", "The server's own keys", list, imp)
}

func hostKeyTable(v []exchange.HostKey) table {
	t := table{head: []string{"TYPE", "BITS", "FINGERPRINT"}}
	for _, k := range v {
		t.add(k.Type, fmt.Sprint(k.Bits), k.Fingerprint)
	}
	return t
}
