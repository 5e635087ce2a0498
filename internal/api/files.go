package api

import (
	"context"
	"errors"
	"io"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// ByPath names a file in a user's mailbox.
type ByPath struct {
	ByName
	Path string `query:"path" default:"/"`
}

// visit opens a user's mailbox for the operator.
func (rt *routes) visit(ctx context.Context, user string) (*tree.Session, error) {
	u, err := rt.r.Account.User(ctx, user)
	if err != nil {
		return nil, err
	}
	return rt.r.Tree.Begin(exchange.Login{User: u, Operator: actor(ctx)}, nil), nil
}

func (rt *routes) files() {
	huma.Register(rt, op("list-files", "GET", "/users/{name}/files", "List a directory of a user's mailbox, or one file"),
		func(ctx context.Context, in *ByPath) (*List[model.FileInfo], error) {
			s, err := rt.visit(ctx, in.Name)
			if err != nil {
				return nil, rt.fail(err)
			}
			defer s.End()
			v, err := listFiles(s, in.Path)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("list-versions", "GET", "/users/{name}/files/versions", "List a file's versions, the newest first"),
		func(ctx context.Context, in *ByPath) (*List[model.Version], error) {
			s, err := rt.visit(ctx, in.Name)
			if err != nil {
				return nil, rt.fail(err)
			}
			defer s.End()
			v, err := s.Versions(in.Path)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("get-file", "GET", "/users/{name}/files/content", "Fetch a file's content; takes Range"),
		func(ctx context.Context, in *struct {
			ByPath
			Version string `query:"version" doc:"A version other than the newest"`
		}) (*huma.StreamResponse, error) {
			s, err := rt.visit(ctx, in.Name)
			if err != nil {
				return nil, rt.fail(err)
			}
			defer s.End()
			b, sum, err := s.OpenVersion(in.Path, in.Version)
			if err != nil {
				return nil, rt.fail(err)
			}
			if err := rt.viewed(ctx, "file.view", valid.Printable(in.Path), s.UserID(), map[string]string{"user": in.Name, "version": in.Version, "sha256": sum}); err != nil {
				return nil, rt.fail(errors.Join(err, b.Close()))
			}
			return content(b, sum), nil
		})
	put := op("put-file", "PUT", "/users/{name}/files/content", "Store a file in a user's mailbox; its content is the body")
	put.MaxBodyBytes = -1
	put.BodyReadTimeout = -1
	huma.Register(rt, put, func(ctx context.Context, in *struct {
		ByPath
		Streamed
	}) (*Payload[model.FileInfo], error) {
		s, err := rt.visit(ctx, in.Name)
		if err != nil {
			return nil, rt.fail(err)
		}
		defer s.End()
		v, err := putFile(s, in.Path, in.body)
		return answer(rt, v, err)
	})
	huma.Register(rt, op("remove-file", "DELETE", "/users/{name}/files/content", "Remove a file's name from a user's mailbox"),
		func(ctx context.Context, in *ByPath) (*nothing, error) {
			s, err := rt.visit(ctx, in.Name)
			if err != nil {
				return nil, rt.fail(err)
			}
			defer s.End()
			return nil, rt.fail(s.Remove(in.Path))
		})
}

// listFiles reads a directory to its end; "." and ".." are left out.
func listFiles(s *tree.Session, path string) ([]model.FileInfo, error) {
	info, err := s.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Dir {
		info.Name, info.Raw = valid.Text(info.Name)
		return []model.FileInfo{info}, nil
	}
	d, err := s.OpenDir(path)
	if err != nil {
		return nil, err
	}
	out := []model.FileInfo{}
	for {
		page, err := d.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		for _, f := range page {
			if f.Name != "." && f.Name != ".." {
				f.Name, f.Raw = valid.Text(f.Name)
				out = append(out, f)
			}
		}
	}
}

// putFile stores what r has; a sender that breaks off leaves nothing.
func putFile(s *tree.Session, path string, r io.Reader) (model.FileInfo, error) {
	if err := s.Store(path, r); err != nil {
		return model.FileInfo{}, err
	}
	return s.Stat(path)
}
