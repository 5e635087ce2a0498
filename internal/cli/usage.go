package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// misuse is the error of a command line that its command does not accept, with the command's usage
// line.
type misuse struct {
	err   *fault.Error
	usage string
}

// about names the flag that is wrong.
func (m *misuse) about(flag string) error {
	m.err.Field = flag
	return m
}

func (m *misuse) Error() string { return m.err.Error() }
func (m *misuse) Unwrap() error { return m.err }

// misused makes a misuse. The hint may be "".
func misused(c *cobra.Command, hint, format string, args ...any) *misuse {
	return &misuse{fault.E("cli.usage", fault.Invalid, format, args...).WithHint("%s", hint), usage(c)}
}

// usage returns the usage line of a command.
func usage(c *cobra.Command) string {
	switch {
	case !c.HasParent():
		return c.Name() + " COMMAND"
	case c.HasSubCommands():
		return c.CommandPath() + " " + strings.Join(subcommands(c), "|")
	}
	line, more := c.Parent().CommandPath()+" "+c.Use, false
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		more = more || f.Name != "help" && !strings.Contains(c.Use, "--"+f.Name)
	})
	if more {
		line += " [flags]"
	}
	return line
}

// said returns a command's name within a sentence: key add.
func said(c *cobra.Command) string {
	if !c.HasParent() {
		return c.Name()
	}
	return strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ")
}

// inWords makes a command and all below it explain misuse in our words. The library's messages are
// written for programmers.
func inWords(c *cobra.Command) {
	for _, sub := range c.Commands() {
		inWords(sub)
	}
	if c.HasSubCommands() {
		c.Args = knownCommand
		c.Run, c.RunE = nil, func(c *cobra.Command, _ []string) error { return c.Help() }
		return
	}
	takes := c.Args
	if takes == nil {
		takes = cobra.ArbitraryArgs
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if takes(c, args) != nil {
			return wrongNumber(c, takes, args)
		}
		if missing := missingFlags(c); len(missing) > 0 {
			return misused(c, "", "%s needs %s.", said(c), enumerated(missing, "and")).about(missing[0])
		}
		if err := emptyFlags(c); err != nil {
			return err
		}
		return wrongFlags(c)
	}
}

// emptyFlags refuses a flag that was given without a text. To a filter, "" would mean all, which a
// script whose variable is not set does not want. Flags that take something away may be empty.
func emptyFlags(c *cobra.Command) (err error) {
	c.Flags().Visit(func(f *pflag.Flag) {
		_, clears := f.Value.(interface{ clears() })
		ofAll := f == c.InheritedFlags().Lookup(f.Name) // --data, of which "" is the default
		if err == nil && f.Value.Type() == "string" && !clears && !ofAll && f.Value.String() == "" {
			err = misused(c, "--"+f.Name+": "+f.Usage, "--%s is empty.", f.Name).about("--" + f.Name)
		}
	})
	return err
}

// subcommands returns the names of a command's subcommands that help lists.
func subcommands(c *cobra.Command) (names []string) {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return names
}

// knownCommand refuses an argument that is not a subcommand.
func knownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := c.CommandPath() + " --help lists the commands"
	if near := valid.Nearest(args[0], subcommands(c)); near != "" {
		hint = "did you mean " + near + "?"
	}
	typed := valid.Printable(args[0])
	if c.HasParent() {
		typed = said(c) + " " + typed
	}
	return misused(c, hint, "There is no command %q.", typed)
}

// mostTried is the largest number of arguments that is tried, to find out how many a command
// accepts.
const mostTried = 9

// wrongNumber says which arguments are missing or too many.
func wrongNumber(c *cobra.Command, takes cobra.PositionalArgs, args []string) error {
	fits := func(n int) bool { return takes(c, make([]string, n)) == nil }
	names := placeholders(c.Use)
	least := 0
	for least < mostTried && !fits(least) {
		least++
	}
	for len(names) < least {
		names = append(names, "ARGUMENT")
	}
	if len(args) < least {
		missing := append(slices.Clone(names[len(args):least]), missingFlags(c)...)
		return misused(c, "", "%s needs %s.", said(c), enumerated(missing, "and")).about(missing[0])
	}
	most := len(names)
	for most > 0 && !fits(most) {
		most--
	}
	surplus := valid.Printable(args[min(most, len(args)-1)])
	if most == 0 {
		return misused(c, "", "%q is one word too many: %s takes none.", surplus, said(c))
	}
	return misused(c, "put a text of several words in quotes",
		"%q is one word too many: %s takes %s.", surplus, said(c), enumerated(names[:most], "and"))
}

// placeholders returns the names of a command's arguments in its use line, including optional ones.
// It leaves out the values of flags.
func placeholders(use string) (names []string) {
	depth, ofFlag := 0, false
	for _, word := range strings.Fields(use)[1:] {
		group := strings.HasPrefix(word, "(") || depth > 0
		depth += strings.Count(word, "(") - strings.Count(word, ")")
		bare := strings.Trim(word, "[]")
		switch {
		case group:
			ofFlag = false
		case strings.HasPrefix(bare, "--"):
			ofFlag = true
		case ofFlag || bare == "|" || bare == "-":
			ofFlag = false
		default:
			bare = strings.TrimSuffix(strings.TrimSuffix(bare, "..."), "|-")
			names = append(names, enumerated(strings.Split(bare, "|"), "or"))
		}
	}
	return names
}

