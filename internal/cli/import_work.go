//go:build linux

package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/oldserver"
	"github.com/sallyport-sftp/sallyport/model"
)

// work moves in what was planned. It can be stopped at any moment, and run again.
func (w *mover) work(ctx context.Context) error {
	in, _ := w.partners(false)
	for part := range slices.Chunk(in.Accounts, importAtOnce) {
		v, err := w.c.ImportPartners(ctx, model.ImportPartners{Accounts: part})
		if err != nil {
			return err
		}
		for _, s := range v.Steps {
			if s.Does == model.ImportFailed || s.Does == model.ImportMistake {
				return fault.E("cli.work", fault.Conflict, "%s: %s", s.What,
					s.Text).WithHint("correct it, and run the command again")
			}
		}
	}
	run, err := w.c.BeginMoveIn(ctx)
	if err != nil {
		return err
	}
	stager, err := oldserver.NewStager(run, w.link)
	if err != nil {
		return err
	}
	defer stager.Close()
	t := w.beginTaking(ctx, run.Run)
	for _, u := range w.users {
		if u.Service {
			err = w.service(ctx, u)
		} else {
			err = w.user(ctx, u, t, stager)
		}
		if err != nil || t.stopped() {
			break
		}
	}
	if err := t.end(err); err != nil {
		return errors.Join(err, w.c.EndMoveIn(context.WithoutCancel(ctx), run.Run))
	}
	staging, hashing := stager.Took()
	w.out.Staging, w.out.Hashing = staging.Seconds(), hashing.Seconds()
	return w.c.EndMoveIn(ctx, run.Run)
}

// service makes a user of the platform's own, with its keys.
func (w *mover) service(ctx context.Context, u *moving) error {
	_, err := w.c.ShowUser(ctx, u.Name)
	if fault.Is(err, fault.NotFound) {
		_, err = w.c.AddUser(ctx, model.NewUser{Account: u.Account, Name: u.Name, Service: true, AllowIPs: u.AllowIPs})
	} else {
		u.have = true
	}
	if err != nil {
		return err
	}
	have, err := w.keysOf(ctx, u)
	if err != nil {
		return err
	}
	for _, k := range u.Keys {
		pub, err := keys.Read([]byte(k.Line))
		if err != nil {
			return err
		}
		if _, is := have[pub[0].Fingerprint]; is {
			continue
		}
		if _, err := w.c.AddKeys(ctx, u.Name, model.NewKey{Text: k.Line}); err != nil {
			return err
		}
	}
	return w.expiries(ctx, u)
}

// user moves in one user: directories, files, and then what depends on them.
func (w *mover) user(ctx context.Context, u *moving, t *taking, stager *oldserver.Stager) error {
	for part := range slices.Chunk(u.dirs, takeAtOnce) {
		if _, err := w.c.MoveIn(ctx, u.Name, model.MoveIn{Run: t.run, Dirs: movedDirs(part)}); err != nil {
			return err
		}
	}
	if err := w.settings(ctx, u); err != nil {
		return err
	}
	if err := w.expiries(ctx, u); err != nil {
		return err
	}
	return w.transfer(u, t, stager)
}

// settings gives a new user what the old server had set.
func (w *mover) settings(ctx context.Context, u *moving) error {
	now, err := w.c.ShowUser(ctx, u.Name)
	if err != nil || u.have && now.StartDir != "/" {
		return err
	}
	var e model.EditUser
	if u.StartDir != "" && u.StartDir != now.StartDir && now.StartDir == "/" {
		e.StartDir = &u.StartDir
	}
	if u.QuotaBytes > 0 && now.QuotaBytes == 0 {
		e.QuotaBytes = &u.QuotaBytes
	}
	if u.QuotaFiles > 0 && now.QuotaFiles == 0 {
		e.QuotaFiles = &u.QuotaFiles
	}
	if off := false; u.Disabled && now.Enabled && !u.have {
		e.Enabled = &off
	}
	if e == (model.EditUser{}) {
		return nil
	}
	_, err = w.c.EditUser(ctx, u.Name, e)
	return err
}

// keysOf returns a user's keys here, by fingerprint.
func (w *mover) keysOf(ctx context.Context, u *moving) (map[string]model.Key, error) {
	out := map[string]model.Key{}
	f := model.UserKeyFilter{User: u.Name, Paging: model.Paging{Limit: 1000}}
	for k, err := range client.Each(ctx, w.c.ListKeys, f) {
		if err != nil {
			return nil, err
		}
		out[k.Fingerprint] = k
	}
	return out, nil
}

