package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/client"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

func (a *app) inboxCommand() *cobra.Command {
	return group("inbox", "Files received from partners", a.inboxList(), a.inboxShow(), a.inboxFetch(), a.inboxPull())
}

// dropFlags choose received files.
type dropFlags struct{ state, user, account string }

func (f *dropFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.user, "user", "", "only this user's")
	c.Flags().StringVar(&f.account, "account", "", "only this account's users'")
	c.Flags().StringVar(&f.state, "state", "", "only in this state: new, superseded")
}

// drops asks for one page of received files after an id.
func (a *app) drops(ctx context.Context, f dropFlags, after string) ([]exchange.Drop, error) {
	q := url.Values{"after": {after}}
	for name, v := range map[string]string{"state": f.state, "user": f.user, "account": f.account} {
		if v != "" {
			q.Set(name, v)
		}
	}
	return client.Call[[]exchange.Drop](ctx, a.client(), client.Request{Method: "GET", Path: "/inbox", Query: q})
}

func (a *app) inboxList() *cobra.Command {
	var f dropFlags
	c := command("list", "List received files in the order they came", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		all := []exchange.Drop{}
		for after := ""; ; after = all[len(all)-1].ID {
			v, err := a.drops(ctx, f, after)
			if err != nil {
				return err
			}
			if all = append(all, v...); len(v) == 0 {
				break
			}
		}
		t := table{head: []string{"ID", "RECEIVED", "USER", "PATH", "SIZE", "STATE", "SHA-256"}, none: "Nothing was received yet."}
		for _, d := range all {
			state := d.State
			if d.Withdrawn {
				state += ", withdrawn"
			}
			t.add(d.ID, when(d.ReceivedAt), d.User, d.Path, size(d.Size), state, d.SHA256)
		}
		return a.show(all, t)
	})
	f.add(c)
	return c
}

func (a *app) inboxShow() *cobra.Command {
	return command("show ID", "Show a received file", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		d, err := call[exchange.Drop](ctx, a, "GET", "/inbox/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return a.card(d, [2]string{"ID", d.ID}, [2]string{"Received", when(d.ReceivedAt)}, [2]string{"User", d.User},
			[2]string{"Account", d.Account}, [2]string{"Path", d.Path}, [2]string{"Size", fmt.Sprintf("%d bytes", d.Size)},
			[2]string{"SHA-256", d.SHA256}, [2]string{"Key", d.Fingerprint}, [2]string{"Address", d.Address}, [2]string{"State", d.State})
	})
}

func (a *app) inboxFetch() *cobra.Command {
	var out string
	c := command("fetch ID", "Fetch a received file to a file or to standard output", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		d, err := call[exchange.Drop](ctx, a, "GET", "/inbox/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		if out == "-" {
			return a.fetchDrop(ctx, d, a.Out)
		}
		to := out
		if to == "" {
			to = safeName(path.Base(d.Path))
		}
		if err := a.fetchTo(ctx, d, to); err != nil {
			return err
		}
		return a.done(d, "%s has %d bytes, SHA-256 %s.", to, d.Size, d.SHA256)
	})
	c.Flags().StringVarP(&out, "out", "o", "", "file to write; - for standard output (default: the received name)")
	return c
}

// fetchDrop copies a received file and checks its hash.
func (a *app) fetchDrop(ctx context.Context, d exchange.Drop, w io.Writer) error {
	resp, err := a.client().Send(ctx, client.Request{Method: "GET", Path: "/inbox/" + url.PathEscape(d.ID) + "/content"})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	bar := a.progress(path.Base(d.Path), d.Size)
	defer bar.finish()
	return copyChecked(w, bar.reader(resp.Body), d.SHA256)
}

// copyChecked copies and fails unless the bytes have the hash, if one is given.
func copyChecked(w io.Writer, r io.Reader, want string) error {
	const op = "cli.copy"
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, sum), r); err != nil {
		return &exchange.Error{Op: op, Kind: exchange.Unavailable, Public: fmt.Sprintf("The copy broke off: %v.", err), Err: err}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); want != "" && got != want {
		return exchange.E(op, exchange.Internal, "The bytes have SHA-256 %s, not %s. Nothing was written.", got, want)
	}
	return nil
}

