package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/model"
)

// NewUser is the body that makes a login.
type NewUser struct {
	Account  string   `json:"account"`
	Vendor   string   `json:"vendor,omitempty" doc:"Vendor short name: makes it that vendor's login for the account"`
	Name     string   `json:"name,omitempty" doc:"Username; by default the account ID, or account ID and vendor"`
	Service  bool     `json:"service,omitempty" doc:"A program of the platform's own: it publishes and collects over SFTP; needs allow_ips"`
	StartDir string   `json:"start_dir,omitempty"`
	AllowIPs []string `json:"allow_ips,omitempty" doc:"Addresses or networks; none allows all"`
}

// EditUser changes a login; absent fields stay.
type EditUser struct {
	Enabled    *bool     `json:"enabled,omitempty"`
	StartDir   *string   `json:"start_dir,omitempty"`
	AllowIPs   *[]string `json:"allow_ips,omitempty"`
	QuotaBytes *int64    `json:"quota_bytes,omitempty" doc:"0: the configured default"`
	QuotaFiles *int64    `json:"quota_files,omitempty" doc:"0: the configured default"`
	KeepBytes  *int64    `json:"keep_bytes,omitempty" doc:"Limit on what it keeps alive, seen or not; 0: the configured default"`
	FeedsMay   *string   `json:"feeds_may,omitempty" doc:"What it may do with delivered files: look, remove; empty: as its template says"`
	KeepItems  *int64    `json:"keep_items,omitempty" doc:"Limit on how much that is, and directories; 0: the configured default"`
}

func (rt *routes) users() {
	room := rt.r.Account
	huma.Register(rt, op("list-users", "GET", "/users", "List users"),
		func(ctx context.Context, in *struct {
			Account string `query:"account" doc:"Only this account's"`
		}) (*List[model.User], error) {
			v, err := room.Users(ctx, in.Account)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("add-user", "POST", "/users", "Add a user"),
		func(ctx context.Context, in *Payload[NewUser]) (*Payload[model.User], error) {
			n := in.Body
			v, err := room.AddUser(ctx, actor(ctx), account.NewUser{Service: in.Body.Service, Account: n.Account, Vendor: n.Vendor, Name: n.Name, StartDir: n.StartDir, AllowIPs: n.AllowIPs})
			return answer(rt, v, err)
		})
	huma.Register(rt, op("show-user", "GET", "/users/{name}", "Show a user"),
		func(ctx context.Context, in *ByName) (*Payload[model.User], error) {
			v, err := room.User(ctx, in.Name)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("edit-user", "PATCH", "/users/{name}", "Change, enable or disable a user"),
		func(ctx context.Context, in *struct {
			ByName
			Payload[EditUser]
		}) (*Payload[model.User], error) {
			e := in.Body
			v, err := room.SetUser(ctx, actor(ctx), in.Name, account.UserEdit{Enabled: e.Enabled, StartDir: e.StartDir, AllowIPs: e.AllowIPs, QuotaBytes: e.QuotaBytes, QuotaFiles: e.QuotaFiles,
				KeepBytes: e.KeepBytes, KeepItems: e.KeepItems, FeedsMay: e.FeedsMay})
			return answer(rt, v, err)
		})
}
