package api

import (
	"context"

	"github.com/sallyport-sftp/sallyport/model"
)

// requests adds the operations on requests for access. An id is a request's id or its reference.
func (rt *routes) requests() {
	service := rt.Onboard
	list(rt, "list-requests", "/requests", "List requests for access, the newest first",
		func(r model.Request) string { return r.ID }, service.Requests)
	route(rt, "count-requests", "GET", "/requests/counts", "How many requests for access wait, and for whom",
		func(ctx context.Context, in *model.RequestCountQuery) (model.RequestCounts, error) {
			return service.Counts(ctx, *in)
		})
	show(rt, "show-request", "/requests/{id}", "A request for access, with its history", service.Request)
	show(rt, "judge-request", "/requests/{id}/judgement", "What is needed to decide about a request", service.Judge)
	create(rt, "add-request", "/requests", "Record a request that came by mail or phone", service.Add)
	edit(rt, "approve-request", "POST", "/requests/{id}/approve",
		"Approve a request: make what is missing of account, contact, user, key and subscriptions",
		func(ctx context.Context, actor, id string, a model.Approval) (model.Request, error) {
			return service.Approve(context.WithoutCancel(ctx), actor, id, a)
		})
	edit(rt, "ask-request", "POST", "/requests/{id}/ask", "Ask the requester something, by mail", service.Ask)
	edit(rt, "reject-request", "POST", "/requests/{id}/reject", "Reject a request, with a reason for the requester",
		service.Reject)
	edit(rt, "withdraw-request", "POST", "/requests/{id}/withdraw", "Withdraw a request at the requester's word",
		service.WithdrawFor)
	edit(rt, "assign-request", "POST", "/requests/{id}/assign", "Say who looks after a request", service.Assign)
	act(rt, "remind-request", "POST", "/requests/{id}/remind", "Remind whoever a request waits for, by mail",
		service.Remind)
}
