package cli

import (
	"context"
	"io"
	"os"
	"path"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) filesCommand() *cobra.Command {
	return group("files", "What a user has: its files", a.filesList(), a.filesGet(), a.filesPut(), a.filesRemove(),
		a.filesVersions())
}

func (a *app) filesList() *cobra.Command {
	return command("ls USER [PATH]", "List a directory", cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			f := model.FileFilter{User: args[0], Path: "/"}
			if len(args) > 1 {
				f.Path = args[1]
			}
			t := table{head: []string{"SIZE", "MODIFIED", "NAME"}, none: "The directory is empty."}
			return list(ctx, a, t, a.client().ListFiles, f, func(f model.FileInfo) []string {
				if f.Dir {
					return []string{"", when(f.Mtime), f.Name + "/"}
				}
				return []string{size(f.Size), when(f.Mtime), f.Name}
			})
		})
}

func (a *app) filesGet() *cobra.Command {
	var out, version string
	c := command("get USER PATH", "Fetch a file to a file or to standard output", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			in, err := a.client().GetFile(ctx, model.FileRef{User: args[0], Path: args[1], Version: version})
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
	c.Flags().StringVar(&version, "version", "", "a version other than the newest (sallyport files versions)")
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
	return command("versions USER PATH", "List a file's versions, the newest first", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			t := table{head: []string{"VERSION", "STORED", "BY", "SIZE", "SHA-256", "SHOWN"}}
			return list(ctx, a, t, a.client().ListVersions, model.FileFilter{User: args[0], Path: args[1]},
				func(x model.Version) []string {
					shown := ""
					if x.Current {
						shown = "yes"
					}
					return []string{x.ID, when(x.StoredAt), x.Actor, size(x.Size), x.SHA256, shown}
				})
		})
}
