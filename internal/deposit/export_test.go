package deposit

import (
	"context"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Wait changes how long Commit waits for certainty.
func (d *Desk) Wait(t time.Duration) { d.wait = t }

// Look waits for a blob's row.
func (d *Desk) Look(b store.Blob) (bool, error) { return d.look(context.Background(), b) }
