//go:build linux

package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/datadir"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/node"
	"github.com/sallyport-sftp/sallyport/model"
)

// The demo listens on loopback, because its keys are only for this machine.
const (
	quickstartListen = "127.0.0.1:2022"
	quickstartWeb    = "127.0.0.1:2080"
)

func (a *app) quickstartCommand() *cobra.Command {
	var listen []string
	var web string
	c := command("quickstart", "Start a server with demo accounts, keys and files, and print how to connect", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			cfg := config.Default()
			cfg.Data, cfg.Listen, cfg.Log.Level = a.dataDir(), []string{quickstartListen}, "warn"
			cfg.Storage.FreeFloor = 64 << 20 // little, for a demo on a laptop
			if len(listen) > 0 {
				cfg.Listen = listen
			}
			cfg.Endpoint.Host = demoHost(cfg.Listen[0])
			return a.quickstart(ctx, cfg, web)
		})
	c.Flags().StringArrayVar(&listen, "ssh-listen", nil,
		"address to serve SFTP on (repeatable; default "+quickstartListen+")")
	c.Flags().StringVar(&web, "web-listen", "",
		"address to serve pages on, of this machine (default "+quickstartWeb+", or a free port)")
	return c
}

// demoHost returns the server address for the demo's guides: the listener's, or this machine for one on all addresses.
func demoHost(listen string) string {
	host, _, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err != nil || host == "" || ip != nil && ip.IsUnspecified() {
		return "127.0.0.1"
	}
	return host
}

// demoPages completes the configuration for the demo's pages: where they are, and a mail server that prints.
func demoPages(cfg *config.Config, listen string, m *demoMail) error {
	const op = "cli.demoPages"
	cfg.Web.Listen = listen
	if listen == "" {
		l, err := net.Listen("tcp", quickstartWeb)
		if err != nil { // somebody else has the port
			l, err = net.Listen("tcp", "127.0.0.1:0")
		}
		if err != nil {
			return fault.Wrap(op, fault.Unavailable, err)
		}
		cfg.Web.Listen = l.Addr().String()
		_ = l.Close()
	}
	_, port, err := net.SplitHostPort(cfg.Web.Listen)
	if err != nil || port == "" || port == "0" {
		return fault.E(op, fault.Invalid, "%q is not an address with a port.", cfg.Web.Listen).WithField("web-listen")
	}
	cfg.Web.URL = "http://localhost:" + port // a name, so that browsers allow passkeys
	cfg.Onboard.Feeds = []string{"*"}
	cfg.Mail.Host, cfg.Mail.Port, cfg.Mail.TLS, cfg.Mail.From = "127.0.0.1", m.port, "none", "sallyport@demo.example"
	return nil
}

func (a *app) quickstart(ctx context.Context, cfg config.Config, web string) (err error) {
	if cfg.Data, err = filepath.Abs(cfg.Data); err != nil { // the lines below are pasted in other folders
		return fault.Wrap("cli.quickstart", fault.Internal, err)
	}
	datadir.Umask()
	printed := &oneAtATime{to: a.Out}
	m, err := openDemoMail(printed)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := demoPages(&cfg, web, m); err != nil {
		return err
	}
	log := served{app: a, Config: cfg, level: new(slog.LevelVar)}.logger()
	confined, err := enterSandbox(cfg, "", log)
	if err != nil {
		return err
	}
	n, err := node.Start(node.Options{Config: cfg, Log: log, Sandbox: confined})
	if err != nil {
		return err
	}
	a.Out = printed
	d := demo{app: a, url: cfg.Web.URL, first: n.FirstLink(),
		dir: filepath.Join(cfg.Data, "demo-keys"), addr: n.Addresses()[0]}
	a.data = cfg.Data // so that the calls below reach this server, whatever the environment says
	switch err := d.prepare(ctx, n.HostKeys()); {
	case ctx.Err() != nil: // stopped during prepare: the next start continues
	case err != nil:
		stop(n, time.Duration(cfg.Drain))
		return err
	default:
		d.explain(n.HostKeys())
	}
	<-ctx.Done()
	fmt.Fprintln(a.Out, "\nStopping.")
	stop(n, time.Duration(cfg.Drain))
	fmt.Fprintln(a.Out, "Stopped. Start again with the same command: everything is still there.")
	return nil
}

