package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// Tagged is an answer with the entity tag of what it shows.
type Tagged[T any] struct {
	ETag string `header:"ETag" doc:"Send it back as If-Match with a change"`
	Body T
}

// Matched is the input of a change that may be bound to what its sender has seen.
type Matched[T any] struct {
	KeyedBody[T]
	IfMatch string `header:"If-Match" doc:"The ETag that was seen; 412 if the thing has changed since"`
}

// editable is a thing that is shown with an entity tag and changed with If-Match.
type editable[B, T any] struct {
	noun, path string // account, /accounts/{id}
	edits      string // the summary of the change
	read       func(ctx context.Context, key string) (T, error)
	change     func(ctx context.Context, actor, key string, body B) (T, error)
	// settled returns a thing without what changes by itself, such as use; nil: there is nothing like that.
	settled func(T) T
}

// showAndEdit adds the operations that show a thing and change it.
//
// A change holds rt.editing from the comparison to its end, so that of two changes with the same tag
// one is refused. One process serves a database, so nobody else changes the thing through the API.
func showAndEdit[B, T any](rt *routes, e editable[B, T]) {
	handle(rt, op("show-"+e.noun, "GET", e.path, "Show "+article(e.noun)),
		func(ctx context.Context, in *Keyed) (*Tagged[T], error) {
			v, err := e.read(ctx, in.Key)
			if err != nil {
				return nil, err
			}
			return &Tagged[T]{e.tag(v), v}, nil
		})
	route(rt, "edit-"+e.noun, "PATCH", e.path, e.edits, func(ctx context.Context, in *Matched[B]) (v T, err error) {
		select {
		case rt.editing <- struct{}{}:
			defer func() { <-rt.editing }()
		case <-ctx.Done():
			return v, fault.Wrap("api.edit", fault.Unavailable, ctx.Err())
		}
		if in.IfMatch != "" && in.IfMatch != "*" {
			now, err := e.read(ctx, in.Key)
			if err != nil {
				return v, err
			}
			if !matches(in.IfMatch, e.tag(now)) {
				return v, &staleError{fault.E("api.edit", fault.Conflict, "The %s was changed by someone else meanwhile.",
					e.noun).WithHint("look at it again, and send the ETag that it has now")}
			}
		}
		return e.change(ctx, actor(ctx), in.Key, in.Body)
	})
}

func article(noun string) string {
	if strings.HasPrefix(noun, "a") {
		return "an " + noun
	}
	return "a " + noun
}

func (e editable[B, T]) tag(v T) string {
	if e.settled != nil {
		v = e.settled(v)
	}
	text, _ := json.Marshal(v) // plain fields
	sum := sha256.Sum256(append([]byte(e.noun+"\x00"), text...))
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

// matches reports whether a list of entity tags has one.
func matches(list, tag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if strings.TrimPrefix(strings.TrimSpace(one), "W/") == tag {
			return true
		}
	}
	return false
}

// staleError is a Conflict that is answered with 412 (see asProblem): the request said what it expects to find.
type staleError struct{ cause *fault.Error }

func (e *staleError) Error() string { return e.cause.Error() }
func (e *staleError) Unwrap() error { return e.cause }

// withoutUse returns a user without what its own work changes.
func withoutUse(u model.User) model.User {
	u.UsedBytes, u.UsedFiles, u.KeptBytes, u.KeptItems, u.Dirs, u.Limits = 0, 0, 0, 0, 0, nil
	return u
}
