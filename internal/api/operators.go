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
			who, _ := identity(ctx)
			return who, nil
		})
	list(rt, "list-tokens", "/tokens", "List API tokens, the newest first", func(t model.Token) string { return t.ID },
		service.Tokens)
	create(rt, "add-token", "/tokens", "Make an API token; the answer has its secret, this once", service.AddToken)
	show(rt, "show-token", "/tokens/{id}", "Show an API token, by name or id", service.Token)
	act(rt, "revoke-token", "DELETE", "/tokens/{id}", "Revoke an API token, by name or id", service.RevokeToken)
}
