package cli

import (
	"context"
	"io"
	"net/url"
	"os"
	"path"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) filesCommand() *cobra.Command {
	return group("files", "What a user has: its files", a.filesList(), a.filesGet(), a.filesPut(), a.filesRemove(), a.filesVersions())
}

// filesPath is the address of a file in a user's mailbox.
func filesPath(user, below string) string { return "/users/" + url.PathEscape(user) + "/files" + below }

func (a *app) filesList() *cobra.Command {
	return command("ls USER [PATH]", "List a directory", cobra.RangeArgs(1, 2), func(ctx context.Context, args []string) error {
		p := "/"
		if len(args) > 1 {
			p = args[1]
		}
		v, err := client.Call[[]model.FileInfo](ctx, a.client(), client.Request{Method: "GET", Path: filesPath(args[0], ""), Query: url.Values{"path": {p}}})
		if err != nil {
			return err
		}
		t := table{head: []string{"SIZE", "MODIFIED", "NAME"}, none: "The directory is empty."}
		for _, f := range v {
			if f.Dir {
				t.add("", when(f.Mtime), f.Name+"/")
			} else {
				t.add(size(f.Size), when(f.Mtime), f.Name)
			}
		}
		return a.show(v, t)
	})
}

func (a *app) filesGet() *cobra.Command {
	var out, version string
	c := command("get USER PATH", "Fetch a file to a file or to standard output", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		q := url.Values{"path": {args[1]}}
		if version != "" {
			q.Set("version", version)
		}
		resp, err := a.client().Send(ctx, client.Request{Method: "GET", Path: filesPath(args[0], "/content"), Query: q})
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		want := ""
		if tag := resp.Header.Get("ETag"); len(tag) > 9 {
			want = tag[len(`"sha256:`) : len(tag)-1]
		}
		if out == "-" {
			return copyChecked(a.Out, resp.Body, want)
		}
		to := out
		if to == "" {
			to = safeName(path.Base(args[1]))
		}
		bar := a.progress(path.Base(args[1]), resp.ContentLength)
		err = landFile(to, func(w io.Writer) error { return copyChecked(w, bar.reader(resp.Body), want) })
		bar.finish()
		if err != nil {
			return err
		}
		return a.done(map[string]any{"file": to, "size": resp.ContentLength, "sha256": want}, "%s has %d bytes, SHA-256 %s.", to, resp.ContentLength, want)
	})
	c.Flags().StringVarP(&out, "out", "o", "", "file to write; - for standard output (default: the file's name)")
	c.Flags().StringVar(&version, "version", "", "a version other than the newest (sallyport files versions)")
	return c
}

func (a *app) filesPut() *cobra.Command {
	return command("put USER PATH FILE", "Store a file", cobra.ExactArgs(3), func(ctx context.Context, args []string) error {
		f, err := os.Open(args[2])
		if err != nil {
			return fault.E("cli.filesPut", fault.NotFound, "The file cannot be read: %v.", err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() {
			return fault.E("cli.filesPut", fault.Invalid, "%s is not a regular file.", args[2])
		}
		bar := a.progress(path.Base(args[1]), info.Size())
		v, err := client.Call[model.FileInfo](ctx, a.client(), client.Request{Method: "PUT", Path: filesPath(args[0], "/content"),
			Query: url.Values{"path": {args[1]}}, Body: bar.reader(f), Size: info.Size()})
		bar.finish()
		if err != nil {
			return err
		}
		return a.done(v, "%s is stored for %s with %d bytes.", args[1], args[0], v.Size)
	})
}

func (a *app) filesRemove() *cobra.Command {
	return command("rm USER PATH", "Remove a file's name", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		_, err := client.Call[any](ctx, a.client(), client.Request{Method: "DELETE", Path: filesPath(args[0], "/content"), Query: url.Values{"path": {args[1]}}})
		if err != nil {
			return err
		}
		return a.done(map[string]string{"user": args[0], "path": args[1]}, "%s was removed from the files of %s.", args[1], args[0])
	})
}

func (a *app) filesVersions() *cobra.Command {
	return command("versions USER PATH", "List a file's versions, the newest first", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		v, err := client.Call[[]model.Version](ctx, a.client(), client.Request{Method: "GET", Path: filesPath(args[0], "/versions"), Query: url.Values{"path": {args[1]}}})
		if err != nil {
			return err
		}
		t := table{head: []string{"VERSION", "STORED", "BY", "SIZE", "SHA-256", "SHOWN"}}
		for _, x := range v {
			shown := ""
			if x.Current {
				shown = "yes"
			}
			t.add(x.ID, when(x.StoredAt), x.Actor, size(x.Size), x.SHA256, shown)
		}
		return a.show(v, t)
	})
}