// demo is the content that quickstart makes: two accounts, one with a vendor, and two feeds.
type demo struct {
	*app
	dir   string // of the keys
	addr  string
	url   string // of the pages
	first string // link with which the first administrator joins; "" if somebody has
}

// demoUsers are the users, in the order in which they are made.
var demoUsers = []struct{ account, name, vendor string }{
	{"acme", "Acme Telecom", ""},
	{"acme", "Acme Telecom", "carrier1"},
	{"globex", "Globex Ltd", ""},
}

// prepare makes the parts of the demo that are missing. Every step can be repeated, so a second
// start works, also after an interrupted first one.
func (d *demo) prepare(ctx context.Context, hostKeys []model.HostKey) error {
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return fault.E("cli.demo", fault.Invalid, "The folder for demo keys cannot be made: %v.", fault.InWords(err))
	}
	ignore := filepath.Join(filepath.Dir(d.dir), ".gitignore") // keys do not belong into anybody's repository
	if err := replaceFile(ignore, []byte("# a demo's data and keys\n*\n"), 0o600); err != nil {
		return fault.Wrap("cli.demo", fault.Internal, err)
	}
	c := d.client()
	steps := []func(context.Context) error{
		unlessThere(c.AddVendor, model.NewVendor{Short: "carrier1", Name: "Carrier One"}),
		unlessThere(c.AddFeed, model.NewFeed{Name: "cdr", Kind: "cdr", Types: []string{"csv"}, Retention: "12mo"}),
		unlessThere(c.AddFeed, model.NewFeed{Name: "invoice", Kind: "invoice", Types: []string{"pdf", "csv"},
			Retention: "12mo"}),
	}
	for _, u := range demoUsers {
		if u.vendor == "" {
			steps = append(steps, unlessThere(c.AddAccount, model.NewAccount{ID: u.account, Name: u.name}),
				unlessThere(c.AddContact, model.NewContact{Account: u.account, Name: "Jo Hill",
					Email: "jo@" + u.account + ".example"}),
				unlessThere(c.AddContact, model.NewContact{Account: u.account, Name: "Ann Li",
					Email: "ann@" + u.account + ".example", Roles: []string{model.RoleSecurity}}))
		}
		user := strings.TrimSuffix(u.account+"-"+u.vendor, "-")
		steps = append(steps, unlessThere(c.AddUser, model.NewUser{Account: u.account, Vendor: u.vendor}),
			func(ctx context.Context) error { return d.key(ctx, user) })
		if u.vendor == "" {
			for _, feed := range []string{"cdr", "invoice"} {
				steps = append(steps, unlessThere(func(ctx context.Context, in model.NewSubscription) (model.Subscription, error) {
					return c.Subscribe(ctx, feed, in)
				}, model.NewSubscription{User: user}))
			}
			steps = append(steps, func(ctx context.Context) error { return d.files(ctx, u.account, u.name) })
		}
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return d.knownHosts(hostKeys)
}

// unlessThere returns a step that adds something and ignores that it exists already.
func unlessThere[In, Out any](add func(context.Context, In) (Out, error), in In) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := add(ctx, in)
		if fault.Is(err, fault.Exists) {
			return nil
		}
		return err
	}
}

