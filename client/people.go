package client

import (
	"context"

	"github.com/sallyport-sftp/sallyport/model"
)

// Methods for accounts, vendors, users, contacts, links, notices and guides.

// ListAccounts lists accounts by id.
func (c *Client) ListAccounts(ctx context.Context, q model.AccountFilter) (model.Page[model.Account], error) {
	return get[model.Page[model.Account]](ctx, c, "/accounts", q)
}

// AddAccount adds an account.
func (c *Client) AddAccount(ctx context.Context, in model.NewAccount) (model.Account, error) {
	return send[model.Account](ctx, c, "POST", "/accounts", in)
}

// ShowAccount returns an account.
func (c *Client) ShowAccount(ctx context.Context, id string) (model.Account, error) {
	return get[model.Account](ctx, c, at("/accounts/%s", id), nil)
}

// EditAccount changes, suspends, reinstates or closes an account.
func (c *Client) EditAccount(ctx context.Context, id string, in model.EditAccount) (model.Account, error) {
	return send[model.Account](ctx, c, "PATCH", at("/accounts/%s", id), in)
}

// ShowClosing says what closing an account would do, or did.
func (c *Client) ShowClosing(ctx context.Context, q model.ClosingQuery) (model.Closing, error) {
	return get[model.Closing](ctx, c, at("/accounts/%s/closing", q.Account), q)
}

// ReopenAccount reopens a closed account.
func (c *Client) ReopenAccount(ctx context.Context, id string) (model.Account, error) {
	return send[model.Account](ctx, c, "POST", at("/accounts/%s/reopen", id), nil)
}

// RemoveAccount removes an account that nothing refers to.
func (c *Client) RemoveAccount(ctx context.Context, id string) error {
	return do(ctx, c, "DELETE", at("/accounts/%s", id), nil, nil)
}

// ListVendors lists vendors by short name.
func (c *Client) ListVendors(ctx context.Context, q model.VendorFilter) (model.Page[model.Vendor], error) {
	return get[model.Page[model.Vendor]](ctx, c, "/vendors", q)
}

// AddVendor adds a vendor.
func (c *Client) AddVendor(ctx context.Context, in model.NewVendor) (model.Vendor, error) {
	return send[model.Vendor](ctx, c, "POST", "/vendors", in)
}

// ShowVendor returns a vendor.
func (c *Client) ShowVendor(ctx context.Context, short string) (model.Vendor, error) {
	return get[model.Vendor](ctx, c, at("/vendors/%s", short), nil)
}

// EditVendor changes a vendor.
func (c *Client) EditVendor(ctx context.Context, short string, in model.EditVendor) (model.Vendor, error) {
	return send[model.Vendor](ctx, c, "PATCH", at("/vendors/%s", short), in)
}

// RemoveVendor removes a vendor without users and contacts.
func (c *Client) RemoveVendor(ctx context.Context, short string) error {
	return do(ctx, c, "DELETE", at("/vendors/%s", short), nil, nil)
}

// ListUsers lists users by name.
func (c *Client) ListUsers(ctx context.Context, q model.UserFilter) (model.Page[model.User], error) {
	return get[model.Page[model.User]](ctx, c, "/users", q)
}

// AddUser adds a user with its folders.
func (c *Client) AddUser(ctx context.Context, in model.NewUser) (model.User, error) {
	return send[model.User](ctx, c, "POST", "/users", in)
}

// ShowUser returns a user.
func (c *Client) ShowUser(ctx context.Context, name string) (model.User, error) {
	return get[model.User](ctx, c, at("/users/%s", name), nil)
}

// EditUser changes, enables or disables a user.
func (c *Client) EditUser(ctx context.Context, name string, in model.EditUser) (model.User, error) {
	return send[model.User](ctx, c, "PATCH", at("/users/%s", name), in)
}

// RenameUser gives a user another username.
func (c *Client) RenameUser(ctx context.Context, name string, in model.RenameUser) (model.User, error) {
	return send[model.User](ctx, c, "POST", at("/users/%s/rename", name), in)
}

// RemoveUser removes a user that was never used.
func (c *Client) RemoveUser(ctx context.Context, name string) error {
	return do(ctx, c, "DELETE", at("/users/%s", name), nil, nil)
}

// ListDirectories lists the directories that the operator made for a user.
func (c *Client) ListDirectories(ctx context.Context, q model.UserKeyFilter) (model.Page[model.Directory], error) {
	return get[model.Page[model.Directory]](ctx, c, at("/users/%s/directories", q.User), q)
}

// AddDirectory makes a directory in a user's mailbox.
func (c *Client) AddDirectory(ctx context.Context, user string, in model.NewDirectory) (model.Directory, error) {
	return send[model.Directory](ctx, c, "POST", at("/users/%s/directories", user), in)
}

