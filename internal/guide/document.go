package guide

import (
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// document is a guide before it is rendered. Text in `…` is literal: to be typed or looked for as
// it is.
type document struct {
	title    string
	from     string // the operator's name; ""
	site     string // the operator's site; ""
	intro    []string
	card     []row
	sections []section
	others   []section // programs that were not chosen: folded, or left out
	without  string    // said where others are left out
}

// sender is the line that says who the guide is from; "" if the operator has no name.
func (d *document) sender() string {
	switch {
	case d.from == "":
		return ""
	case d.site == "":
		return "From " + d.from
	}
	return "From " + d.from + ", " + d.site
}

type row struct{ name, value string }

// code marks a name as literal text.
func code(s string) string { return "`" + s + "`" }

// plainName escapes a name from outside for one line. It replaces backquotes, which would begin or
// end literal text.
func plainName(s string) string { return strings.ReplaceAll(valid.Printable(s), "`", "'") }

// tame returns a copy of the card with plainName applied to every name from outside.
func (c Card) tame() *Card {
	c.Account, c.Vendor, c.StartDir = plainName(c.Account), plainName(c.Vendor), plainName(c.StartDir)
	c.Operator.Name, c.Operator.URL = plainName(c.Operator.Name), plainName(c.Operator.URL)
	c.Support = exchange.Support{Email: plainName(c.Support.Email), URL: plainName(c.Support.URL),
		Phone: plainName(c.Support.Phone)}
	c.Expected = slices.Clone(c.Expected)
	for i := range c.Expected {
		e := &c.Expected[i]
		e.Glob, e.Days, e.Clock, e.Zone = plainName(e.Glob), plainName(e.Days), plainName(e.Clock), plainName(e.Zone)
	}
	c.Folders, c.Feeds, c.Outbound = slices.Clone(c.Folders), slices.Clone(c.Feeds), slices.Clone(c.Outbound)
	for i := range c.Outbound {
		c.Outbound[i].Name, c.Outbound[i].Title = plainName(c.Outbound[i].Name), plainName(c.Outbound[i].Title)
	}
	for i := range c.Folders {
		c.Folders[i].Path, c.Folders[i].Retention = plainName(c.Folders[i].Path), plainName(c.Folders[i].Retention)
	}
	for i := range c.Feeds {
		f := &c.Feeds[i]
		f.Name, f.Title, f.Dir, f.Retention, f.Types = plainName(f.Name), plainName(f.Title), plainName(f.Dir),
			plainName(f.Retention), slices.Clone(f.Types)
		for j := range f.Types {
			f.Types[j] = plainName(f.Types[j])
		}
	}
	return &c
}

type section struct {
	title   string
	drawing *drawing // a picture, in HTML
	intro   string
	rows    []row
	steps   []string // numbered
	code    string   // to paste
	after   string
}

// drawing is the picture of lock and key.
type drawing struct{ given bool }

// Render renders the guide as "md", "text" or "html".
func (c *Card) Render(format string) (string, error) {
	switch format {
	case "md", "markdown":
		return c.Markdown(), nil
	case "text", "txt", "":
		return c.Text(), nil
	case "html":
		return c.HTML()
	}
	return "", fault.E("guide.Render", fault.Invalid, "There is no format %q.", valid.Printable(format)).
		WithHint("choose html, md or text")
}
