package trace

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// wholeFiles is how many files a sheet has with every step. Of more, it has a sentence each.
const wholeFiles = 5

// Letterhead is what a sheet says of whom it comes from.
type Letterhead struct {
	Operator, Host, Help string         // may be ""
	Zone                 *time.Location // of all times
}

// from names whom a sheet comes from.
func (l Letterhead) from() string {
	switch {
	case l.Operator == "":
		return cmp.Or(l.Host, "this server")
	case l.Host == "":
		return l.Operator
	}
	return l.Operator + " (" + l.Host + ")"
}

// Sheet formats a trace as plain text for a mail. Similar names may be another partner's, so they are left out.
func Sheet(t model.Trace, head Letterhead) string {
	b := paper{zone: head.Zone}
	what := map[model.TraceKind]string{model.TraceName: "the file %s", model.TracePart: "files with %q in their names",
		model.TraceAccount: "account %s", model.TraceUser: "user %s", model.TraceContent: "the content %s"}[t.Kind]
	fmt.Fprintf(&b, "What %s knows of %s\n", head.from(), fmt.Sprintf(what, t.About))
	fmt.Fprintf(&b, "Made on %s (%s, like all times here)\n\n", t.At.In(b.zone).Format("2006-01-02 15:04"), b.zone)
	switch {
	case len(t.Files) == 0 && t.Kind == model.TraceName:
		b.denial(t)
	case len(t.Files) == 0:
		b.WriteString("There is no file yet, in either direction.\n\n")
	case len(t.Files) <= wholeFiles:
		for _, f := range t.Files {
			b.whole(f)
		}
	default:
		order := "the newest first"
		if t.Kind == model.TracePart {
			order = "the best matches first"
		}
		fmt.Fprintf(&b, "%d files, %s. Ask for one by its exact name to see every step.\n\n", len(t.Files), order)
		for _, f := range t.Files {
			fmt.Fprintf(&b, "- %s\n", valid.Printable(f.Sentence))
		}
		b.WriteString("\n")
	}
	if t.More {
		b.WriteString("There are more files; these are the best matches.\n\n")
	}
	for _, l := range t.Users {
		b.loggedIn(l)
	}
	if head.Help != "" {
		fmt.Fprintf(&b, "\nHelp: %s\n", head.Help)
	}
	return b.String()
}

// paper is a sheet that is being written.
type paper struct {
	strings.Builder
	zone *time.Location
}

// denial says that nothing is on record.
func (b *paper) denial(t model.Trace) {
	fmt.Fprintf(b, "Nothing. It was never published to account %[1]s, and never received from account %[1]s, not even in "+
		"part", t.Account)
	if t.Since != nil {
		fmt.Fprintf(b, ", as far as the records go: to %s", t.Since.In(b.zone).Format(time.DateOnly))
	}
	b.WriteString(".\n\n")
}

// whole writes a file's sentence and every step.
func (b *paper) whole(f model.TracedFile) {
	fmt.Fprintf(b, "%s\n  Account %s%s\n", valid.Printable(f.Sentence), cmp.Or(f.Account, "all"), feedText(f))
	fmt.Fprintf(b, "  %d bytes", f.Size)
	if f.SHA256 != "" {
		fmt.Fprintf(b, ", SHA-256 %s", f.SHA256)
	}
	b.WriteString("\n")
	for _, s := range f.Steps {
		fmt.Fprintf(b, "  %s  %s\n", s.At.In(b.zone).Format("2006-01-02 15:04:05"), valid.Printable(s.Text))
	}
	b.WriteString("\n")
}

func feedText(f model.TracedFile) string {
	if f.Feed == "" {
		return ", as " + f.Path
	}
	return fmt.Sprintf(", feed %s, as %s", f.Feed, cmp.Or(f.Path, f.Name))
}

// loggedIn writes a user's latest log-ins.
func (b *paper) loggedIn(l model.TracedLogin) {
	switch {
	case l.Now != nil:
		fmt.Fprintf(b, "%s is logged in now, since %s", l.User, b.when(l.Now))
	case l.LastOK != nil:
		fmt.Fprintf(b, "%s last logged in on %s", l.User, b.when(l.LastOK))
	default:
		fmt.Fprintf(b, "%s has not logged in, as far as the records go", l.User)
	}
	if l.LastBad != nil {
		fmt.Fprintf(b, ", and last failed to on %s", b.when(l.LastBad))
	}
	b.WriteString(".\n")
}

func (b *paper) when(t *time.Time) string { return t.In(b.zone).Format("2006-01-02 15:04:05") }
