package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) hostkeyPrint() *cobra.Command {
	var as string
	var hosts []string
	c := command("print", "Print the host keys as lines of known_hosts, or as SSHFP records for DNS", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			s, err := a.client().ShowServer(ctx)
			if err != nil {
				return err
			}
			list, err := a.client().ListHostkeys(ctx, model.EveryFilter{})
			if err != nil {
				return err
			}
			if len(hosts) == 0 && s.Host == "" {
				return fault.E("cli.hostkeyPrint", fault.Invalid, "The server has no public name.").
					WithHint("set endpoint.host, or name it: --host sftp.example.com")
			}
			if len(hosts) == 0 {
				hosts = []string{s.Host}
			}
			return a.printHostKeys(as, hosts, s.Port, list.Items)
		})
	c.Long = c.Short + `.

The keys of a rotation that is under way are among them, so that partners and
DNS can have them before the day.`
	c.Flags().StringVar(&as, "as", "known_hosts", "known_hosts or sshfp")
	c.Flags().StringArrayVar(&hosts, "host", nil, "name or address of the server, with a port if it is another "+
		"(repeatable; default: endpoint.host)")
	return c
}

// printHostKeys writes a line for each host and key.
func (a *app) printHostKeys(as string, hosts []string, port int, keys []model.HostKey) error {
	var lines []string
	for _, h := range hosts {
		name, own, err := net.SplitHostPort(h)
		if err != nil {
			name, own = h, strconv.Itoa(cmp.Or(port, 22))
		}
		for _, k := range keys {
			switch as {
			case "known_hosts":
				lines = append(lines, knownHost(name, own)+" "+k.Public)
			case "sshfp":
				record, err := sshfp(name, k)
				if err != nil {
					return err
				}
				lines = append(lines, record)
			default:
				return fault.E("cli.hostkeyPrint", fault.Invalid, "Host keys are printed as known_hosts or sshfp, not %q.", as)
			}
		}
	}
	if a.json {
		return a.show(lines, table{})
	}
	_, err := fmt.Fprintln(a.Out, strings.Join(lines, "\n"))
	return err
}

// knownHost is how OpenSSH names a server in known_hosts.
func knownHost(name, port string) string {
	if port == "22" {
		return name
	}
	return "[" + name + "]:" + port
}

// sshfp returns a key's record, with SHA-256 (RFC 4255, 6594, 7479).
func sshfp(name string, k model.HostKey) (string, error) {
	kind, text, _ := strings.Cut(k.Public, " ")
	number := map[string]int{"ssh-rsa": 1, "ssh-ed25519": 4}[kind]
	if strings.HasPrefix(kind, "ecdsa-") {
		number = 3
	}
	blob, err := base64.StdEncoding.DecodeString(text)
	if err != nil || number == 0 {
		return "", fault.E("cli.sshfp", fault.Internal, "The server's key %s cannot be read.", k.Fingerprint)
	}
	return fmt.Sprintf("%s. IN SSHFP %d 2 %x", name, number, sha256.Sum256(blob)), nil
}