// EditDirectory changes a directory's rights, or its staging.
func (c *Client) EditDirectory(ctx context.Context, user string, in model.EditDirectory) (model.Directory, error) {
	return send[model.Directory](ctx, c, "PATCH", at("/users/%s/directories", user), in)
}

// RemoveDirectory removes an empty directory from a user's mailbox, and those above it that were made only for it.
func (c *Client) RemoveDirectory(ctx context.Context, in model.DirectoryRef) error {
	return do(ctx, c, "DELETE", at("/users/%s/directories", in.User), values(in), nil)
}

// ApplyTemplate brings a user's directories to its template.
func (c *Client) ApplyTemplate(ctx context.Context, user string, in model.ApplyTemplate) (model.Applied, error) {
	return send[model.Applied](ctx, c, "POST", at("/users/%s/template", user), in)
}

// ListContacts lists contacts by id.
func (c *Client) ListContacts(ctx context.Context, q model.ContactFilter) (model.Page[model.Contact], error) {
	return get[model.Page[model.Contact]](ctx, c, "/contacts", q)
}

// AddContact adds a contact.
func (c *Client) AddContact(ctx context.Context, in model.NewContact) (model.Contact, error) {
	return send[model.Contact](ctx, c, "POST", "/contacts", in)
}

// ShowContact returns a contact, found by id or e-mail.
func (c *Client) ShowContact(ctx context.Context, who string) (model.Contact, error) {
	return get[model.Contact](ctx, c, at("/contacts/%s", who), nil)
}

// RemoveContact removes a contact who was sent nothing and holds no key.
func (c *Client) RemoveContact(ctx context.Context, who string) error {
	return do(ctx, c, "DELETE", at("/contacts/%s", who), nil, nil)
}

// EditContact changes a contact.
func (c *Client) EditContact(ctx context.Context, who string, in model.EditContact) (model.Contact, error) {
	return send[model.Contact](ctx, c, "PATCH", at("/contacts/%s", who), in)
}

// ContactLeaves records that a contact left, and returns the keys whose private half that person
// has.
func (c *Client) ContactLeaves(ctx context.Context, who string) (model.Leaving, error) {
	return send[model.Leaving](ctx, c, "POST", at("/contacts/%s/leave", who), nil)
}

// ListLinks lists one-time links, the newest first.
func (c *Client) ListLinks(ctx context.Context, q model.OfUserFilter) (model.Page[model.Link], error) {
	return get[model.Page[model.Link]](ctx, c, "/links", q)
}

// MakeLink makes a one-time link.
func (c *Client) MakeLink(ctx context.Context, in model.NewLink) (model.Link, error) {
	return send[model.Link](ctx, c, "POST", "/links", in)
}

// MailLink mails a waiting one-time link to its contact.
func (c *Client) MailLink(ctx context.Context, id string, in model.MailLink) (model.Link, error) {
	return send[model.Link](ctx, c, "POST", at("/links/%s/mail", id), in)
}

// RevokeLink revokes a one-time link that was not opened yet.
func (c *Client) RevokeLink(ctx context.Context, id string) (model.Link, error) {
	return send[model.Link](ctx, c, "DELETE", at("/links/%s", id), nil)
}

// ListNotices lists notices, the oldest first.
func (c *Client) ListNotices(ctx context.Context, q model.NoticeFilter) (model.Page[model.Notice], error) {
	return get[model.Page[model.Notice]](ctx, c, "/notices", q)
}

// DoneNotice records that people were told of a notice.
func (c *Client) DoneNotice(ctx context.Context, id string) error {
	return do(ctx, c, "POST", at("/notices/%s/done", id), nil, nil)
}

// ShowGuide returns a user's guide.
func (c *Client) ShowGuide(ctx context.Context, q model.GuideQuery) (model.Document, error) {
	return get[model.Document](ctx, c, at("/users/%s/guide", q.User), q)
}

// ShowSites returns files that SFTP programs import.
func (c *Client) ShowSites(ctx context.Context, q model.SitesFilter) (model.Page[model.SiteFile], error) {
	return get[model.Page[model.SiteFile]](ctx, c, at("/users/%s/sites", q.User), q)
}

// ShowKeySheet returns the text that lies beside a user's issued key.
func (c *Client) ShowKeySheet(ctx context.Context, user string) (model.Document, error) {
	return get[model.Document](ctx, c, at("/users/%s/key-sheet", user), nil)
}

// TestGuide checks that a user could log in and work.
func (c *Client) TestGuide(ctx context.Context, q model.UserKeyFilter) (model.Page[model.Check], error) {
	return get[model.Page[model.Check]](ctx, c, at("/users/%s/test", q.User), q)
}
