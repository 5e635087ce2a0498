package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	// pullEvery is the polling interval of --follow.
	pullEvery = time.Second
	pullBatch = 20
)

func (a *app) inboxPull() *cobra.Command {
	var to string
	var follow bool
	in := model.NewClaim{Limit: pullBatch}
	c := command("pull --to DIR", "Land received files in a folder, whole, each with a .json beside it, and accept them",
		cobra.NoArgs, func(ctx context.Context, _ []string) error {
			return a.pull(ctx, in, to, follow)
		})
	c.Long = `Claim received files, land each in a folder under its final name only when it is
whole, with its metadata in a .json beside it, and accept it. A pull that was cut
off goes on where it was: nothing is landed twice, and nothing is lost.`
	c.Flags().StringVar(&to, "to", "", "folder")
	c.Flags().BoolVar(&follow, "follow", false, "go on as files come, until interrupted")
	c.Flags().StringVar(&in.Consumer, "consumer", "pull",
		"who claims them; each program that pulls needs a name of its own")
	c.Flags().StringVar(&in.User, "user", "", "only this user's")
	c.Flags().StringVar(&in.Account, "account", "", "only this account's users'")
	_ = c.MarkFlagRequired("to")
	return c
}

// pull claims received files, writes them to a folder, and accepts them. It writes a file's sidecar
// last, and accepts the file after that. Cut off before the sidecar, it fetches the file again; cut
// off after it, it only accepts the file.
func (a *app) pull(ctx context.Context, in model.NewClaim, to string, follow bool) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return fault.E("cli.pull", fault.Invalid, "The folder cannot be made: %v.", fault.InWords(err))
	}
	pulled := []model.Drop{}
	var failure error
	t := table{head: []string{"FILE", "SIZE", "USER", "SHA-256"}, none: "Nothing new was received."}
	for {
		batch, err := a.client().ClaimDrops(ctx, in)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		for i, d := range batch {
			name, err := a.pullOne(ctx, d, to)
			if ctx.Err() != nil {
				a.giveBack(batch[i:])
				return nil
			}
			if err != nil { // continue with the other files; this one's claim runs out
				fmt.Fprintf(a.Err, "sallyport: %s of %s was not landed: %s\n", valid.Printable(path.Base(d.Path)), d.User,
					fault.PublicText(err))
				failure = err
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
		if len(batch) > 0 {
			continue
		}
		if !follow {
			return errors.Join(a.show(pulled, t), failure)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pullEvery):
		}
	}
}

// giveBack releases claims when pull is stopped, so that nobody has to wait until they run out.
func (a *app) giveBack(list []model.Drop) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, d := range list {
		_, _ = a.client().ReleaseDrop(ctx, d.ID, model.Settling{Claim: d.Claim}) // after an error the claim runs out
	}
}

// renewBefore is how long before its end a claim is renewed.
const renewBefore = time.Minute

// pullOne fetches one file to <user>-<id>-<name>, writes its metadata beside it with .json
// appended, and accepts the file.
func (a *app) pullOne(ctx context.Context, d model.Drop, to string) (name string, err error) {
	base := d.User + "-" + d.ID + "-"
	end := safeName(path.Base(d.Path))
	end = end[max(0, len(end)-(valid.MaxName-len(".json")-len(base))):]
	name = filepath.Join(to, base+strings.ToValidUTF8(end, ""))
	sidecar := name + ".json"
	if _, err := os.Lstat(sidecar); err != nil {
		if err := a.land(ctx, d, name, sidecar); err != nil {
			return name, err
		}
	}
	_, err = a.client().AckDrop(ctx, d.ID, model.Settling{Claim: d.Claim})
	return name, err
}

// land fetches a file and writes its sidecar. Meanwhile it renews the claim.
func (a *app) land(ctx context.Context, d model.Drop, name, sidecar string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.E("cli.pull", fault.Invalid, "A half-landed file cannot be removed: %v.", fault.InWords(err))
	}
	over := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.renewUntil(ctx, d, over)
	}()
	err := a.fetchTo(ctx, d, name)
	close(over)
	<-done
	if err != nil {
		return err
	}
	claim := d.Claim
	d.Claim = ""
	defer func() { d.Claim = claim }()
	return landFile(sidecar, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(d)
	})
}

// renewUntil renews a claim until over is closed.
func (a *app) renewUntil(ctx context.Context, d model.Drop, over <-chan struct{}) {
	for d.ClaimUntil != nil {
		wait := max(time.Until(*d.ClaimUntil)-renewBefore, time.Second)
		select {
		case <-over:
			return
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		now, err := a.client().RenewDrop(ctx, d.ID, model.Settling{Claim: d.Claim})
		if err != nil {
			return // accepting the file will report it
		}
		d.ClaimUntil = now.ClaimUntil
	}
}
