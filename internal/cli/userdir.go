package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const rightsHelp = "what the user may do there: all, or of read,write,list,delete,rename,mkdir"

func (a *app) userDirs() *cobra.Command {
	return group("dir", "A user's directories, and what the user may do in them", a.dirList(), a.dirAdd(), a.dirSet(),
		a.dirRemove())
}

func (a *app) dirList() *cobra.Command {
	return listCommand(a, &listing[model.UserKeyFilter, model.Directory]{use: "list USER",
		short: "List the directories that were made for a user, and those of its feeds", args: cobra.ExactArgs(1),
		ready: func(_ context.Context, f *model.UserKeyFilter, args []string) error { f.User = args[0]; return nil },
		head:  []string{"FOLDER", "RIGHTS", "NOTE"}, none: "The user has no directories of its own.",
		read: (*client.Client).ListDirectories,
		row:  func(d model.Directory) []any { return []any{d.Path, rights(d.Rights), dirNote(d)} }})
}

// allRights is how many rights there are.
const allRights = 6

func rights(words []string) string {
	if len(words) == allRights {
		return "all"
	}
	return joined(words, "none")
}

// dirNote says what is special about a directory.
func dirNote(d model.Directory) string {
	var notes []string
	if !d.Own {
		notes = append(notes, "rights as above it")
	}
	if d.Staging {
		notes = append(notes, "staging: received when moved out")
	}
	if d.Start {
		notes = append(notes, "sessions start here")
	}
	if len(d.Feeds) > 0 {
		notes = append(notes, "feeds: "+strings.Join(d.Feeds, ", "))
	}
	return strings.Join(notes, "; ")
}

// sayDir says how a directory is now.
func (a *app) sayDir(d model.Directory, user, what string) error {
	text := fmt.Sprintf("%s of %s %s. Rights: %s.", valid.Printable(d.Path), user, what, rights(d.Rights))
	if d.Staging {
		text += " Files are received when they are moved out of it."
	}
	return a.done(d, "%s", text)
}

func (a *app) dirAdd() *cobra.Command {
	var in model.NewDirectory
	c := command("add USER PATH --rights RIGHTS", "Make a directory for a user", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			in.Path = args[1]
			d, err := a.client().AddDirectory(ctx, args[0], in)
			if err != nil {
				return err
			}
			return a.sayDir(d, args[0], "was made")
		})
	c.Flags().StringSliceVar(&in.Rights, "rights", nil, rightsHelp)
	c.Flags().BoolVar(&in.Staging, "staging", false,
		"a staging folder: files are received only when they are moved out of it")
	_ = c.MarkFlagRequired("rights")
	return c
}

func (a *app) dirSet() *cobra.Command {
	var in model.EditDirectory
	c := command("set USER PATH", "Change what a user may do in a directory, or whether it is a staging folder",
		cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
			in.Path = args[1]
			d, err := a.client().EditDirectory(ctx, args[0], in)
			if err != nil {
				return err
			}
			return a.sayDir(d, args[0], "was changed")
		})
	c.Long = `Change what a user may do in a directory, or whether it is a staging folder.

New rights apply at once, also to sessions that are open. If the user may read or write
there no more, its sessions end. Staging can be changed while the directory is empty.`
	c.Flags().Var(optList{to: &in.Rights, split: true}, "rights", rightsHelp)
	optBool(c, &in.Staging, "staging", "a staging folder: files are received only when they are moved out of it; or false")
	c.MarkFlagsOneRequired("rights", "staging")
	return c
}

func (a *app) dirRemove() *cobra.Command {
	c := command("remove USER PATH", "Remove an empty directory", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			in := model.DirectoryRef{User: args[0], Path: args[1]}
			if err := a.client().RemoveDirectory(ctx, in); err != nil {
				return err
			}
			return a.done(map[string]string{"removed": in.Path}, "%s of %s was removed.", valid.Printable(in.Path), in.User)
		})
	c.Long = `Remove an empty directory. One with files, directories or unfinished uploads stays: move
or remove what is in it first. So does one that sessions start in, or that a feed is
delivered into. Directories above it that were made only for it go, too, if nothing else is in
them.`
	return c
}

func (a *app) userTemplate() *cobra.Command {
	var in model.ApplyTemplate
	c := command("apply-template USER...", "Bring users' directories and rights to the template of their kind",
		cobra.MinimumNArgs(1), func(ctx context.Context, args []string) error {
			t := table{head: []string{"USER", "FOLDER", "WHAT", "FROM", "TO"}, none: "Nothing differs from the template."}
			all := []model.Applied{}
			for _, user := range args {
				v, err := a.client().ApplyTemplate(ctx, user, in)
				if err != nil {
					return aboutUser(err, user, len(all), in.DryRun)
				}
				all = append(all, v)
				for _, d := range v.Changes {
					t.add(v.User, d.Path, dirChanges[d.What], d.From, d.To)
				}
			}
			if err := a.show(all, t); err != nil || a.json || len(t.rows) == 0 || !in.DryRun {
				return err
			}
			_, err := fmt.Fprintln(a.Out, "Nothing was changed yet. To apply it: the same command without --dry-run")
			return err
		})
	c.Long = `Bring the directories of existing users to the template of their kind (templates in the
configuration): missing directories are made, and rights and staging become the
template's. Nothing is removed. Directories that the template does not have are named,
and stay.`
	c.Flags().BoolVar(&in.DryRun, "dry-run", false, "only print the differences")
	return c
}

// dirChanges are the words for what a template changes.
var dirChanges = map[model.DirChange]string{model.DirMade: "is made", model.DirRights: "gets other rights",
	model.DirStaging: "staging", model.DirNotEmpty: "staging stays: it is not empty",
	model.DirExtra: "not in the template, stays"}

// aboutUser says which users were handled before an error.
func aboutUser(err error, user string, before int, dry bool) error {
	if before == 0 || dry {
		return err
	}
	return fault.E("cli.userTemplate", fault.KindIn(err), "%s: %s Users before it have their template now: %d.",
		valid.Printable(user), fault.PublicText(err), before)
}
