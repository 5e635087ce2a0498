package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// section prints a heading and an indented table. Without rows it prints the table's none beside the
// heading or, if that is "", nothing.
func (a *app) section(title string, more bool, t table) {
	if len(t.rows) == 0 {
		if t.none != "" {
			fmt.Fprintf(a.Out, "\n%s: %s\n", title, t.none)
		}
		return
	}
	if more {
		title += " (these and more)"
	}
	fmt.Fprintf(a.Out, "\n%s\n", title)
	width := a.width()
	if width > 0 {
		width = max(width-2, 1)
	}
	text := grid{head: t.head, rows: t.texts(), width: width}.text()
	for line := range strings.Lines(text) {
		fmt.Fprint(a.Out, "  "+line)
	}
}

// findingsSection prints what is wrong now.
func (a *app) findingsSection(list []model.Finding) {
	if len(list) == 0 {
		fmt.Fprintln(a.Out, "\nNothing is wrong with it now.")
		return
	}
	fmt.Fprintln(a.Out, "\nWhat is wrong now")
	for _, f := range list {
		a.paragraph("  ", f.Text)
		if next := commandFor(f.Action); next != "" {
			fmt.Fprintf(a.Out, "    %s\n", valid.Printable(next))
		}
	}
}

func (a *app) accountPage(p model.AccountPage) error {
	v := p.Account
	manager := ""
	if v.Manager != nil {
		manager = v.Manager.Name + " <" + v.Manager.Email + ">"
	}
	parent := v.Parent
	if p.Parent != nil {
		parent += " (" + p.Parent.Name + ")"
	}
	until := ""
	if v.FilesUntil != nil {
		until = ", its files go on " + when(*v.FilesUntil)
	}
	if err := a.card(v, [2]string{"Account", v.ID}, [2]string{"Name", v.Name}, [2]string{"Parent", parent},
		[2]string{"Children", strings.Join(p.Children, ", ")}, [2]string{"Region", v.Region},
		[2]string{"Time zone", v.TimeZone}, [2]string{"Language", v.Language}, [2]string{"Closed", whenPtr(v.ClosedAt)},
		[2]string{"Log in from", joined(v.AllowIPs, "everywhere")}, [2]string{"State", model.Word(v.State) + until},
		[2]string{"Manager", manager}, [2]string{"Tags", strings.Join(v.Tags, ", ")},
		[2]string{"Kept alive", keptOf(p.KeptItems, p.KeepItems, p.Kept, p.KeepBytes)},
		[2]string{"Since", when(v.CreatedAt)}); err != nil {
		return err
	}
	a.findingsSection(p.Findings)
	a.contactsSection(p.Contacts, slices.Contains(p.More, "contacts"))
	users := table{head: []string{"USER", "KIND", "LOG-IN", "LAST LOG-IN", "KEYS THAT WORK", "FILES", "BYTES",
		"OF AT MOST"}, none: "none"}
	for _, u := range p.Users {
		users.add(u.Name, model.Word(u.Kind), enabled(u.User), orNever(u.LastLogin), u.Keys, u.UsedFiles,
			size(u.UsedBytes), size(u.Limits.QuotaBytes))
	}
	a.section("Users", slices.Contains(p.More, "users"), users)
	a.keysSection(p.Keys, slices.Contains(p.More, "keys"))
	a.feedsSection(p.Feeds, slices.Contains(p.More, "feeds"))
	a.waitingSections(p.Waiting, p.More)
	expected := table{head: []string{"NAME", "STATE", "NEXT"}}
	for _, e := range p.Expectations {
		expected.add(e.Name, model.Word(e.State), whenPtr(e.NextAt))
	}
	a.section("Expected files", false, expected)
	holds := table{head: []string{"ON", "REASON", "BY", "SINCE"}}
	for _, h := range p.Holds {
		holds.add(string(h.Kind)+" "+h.Label, h.Reason, h.Actor, when(h.At))
	}
	a.section("Kept by a hold", slices.Contains(p.More, "holds"), holds)
	a.notesSection(p.Notes, slices.Contains(p.More, "notes"))
	return nil
}

func (a *app) userPage(p model.UserPage) error {
	u := p.User
	account := u.Account + " (" + p.Account.Name + ")"
	if err := a.card(u, [2]string{"User", u.Name}, [2]string{"Kind", model.Word(u.Kind)}, [2]string{"Account", account},
		[2]string{"Vendor", u.Vendor}, [2]string{"Log-in", enabled(u)}, [2]string{"Starts in", u.StartDir},
		[2]string{"Delivered files", map[string]string{model.FeedsLook: "may be looked at",
			model.FeedsRemove: "may be removed"}[u.FeedsMay]}, [2]string{"Log in from", joined(u.AllowIPs, "everywhere")},
		[2]string{"Tags", strings.Join(u.Tags, ", ")}, [2]string{"Quota", quota(u)},
		[2]string{"Kept alive", keptOf(u.KeptItems, u.Limits.KeepItems, u.KeptBytes, u.Limits.KeepBytes)},
		[2]string{"Own folders", fmt.Sprintf("%d, which it may remove", u.Dirs)}, [2]string{"Since", when(u.CreatedAt)},
		[2]string{"First log-in", whenPtr(p.FirstLogin)}, [2]string{"First file", whenPtr(p.FirstFile)},
		[2]string{"Last log-in", login(p.LastLogin)}); err != nil {
		return err
	}
	a.findingsSection(p.Findings)
	live := table{head: []string{"SESSION", "SINCE", "ADDRESS", "CLIENT", "RECEIVED", "SENT"}}
	for _, s := range p.Sessions {
		live.add(s.ID, when(s.Since), s.Address, clientName(s.Client), size(s.Received), size(s.Sent))
	}
	a.section("Logged in now", false, live)
	failed := table{head: []string{"AT", "ADDRESS", "CLIENT", "WHY", "REFERENCE"}}
	for _, c := range p.Failures {
		failed.add(when(c.At), c.Address, clientName(c.Client), strings.ReplaceAll(c.Outcome, "_", " "), c.Reference)
	}
	a.section("Latest failed log-ins", false, failed)
	a.keysSection(p.Keys, slices.Contains(p.More, "keys"))
	folders := table{head: []string{"FOLDER", "RIGHTS"}}
	for _, f := range p.Folders {
		folders.add(f.Path, rights(f.Rights))
	}
	a.section("Folders", false, folders)
	a.feedsSection(p.Feeds, false)
	a.waitingSections(p.Waiting, p.More)
	a.contactsSection(p.Contacts, slices.Contains(p.More, "contacts"))
	a.notesSection(p.Notes, slices.Contains(p.More, "notes"))
	return nil
}

