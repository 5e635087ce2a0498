package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/handover"
	"github.com/sallyport-sftp/sallyport/model"
)

// NewContact is the body that makes a contact.
type NewContact struct {
	Account string   `json:"account,omitempty" doc:"Account ID; or"`
	Vendor  string   `json:"vendor,omitempty" doc:"vendor short name"`
	Name    string   `json:"name"`
	Email   string   `json:"email"`
	Phone   string   `json:"phone,omitempty"`
	Roles   []string `json:"roles,omitempty" doc:"technical (default), billing, security"`
}

// EditContact changes a contact; absent fields stay.
type EditContact struct {
	Name     *string   `json:"name,omitempty"`
	Email    *string   `json:"email,omitempty" doc:"A new address is unverified"`
	Phone    *string   `json:"phone,omitempty"`
	Roles    *[]string `json:"roles,omitempty"`
	Verified *string   `json:"verified,omitempty" doc:"An operator's word on how the address was verified"`
}

// NewLink is the body that makes a one-time link.
type NewLink struct {
	Kind        string `json:"kind" enum:"key,passphrase,verify"`
	User        string `json:"user,omitempty"`
	Contact     string `json:"contact" doc:"Id or e-mail"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Token       []byte `json:"token" doc:"SHA-256 of what finds the link"`
	Sealed      []byte `json:"sealed,omitempty" doc:"What it hands over, sealed with a key that only the link holds"`
}

func (rt *routes) contacts() {
	room := rt.r.Account
	huma.Register(rt, op("list-contacts", "GET", "/contacts", "List contacts"),
		func(ctx context.Context, in *struct {
			Of string `query:"of" doc:"Only of this account or vendor"`
		}) (*List[model.Contact], error) {
			v, err := room.Contacts(ctx, in.Of)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("add-contact", "POST", "/contacts", "Add a contact"),
		func(ctx context.Context, in *Payload[NewContact]) (*Payload[model.Contact], error) {
			n := in.Body
			v, err := room.AddContact(ctx, actor(ctx), model.Contact{Account: n.Account, Vendor: n.Vendor, Name: n.Name, Email: n.Email, Phone: n.Phone, Roles: n.Roles})
			return answer(rt, v, err)
		})
	huma.Register(rt, op("show-contact", "GET", "/contacts/{id}", "Show a contact, by id or e-mail"),
		func(ctx context.Context, in *ByID) (*Payload[model.Contact], error) {
			v, err := room.Contact(ctx, in.ID)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("edit-contact", "PATCH", "/contacts/{id}", "Change a contact"),
		func(ctx context.Context, in *struct {
			ByID
			Payload[EditContact]
		}) (*Payload[model.Contact], error) {
			e := in.Body
			v, err := room.SetContact(ctx, actor(ctx), in.ID, account.ContactEdit{Name: e.Name, Email: e.Email, Phone: e.Phone, Roles: e.Roles, Verified: e.Verified})
			return answer(rt, v, err)
		})
	huma.Register(rt, op("contact-leaves", "POST", "/contacts/{id}/leave", "Note that a contact left, and list the keys that remain"),
		func(ctx context.Context, in *ByID) (*Payload[model.Leaving], error) {
			v, err := room.ContactLeaves(ctx, actor(ctx), in.ID)
			return answer(rt, v, err)
		})
}

func (rt *routes) links() {
	room := rt.r.HandOver
	huma.Register(rt, op("list-links", "GET", "/links", "List one-time links"),
		func(ctx context.Context, in *struct {
			User string `query:"user"`
		}) (*List[model.Link], error) {
			v, err := room.Links(ctx, in.User)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("make-link", "POST", "/links", "Make a one-time link"),
		func(ctx context.Context, in *Payload[NewLink]) (*Payload[model.Link], error) {
			n := in.Body
			v, err := room.Make(ctx, actor(ctx), handover.NewLink{Kind: n.Kind, User: n.User, Contact: n.Contact, Fingerprint: n.Fingerprint, Token: n.Token, Sealed: n.Sealed})
			return answer(rt, v, err)
		})
	huma.Register(rt, op("revoke-link", "DELETE", "/links/{id}", "Revoke a one-time link that waits"),
		func(ctx context.Context, in *ByID) (*Payload[model.Link], error) {
			v, err := room.Revoke(ctx, actor(ctx), in.ID)
			return answer(rt, v, err)
		})
}
