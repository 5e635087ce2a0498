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

// Sheet formats a trace as plain text for a mail. Times are in UTC. Similar names may be
// another partner's, so they are left out.
func Sheet(t model.Trace, from, help string) string {
	var b strings.Builder
	what := map[model.TraceKind]string{model.TraceName: "the file %s", model.TracePart: "files with %q in their names",
		model.TraceAccount: "account %s", model.TraceUser: "user %s", model.TraceContent: "the content %s"}[t.Kind]
	fmt.Fprintf(&b, "What %s knows of %s\n", from, fmt.Sprintf(what, t.About))
	fmt.Fprintf(&b, "Made on %s (UTC, like all times here)\n\n", t.At.Format("2006-01-02 15:04"))
	switch {
	case len(t.Files) == 0 && t.Kind == model.TraceName:
		denial(&b, t)
	case len(t.Files) == 0:
		b.WriteString("There is no file yet, in either direction.\n\n")
	case len(t.Files) <= wholeFiles:
		for _, f := range t.Files {
			whole(&b, f)
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
		loggedIn(&b, l)
	}
	if help != "" {
		fmt.Fprintf(&b, "\nHelp: %s\n", help)
	}
	return b.String()
}

// denial says that nothing is on record.
func denial(b *strings.Builder, t model.Trace) {
	fmt.Fprintf(b, "Nothing. It was never published to account %[1]s, and never received from account %[1]s, not even in "+
		"part", t.Account)
	if t.Since != nil {
		fmt.Fprintf(b, ", as far as the records go: to %s", t.Since.Format(time.DateOnly))
	}
	b.WriteString(".\n\n")
}

// whole writes a file's sentence and every step.
func whole(b *strings.Builder, f model.TracedFile) {
	fmt.Fprintf(b, "%s\n  Account %s%s\n", valid.Printable(f.Sentence), cmp.Or(f.Account, "all"), feedText(f))
	fmt.Fprintf(b, "  %d bytes", f.Size)
	if f.SHA256 != "" {
		fmt.Fprintf(b, ", SHA-256 %s", f.SHA256)
	}
	b.WriteString("\n")
	for _, s := range f.Steps {
		fmt.Fprintf(b, "  %s  %s\n", s.At.UTC().Format("2006-01-02 15:04:05"), valid.Printable(s.Text))
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
func loggedIn(b *strings.Builder, l model.TracedLogin) {
	switch {
	case l.Now != nil:
		fmt.Fprintf(b, "%s is logged in now, since %s", l.User, whenText(l.Now))
	case l.LastOK != nil:
		fmt.Fprintf(b, "%s last logged in on %s", l.User, whenText(l.LastOK))
	default:
		fmt.Fprintf(b, "%s has not logged in, as far as the records go", l.User)
	}
	if l.LastBad != nil {
		fmt.Fprintf(b, ", and last failed to on %s", whenText(l.LastBad))
	}
	b.WriteString(".\n")
}

func whenText(t *time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }
