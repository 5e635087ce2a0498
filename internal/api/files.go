package api

import (
	"context"
	"errors"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// files adds the operations on the files in mailboxes, and on name rules.
func (rt *routes) files() {
	list(rt, "list-files", "/users/{id}/files", "List a directory of a user's mailbox, or one file",
		func(f model.FileInfo) string { return tree.PageCursor(f.Dir, rawName(f)) }, rt.listFiles)
	list(rt, "list-versions", "/users/{id}/files/versions", "List a file's versions, the newest first",
		func(v model.Version) string { return v.ID },
		func(ctx context.Context, f model.FileFilter) (out []model.Version, err error) {
			err = rt.visit(ctx, f.User, func(s *tree.Session) error {
				out, err = s.Versions(f.Path, f.Paging)
				return err
			})
			return out, err
		})
	send(rt, "get-file", "/users/{id}/files/content", "Fetch a file's content; takes Range", rt.getFile)
	type file struct {
		model.FileRef
		Streamed
	}
	register(rt, upload("put-file", "/users/{id}/files/content",
		"Store a file in a user's mailbox; its content is the body"),
		func(ctx context.Context, in *file) (out model.FileInfo, err error) {
			err = rt.visit(ctx, in.User, func(s *tree.Session) error {
				if err := s.Store(in.Path, in.body); err != nil { // an upload that breaks off stores nothing
					return err
				}
				out, err = s.Stat(in.Path)
				return err
			})
			return out, err
		})
	done(rt, "remove-file", "DELETE", "/users/{id}/files/content", "Remove a file's name from a user's mailbox",
		func(ctx context.Context, in *model.FileRef) error {
			return rt.visit(ctx, in.User, func(s *tree.Session) error { return s.Remove(in.Path) })
		})

	listWhole(rt, "list-name-policies", "/names",
		"List what file names mean: as configured, and what differs for users and folders",
		func(ctx context.Context, _ model.EveryFilter) ([]model.NamePolicy, error) {
			return rt.Naming.Policies(ctx)
		})
	route(rt, "set-name-policy", "PUT", "/names",
		"Say what file names mean for a user or in a folder; with no rule, it is as configured again",
		func(ctx context.Context, in *BodyOf[model.NamePolicy]) (model.NamePolicy, error) {
			return rt.Naming.SetPolicy(ctx, actor(ctx), in.Body)
		})
}

// visit calls do with a session in a user's mailbox, in the operator's name.
func (rt *routes) visit(ctx context.Context, user string, do func(*tree.Session) error) error {
	u, err := rt.Account.User(ctx, user)
	if err != nil {
		return err
	}
	s := rt.Tree.Begin(exchange.Login{User: u, Operator: actor(ctx)}, nil)
	defer s.End()
	return do(s)
}

// rawName returns a name's bytes.
func rawName(f model.FileInfo) string {
	if f.Raw != nil {
		return string(f.Raw)
	}
	return f.Name
}

func (rt *routes) listFiles(ctx context.Context, f model.FileFilter) (out []model.FileInfo, err error) {
	err = rt.visit(ctx, f.User, func(s *tree.Session) error {
		out, err = s.ListPage(f.Path, f.Paging)
		for i := range out {
			out[i].Name, out[i].Raw = valid.Text(out[i].Name)
		}
		return err
	})
	return out, err
}

func (rt *routes) getFile(ctx context.Context, in *model.GetFile) (out *huma.StreamResponse, err error) {
	err = rt.visit(ctx, in.User, func(s *tree.Session) error {
		b, sum, err := s.OpenVersion(in.Path, in.Version)
		if err != nil {
			return err
		}
		err = rt.viewed(ctx, "file.view", valid.Printable(in.Path), s.UserID(),
			map[string]string{"user": in.User, "version": in.Version, "sha256": sum})
		if err != nil {
			return errors.Join(err, b.Close())
		}
		out = content(b, sum)
		return nil
	})
	return out, err
}
