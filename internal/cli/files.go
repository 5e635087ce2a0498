package cli

import (
	"context"
	"io"
	"os"
	"path"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) filesCommand() *cobra.Command {
	return group("files", "What a user has: its files", a.filesList(), a.filesGet(), a.filesPut(), a.filesRemove(),
		a.filesVersions())
}

func (a *app) filesList() *cobra.Command {
	return listCommand(a, &listing[model.FileFilter, model.FileInfo]{use: "ls USER [PATH]", short: "List a directory",
		args: cobra.RangeArgs(1, 2), head: []string{"SIZE", "MODIFIED", "UNFINISHED", "NAME"}, at: "MODIFIED",
		none: "The directory is empty.", read: (*client.Client).ListFiles, ready: inMailbox,
		row: func(f model.FileInfo) []any {
			if f.Dir {
				return []any{"", f.Mtime, "", f.Name + "/"}
			}
			row := []any{fileSize(f.Size), f.Mtime, unfinished(f.Unfinished), f.Name}
			if f.Partial { // nothing is stored yet
				row[0], row[1] = "", (*time.Time)(nil)
			}
			return row
		}})
}

// unfinished says how far an upload came that is no file yet.
func unfinished(u *model.Unfinished) string {
	switch {
	case u == nil:
		return ""
	case u.Writing:
		return "being uploaded, " + size(u.Size)
	}
	return "unfinished, " + size(u.Size) + ", since " + when(u.At)
}

// inMailbox completes a filter from the arguments USER [PATH].
func inMailbox(_ context.Context, f *model.FileFilter, args []string) error {
	f.User, f.Path = args[0], "/"
	if len(args) > 1 {
		f.Path = args[1]
	}
	return nil
}

func (a *app) filesGet() *cobra.Command {
	var out string
	var q model.GetFile
	c := command("get USER PATH", "Fetch a file to a file or to standard output", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			q.User, q.Path = args[0], args[1]
			in, err := a.client().GetFile(ctx, q)
			if err != nil {
				return err
			}
			defer in.Close()
			if out == "-" {
				return copyChecked(a.Out, in, in.SHA256)
			}
			to := out
			if to == "" {
				to = safeName(path.Base(args[1]))
			}
			bar := a.progress(path.Base(args[1]), in.Size)
			err = landFile(to, func(w io.Writer) error { return copyChecked(w, bar.reader(in), in.SHA256) })
			bar.finish()
			if err != nil {
				return err
			}
			return a.done(map[string]any{"file": to, "size": in.Size, "sha256": in.SHA256}, "%s has %d bytes, SHA-256 %s.", to,
				in.Size, in.SHA256)
		})
	c.Flags().StringVarP(&out, "out", "o", "", "file to write; - for standard output (default: the file's name)")
	c.Flags().StringVar(&q.Reason, "reason", "", "why the content is looked at; it is recorded")
	c.Flags().StringVar(&q.Version, "version", "", "a version other than the newest (sallyport files versions)")
	return c
}

func (a *app) filesPut() *cobra.Command {
	return command("put USER PATH FILE", "Store a file", cobra.ExactArgs(3),
		func(ctx context.Context, args []string) error {
			f, err := os.Open(args[2])
			if err != nil {
				return fault.E("cli.filesPut", fault.NotFound, "The file cannot be read: %v.", fault.InWords(err))
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil || !info.Mode().IsRegular() {
				return fault.E("cli.filesPut", fault.Invalid, "%s is not a regular file.", args[2])
			}
			bar := a.progress(path.Base(args[1]), info.Size())
			v, err := a.client().PutFile(ctx, model.FileRef{User: args[0], Path: args[1]}, bar.reader(f), info.Size())
			bar.finish()
			if err != nil {
				return err
			}
			return a.done(v, "%s is stored for %s with %d bytes.", args[1], args[0], v.Size)
		})
}

func (a *app) filesRemove() *cobra.Command {
	return command("rm USER PATH", "Remove a file's name", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			if err := a.client().RemoveFile(ctx, model.FileRef{User: args[0], Path: args[1]}); err != nil {
				return err
			}
			return a.done(map[string]string{"user": args[0], "path": args[1]}, "%s was removed from the files of %s.", args[1],
				args[0])
		})
}

func (a *app) filesVersions() *cobra.Command {
	return listCommand(a, &listing[model.FileFilter, model.Version]{use: "versions USER PATH",
		short: "List a file's versions, the newest first", args: cobra.ExactArgs(2),
		head: []string{"VERSION", "STORED", "BY", "SIZE", "SHA-256", "SHOWN"}, at: "STORED", order: "stored", desc: true,
		read: (*client.Client).ListVersions, ready: inMailbox,
		row: func(x model.Version) []any {
			shown := ""
			if x.Current {
				shown = "yes"
			}
			return []any{x.ID, x.StoredAt, x.Actor, fileSize(x.Size), x.SHA256, shown}
		}})
}
