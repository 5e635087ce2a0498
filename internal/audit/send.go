package audit

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// sendCheckpoint sends the newest checkpoint off this machine once a day. Without a copy elsewhere,
// somebody with the database and the key could rewrite the log unnoticed.
func (r *Service) sendCheckpoint(ctx context.Context, now time.Time) error {
	if len(r.o.To) == 0 {
		return nil
	}
	q := r.o.Store.Read(ctx)
	last, err := q.LastSent()
	if err != nil || now.Sub(last) < sendEvery {
		return err
	}
	if c, err := q.LastCheckpoint(); err != nil || c.Sent { // no row was sealed since
		if fault.Is(err, fault.NotFound) {
			err = nil
		}
		return err
	}
	return r.SendCheckpoint(ctx)
}

// SendCheckpoint sends the newest checkpoint off this machine now.
func (r *Service) SendCheckpoint(ctx context.Context) error {
	c, err := r.o.Store.Read(ctx).LastCheckpoint()
	if fault.Is(err, fault.NotFound) {
		return nil
	} else if err != nil {
		return err
	}
	errs := []error{r.keepJournals(ctx, true)}
	for _, to := range r.o.To {
		errs = append(errs, r.send(ctx, to, c.Note))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return r.o.Store.Write(ctx, func(tx *store.Tx) error { return tx.CheckpointSent(c.Size) })
}

// send sends a checkpoint to one place.
func (r *Service) send(ctx context.Context, to, note string) error {
	switch kind, target, _ := strings.Cut(to, ":"); kind {
	case "file":
		return appendCheckpoint(target, note)
	case "mail":
		return r.o.Mail(ctx, target, note)
	default:
		return r.o.Post(ctx, target, note)
	}
}

// appendCheckpoint appends a checkpoint to a file elsewhere: on another disk, or on an append-only
// mount.
func appendCheckpoint(path, note string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fault.E("audit.appendCheckpoint", fault.Unavailable, "A checkpoint cannot be written to %s: %v.", path,
			fault.InWords(err))
	}
	// A new file must be readable for those who check the log, whatever our umask is.
	if info, statErr := f.Stat(); statErr == nil && info.Size() == 0 {
		_ = f.Chmod(0o644)
	}
	if cutShort(path) {
		note = "\n" + note
	}
	_, err = f.WriteString(note + "\n")
	return errors.Join(err, f.Sync(), f.Close())
}

// cutShort reports whether the last line of a file has no end: a disk was full, or lost power. What is appended would
// become a part of that line, and be lost with it.
func cutShort(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return true // it cannot be looked at; an empty line does no harm
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err != nil
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return err != nil || last[0] != '\n'
}