// missingFlags returns the required flags that were not given.
func missingFlags(c *cobra.Command) (names []string) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if len(f.Annotations[cobra.BashCompOneRequiredFlag]) > 0 && !f.Changed {
			names = append(names, "--"+f.Name)
		}
	})
	slices.SortStableFunc(names, func(x, y string) int { return strings.Index(c.Use, x) - strings.Index(c.Use, y) })
	return names
}

// The library's annotations on the flags of a group. Their value is the names of the group's flags,
// separated by spaces.
const (
	oneOf     = "cobra_annotation_one_required"
	onlyOneOf = "cobra_annotation_mutually_exclusive"
	together  = "cobra_annotation_required_if_others_set"
)

// wrongFlags says which flags of a group are missing or exclude each other.
func wrongFlags(c *cobra.Command) (err error) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		for _, kind := range []string{oneOf, onlyOneOf, together} {
			for _, group := range f.Annotations[kind] {
				if err == nil {
					err = wrongGroup(c, kind, strings.Fields(group))
				}
			}
		}
	})
	return err
}

func wrongGroup(c *cobra.Command, kind string, names []string) error {
	var given, missing []string
	for _, name := range names {
		if c.Flags().Changed(name) {
			given = append(given, "--"+name)
		} else {
			missing = append(missing, "--"+name)
		}
	}
	switch {
	case kind == oneOf && len(given) == 0:
		return misused(c, "", "%s needs %s.", said(c), enumerated(missing, "or")).about(missing[0])
	case kind == onlyOneOf && len(given) > 1:
		return misused(c, "", "%s takes only one of %s.", said(c), enumerated(given, "and")).about(given[1])
	case kind == together && len(given) > 0 && len(missing) > 0:
		return misused(c, "", "With %s, %s needs %s.", enumerated(given, "and"), said(c), enumerated(missing, "and")).
			about(missing[0])
	}
	return nil
}

// wrongFlag explains a flag that could not be parsed.
func wrongFlag(c *cobra.Command, err error) error {
	if args := c.Flags().Args(); c.HasSubCommands() && len(args) > 0 { // the flag belongs to an unknown command
		return knownCommand(c, args)
	}
	var (
		unknown *pflag.NotExistError
		empty   *pflag.ValueRequiredError
		value   *pflag.InvalidValueError
		syntax  *pflag.InvalidSyntaxError
	)
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(c, unknown)
	case errors.As(err, &empty):
		f := empty.GetFlag()
		return misused(c, "--"+f.Name+": "+f.Usage, "--%s needs a value.", f.Name).about("--" + f.Name)
	case errors.As(err, &value):
		return misused(c, "", "--%s: %s.", value.GetFlag().Name, wrongValue(value)).
			about("--" + value.GetFlag().Name)
	case errors.As(err, &syntax):
		return misused(c, "", "%q is no flag.", valid.Printable(syntax.GetSpecifiedFlag()))
	}
	return err
}

func unknownFlag(c *cobra.Command, e *pflag.NotExistError) error {
	typed, letters := "--"+e.GetSpecifiedName(), e.GetSpecifiedShortnames()
	var known []string
	c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	near := valid.Nearest(e.GetSpecifiedName(), known)
	if letters != "" { // -name, or a letter
		typed, near = "-"+e.GetSpecifiedName(), ""
		if slices.Contains(known, letters) {
			typed, near = "-"+letters, letters
		}
	}
	hint := c.CommandPath() + " --help lists the flags"
	if near != "" {
		hint = "did you mean --" + near + "?"
	}
	return misused(c, hint, "%s has no flag %s.", said(c), valid.Printable(typed)).about(valid.Printable(typed))
}

// wrongValue says what is wrong with a flag's value.
func wrongValue(e *pflag.InvalidValueError) string {
	v := valid.Printable(e.GetValue())
	switch kind := e.GetFlag().Value.Type(); {
	case errors.Is(e, strconv.ErrRange):
		return v + " is too large a number"
	case strings.HasPrefix(kind, "int"), strings.HasPrefix(kind, "uint"):
		return fmt.Sprintf("%q is not a whole number", v)
	case kind == "bool":
		return fmt.Sprintf("%q is neither true nor false", v)
	case strings.HasSuffix(kind, "Slice"):
		return fmt.Sprintf("%q is not a list such as a,b", v)
	}
	return strings.TrimSuffix(valid.Printable(errors.Unwrap(e).Error()), ".") // the error of our own flag type
}

// enumerated joins words: A, B and C. last is the word before the last one.
func enumerated(words []string, last string) string {
	n := len(words)
	if n < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:n-1], ", ") + " " + last + " " + words[n-1]
}
