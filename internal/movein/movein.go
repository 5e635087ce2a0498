// Package movein takes files of an old server into mailboxes, while this server runs. The command that moves them
// (package oldserver reads what they were, cli sends them) runs on the same machine. It lays whole files into a landing
// folder of the blob store, and asks for a batch of them to be taken. A batch is one transaction with one audit row:
// its files become blobs by a rename, and are recorded together, or none is.
//
// What was moved in is recorded as it was on the old server (table moved_in). A repeated run asks what is new or
// changed by that record, and transfers only this. What a partner has changed here since stays.
//
// A run can end at any moment. Its landing folder is then abandoned, and removed at the next start of a run or of the
// server, or within an hour.
package movein

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// MaxBatch is how many directories and files a batch has at most.
const MaxBatch = 2000

// Options configure the service.
type Options struct {
	Store *store.Store
	Blobs blob.Lander
	Desk  *deposit.Desk
	Clock exchange.Clock
	IDs   *exchange.IDs
	Log   *slog.Logger

	Limits      exchange.DefaultLimits
	Directories int64 // most of a user's; 0: any number
	FreeFloor   int64 // bytes that stay free
	// The hooks of other services, as for uploads (tree.Hooks).
	OnCommit func(tx *store.Tx, list []exchange.Arrival) error
	Final    func(userID, path string) bool
	OnGone   mailbox.Gone
	Class    func(userID, path, feed string) string
}

// Service takes files of an old server.
type Service struct {
	o    Options
	turn sync.Mutex // held while a batch is taken or folders are removed
}

// New makes the service.
func New(o Options) *Service { return &Service{o: o} }

func (s *Service) now() time.Time { return s.o.Clock().UTC().Truncate(time.Microsecond) }

// Keep removes abandoned folders, at once and every hour, until ctx ends.
func (s *Service) Keep(ctx context.Context) {
	do := func(context.Context) error {
		s.turn.Lock()
		defer s.turn.Unlock()
		return s.tidy()
	}
	exchange.Task{Every: time.Hour, Do: do, Failure: "what an import left could not be removed", Log: s.o.Log}.Run(ctx)
}

// tidy removes the folders of runs that have ended. Callers hold turn.
func (s *Service) tidy() error {
	runs, err := s.o.Blobs.Abandoned()
	if err != nil {
		return err
	}
	for _, run := range runs {
		if err := s.o.Blobs.RemoveLanding(run); err != nil {
			return err
		}
	}
	return nil
}

// Begin starts a run: it makes a folder, and removes those of runs that have ended.
func (s *Service) Begin(context.Context) (model.MoveInRun, error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	if err := s.tidy(); err != nil {
		return model.MoveInRun{}, err
	}
	run := s.o.IDs.New()
	path, err := s.o.Blobs.Landing(run)
	if err != nil {
		return model.MoveInRun{}, err
	}
	return model.MoveInRun{Run: run, Folder: path, UID: os.Geteuid(), GID: os.Getegid(), FreeFloor: s.o.FreeFloor}, nil
}

// End ends a run whose command is done, and removes its folder.
func (s *Service) End(_ context.Context, run string) error {
	if !isRun(run) {
		return errNoRun(run)
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	return s.o.Blobs.RemoveLanding(run)
}

func isRun(run string) bool {
	return run != "" && !slices.ContainsFunc([]byte(run), func(c byte) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z')
	})
}

func errNoRun(run string) error {
	return fault.E("movein.run", fault.NotFound, "There is no import %q.", run).WithHint("begin the import again")
}

// Earlier lists what was moved in to a user's mailbox, by path, as it was on the old server.
func (s *Service) Earlier(ctx context.Context, f model.MovedFilter) ([]model.MovedEarlier, error) {
	q := s.o.Store.Read(ctx)
	u, err := q.User(f.User)
	if err != nil {
		return nil, fault.Missing("movein.Earlier", err, "There is no user %q.", f.User)
	}
	list, err := q.MovedOf(u.ID, f.Paging)
	out := make([]model.MovedEarlier, len(list))
	for i, m := range list {
		out[i] = model.MovedEarlier{Path: []byte(m.Path), Dir: m.Size < 0, Size: max(0, m.Size), Mtime: m.Mtime}
	}
	return out, err
}
