package tree

import "context"

// StopJanitor stops the janitor, so that a test can do its work at chosen moments.
func (t *Tree) StopJanitor() {
	t.stop()
	t.janitor.Wait()
}

// WaitForSyncs waits until no new partial is being synced.
func (t *Tree) WaitForSyncs() { t.janitor.Wait() }

// SyncLong does the syncs of the janitor that are due.
func (t *Tree) SyncLong() { t.syncLong(context.Background()) }

// ExpirePartials expires partials as the janitor does.
func (t *Tree) ExpirePartials() { t.expirePartials() }

// Held returns how many bytes of files are held for reading.
func (t *Tree) Held() int64 { return t.held.Load() }
