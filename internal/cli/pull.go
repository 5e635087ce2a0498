package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	// pullEvery is the polling interval of --follow.
	pullEvery = time.Second
	pullBatch = 20
)

// pulling is one run of "inbox pull".
type pulling struct {
	claim  model.NewClaim
	to     string
	layout layout
	follow bool
}

func (a *app) inboxPull() *cobra.Command {
	p := pulling{claim: model.NewClaim{Limit: pullBatch}}
	var layout string
	c := command("pull --to DIR", "Land received files in a folder, whole, each with a .json beside it, and accept them",
		cobra.NoArgs, func(ctx context.Context, _ []string) (err error) {
			if p.layout, err = parseLayout(layout); err != nil {
				return err
			}
			return a.pull(ctx, p)
		})
	c.Long = `Claim received files, land each in a folder under its final name only when it is
whole, with its metadata in a .json beside it, and accept it. A pull that was cut
off goes on where it was: what is there whole is not landed again.

--layout says where files go, below the folder, with these placeholders:

` + indented(layoutHelp) + `
A second file of the same name gets its id: calls-01KB2F7Q8ZJ4M5N6P7R8S9T0VW.csv. So
does a file that ends in .json, unless the layout has {id}: it might lie where the
metadata of another file goes.

Ctrl-C or SIGTERM gives back what is claimed and not landed. After kill -9 the next
pull for the same --consumer into the same folder does, from a note that a pull keeps
there (.sallyport-pull-*). Otherwise a claim ends by itself, with the lease
(inbox.lease, 15m unless configured otherwise).`
	c.Flags().StringVar(&p.to, "to", "", "folder")
	c.Flags().StringVar(&layout, "layout", defaultLayout, "where files go in it")
	c.Flags().BoolVar(&p.follow, "follow", false, "go on as files come, until interrupted")
	c.Flags().StringVar(&p.claim.Consumer, "consumer", "pull",
		"who claims them; each program that pulls needs a name of its own")
	c.Flags().StringVar(&p.claim.User, "user", "", "only this user's")
	c.Flags().StringVar(&p.claim.Account, "account", "", "only this account's users'")
	_ = c.MarkFlagRequired("to")
	return c
}

// indented moves the lines of a text to the right.
func indented(text string) (out string) {
	for line := range strings.Lines(text) {
		out += "  " + line
	}
	return out + "\n"
}

// pull claims received files, writes them to a folder, and accepts them. It writes a file's sidecar
// last, and accepts the file after that. Cut off before the sidecar, it writes that; cut off after
// it, it only accepts the file.
func (a *app) pull(ctx context.Context, p pulling) error {
	if err := os.MkdirAll(p.to, 0o700); err != nil {
		return fault.E("cli.pull", fault.Invalid, "The folder cannot be made: %v.", fault.InWords(err))
	}
	if err := a.takeBack(ctx, p); err != nil {
		return err
	}
	note, err := newClaimNote(p)
	if err != nil {
		return err
	}
	return errors.Join(a.pullAll(ctx, p, note), note.remove())
}

// pullAll is pull, once claims of an earlier one were taken back.
func (a *app) pullAll(ctx context.Context, p pulling, note *claimNote) error {
	pulled := []model.Drop{}
	var failure error
	t := table{head: []string{"FILE", "SIZE", "USER", "SHA-256"}, none: "Nothing new was received."}
	for {
		batch, err := a.claimBatch(ctx, p)
		if err != nil && ctx.Err() == nil {
			return errors.Join(err, a.told(pulled, t))
		}
		if err := note.add(batch); err != nil {
			return errors.Join(err, a.stopAfter(p, batch, pulled, t))
		}
		for i, d := range batch {
			name, err := a.pullOne(ctx, d, p)
			if err != nil && ctx.Err() != nil {
				return a.stopAfter(p, batch[i:], pulled, t)
			}
			if err != nil { // continue with the other files
				a.notLanded(d, err)
				failure = err
				continue
			}
			if p.follow {
				err = a.done(d, "%s", name)
			} else {
				pulled = append(pulled, d)
				t.add(name, size(d.Size), d.User, d.SHA256)
			}
			if err != nil {
				return errors.Join(err, a.stopPull(p, batch[i+1:]))
			}
			if ctx.Err() != nil { // an accepted file is told of although the pull ends here
				return a.stopAfter(p, batch[i+1:], pulled, t)
			}
		}
		if len(batch) > 0 && ctx.Err() == nil {
			continue
		}
		if !p.follow && ctx.Err() == nil {
			return errors.Join(a.show(pulled, t), failure, a.stillClaimed(ctx, p, failure))
		}
		select {
		case <-ctx.Done():
			return a.stopAfter(p, nil, pulled, t)
		case <-time.After(pullEvery):
		}
	}
}

// stopAfter is stopPull after a list of what was landed and accepted until then. With --follow each
// file was told of as it came.
func (a *app) stopAfter(p pulling, left, pulled []model.Drop, t table) error {
	return errors.Join(a.told(pulled, t), a.stopPull(p, left))
}

// told lists what was landed and accepted before a pull ended early.
func (a *app) told(pulled []model.Drop, t table) error {
	if len(pulled) == 0 {
		return nil
	}
	return a.show(pulled, t)
}