// fetchTo lands a received file under its name only when it is whole.
func (a *app) fetchTo(ctx context.Context, d exchange.Drop, to string) error {
	return landFile(to, func(w io.Writer) error { return a.fetchDrop(ctx, d, w) })
}

// landFile writes a file under another name, syncs it, and renames it, so that
// nobody ever sees half of it. An existing file is not replaced.
func landFile(to string, write func(io.Writer) error) error {
	const op = "cli.landFile"
	if _, err := os.Lstat(to); err == nil {
		return exchange.E(op, exchange.Exists, "%s exists already.", to).WithHint("name another file with --out")
	}
	f, err := os.CreateTemp(filepath.Dir(to), ".sallyport-*.part")
	if err != nil {
		return exchange.E(op, exchange.Invalid, "The file cannot be made: %v.", err)
	}
	defer os.Remove(f.Name()) // after the rename there is none
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), to); err != nil { // unlike a rename, it never replaces
		if errors.Is(err, fs.ErrExist) {
			return exchange.E(op, exchange.Exists, "%s exists already.", to)
		}
		return exchange.E(op, exchange.Invalid, "The file cannot be named: %v.", err)
	}
	return nil
}

// safeName renders a partner's file name for the operator's own disk.
func safeName(name string) string {
	name = strings.ReplaceAll(exchange.Printable(name), "/", "_")
	name = strings.TrimLeft(name, ".-")
	if len(name) > 200 {
		name = name[len(name)-200:]
	}
	if name == "" {
		return "file"
	}
	return name
}

func (a *app) inboxPull() *cobra.Command {
	var to string
	var follow bool
	var f dropFlags
	c := command("pull --to DIR", "Land received files in a folder, each once, with a .json beside it", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return a.pull(ctx, f, to, follow)
	})
	c.Flags().StringVar(&to, "to", "", "folder")
	c.Flags().BoolVar(&follow, "follow", false, "go on as files come, until interrupted")
	c.Flags().StringVar(&f.user, "user", "", "only this user's")
	c.Flags().StringVar(&f.account, "account", "", "only this account's users'")
	_ = c.MarkFlagRequired("to")
	return c
}

// pullEvery is how often --follow asks.
const pullEvery = time.Second

// pull fetches every drop that has no sidecar in the folder yet. The sidecar
// is written last, so a file that was cut off is fetched again.
func (a *app) pull(ctx context.Context, f dropFlags, to string, follow bool) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return exchange.E("cli.pull", exchange.Invalid, "The folder cannot be made: %v.", err)
	}
	f.state = exchange.DropNew
	pulled := []exchange.Drop{}
	t := table{head: []string{"FILE", "SIZE", "USER", "SHA-256"}, none: "Nothing new was received."}
	for after := ""; ; {
		page, err := a.drops(ctx, f, after)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		for _, d := range page {
			after = d.ID
			name, fresh, err := a.pullOne(ctx, d, to)
			if err != nil {
				return err
			}
			if !fresh {
				continue
			}
			if follow {
				if err := a.done(d, "%s", name); err != nil {
					return err
				}
				continue
			}
			pulled = append(pulled, d)
			t.add(name, size(d.Size), d.User, d.SHA256)
		}
		if len(page) > 0 {
			continue
		}
		if !follow {
			return a.show(pulled, t)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pullEvery):
		}
	}
}

// pullOne lands one drop as <id>-<name> with its metadata in <id>-<name>.json.
func (a *app) pullOne(ctx context.Context, d exchange.Drop, to string) (name string, fresh bool, err error) {
	name = filepath.Join(to, d.User+"-"+d.ID+"-"+safeName(path.Base(d.Path)))
	sidecar := name + ".json"
	if _, err := os.Lstat(sidecar); err == nil {
		return name, false, nil
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return name, false, exchange.E("cli.pull", exchange.Invalid, "A half-landed file cannot be removed: %v.", err)
	}
	if err := a.fetchTo(ctx, d, name); err != nil {
		return name, false, err
	}
	return name, true, landFile(sidecar, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(d)
	})
}
