// Package partners brings in many partners at once, from a file that lists them. First it compares the
// whole file with what exists, and finds every mistake; with one, nothing is changed. Then it works
// through the steps in order, each a change of its own with its audit row. If a step fails, the import
// stops there: the same file continues, because what exists and is equal is skipped.
package partners

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Service imports partners.
type Service struct {
	store    *store.Store
	accounts *account.Service
	feeds    *feed.Service
	turn     chan struct{} // has room for the one import that is at work
}

// New makes the service.
func New(s *store.Store, accounts *account.Service, feeds *feed.Service) *Service {
	return &Service{s, accounts, feeds, make(chan struct{}, 1)}
}

// step is one thing of the file, and how it is done; do is nil if there is nothing to do.
type step struct {
	model.ImportStep
	do func(ctx context.Context, actor string) error
}

// Import brings in partners, or says what it would do. One import is at work at a time: a large file takes
// its plan a while, and many at once would take the server from others. The plan ends with the context;
// the steps do not, once they have begun.
func (s *Service) Import(ctx context.Context, actor string, in model.ImportPartners) (model.Imported, error) {
	out := model.Imported{Steps: []model.ImportStep{}}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return out, fault.Wrap("partners.Import", fault.Unavailable, ctx.Err())
	}
	p := plan{s: s, q: s.store.Read(ctx), update: in.Update, taken: map[string]string{}, holders: map[string]holder{},
		accounts: map[string]string{}, vendors: map[string]bool{}}
	if err := p.all(in); err != nil {
		return out, err
	}
	for _, x := range p.steps {
		out.Steps = append(out.Steps, x.ImportStep)
	}
	if in.DryRun || out.Count(model.ImportMistake) > 0 {
		return out, nil
	}
	ctx = context.WithoutCancel(ctx)
	for i, x := range p.steps {
		if x.do == nil {
			continue
		}
		if err := x.do(ctx, actor); err != nil && !fault.Is(err, fault.Exists) { // another import was faster
			if kind := fault.KindIn(err); kind == fault.Internal || kind == fault.Unavailable {
				return out, err
			}
			out.Steps[i].Does, out.Steps[i].Text = model.ImportFailed, sentence(err)
			return out, nil
		}
		out.Done++
	}
	return out, nil
}

// sentence is an error as people read it.
func sentence(err error) string {
	text := fault.PublicText(err)
	if hint := fault.HintIn(err); hint != "" {
		text += " (" + hint + ")"
	}
	return valid.Printable(text)
}