// files publishes last month's call records and invoice of an account.
func (d *demo) files(ctx context.Context, account, name string) error {
	work, err := os.MkdirTemp("", "sallyport-demo-")
	if err != nil {
		return fault.Wrap("cli.demo", fault.Internal, err)
	}
	defer os.RemoveAll(work)
	bill := demoBill(account, name)
	for _, f := range []struct {
		feed, name string
		content    []byte
	}{{"cdr", account + "-2026-10-calls.csv", bill.csv()}, {"invoice", account + "-2026-10-invoice.pdf", bill.pdf()}} {
		file := filepath.Join(work, f.name)
		if err := os.WriteFile(file, f.content, 0o600); err != nil {
			return fault.Wrap("cli.demo", fault.Internal, err)
		}
		if _, err := d.publishFile(ctx, publishing{account: account, key: "demo-" + f.name}, f.feed, file); err != nil {
			return err
		}
	}
	return nil
}

// knownHosts writes a known_hosts file, so that the printed sftp commands connect without a
// question.
func (d *demo) knownHosts(keys []model.HostKey) error {
	host, port, _ := net.SplitHostPort(d.addr)
	var b strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&b, "[%s]:%s %s\n", host, port, k.Public)
	}
	if err := replaceFile(filepath.Join(d.dir, "known_hosts"), []byte(b.String()), 0o600); err != nil {
		return fault.Wrap("cli.demo", fault.Internal, err)
	}
	return nil
}

// explain prints the commands and settings to connect with.
func (d *demo) explain(keys []model.HostKey) {
	host, port, _ := net.SplitHostPort(d.addr)
	i := slices.IndexFunc(keys, func(k model.HostKey) bool { return k.Type == "ssh-ed25519" })
	fingerprint := keys[max(i, 0)].Fingerprint
	file := func(name string) string { return shellQuote(filepath.Join(d.dir, name)) }
	sftp := func(user string) string {
		return fmt.Sprintf("sftp -i %s -o %s -o IdentitiesOnly=yes -P %s %s@%s", file(user),
			forSSH("UserKnownHostsFile=", filepath.Join(d.dir, "known_hosts")), port, user, host)
	}
	manage := asTyped() + " --data " + shellQuote(d.data)
	fmt.Fprintf(d.Out, `Sallyport is running: SFTP on %[1]s port %[2]s. Stop it with Ctrl-C.

Connect as a customer (paste into another terminal):
  %[3]s
  psftp -i %[4]s -hostkey %[5]s -P %[2]s acme@%[1]s
  then:  ls /download/invoice
         get /download/cdr/acme-2026-10-calls.csv
         cd /upload
         put acme-2026-10-calls.csv

Connect as a vendor of that customer, who sees nothing of it:
  %[6]s

WinSCP, FileZilla:
  protocol SFTP, host %[1]s, port %[2]s, user acme, no password
  private key file %[9]s
  (FileZilla: Log-on type "Key file"; WinSCP: Advanced, SSH, Authentication)
  the server's key is %[5]s

In a browser:
  ask for access as a new customer would: %[10]s/
  (mails are not sent; their links are printed here)
  %[11]s

Look at what happened:
  files that partners sent
    %[7]s inbox list
  what was published, and what was downloaded in full
    %[7]s delivery list
  what a partner sees, and what it is handed
    %[7]s files ls acme
    %[7]s guide acme
  who logged in, or why not
    %[7]s explain acme
  a new key for a partner, encrypted
    %[7]s key issue acme --out acme-key
  everything else
    %[7]s --help

These lines work in any folder. The demo is in %[8]s
`, host, port, sftp("acme"), file("acme.ppk"), fingerprint, sftp("acme-carrier1"), manage, d.data,
		filepath.Join(d.dir, "acme.ppk"), d.url, d.manager())
}

// manager says how to manage the demo in a browser.
func (d *demo) manager() string {
	if d.first == "" {
		return "sign in and approve it: " + d.url + "/console/"
	}
	return "set up your sign-in, once, and approve it: " + d.first
}

// oneAtATime is a writer that several may use.
type oneAtATime struct {
	mu sync.Mutex
	to io.Writer
}

func (w *oneAtATime) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}
