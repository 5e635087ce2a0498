package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// exitCodes are what the program's exit codes mean; fault has the same numbers.
var exitCodes = [...]string{
	"done",
	"a fault of ours; the server's log says more",
	"the request makes no sense, or an argument is wrong",
	"no such thing",
	"it exists already, or was changed meanwhile",
	"not allowed",
	"no room: quota, storage, size",
	"busy, or no server answers; trying again may help",
	"nobody got the file, or an expected account got nothing",
}

// variables are the environment variables that commands read.
var variables = [][2]string{
	{"SALLYPORT_DATA", "the server's data folder, unless --data names it"},
	{"SALLYPORT_SOCKET", "the server's socket for a group, unless --data or SALLYPORT_DATA names a folder"},
	{"SALLYPORT_CONFIG", "the configuration file, unless --config names it"},
	{"SALLYPORT_URL, SALLYPORT_TOKEN", "a server elsewhere, and the token to use there"},
}

func (a *app) manCommand() *cobra.Command {
	var out string
	var c *cobra.Command
	c = command("man --out DIR", "Write the manual pages", cobra.NoArgs, func(context.Context, []string) error {
		pages := manPages(c.Root())
		if err := os.MkdirAll(out, 0o755); err != nil {
			return fault.E("cli.man", fault.Invalid, "The folder cannot be made: %s.", fault.InWords(err))
		}
		for name, text := range pages {
			if err := replaceFile(filepath.Join(out, name), []byte(text), 0o644); err != nil {
				return fault.E("cli.man", fault.Invalid, "The page cannot be written: %s.", fault.InWords(err))
			}
		}
		return a.done(map[string]any{"dir": out, "pages": len(pages)}, "%d pages are in %s. Read the first with: man %s",
			len(pages), out, shellQuote(filepath.Join(out, "sallyport.1")))
	})
	c.Flags().StringVar(&out, "out", "", "folder for the pages, such as /usr/local/share/man/man1")
	_ = c.MarkFlagRequired("out")
	return c
}

// manPages returns the manual pages by file name: one of the program, and one of each of its
// commands, with its subcommands.
func manPages(root *cobra.Command) map[string]string {
	pages := map[string]string{}
	var others []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			others = append(others, manName(c))
		}
	}
	for _, c := range append([]*cobra.Command{root}, root.Commands()...) {
		if c != root && !c.IsAvailableCommand() {
			continue
		}
		m := &manPage{}
		m.head(c)
		if c == root {
			m.commands(c)
			m.section("OPTIONS")
			m.flags(root.PersistentFlags())
			m.section("ENVIRONMENT")
			for _, v := range variables {
				m.item(v[0], v[1])
			}
		} else {
			m.body(c)
		}
		m.section("EXIT STATUS")
		for code, means := range exitCodes {
			m.item(fmt.Sprint(code), means)
		}
		m.section("SEE ALSO")
		m.line(seeAlso(manName(c), others))
		pages[manName(c)+".1"] = m.String()
	}
	return pages
}

func manName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// seeAlso lists the other pages.
func seeAlso(own string, others []string) string {
	list := []string{}
	for _, name := range append([]string{"sallyport"}, others...) {
		if name != own {
			list = append(list, roff(name)+"(1)")
		}
	}
	return strings.Join(list, ", ")
}

// manPage is the source of a manual page, in the language of man(7).
type manPage struct{ strings.Builder }

func (m *manPage) line(text string) { m.WriteString(text + "\n") }
func (m *manPage) section(t string) { m.line(".SH " + t) }
func (m *manPage) item(k, v string) {
	m.line(".TP")
	m.line("\\fB" + roff(k) + "\\fR")
	m.line(roff(v))
}
func (m *manPage) text(text string)  { m.line(roff(strings.TrimSpace(text))) }
func (m *manPage) verbatim(t string) { m.line(".nf"); m.line(roff(t)); m.line(".fi") }

func (m *manPage) head(c *cobra.Command) {
	m.line(fmt.Sprintf(".TH %s 1 \"\" \"sallyport %s\" \"Sallyport\"", roff(strings.ToUpper(manName(c))),
		roff(exchange.Version)))
	m.section("NAME")
	m.line(roff(manName(c)) + " \\- " + roff(c.Short))
	if c.Long != "" && !c.HasParent() {
		m.section("DESCRIPTION")
		m.verbatim(c.Long)
	}
}

// commands lists the program's commands.
func (m *manPage) commands(root *cobra.Command) {
	m.section("COMMANDS")
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			m.item(c.Name(), c.Short+"; see "+manName(c)+"(1)")
		}
	}
}

// body describes a command, or each command of a group.
func (m *manPage) body(c *cobra.Command) {
	if !c.HasSubCommands() {
		m.section("SYNOPSIS")
		m.line("\\fB" + roff(usage(c)) + "\\fR")
		m.section("DESCRIPTION")
		m.describe(c)
		return
	}
	m.section("COMMANDS")
	for _, sub := range commandsBelow(c) {
		m.line(".SS " + quotedRoff(usage(sub)))
		m.describe(sub)
	}
}

// describe writes what a command does, its flags and its examples.
func (m *manPage) describe(c *cobra.Command) {
	if c.Long != "" {
		m.verbatim(c.Long)
	} else {
		m.text(c.Short + ".")
	}
	m.flags(c.LocalNonPersistentFlags())
	if c.Example != "" {
		m.line(".PP")
		m.line("Examples:")
		m.verbatim(c.Example)
	}
}

func (m *manPage) flags(set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		value, says := pflag.UnquoteUsage(f)
		if value != "" {
			name += " " + value
		}
		m.item(name, says)
	})
}

// commandsBelow returns the commands of a group that have no subcommands, at every depth.
func commandsBelow(c *cobra.Command) (list []*cobra.Command) {
	for _, sub := range c.Commands() {
		switch {
		case !sub.IsAvailableCommand():
		case sub.HasSubCommands():
			list = append(list, commandsBelow(sub)...)
		default:
			list = append(list, sub)
		}
	}
	return list
}

// roff escapes text for man(7).
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

// quotedRoff escapes text that is one argument of a request.
func quotedRoff(text string) string { return `"` + strings.ReplaceAll(roff(text), `"`, `\(dq`) + `"` }