// expiries gives keys the day on which they end.
func (w *mover) expiries(ctx context.Context, u *moving) error {
	if u.Expires == nil && !slices.ContainsFunc(u.Keys, func(k oldserver.Key) bool { return k.Expires != nil }) {
		return nil
	}
	have, err := w.keysOf(ctx, u)
	if err != nil {
		return err
	}
	for _, k := range u.Keys {
		end := k.Expires
		if end == nil || u.Expires != nil && u.Expires.Before(*end) {
			end = u.Expires
		}
		pub, err := keys.Read([]byte(k.Line))
		if err != nil {
			return err
		}
		if now, is := have[pub[0].Fingerprint]; end == nil || !is || now.ExpiresAt != nil {
			continue
		}
		if _, err := w.c.EditKey(ctx, u.Name, model.EditKey{Fingerprint: pub[0].Fingerprint, ExpiresAt: end}); err != nil {
			return err
		}
	}
	return nil
}

// taking has the server take batches, one after the other, while the next ones are staged.
type taking struct {
	w       *mover
	ctx     context.Context
	run     string
	batches chan takenBatch
	failed  chan struct{} // closed after a batch that was not taken; those behind it are left
	done    chan error
}

// takenBatch is a batch of a user's files.
type takenBatch struct {
	u     *moving
	files []oldserver.Staged
}

func (w *mover) beginTaking(ctx context.Context, run string) *taking {
	t := &taking{w: w, ctx: ctx, run: run, batches: make(chan takenBatch, 1), failed: make(chan struct{}),
		done: make(chan error, 1)}
	go func() { // end waits for it
		var err error
		for b := range t.batches {
			if err == nil {
				if err = w.take(ctx, b.u, run, b.files); err != nil {
					close(t.failed)
				}
			}
		}
		t.done <- err
	}()
	return t
}

// stopped reports whether nothing more is to be staged.
func (t *taking) stopped() bool {
	select {
	case <-t.failed:
		return true
	default:
		return t.ctx.Err() != nil
	}
}

// end waits until all batches are taken, and returns what hindered the import; err is what hindered staging.
func (t *taking) end(err error) error {
	close(t.batches)
	if notTaken := <-t.done; notTaken != nil {
		return notTaken
	}
	if err == nil && t.ctx.Err() != nil {
		return fault.E("cli.work", fault.Unavailable, "The import was stopped.").WithHint("run it again: it goes on")
	}
	return err
}

// transfer stages a user's files, in batches that the server takes.
func (w *mover) transfer(u *moving, t *taking, stager *oldserver.Stager) error {
	for part := range slices.Chunk(u.files, takeAtOnce) {
		if t.stopped() {
			return nil
		}
		files, err := w.stage(part, u, stager, t.stopped)
		if len(files) > 0 {
			t.batches <- takenBatch{u, files}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stage lays files into the folder, with as many workers as there are processors. After an error it returns what was
// staged before.
func (w *mover) stage(part []oldserver.Entry, u *moving, stager *oldserver.Stager,
	stopped func() bool) ([]oldserver.Staged, error) {
	out, errs := make([]oldserver.Staged, len(part)), make([]error, len(part))
	next := make(chan int)
	var workers sync.WaitGroup
	for range max(2, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := range next {
				out[i], errs[i] = stager.Stage(part[i])
			}
		})
	}
	for i := range part {
		if stopped() {
			break
		}
		next <- i
	}
	close(next)
	workers.Wait()
	var staged []oldserver.Staged
	var first error
	for i, err := range errs {
		switch {
		case err == nil && out[i].Name != "":
			staged = append(staged, out[i])
		case errors.Is(err, oldserver.ErrChanging):
			w.stop(filepath.Join(part[i].Folder, part[i].Below), u.Old, "It changed while it was read, or is gone.",
				"run the same command again")
		case err != nil && first == nil:
			first = err
		}
	}
	return staged, first
}

// takeTries is how often a batch is sent whose mailbox changes meanwhile.
const takeTries = 5

// take has the server take a batch.
func (w *mover) take(ctx context.Context, u *moving, run string, batch []oldserver.Staged) error {
	in := model.MoveIn{Run: run, Drops: w.drops, FromOriginal: w.keepFrom == "original"}
	for _, s := range batch {
		f := movedFile(s.Entry)
		f.Stage, f.SHA256 = s.Name, s.SHA256
		if !s.Ctimes {
			f.Ctime = time.Time{}
		}
		in.Files = append(in.Files, f)
	}
	var out model.MovedIn
	var err error
	for range takeTries {
		if out, err = w.c.MoveIn(ctx, u.Name, in); !fault.Is(err, fault.Conflict) {
			break
		}
	}
	if err != nil {
		return err
	}
	for i, o := range out.Files {
		switch o.Does {
		case model.MovedAdds:
			w.out.Added++
		case model.MovedChanges:
			w.out.Changed++
		case model.MovedKept:
			w.stop(u.Name+":"+batch[i].Path, u.Old, o.Text+" The old server's was not taken.", "see which of the two is needed")
		default:
			w.out.Same++
		}
	}
	if !w.json {
		fmt.Fprintf(w.Err, "%s: %d files\n", u.Name, w.out.Added+w.out.Changed)
	}
	return nil
}
