package api

import (
	"context"
	"errors"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// people adds the operations on accounts, vendors, users and contacts, and on links, notices and
// guides.
func (rt *routes) people() {
	service := rt.Account
	list(rt, "list-accounts", "/accounts", "List accounts", func(a model.Account) string { return a.ID }, service.Accounts)
	create(rt, "add-account", "/accounts", "Add an account", service.AddAccount)
	showAndEdit(rt, editable[model.EditAccount, model.Account]{noun: "account", path: "/accounts/{id}",
		edits: "Change, suspend, reinstate or close an account", read: service.Account, change: rt.editAccount})
	route(rt, "show-closing", "GET", "/accounts/{id}/closing", "Say what closing an account would do, or did",
		func(ctx context.Context, in *model.ClosingQuery) (model.Closing, error) {
			return service.Closing(ctx, *in)
		})
	act(rt, "reopen-account", "POST", "/accounts/{id}/reopen",
		"Reopen a closed account, in the state that it had before; the removal of its files is called off", service.Reopen)
	remove(rt, "remove-account", "/accounts/{id}", "Remove an account that nothing refers to", service.RemoveAccount)

	list(rt, "list-vendors", "/vendors", "List vendors", func(v model.Vendor) string { return v.Short }, service.Vendors)
	create(rt, "add-vendor", "/vendors", "Add a vendor", service.AddVendor)
	showAndEdit(rt, editable[model.EditVendor, model.Vendor]{noun: "vendor", path: "/vendors/{id}",
		edits: "Change a vendor", read: service.Vendor, change: service.SetVendor})
	remove(rt, "remove-vendor", "/vendors/{id}", "Remove a vendor without users and contacts", service.RemoveVendor)

	list(rt, "list-users", "/users", "List users", func(u model.User) string { return u.Name }, service.Users)
	create(rt, "add-user", "/users", "Add a user", service.AddUser)
	showAndEdit(rt, editable[model.EditUser, model.User]{noun: "user", path: "/users/{id}", settled: withoutUse,
		edits: "Change, enable or disable a user", read: service.User, change: service.SetUser})
	edit(rt, "rename-user", "POST", "/users/{id}/rename", "Give a user another username; everything else stays",
		service.RenameUser)
	remove(rt, "remove-user", "/users/{id}", "Remove a user that was never used", service.RemoveUser)
	rt.directories()

	list(rt, "list-contacts", "/contacts", "List contacts", store.ContactCursor, service.Contacts)
	create(rt, "add-contact", "/contacts", "Add a contact", service.AddContact)
	showAndEdit(rt, editable[model.EditContact, model.Contact]{noun: "contact", path: "/contacts/{id}",
		edits: "Change a contact, by id or e-mail", read: service.Contact, change: service.SetContact})
	remove(rt, "remove-contact", "/contacts/{id}", "Remove a contact who was sent nothing and holds no key",
		service.RemoveContact)
	act(rt, "contact-leaves", "POST", "/contacts/{id}/leave", "Note that a contact left, and list the keys that remain",
		service.ContactLeaves)

	list(rt, "list-links", "/links", "List one-time links", func(l model.Link) string { return l.ID }, rt.HandOver.Links)
	create(rt, "make-link", "/links", "Make a one-time link", rt.HandOver.Make)
	edit(rt, "mail-link", "POST", "/links/{id}/mail", "Mail a one-time link that waits to its contact",
		rt.HandOver.MailLink)
	act(rt, "revoke-link", "DELETE", "/links/{id}", "Revoke a one-time link that waits", rt.HandOver.Revoke)

	list(rt, "list-notices", "/notices", "List what people should be told", func(n model.Notice) string { return n.ID },
		service.Notices)
	done(rt, "done-notice", "POST", "/notices/{id}/done", "Note that people were told",
		func(ctx context.Context, in *Keyed) error { return service.NoticeDone(ctx, actor(ctx), in.Key) })

	route(rt, "show-guide", "GET", "/users/{id}/guide", "Write a user's guide", rt.guide)
	show(rt, "show-key-sheet", "/users/{id}/key-sheet", "Write the text that lies beside a user's issued key",
		func(ctx context.Context, user string) (model.Document, error) { return rt.Guides.KeySheet(ctx, user) })
	listWhole(rt, "show-sites", "/users/{id}/sites", "Write files that SFTP programs import", rt.sites)
	listWhole(rt, "test-guide", "/users/{id}/test", "Check that a user could log in and work",
		func(ctx context.Context, f model.UserKeyFilter) ([]model.Check, error) {
			return rt.Guides.Test(ctx, f.User)
		})
}

// directories adds the operations on the directories that the operator makes in mailboxes.
func (rt *routes) directories() {
	service := rt.Account
	listWhole(rt, "list-directories", "/users/{id}/directories", "List the directories that the operator made for a user",
		func(ctx context.Context, f model.UserKeyFilter) ([]model.Directory, error) {
			return service.Dirs(ctx, f.User)
		})
	edit(rt, "add-directory", "POST", "/users/{id}/directories", "Make a directory in a user's mailbox", service.AddDir)
	edit(rt, "edit-directory", "PATCH", "/users/{id}/directories", "Change a directory's rights, or its staging",
		service.EditDir)
	done(rt, "remove-directory", "DELETE", "/users/{id}/directories",
		"Remove an empty directory from a user's mailbox, and those above it that were made only for it",
		func(ctx context.Context, in *model.DirectoryRef) error {
			err := rt.visit(ctx, in.User, func(s *tree.Session) error {
				may := func(tx *store.Tx, path string, _ *model.AuditRow) error {
					return service.MayRemoveDir(tx, s.UserID(), path)
				}
				return s.RmdirIf(in.Path, may, func(tx *store.Tx, path string, row *model.AuditRow) error {
					return service.RemoveWay(tx, s.UserID(), path, row, s.Unfinished)
				})
			})
			if e := new(fault.Error); errors.As(err, &e) && e.Kind == fault.Exists {
				return e.WithHint("move or remove what is in it first")
			}
			return fault.Missing("api.remove-directory", err, "There is no directory %q in the mailbox of %s.",
				valid.Printable(in.Path), valid.Printable(in.User))
		})
	edit(rt, "apply-template", "POST", "/users/{id}/template",
		"Bring a user's directories to its template: nothing is removed", service.ApplyTemplate)
}

// editAccount changes an account's state first, and then its other fields.
func (rt *routes) editAccount(ctx context.Context, who, id string, e model.EditAccount) (a model.Account, err error) {
	if e.KeepFiles != nil && (e.State == nil || *e.State != model.AccountClosed) {
		return a, fault.E("api.editAccount", fault.Invalid, "keep_files is for closing an account.")
	}
	if e.State != nil {
		a, err = rt.setState(ctx, who, id, *e.State, e.KeepFiles)
		e.State, e.KeepFiles = nil, nil
		if err != nil || e == (model.EditAccount{}) {
			return a, err
		}
	}
	return rt.Account.SetAccount(ctx, who, id, e)
}

// setState changes an account's state. For a closed account it also plans the removal of its files.
// If that fails, retention's background task does it.
func (rt *routes) setState(ctx context.Context, who, id string, state model.AccountState,
	keep *string) (model.Account, error) {
	if state != model.AccountClosed {
		return rt.Account.SetState(ctx, who, id, state)
	}
	period := ""
	if keep != nil {
		period = *keep
	}
	a, err := rt.Account.Close(ctx, who, id, period)
	if err != nil {
		return a, err
	}
	_, err = rt.Retain.PlanClosing(ctx, id)
	return a, err
}

func (rt *routes) guide(ctx context.Context, in *model.GuideQuery) (model.Document, error) {
	c, err := rt.Guides.Card(ctx, in.User)
	if err != nil {
		return model.Document{}, err
	}
	if err := c.PutFirst(in.For); err != nil {
		return model.Document{}, err
	}
	text, err := c.Render(in.Format)
	return model.Document{Format: in.Format, Text: text}, err
}

func (rt *routes) sites(ctx context.Context, f model.SitesFilter) ([]model.SiteFile, error) {
	c, err := rt.Guides.Card(ctx, f.User)
	if err != nil {
		return nil, err
	}
	return c.Sites(f.For, f.KeyDir)
}
