package deposit

import (
	"context"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Wait changes how long Commit waits for a certain outcome.
func (d *Desk) Wait(t time.Duration) { d.wait = t }

// Look reports whether a blob's row exists.
func (d *Desk) Look(b store.Blob) (bool, error) { return d.look(context.Background(), b) }