// keptOf says what is kept alive, and the limits on it. A limit of 0 is none.
func keptOf(items, keepItems, bytes, keepBytes int64) string {
	text := fmt.Sprintf("%d (%s)", items, size(bytes))
	if keepItems > 0 && keepBytes > 0 {
		text += fmt.Sprintf(", of at most %d (%s)", keepItems, size(keepBytes))
	}
	return text
}

func orNever(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return when(*t)
}

// login says when and how somebody logged in.
func login(c *model.Connection) string {
	if c == nil {
		return "none on record"
	}
	text := when(c.At) + " from " + c.Address
	if c.Client != "" {
		text += " with " + clientName(c.Client)
	}
	return text
}

func clientName(version string) string { return strings.TrimPrefix(version, "SSH-2.0-") }

func (a *app) contactsSection(list []model.Contact, more bool) {
	t := table{head: []string{"NAME", "E-MAIL", "PHONE", "ROLES", "ADDRESS"}, none: "none"}
	for _, c := range list {
		state := "not verified"
		switch {
		case c.BouncedAt != nil:
			state = "mail bounced " + when(*c.BouncedAt)
		case c.VerifiedAt != nil:
			state = "verified"
		}
		t.add(c.Name, c.Email, c.Phone, strings.Join(c.Roles, ","), state)
	}
	a.section("Contacts", more, t)
}

func (a *app) keysSection(list []model.Key, more bool) {
	t := table{head: []string{"USER", "FINGERPRINT", "TYPE", "LAST USED", "HELD BY", "STATE"}, none: "none"}
	for _, k := range list {
		t.add(k.User, k.Fingerprint, k.Type, orNever(k.LastUsedAt), k.Holder, keyState(k))
	}
	a.section("Keys", more, t)
}

func (a *app) feedsSection(list []model.FeedLine, more bool) {
	t := table{head: []string{"USER", "FEED", "TITLE", "ARRIVES IN", "TYPES"}, none: "none"}
	for _, f := range list {
		t.add(f.User, f.Feed, f.Title, f.Dir, joined(f.Types, "all"))
	}
	a.section("Feeds", more, t)
}

func (a *app) waitingSections(w model.Waiting, more []string) {
	uncollected := table{head: []string{"PUBLISHED", "USER", "NAME", "SIZE", "STATE"}}
	for _, d := range w.Uncollected {
		uncollected.add(when(d.PublishedAt), d.User, d.Name, size(d.Size), model.Word(d.State))
	}
	a.section("Not downloaded in full yet", slices.Contains(more, "uncollected"), uncollected)
	received := table{head: []string{"RECEIVED", "USER", "PATH", "SIZE", "STATE"}}
	for _, d := range w.Received {
		received.add(when(d.ReceivedAt), d.User, d.Path, size(d.Size), model.Word(d.State))
	}
	a.section("Received and not claimed yet", slices.Contains(more, "received"), received)
	unfinished := table{head: []string{"LAST WRITTEN", "USER", "PATH", "RECEIVED"}}
	for _, p := range w.Unfinished {
		unfinished.add(when(p.At), p.User, p.Path, size(p.Size))
	}
	a.section("Uploads that broke off", slices.Contains(more, "unfinished"), unfinished)
}

func (a *app) notesSection(list []model.Note, more bool) {
	if len(list) == 0 {
		return
	}
	title := "Notes"
	if more {
		title += " (these and more)"
	}
	fmt.Fprintf(a.Out, "\n%s\n", title)
	for _, n := range list {
		fmt.Fprintf(a.Out, "  %s, %s (note %s)\n", when(n.At), valid.Printable(n.Actor), n.ID)
		for line := range strings.SplitSeq(n.Text, "\n") {
			a.paragraph("    ", line)
		}
	}
}

func (a *app) vendorShow() *cobra.Command {
	return command("show SHORT", "Show a vendor with its contacts and notes", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := a.client().ShowVendor(ctx, args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.show(v, table{})
			}
			if err := a.card(v, [2]string{"Vendor", v.Short}, [2]string{"Name", v.Name},
				[2]string{"Tags", strings.Join(v.Tags, ", ")}, [2]string{"Since", when(v.CreatedAt)}); err != nil {
				return err
			}
			people, err := a.client().ListContacts(ctx, model.ContactFilter{Of: v.Short})
			if err != nil {
				return err
			}
			here := slices.DeleteFunc(people.Items, func(c model.Contact) bool { return c.LeftAt != nil })
			a.contactsSection(here, people.Next != "")
			notes, err := a.client().ListNotes(ctx, model.NoteFilter{Vendor: v.Short})
			if err != nil {
				return err
			}
			a.notesSection(notes.Items, notes.Next != "")
			return nil
		})
}
