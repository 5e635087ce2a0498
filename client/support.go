package client

import (
	"context"

	"github.com/sallyport-sftp/sallyport/model"
)

// Methods for whoever looks after partners.

// ShowStatus returns what needs a person now, the most urgent first.
func (c *Client) ShowStatus(ctx context.Context, q model.StatusQuery) (model.Status, error) {
	return worded[model.Status](ctx, c, "/status", q)
}

// Find returns what a text is the name of.
func (c *Client) Find(ctx context.Context, q model.FindQuery) (model.Found, error) {
	return worded[model.Found](ctx, c, "/find", q)
}

// ShowAccountPage returns all that support needs to know of an account.
func (c *Client) ShowAccountPage(ctx context.Context, id string) (model.AccountPage, error) {
	return worded[model.AccountPage](ctx, c, at("/accounts/%s/page", id), nil)
}

// ShowUserPage returns all that support needs to know of a user.
func (c *Client) ShowUserPage(ctx context.Context, name string) (model.UserPage, error) {
	return worded[model.UserPage](ctx, c, at("/users/%s/page", name), nil)
}

// ListNotes lists notes, the newest first.
func (c *Client) ListNotes(ctx context.Context, q model.NoteFilter) (model.Page[model.Note], error) {
	return get[model.Page[model.Note]](ctx, c, "/notes", q)
}

// AddNote adds a note.
func (c *Client) AddNote(ctx context.Context, in model.NewNote) (model.Note, error) {
	return send[model.Note](ctx, c, "POST", "/notes", in)
}

// RemoveNote removes a note.
func (c *Client) RemoveNote(ctx context.Context, id string) error {
	return do(ctx, c, "DELETE", at("/notes/%s", id), nil, nil)
}

// EditTags adds tags to an account, a vendor or a user, and takes tags away.
func (c *Client) EditTags(ctx context.Context, in model.EditTags) (model.Tags, error) {
	return send[model.Tags](ctx, c, "POST", "/tags", in)
}

// ListAnnouncements lists announcements, the newest first.
func (c *Client) ListAnnouncements(ctx context.Context, q model.EveryFilter) (model.Page[model.Announcement], error) {
	return get[model.Page[model.Announcement]](ctx, c, "/announcements", q)
}

// Announce tells the contacts of many accounts something, or returns who would be told.
func (c *Client) Announce(ctx context.Context, in model.NewAnnouncement) (model.Announced, error) {
	return sendWorded[model.Announced](ctx, c, "POST", "/announcements", in)
}

// EndAnnouncement ends an announcement before its time.
func (c *Client) EndAnnouncement(ctx context.Context, id string) (model.Announcement, error) {
	return send[model.Announcement](ctx, c, "DELETE", at("/announcements/%s", id), nil)
}

// ImportPartners brings in many partners, or returns what would be done.
func (c *Client) ImportPartners(ctx context.Context, in model.ImportPartners) (model.Imported, error) {
	return send[model.Imported](ctx, c, "POST", "/partners/import", in)
}
