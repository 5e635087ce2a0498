package tree

import "context"

// StopJanitor ends what the tree does by the clock, so that a test does it.
func (t *Tree) StopJanitor() {
	t.stop()
	t.janitor.Wait()
}

// WaitForSyncs waits until new partials are synced.
func (t *Tree) WaitForSyncs() { t.janitor.Wait() }

// SyncLong does the janitor's syncs that are due.
func (t *Tree) SyncLong() { t.syncLong(context.Background()) }

// ExpirePartials does the janitor's expiry.
func (t *Tree) ExpirePartials() { t.expirePartials() }
