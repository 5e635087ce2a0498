package node

import "github.com/sallyport-sftp/sallyport/internal/movein"

// buildMoveIn builds the service that takes files of an old server.
func (n *Node) buildMoveIn() *movein.Service {
	st := &n.cfg.Storage
	return movein.New(movein.Options{Store: n.store, Blobs: n.files, Desk: n.desk, Clock: n.clock, IDs: n.ids, Log: n.log,
		Limits: defaultLimits(st), Directories: st.Directories, FreeFloor: int64(st.FreeFloor),
		OnCommit: n.inbox.Arrived, Final: n.final, OnGone: n.gone, Class: n.retain.Class})
}
