package api

import (
	"context"

	"github.com/sallyport-sftp/sallyport/model"
)

// maxImport is the largest body of an import: some ten thousand partners.
const maxImport = 64 << 20

// support adds the operations for whoever looks after partners: what needs a person, what a text is the
// name of, the whole pages of accounts and users, notes and tags.
func (rt *routes) support() {
	look, service := rt.Overview, rt.Account
	route(rt, "show-status", "GET", "/status", "What needs a person now, the most urgent first",
		func(ctx context.Context, in *model.StatusQuery) (model.Status, error) { return look.Status(ctx, *in) })
	route(rt, "find", "GET", "/find", "What a text is the name of",
		func(ctx context.Context, in *model.FindQuery) (model.Found, error) { return look.Find(ctx, *in) })
	show(rt, "show-account-page", "/accounts/{id}/page", "All that support needs to know of an account",
		look.AccountPage)
	show(rt, "show-user-page", "/users/{id}/page", "All that support needs to know of a user", look.UserPage)

	list(rt, "list-announcements", "/announcements", "List announcements, the newest first",
		func(a model.Announcement) string { return a.ID }, rt.Announce.List)
	create(rt, "announce", "/announcements",
		"Tell the contacts of a region, a feed, a tag or everyone something, or say who would be told", rt.Announce.Announce)
	act(rt, "end-announcement", "DELETE", "/announcements/{id}", "End an announcement before its time", rt.Announce.End)

	many := op("import-partners", "POST", "/partners/import",
		"Bring in many accounts, vendors, users, contacts, keys and subscriptions, or say what would be done")
	many.MaxBodyBytes = maxImport
	register(rt, many, func(ctx context.Context, in *BodyOf[model.ImportPartners]) (model.Imported, error) {
		return rt.Partners.Import(ctx, actor(ctx), in.Body)
	})

	list(rt, "list-notes", "/notes", "List notes, the newest first", func(n model.Note) string { return n.ID },
		service.Notes)
	create(rt, "add-note", "/notes", "Write something down about an account, a vendor or a user", service.AddNote)
	remove(rt, "remove-note", "/notes/{id}", "Remove a note", service.RemoveNote)
	create(rt, "edit-tags", "/tags", "Add tags to an account, a vendor or a user, and take tags away", service.EditTags)
}
