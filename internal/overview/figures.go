package overview

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Pile is a number of things that wait. Beyond 10,000 they are not counted.
type Pile struct {
	Count  int64
	Oldest time.Time // zero if there are none
}

// Figures are numbers for a monitor. They are what Status judges, before it is judged.
type Figures struct {
	At          time.Time
	Free, Floor int64 // bytes of the disk; uploads must leave Floor
	Uncollected Pile  // published files that were not downloaded
	Unclaimed   Pile  // received files that no program claimed
	Unscanned   Pile  // received files that the scanner has not cleared
	Partials    Pile  // uploads that broke off and can be resumed
	PartialSize int64 // their bytes
	Bans        int64 // addresses and networks
	// Removal is the next retention run that was announced: when it is due, and what it removes. Due is zero if there
	// is none.
	RemovalDue   time.Time
	RemovalFiles int64
	RemovalBytes int64
	Certificate  time.Time // when that of the pages expires; zero if there is none
	Needs        []model.Need
}

// Figures reads the numbers. err says that some could not be read.
func (s *Service) Figures(ctx context.Context) (f Figures, err error) {
	q, now := s.read(ctx), s.now()
	f.At, f.Floor = now, s.o.Policy().Floor
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	f.Free, err = s.o.Free()
	note(err)
	pile := func(all []store.Heap, err error) Pile {
		note(err)
		n, _, _, _, oldest := heaps(all)
		return Pile{n, oldest}
	}
	f.Uncollected = pile(q.LateDeliveries(now, counted))
	f.Unclaimed = pile(q.WaitingDropsBefore(model.DropNew, now, counted))
	f.Unscanned = pile(q.WaitingDropsBefore(model.DropUnscanned, now, counted))
	partials := s.o.Partials("", now)
	for i, p := range partials {
		if i == 0 {
			f.Partials.Oldest = p.At
		}
		f.PartialSize += p.Size
	}
	f.Partials.Count = int64(len(partials))
	bans, err := q.Bans(now, model.Paging{Limit: counted})
	note(err)
	f.Bans = int64(len(bans))
	note(f.removal(q))
	if s.o.Certificate != nil { // one that cannot be read is among the needs
		if until, err := s.o.Certificate(); err == nil {
			f.Certificate = until
		}
	}
	status, err := s.Status(ctx, Usual)
	note(err)
	f.Needs = status.Needs
	return f, errors.Join(errs...)
}

// removal finds the next retention run.
func (f *Figures) removal(q *store.Q) error {
	open, err := q.OpenRuns()
	if err != nil || len(open) == 0 {
		return err
	}
	f.RemovalDue, f.RemovalFiles, f.RemovalBytes = open[0].DueAt, open[0].Files, open[0].Bytes
	return nil
}
