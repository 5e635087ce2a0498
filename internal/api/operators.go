package api

import (
	"context"

	"github.com/sallyport-sftp/sallyport/model"
)

// operators adds the operations on who may manage the server.
func (rt *routes) operators() {
	service := rt.Operators
	route(rt, "show-identity", "GET", "/me", "Say who sent the request, and which role that is",
		func(ctx context.Context, _ *nothing) (model.Identity, error) {
			who, _ := sentBy(ctx)
			return who, nil
		})
	list(rt, "list-tokens", "/tokens", "List API tokens, the newest first", func(t model.Token) string { return t.ID },
		service.Tokens)
	create(rt, "add-token", "/tokens", "Make an API token; the answer has its secret, this once", service.AddToken)
	show(rt, "show-token", "/tokens/{id}", "Show an API token, by name or id", service.Token)
	list(rt, "list-operators", "/operators", "List operators, the newest first",
		func(o model.Operator) string { return o.ID }, service.Operators)
	create(rt, "add-operator", "/operators", "Invite an operator; the answer has its link to join, this once",
		service.AddOperator)
	route(rt, "first-operator", "POST", "/operators/first", "Make a new link for the first administrator",
		func(ctx context.Context, _ *nothing) (model.Operator, error) {
			return service.FirstLink(ctx, actor(ctx))
		})
	show(rt, "show-operator", "/operators/{id}", "Show an operator, by e-mail address or id", service.Operator)
	edit(rt, "edit-operator", "PATCH", "/operators/{id}", "Change an operator's name or role", service.EditOperator)
	act(rt, "reset-operator", "POST", "/operators/{id}/reset",
		"Take an operator's password, codes and passkeys away, and give out a new link to join", service.ResetOperator)
	edit(rt, "disable-operator", "POST", "/operators/{id}/disable", "Keep an operator from signing in",
		service.DisableOperator)
	act(rt, "enable-operator", "POST", "/operators/{id}/enable", "Let an operator sign in again", service.EnableOperator)
	act(rt, "remove-operator", "DELETE", "/operators/{id}", "Remove an operator who has never joined",
		service.RemoveOperator)
	list(rt, "list-operator-sessions", "/operator-sessions", "List browsers in which operators are, or were, signed in",
		func(v model.OperatorSession) string { return v.ID }, service.Sessions)
	remove(rt, "end-operator-session", "/operator-sessions/{id}", "Sign a browser out", service.EndSession)
	list(rt, "list-reviews", "/reviews", "List reviews of access, the newest first",
		func(v model.Review) string { return v.ID }, service.Reviews)
	route(rt, "make-review", "POST", "/reviews", "List who and what has access now, to be looked at and signed off",
		func(ctx context.Context, _ *nothing) (model.Review, error) {
			return service.MakeReview(ctx, actor(ctx))
		})
	show(rt, "show-review", "/reviews/{id}", "Show a review of access", service.Review)
	edit(rt, "sign-review", "POST", "/reviews/{id}/sign", "Sign a review of access off", service.SignReview)
	act(rt, "revoke-token", "DELETE", "/tokens/{id}", "Revoke an API token, by name or id", service.RevokeToken)
}
