package node

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// lockIdentity names the lock that this process has on its data folder: the
// same file on the same running kernel. Two processes cannot have it at once,
// so whoever has it and finds it beside a lease knows that the holder is dead.
// A copy of the folder, or the same folder on another machine, has another one.
func lockIdentity(f *os.File) string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", strings.TrimSpace(string(boot)), st.Dev, st.Ino)
}

// watchLease stops what the node does by itself, jobs included, once another
// process serves its database.
func (n *Node) watchLease(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-n.store.Lost():
		n.log.Error("another sallyport has taken the database over; this one stops", "node", n.name)
		n.cancel()
	}
}

// Failed is closed when the node may not go on and must be closed: another
// process serves its database.
func (n *Node) Failed() <-chan struct{} { return n.store.Lost() }

// Failure is why the node may not go on; nil while it may.
func (n *Node) Failure() error {
	if n.store == nil {
		return nil
	}
	select {
	case <-n.store.Lost(): // never, for a store without a lease
		return fault.E("node.Failure", fault.Unavailable, "Another sallyport has taken the database over.").
			WithHint("it took this one for dead: look at why this one could not renew its lease, and at which of the two " +
				"should serve")
	default:
		return nil
	}
}
