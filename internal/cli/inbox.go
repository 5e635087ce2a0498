package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) inboxCommand() *cobra.Command {
	return group("inbox", "Files received from partners", a.inboxList(), a.inboxShow(), a.inboxClaim(), a.inboxFetch(),
		a.inboxAck(), a.inboxReject(), a.inboxRenew(), a.inboxRelease(), a.inboxPull(), a.inboxClear())
}

// dropFlags choose received files.
type dropFlags struct{ state, user, account string }

func (f *dropFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.user, "user", "", "only this user's")
	c.Flags().StringVar(&f.account, "account", "", "only this account's users'")
	c.Flags().StringVar(&f.state, "state", "", "only in this state: unscanned, new, claimed, accepted, refused, superseded")
}

// drops asks for one page of received files after an id.
func (a *app) drops(ctx context.Context, f dropFlags, after string) ([]model.Drop, error) {
	q := url.Values{"after": {after}}
	for name, v := range map[string]string{"state": stateCode(f.state), "user": f.user, "account": f.account} {
		if v != "" {
			q.Set(name, v)
		}
	}
	return client.Call[[]model.Drop](ctx, a.client(), client.Request{Method: "GET", Path: "/inbox", Query: q})
}

func (a *app) inboxList() *cobra.Command {
	var f dropFlags
	c := command("list", "List received files in the order they came", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		all := []model.Drop{}
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
			state := dropState(d)
			t.add(d.ID, when(d.ReceivedAt), d.User, d.Path, size(d.Size), state, d.SHA256)
		}
		return a.show(all, t)
	})
	f.add(c)
	return c
}

// dropState is a received file's state with what is odd about it.
func dropState(d model.Drop) string {
	state := stateWord(d.State)
	if d.State == model.DropClaimed {
		state += " by " + d.Consumer
	}
	if d.Duplicate != "" {
		state += ", duplicate (" + d.Duplicate + ")"
	}
	if d.Withdrawn {
		state += ", withdrawn"
	}
	if d.RemovedAt != nil {
		state += ", removed"
	}
	return state
}

func (a *app) inboxShow() *cobra.Command {
	return command("show ID", "Show a received file", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		d, err := call[model.Drop](ctx, a, "GET", "/inbox/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return a.card(d, [2]string{"ID", d.ID}, [2]string{"Received", when(d.ReceivedAt)}, [2]string{"User", d.User},
			[2]string{"Account", d.Account}, [2]string{"Path", d.Path}, [2]string{"Size", fmt.Sprintf("%d bytes", d.Size)},
			[2]string{"SHA-256", d.SHA256}, [2]string{"Key", d.Fingerprint}, [2]string{"Address", d.Address}, [2]string{"State", dropState(d)},
			[2]string{"Duplicate of", d.DuplicateOf}, [2]string{"Consumer", d.Consumer}, [2]string{"Claimed until", whenPtr(d.ClaimUntil)},
			[2]string{"Settled", whenPtr(d.SettledAt)}, [2]string{"Reason", d.Reason}, [2]string{"Advice", d.Advice}, [2]string{"Removed", whenPtr(d.RemovedAt)})
	})
}

func (a *app) inboxFetch() *cobra.Command {
	var out, claim string
	c := command("fetch ID", "Fetch a received file to a file or to standard output", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		d, err := call[model.Drop](ctx, a, "GET", "/inbox/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		d.Claim = claim
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
	c.Flags().StringVar(&claim, "claim", "", "the scanner's claim, for a file that it has not accepted yet")
	return c
}

// fetchDrop copies a received file and checks its hash.
func (a *app) fetchDrop(ctx context.Context, d model.Drop, w io.Writer) error {
	resp, err := a.client().Send(ctx, client.Request{Method: "GET", Path: "/inbox/" + url.PathEscape(d.ID) + "/content", Query: url.Values{"claim": {d.Claim}}})
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
		return &fault.Error{Op: op, Kind: fault.Unavailable, Public: fmt.Sprintf("The copy broke off: %v.", err), Err: err}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); want != "" && got != want {
		return fault.E(op, fault.Internal, "The bytes have SHA-256 %s, not %s. Nothing was written.", got, want)
	}
	return nil
}

// fetchTo lands a received file under its name only when it is whole.
func (a *app) fetchTo(ctx context.Context, d model.Drop, to string) error {
	return landFile(to, func(w io.Writer) error { return a.fetchDrop(ctx, d, w) })
}

// landFile writes a file under another name, syncs it, and renames it, so that
// nobody ever sees half of it. An existing file is not replaced.
func landFile(to string, write func(io.Writer) error) error {
	const op = "cli.landFile"
	if _, err := os.Lstat(to); err == nil {
		return fault.E(op, fault.Exists, "%s exists already.", to).WithHint("name another file with --out")
	}
	f, err := os.CreateTemp(filepath.Dir(to), ".sallyport-*.part")
	if err != nil {
		return fault.E(op, fault.Invalid, "The file cannot be made: %v.", err)
	}
	defer os.Remove(f.Name()) // after the rename there is none
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), to); err != nil { // unlike a rename, it never replaces
		if errors.Is(err, fs.ErrExist) {
			return fault.E(op, fault.Exists, "%s exists already.", to)
		}
		return fault.E(op, fault.Invalid, "The file cannot be named: %v.", err)
	}
	return nil
}

// safeName renders a partner's file name for the operator's own disk.
func safeName(name string) string {
	name = strings.ReplaceAll(valid.Printable(name), "/", "_")
	name = strings.TrimLeft(name, ".-")
	if len(name) > 200 {
		name = name[len(name)-200:]
	}
	if name == "" {
		return "file"
	}
	return name
}

func (a *app) inboxClear() *cobra.Command {
	var in struct {
		Reason string `json:"reason"`
	}
	c := command("clear --reason TEXT", "Hand on unscanned what waits for a scanner that is not configured any more", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		v, err := call[struct {
			Files int64 `json:"files"`
		}](ctx, a, "POST", "/inbox/clear", in)
		if err != nil {
			return err
		}
		return a.done(v, "%d files are handed on unscanned.", v.Files)
	})
	c.Flags().StringVar(&in.Reason, "reason", "", "why; it goes into the audit log")
	_ = c.MarkFlagRequired("reason")
	return c
}