// stillClaimed says which files nobody gets for now: another pull of the same name has them, or had
// and was killed where its note is not seen. After a failure, whose claims run on, it says nothing.
func (a *app) stillClaimed(ctx context.Context, p pulling, failure error) error {
	if a.json || failure != nil {
		return nil
	}
	n, last := 0, time.Time{}
	f := model.DropFilter{State: model.DropClaimed, User: p.claim.User, Account: p.claim.Account}
	for d, err := range client.Each(ctx, a.client().ListDrops, f) {
		if err != nil {
			return err
		}
		if d.Consumer == p.claim.Consumer && d.ClaimUntil != nil {
			n++
			if d.ClaimUntil.After(last) {
				last = *d.ClaimUntil
			}
		}
	}
	if n > 0 {
		fmt.Fprintf(a.Err,
			"%s claimed by another %q, or by one that was killed and wrote to another folder; claims end by %s.\n",
			counted(n, "file is", "files are"), p.claim.Consumer, when(last))
	}
	return nil
}

// settleWithin is how long a pull that is stopped waits for an answer to what it has begun.
const settleWithin = 5 * time.Second

// claimBatch claims the next files. A request that has begun is waited for although ctx ends, so
// that the claims it made are known and can be given back.
func (a *app) claimBatch(ctx context.Context, p pulling) ([]model.Drop, error) {
	if ctx.Err() != nil {
		return nil, nil
	}
	patient, cancel := patiently(ctx)
	defer cancel()
	return a.client().ClaimDrops(patient, p.claim)
}

// patiently returns a context that ends settleWithin after ctx has ended.
func patiently(ctx context.Context) (context.Context, context.CancelFunc) {
	patient, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(settleWithin, cancel) })
	return patient, func() { stop(); cancel() }
}

// notLanded tells that a file could not be landed, and when it can be claimed again.
func (a *app) notLanded(d model.Drop, err error) {
	again := ""
	if d.ClaimUntil != nil {
		again = " It can be claimed again at " + when(*d.ClaimUntil) + "."
	}
	a.failed(err, fmt.Sprintf("sallyport: %s of %s was not landed: ", valid.Printable(path.Base(d.Path)), d.User), again)
}

// stopPull gives claims back, so that nobody has to wait until they run out, and says so. With
// --follow that is how a pull ends; without, something is left to pull.
func (a *app) stopPull(p pulling, list []model.Drop) error {
	ctx, cancel := context.WithTimeout(context.Background(), settleWithin)
	defer cancel()
	given, kept, until := 0, 0, time.Time{}
	for _, d := range list {
		_, err := a.client().ReleaseDrop(ctx, d.ID, model.Settling{Claim: d.Claim})
		switch {
		case err == nil:
			given++
		case fault.Is(err, fault.Unavailable):
			kept++
			if d.ClaimUntil != nil && d.ClaimUntil.After(until) {
				until = *d.ClaimUntil
			}
		} // else it was accepted, or the claim had run out
	}
	text := fmt.Sprintf("Stopped. %s given back.", counted(given, "claim was", "claims were"))
	if given+kept == 0 {
		text = "Stopped. No claim was left to give back."
	}
	if kept > 0 {
		text += fmt.Sprintf(" %s not be given back, since the server did not answer; they end at %s.",
			counted(kept, "claim could", "claims could"), when(until))
	}
	if !p.follow {
		return fault.E("cli.pull", fault.Unavailable, "%s", text).WithHint("run it again to go on")
	}
	if a.json {
		return nil
	}
	fmt.Fprintln(a.Err, text)
	return nil
}

// counted formats a number with its noun.
func counted[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// renewBefore is how long before its end a claim is renewed.
const renewBefore = time.Minute

// pullOne lands one file where the layout says, writes its metadata beside it with .json appended,
// and accepts the file.
func (a *app) pullOne(ctx context.Context, d model.Drop, p pulling) (name string, err error) {
	at, err := p.layout.path(d)
	if err != nil {
		return "", err
	}
	for _, at := range p.layout.places(at, d.ID) {
		name = filepath.Join(p.to, at)
		switch found, err := landing(name, d); {
		case err != nil:
			return name, err
		case found == taken:
			continue
		case found == free:
			if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
				return name, fault.E("cli.pull", fault.Invalid, "The folder cannot be made: %s.", fault.InWords(err))
			}
			if err := a.land(ctx, d, name); err != nil {
				return name, err
			}
		}
		if err := writeSidecar(name, d); err != nil {
			return name, err
		}
		patient, cancel := patiently(ctx)
		defer cancel()
		_, err = a.client().AckDrop(patient, d.ID, model.Settling{Claim: d.Claim})
		return name, err
	}
	return name, fault.E("cli.pull", fault.Exists, "Something else is at %s.", name).WithHint("move it away")
}

// land fetches a file. Meanwhile it renews the claim.
func (a *app) land(ctx context.Context, d model.Drop, name string) error {
	over := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.renewUntil(ctx, d, over)
	}()
	err := a.fetchTo(ctx, d, "", name)
	close(over)
	<-done
	return err
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
