package operator

import (
	"context"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// keysAtOnce is how many keys are read at once for a review.
const keysAtOnce = 1000

// MakeReview lists who and what has access now, and keeps the list to be looked at and signed off.
func (s *Service) MakeReview(ctx context.Context, actor string) (model.Review, error) {
	v := model.Review{ID: s.o.IDs.New(), MadeAt: s.now(), MadeBy: actor}
	var err error
	if v.Access, err = s.access(ctx); err != nil {
		return v, err
	}
	for _, a := range v.Access {
		switch a.Kind {
		case model.AccessOperator:
			v.Operators++
		case model.AccessToken:
			v.Tokens++
		case model.AccessKey:
			v.Keys++
		}
	}
	return v, s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.AddReview(v); err != nil {
			return err
		}
		return s.audit(tx, actor, "review.make", v.ID, nil)
	})
}

// access lists operators who are not disabled, tokens that work, and keys that are not revoked.
func (s *Service) access(ctx context.Context) (list []model.Access, err error) {
	q, now := s.o.Store.Read(ctx), s.now()
	operators, err := q.Operators(model.OperatorFilter{})
	if err != nil {
		return nil, err
	}
	for _, o := range operators {
		if o.DisabledAt == nil && o.Email != "" {
			list = append(list, model.Access{Kind: model.AccessOperator, Name: o.Email, Detail: string(o.Role),
				State: string(o.State), Since: o.CreatedAt, Used: o.LastAt, From: o.LastFrom})
		}
	}
	tokens, err := q.ActiveTokens(now, 100_000)
	if err != nil {
		return nil, err
	}
	for _, t := range tokens {
		s.complete(&t)
		list = append(list, model.Access{Kind: model.AccessToken, Name: t.Name, Detail: string(t.Role),
			State: string(t.State), Since: t.CreatedAt, Ends: &t.ExpiresAt, Used: t.LastUsedAt, From: t.LastAddress})
	}
	user, id := "", ""
	for {
		keys, err := q.AccessOfKeys(user, id, keysAtOnce)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			list = append(list, model.Access{Kind: model.AccessKey, Name: k.User, Detail: k.Fingerprint,
				State: string(k.StateAt(now)), Since: k.CreatedAt, Ends: k.ExpiresAt, Used: k.LastUsedAt, From: k.LastAddress})
			user, id = k.User, k.ID
		}
		if len(keys) < keysAtOnce {
			return list, nil
		}
	}
}

// Reviews lists reviews, the newest first, without what they list.
func (s *Service) Reviews(ctx context.Context, f model.EveryFilter) ([]model.Review, error) {
	return s.o.Store.Read(ctx).Reviews(f.Paging)
}

// Review returns a review with what it lists.
func (s *Service) Review(ctx context.Context, id string) (model.Review, error) {
	v, err := s.o.Store.Read(ctx).Review(id)
	return v, noReview(err, id)
}

func noReview(err error, id string) error {
	if fault.Is(err, fault.NotFound) {
		return fault.E("operator.Review", fault.NotFound, "There is no review %q.", valid.Printable(id)).
			WithAction("list-reviews")
	}
	return err
}

// SignReview records that somebody has looked at a review.
func (s *Service) SignReview(ctx context.Context, actor, id string, in model.SignReview) (model.Review, error) {
	note := strings.TrimSpace(in.Note)
	return store.Change(ctx, s.o.Store, func(tx *store.Tx) (model.Review, error) {
		v, err := tx.Review(id)
		if err != nil {
			return v, noReview(err, id)
		}
		now := s.now()
		if err := tx.SignReview(id, actor, note, now); fault.Is(err, fault.NotFound) {
			return v, fault.E("operator.SignReview", fault.Conflict, "This review was signed off before, by %s.", v.SignedBy)
		} else if err != nil {
			return v, err
		}
		v.SignedAt, v.SignedBy, v.Note, v.Access = &now, actor, note, nil
		return v, s.audit(tx, actor, "review.sign", id, map[string]string{"note": note})
	})
}
