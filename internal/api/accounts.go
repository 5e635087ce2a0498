package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// NewAccount is the body that makes an account.
type NewAccount struct {
	ID       string   `json:"id" doc:"The operator's account ID"`
	Name     string   `json:"name" doc:"Company name"`
	Parent   string   `json:"parent,omitempty" doc:"Parent account, for an indirect customer"`
	Region   string   `json:"region,omitempty"`
	AllowIPs []string `json:"allow_ips,omitempty" doc:"Addresses or networks its users may log in from; none allows all"`
}

// EditAccount changes an account; absent fields stay.
type EditAccount struct {
	Name      *string   `json:"name,omitempty"`
	Parent    *string   `json:"parent,omitempty" doc:"Empty: a direct account"`
	Region    *string   `json:"region,omitempty"`
	AllowIPs  *[]string `json:"allow_ips,omitempty"`
	State     *string   `json:"state,omitempty" enum:"active,read_only,suspended,closed" doc:"closed is final"`
	KeepBytes *int64    `json:"keep_bytes,omitempty" doc:"Limit on the bytes that its users keep alive together; 0: the configured default"`
	KeepItems *int64    `json:"keep_items,omitempty" doc:"Limit on the contents and directories that they keep together; 0: the configured default"`
	KeepFiles *string   `json:"keep_files,omitempty" doc:"Of closing: how long its files stay, 30d; the configured time unless given"`
}

// NewVendor is the body that makes a vendor.
type NewVendor struct {
	Short string `json:"short"`
	Name  string `json:"name"`
}

func (rt *routes) accounts() {
	room := rt.r.Account
	huma.Register(rt, op("list-accounts", "GET", "/accounts", "List accounts"),
		func(ctx context.Context, _ *nothing) (*List[model.Account], error) {
			v, err := room.Accounts(ctx)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("add-account", "POST", "/accounts", "Add an account"),
		func(ctx context.Context, in *Payload[NewAccount]) (*Payload[model.Account], error) {
			v, err := room.AddAccount(ctx, actor(ctx), model.Account{ID: in.Body.ID, Name: in.Body.Name, Parent: in.Body.Parent, Region: in.Body.Region, AllowIPs: in.Body.AllowIPs})
			return answer(rt, v, err)
		})
	huma.Register(rt, op("show-account", "GET", "/accounts/{id}", "Show an account"),
		func(ctx context.Context, in *ByID) (*Payload[model.Account], error) {
			v, err := room.Account(ctx, in.ID)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("edit-account", "PATCH", "/accounts/{id}", "Change, suspend, reinstate or close an account"),
		func(ctx context.Context, in *struct {
			ByID
			Payload[EditAccount]
		}) (*Payload[model.Account], error) {
			e := in.Body
			if e.KeepFiles != nil && (e.State == nil || *e.State != model.AccountClosed) {
				return nil, rt.fail(fault.E("api.editAccount", fault.Invalid, "keep_files is for closing an account."))
			}
			if e.State != nil {
				v, err := rt.setState(ctx, in.ID, *e.State, e.KeepFiles)
				if err != nil || e.Name == nil && e.Parent == nil && e.Region == nil && e.AllowIPs == nil && e.KeepBytes == nil && e.KeepItems == nil {
					return answer(rt, v, err)
				}
			}
			v, err := room.SetAccount(ctx, actor(ctx), in.ID, account.Edit{Name: e.Name, Parent: e.Parent, Region: e.Region, AllowIPs: e.AllowIPs,
				KeepBytes: e.KeepBytes, KeepItems: e.KeepItems})
			return answer(rt, v, err)
		})
	huma.Register(rt, op("list-vendors", "GET", "/vendors", "List vendors"),
		func(ctx context.Context, _ *nothing) (*List[model.Vendor], error) {
			v, err := room.Vendors(ctx)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("add-vendor", "POST", "/vendors", "Add a vendor"),
		func(ctx context.Context, in *Payload[NewVendor]) (*Payload[model.Vendor], error) {
			v, err := room.AddVendor(ctx, actor(ctx), model.Vendor{Short: in.Body.Short, Name: in.Body.Name})
			return answer(rt, v, err)
		})
	huma.Register(rt, op("show-vendor", "GET", "/vendors/{id}", "Show a vendor"),
		func(ctx context.Context, in *ByID) (*Payload[model.Vendor], error) {
			v, err := room.Vendor(ctx, in.ID)
			return answer(rt, v, err)
		})
}

// setState changes an account's state. Closing also plans the removal of its
// files; should that fail, retention's keeper does it.
func (rt *routes) setState(ctx context.Context, id, state string, keep *string) (model.Account, error) {
	if state != model.AccountClosed {
		return rt.r.Account.SetState(ctx, actor(ctx), id, state)
	}
	period := ""
	if keep != nil {
		period = *keep
	}
	a, err := rt.r.Account.Close(ctx, actor(ctx), id, period)
	if err != nil {
		return a, err
	}
	_, err = rt.r.Retain.PlanClosing(ctx, id)
	return a, err
}
