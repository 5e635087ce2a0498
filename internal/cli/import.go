//go:build linux

package cli

import (
	"context"
	"encoding/csv"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/oldserver"
)

func (a *app) importCommand() *cobra.Command {
	return group("import", "Move in from an old server", a.importOpenSSH(), a.importSFTPGo(), a.importCheck())
}

// moveFlags are the flags of commands that move in.
type moveFlags struct {
	dryRun, skipListed, link, drops bool
	keepFrom                        string
	names, accounts                 string
	services                        []string
	only                            []string
}

func (m *moveFlags) bind(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&m.dryRun, "dry-run", false, "change nothing; say what would be done, and what stops it")
	f.BoolVar(&m.skipListed, "skip-listed", false, "leave out what is listed, and move the rest")
	f.BoolVar(&m.link, "link", false, "hard-link files: they become the server's own, and read-only")
	f.BoolVar(&m.drops, "drops", false, "hand the files to the inbox, as if they were uploaded now")
	f.StringVar(&m.keepFrom, "keep-from", "import",
		"when retention begins to count: import, or original for the files' own dates")
	f.StringVar(&m.names, "names", "", "a CSV file of old names and usernames here: old,new")
	f.StringVar(&m.accounts, "account-of", "",
		"a CSV file of old names and account IDs: old,account (default: the username)")
	f.StringArrayVar(&m.services, "service", nil,
		"NAME=NETWORK,...: a user that is a program of the platform's own; its files are not moved")
	f.StringSliceVar(&m.only, "user", nil, "move only these users")
}

// read reads the files of names.
func (m *moveFlags) read() (n oldserver.Names, err error) {
	if m.keepFrom != "import" && m.keepFrom != "original" {
		return n, fault.E("cli.import", fault.Invalid, "Retention cannot count from %q.", m.keepFrom).
			WithField("keep-from").WithHint("import or original")
	}
	if n.Users, err = pairsFrom(m.names); err != nil {
		return n, err
	}
	if n.Accounts, err = pairsFrom(m.accounts); err != nil {
		return n, err
	}
	n.Services = map[string][]string{}
	for _, s := range m.services {
		name, nets, _ := strings.Cut(s, "=")
		n.Services[name] = strings.FieldsFunc(nets, func(r rune) bool { return r == ',' })
	}
	return n, nil
}

// pairsFrom reads a CSV file with two columns; "" has none.
func pairsFrom(name string) (map[string]string, error) {
	const op = "cli.pairsFrom"
	out := map[string]string{}
	if name == "" {
		return out, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fault.E(op, fault.NotFound, "The file cannot be read: %v.", fault.InWords(err))
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord, r.TrimLeadingSpace, r.Comment = 2, true, '#'
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fault.E(op, fault.Invalid, "%s is not a CSV file with two columns: %v.", name, err)
	}
	for _, row := range rows {
		if other, twice := out[row[0]]; twice && other != row[1] {
			return nil, fault.E(op, fault.Invalid, "%s has %q twice.", name, row[0])
		}
		out[row[0]] = row[1]
	}
	return out, nil
}

func (a *app) importOpenSSH() *cobra.Command {
	var m moveFlags
	var o oldserver.OpenSSH
	c := command("openssh FILE|DIR", "Move in from OpenSSH: users, keys, and their files with their dates",
		cobra.ExactArgs(1),
		func(ctx context.Context, args []string) (err error) {
			o.Config, o.Only = args[0], m.only
			if o.Names, err = m.read(); err != nil {
				return err
			}
			plan, err := o.Read()
			if err != nil {
				return err
			}
			return a.moveIn(ctx, plan, m)
		})
	c.Long = c.Short + `.
FILE is the old server's sshd_config: users with a chroot or internal-sftp come
with their authorized_keys, networks, rights, starting directories and files.
DIR is a folder with a folder for each user. Run it as root on this server's
machine, while the server runs.

What is not understood is listed with its file and line, and then nothing is
changed; --skip-listed leaves it out. The command can be repeated at any time:
it transfers what is new or changed since, as new versions. What somebody has
changed here stays. What is gone on the old server is listed, and stays here.
How to change over, and back: docs/operate/moving-in.md`
	m.bind(c)
	c.Flags().StringVar(&o.Root, "root", "", "where a copied system begins, for all paths in sshd_config")
	c.Flags().StringVar(&o.Passwd, "passwd", "", "its passwd file (default: /etc/passwd below --root)")
	c.Flags().StringVar(&o.Group, "group", "", "its group file (default: /etc/group below --root)")
	c.Flags().StringVar(&o.Keys, "keys", "",
		"of a DIR: a folder with a file of keys for each user (default: .ssh/authorized_keys)")
	c.Flags().BoolVar(&o.Homes, "homes", false, "a user without a chroot has its home directory as its root")
	return c
}

func (a *app) importSFTPGo() *cobra.Command {
	var m moveFlags
	var o oldserver.SFTPGo
	c := command("sftpgo FILE", "Move in from SFTPGo: users, keys, folders and rights, from a dump, with their files",
		cobra.ExactArgs(1),
		func(ctx context.Context, args []string) (err error) {
			o.Dump, o.Only = args[0], m.only
			if o.Names, err = m.read(); err != nil {
				return err
			}
			plan, err := o.Read()
			if err != nil {
				return err
			}
			return a.moveIn(ctx, plan, m)
		})
	c.Long = c.Short + `.
FILE is what SFTPGo's dumpdata has written. Users come with their public keys,
permissions, quotas, networks, virtual folders and groups. Passwords are named:
such users need a key. See: sallyport import openssh --help`
	m.bind(c)
	c.Flags().StringVar(&o.Files, "files", "", "where a copied system begins, for home directories and mapped folders")
	return c
}
