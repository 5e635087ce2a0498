package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) inboxCommand() *cobra.Command {
	return group("inbox", "Files received from partners", a.inboxList(), a.inboxShow(), a.inboxClaim(), a.inboxFetch(),
		a.inboxAck(), a.inboxReject(), a.inboxRenew(), a.inboxRelease(), a.inboxPull(), a.inboxClear())
}

func (a *app) inboxList() *cobra.Command {
	l := &listing[model.DropFilter, model.Drop]{use: "list", short: "List received files in the order they came",
		head: []string{"ID", "RECEIVED", "USER", "PATH", "SIZE", "STATE", "SHA-256"},
		more: []string{"ACCOUNT", "VENDOR", "CONSUMER", "SETTLED", "REASON", "ADDRESS", "FINGERPRINT"},
		at:   "RECEIVED", order: "id", none: "Nothing was received yet.", read: (*client.Client).ListDrops,
		row: func(d model.Drop) []any {
			return []any{d.ID, d.ReceivedAt, d.User, d.Path, fileSize(d.Size), dropState(d), d.SHA256, d.Account, d.Vendor,
				d.Consumer, d.SettledAt, d.Reason, d.Address, d.Fingerprint}
		}}
	c := listCommand(a, l)
	c.Flags().StringVar(&l.filter.User, "user", "", "only this user's")
	c.Flags().StringVar(&l.filter.Account, "account", "", "only this account's users'")
	c.Flags().StringVar(&l.filter.Name, "name", "", "only files of this name")
	stateFlag(c, &l.filter.State, model.DropUnscanned, model.DropNew, model.DropClaimed, model.DropAcked,
		model.DropRejected, model.DropSuperseded, model.DropWithdrawn, model.DropRemoved, model.DropDuplicate,
		model.DropUnexpected)
	return c
}

// dropState is a received file's state, with what is unusual about it.
func dropState(d model.Drop) string {
	state := stateWord(d.State)
	if d.State == model.DropClaimed {
		state += " by " + d.Consumer
	}
	if d.Duplicate != "" {
		state += ", " + stateWord(model.DropDuplicate) + " (" + d.Duplicate + ")"
	}
	if d.Flag != "" {
		state += ", " + stateWord(model.DropUnexpected) + " (" + d.Flag + ")"
	}
	if d.Withdrawn {
		state += ", " + stateWord(model.DropWithdrawn) + " (the partner removed it from its folder)"
	}
	if d.RemovedAt != nil {
		state += ", " + stateWord(model.DropRemoved)
	}
	return state
}

func (a *app) inboxShow() *cobra.Command {
	return command("show ID", "Show a received file", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		d, err := a.client().ShowDrop(ctx, args[0])
		if err != nil {
			return err
		}
		return a.card(d, [2]string{"ID", d.ID}, [2]string{"Received", when(d.ReceivedAt)}, [2]string{"User", d.User},
			[2]string{"Account", d.Account}, [2]string{"Path", d.Path}, [2]string{"Size", fmt.Sprintf("%d bytes", d.Size)},
			[2]string{"SHA-256", d.SHA256}, [2]string{"Key", d.Fingerprint}, [2]string{"Address", d.Address},
			[2]string{"State", dropState(d)},
			[2]string{"Duplicate of", d.DuplicateOf}, [2]string{"Consumer", d.Consumer},
			[2]string{"Claimed until", whenPtr(d.ClaimUntil)},
			[2]string{"Settled", whenPtr(d.SettledAt)}, [2]string{"Reason", d.Reason}, [2]string{"Advice", d.Advice},
			[2]string{"Removed", whenPtr(d.RemovedAt)})
	})
}

func (a *app) inboxFetch() *cobra.Command {
	var out, claim, why string
	c := command("fetch ID", "Fetch a received file to a file or to standard output", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			d, err := a.client().ShowDrop(ctx, args[0])
			if err != nil {
				return err
			}
			d.Claim = claim
			if out == "-" {
				return a.fetchDrop(ctx, d, why, a.Out)
			}
			to := out
			if to == "" {
				to = safeName(path.Base(d.Path))
			}
			if err := a.fetchTo(ctx, d, why, to); err != nil {
				return err
			}
			return a.done(d, "%s has %d bytes, SHA-256 %s.", to, d.Size, d.SHA256)
		})
	c.Flags().StringVarP(&out, "out", "o", "", "file to write; - for standard output (default: the received name)")
	c.Flags().StringVar(&why, "reason", "", "why the content is looked at; it is recorded")
	c.Flags().StringVar(&claim, "claim", "", "the scanner's claim, for a file that it has not accepted yet")
	return c
}

// fetchDrop copies a received file and checks its hash. why is the reason, which is recorded; it may be
// empty.
func (a *app) fetchDrop(ctx context.Context, d model.Drop, why string, w io.Writer) error {
	in, err := a.client().FetchDrop(ctx, d.ID, model.FetchDrop{Claim: d.Claim, Reasoned: model.Reasoned{Reason: why}})
	if err != nil {
		return err
	}
	defer in.Close()
	bar := a.progress(path.Base(d.Path), d.Size)
	defer bar.finish()
	return copyChecked(w, bar.reader(in), d.SHA256)
}

// copyChecked copies, and fails unless the bytes have the SHA-256 want. If want is "", nothing is
// checked.
func copyChecked(w io.Writer, r io.Reader, want string) error {
	const op = "cli.copy"
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, sum), r); err != nil {
		return &fault.Error{Op: op, Kind: fault.Unavailable, Err: err,
			Public: fmt.Sprintf("The copy broke off: %v.", fault.InWords(err))}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); want != "" && got != want {
		return fault.E(op, fault.Internal, "The bytes have SHA-256 %s, not %s. Nothing was written.", got, want)
	}
	return nil
}

// fetchTo writes a received file to the path to, once it is complete.
func (a *app) fetchTo(ctx context.Context, d model.Drop, why, to string) error {
	return landFile(to, func(w io.Writer) error { return a.fetchDrop(ctx, d, why, w) })
}

// landFile writes a temporary file, syncs it, and links it to the path to, so that no incomplete
// file is ever visible there. It fails with fault.Exists if to exists.
func landFile(to string, write func(io.Writer) error) error {
	const op = "cli.landFile"
	if _, err := os.Lstat(to); err == nil {
		return fault.E(op, fault.Exists, "%s exists already.", to).WithHint("name another file with --out")
	}
	f, err := os.CreateTemp(filepath.Dir(to), ".sallyport-*.part")
	if err != nil {
		return fault.E(op, fault.Invalid, "The file cannot be made: %v.", fault.InWords(err))
	}
	defer os.Remove(f.Name()) // the temporary name
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), to); err != nil { // unlike a rename, it does not replace a file
		if errors.Is(err, fs.ErrExist) {
			return fault.E(op, fault.Exists, "%s exists already.", to)
		}
		return fault.E(op, fault.Invalid, "The file cannot be named: %v.", fault.InWords(err))
	}
	return nil
}

// safeName turns a partner's file name into a safe name for the operator's disk.
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
	var in model.Clearing
	c := command("clear --reason TEXT", "Hand on unscanned what waits for a scanner that is not configured any more",
		cobra.NoArgs, func(ctx context.Context, _ []string) error {
			v, err := a.client().ClearDrops(ctx, in)
			if err != nil {
				return err
			}
			return a.done(v, "%d files are handed on unscanned.", v.Files)
		})
	c.Flags().StringVar(&in.Reason, "reason", "", "why; it goes into the audit log")
	_ = c.MarkFlagRequired("reason")
	return c
}
