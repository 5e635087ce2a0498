package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// identityKey is the context key of who sent a request.
type identityKey struct{}

// WithIdentity returns a context with who sent a request. The listener, which knows that, calls it.
func WithIdentity(ctx context.Context, who model.Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

// sentBy returns who sent a request; false if nobody is known.
func sentBy(ctx context.Context) (model.Identity, bool) {
	who, ok := ctx.Value(identityKey{}).(model.Identity)
	return who, ok && who.Name != ""
}

// againKey is the context key of a function that looks again whether whoever sent a request may still.
type againKey struct{}

// WithAgain returns a context with a function that looks again who sent a request. It is called when the body
// is here, before something is changed: a body can be withheld until a session has ended.
func WithAgain(ctx context.Context, again func(context.Context) (model.Identity, error)) context.Context {
	return context.WithValue(ctx, againKey{}, again)
}

// still returns an error if whoever sent a request is not any more who it was.
func still(ctx context.Context) error {
	again, ok := ctx.Value(againKey{}).(func(context.Context) (model.Identity, error))
	if !ok {
		return nil
	}
	now, err := again(ctx)
	if was, _ := sentBy(ctx); err == nil && now != was {
		err = fault.E("api.still", fault.Denied, "Your role was changed meanwhile.").WithHint("try again")
	}
	return err
}

// IdentityOf returns who sent a request, as WithIdentity has told.
func IdentityOf(ctx context.Context) model.Identity {
	who, _ := sentBy(ctx)
	return who
}

// actor returns the name of whoever sent a request, for the audit log. permit has refused requests
// without one.
func actor(ctx context.Context) string {
	who, ok := sentBy(ctx)
	if !ok {
		return "unknown"
	}
	return who.Name
}

// reasonKey is the context key of the reason for which contents are fetched.
type reasonKey struct{}

func reason(ctx context.Context) string {
	why, _ := ctx.Value(reasonKey{}).(string)
	return why
}

// permit returns the check that is made before each operation: whether the role of whoever asks may
// do it. It is the only place where roles are looked at. It comes before the input is read.
func (rt *routes) permit(operation string) func(huma.Context, func(huma.Context)) {
	duty, known := model.DutyOf(operation)
	return func(c huma.Context, next func(huma.Context)) {
		err := mayDo(c.Context(), duty, known, c.Query("reason"))
		if err == nil {
			if why := strings.TrimSpace(c.Query("reason")); why != "" {
				c = huma.WithValue(c, reasonKey{}, valid.Excerpt(why, 200))
			}
			next(c)
			return
		}
		p := asProblem(err)
		c.SetHeader("Content-Type", p.ContentType(""))
		c.SetStatus(p.Status)
		_ = json.NewEncoder(c.BodyWriter()).Encode(p) // the client may be gone
	}
}

// mayDo returns nil if whoever asks may do what a duty consists of.
func mayDo(ctx context.Context, d model.Duty, known bool, why string) error {
	const op = "api.permit"
	who, ok := sentBy(ctx)
	if !ok {
		return fault.E(op, fault.Unauthenticated, "Please sign in, or send a token.").
			WithHint("an API token goes into the header Authorization: Bearer TOKEN")
	}
	if !known { // an operation without a row would be open to nobody: a test finds it
		return fault.E(op, fault.Denied, "Nobody may do this.")
	}
	may, reasoned := d.May(who.Role)
	switch {
	case !may:
		return fault.E(op, fault.Denied, "The role %s may not do this; %s may.", who.Role, rolesOf(d)).
			WithHint("ask an administrator; docs/operators.md has the table of roles")
	case reasoned && strings.TrimSpace(why) == "":
		return fault.E(op, fault.Denied, "The role %s may fetch contents only with a reason, which is recorded.", who.Role).
			WithField("reason").WithHint("say why: reason, or --reason on the command line")
	}
	return nil
}

// rolesOf lists the roles that may do what a duty consists of: "admin and publisher".
func rolesOf(d model.Duty) string {
	var names []string
	for _, r := range model.Roles {
		if may, _ := d.May(r); may {
			names = append(names, string(r))
		}
	}
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return fmt.Sprintf("%s and %s", strings.Join(names[:last], ", "), names[last])
}
