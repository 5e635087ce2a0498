package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sallyport-sftp/sallyport/model"
)

// Methods for operations whose body or answer is a file. The caller must close a Content.

// Publish publishes a file. size is the length of the content in bytes, or -1 if it is not known.
// With q.Upload, content is nil.
func (c *Client) Publish(ctx context.Context, q model.PublishFile, content io.Reader,
	size int64) (model.Publication, error) {
	r := Request{Method: "PUT", Path: at("/feeds/%s/publications/%s", q.Feed, q.File), Query: values(q), Size: size,
		Header: http.Header{}}
	if content != nil {
		r.Body = content
	}
	if q.Key != "" {
		r.Header.Set("Idempotency-Key", q.Key)
	}
	return Call[model.Publication](ctx, c, r)
}

// BeginUpload starts sending a file in parts, to be published afterwards.
func (c *Client) BeginUpload(ctx context.Context, in model.NewUpload) (model.Upload, error) {
	return send[model.Upload](ctx, c, "POST", "/uploads", in)
}

// ShowUpload returns an upload with its offset.
func (c *Client) ShowUpload(ctx context.Context, id string) (model.Upload, error) {
	return get[model.Upload](ctx, c, at("/uploads/%s", id), nil)
}

// SendPart sends the next part, which begins at offset and has size bytes. The part is durable when
// SendPart returns without an error.
func (c *Client) SendPart(ctx context.Context, id string, offset int64, content io.Reader,
	size int64) (model.Upload, error) {
	return Call[model.Upload](ctx, c, Request{Method: "PUT", Path: at("/uploads/%s/content", id),
		Query: url.Values{"offset": {strconv.FormatInt(offset, 10)}}, Body: content, Size: size})
}

// CancelUpload discards an upload.
func (c *Client) CancelUpload(ctx context.Context, id string) error {
	return do(ctx, c, "DELETE", at("/uploads/%s", id), nil, nil)
}

// Content is a file that is being fetched.
type Content struct {
	io.ReadCloser
	Size   int64  // bytes; -1 if it is not known
	SHA256 string // what the bytes must have, hexadecimal; "" if it is not known
}

// FetchDrop opens a received file's content.
func (c *Client) FetchDrop(ctx context.Context, id string, q model.FetchDrop) (*Content, error) {
	return c.open(ctx, at("/inbox/%s/content", id), values(q))
}

// ListFiles lists a directory of a user's mailbox, or one file.
func (c *Client) ListFiles(ctx context.Context, q model.FileFilter) (model.Page[model.FileInfo], error) {
	return get[model.Page[model.FileInfo]](ctx, c, at("/users/%s/files", q.User), q)
}

// ListVersions lists a file's versions, the newest first.
func (c *Client) ListVersions(ctx context.Context, q model.FileFilter) (model.Page[model.Version], error) {
	return get[model.Page[model.Version]](ctx, c, at("/users/%s/files/versions", q.User), q)
}

// GetFile opens a file of a user's mailbox.
func (c *Client) GetFile(ctx context.Context, f model.GetFile) (*Content, error) {
	return c.open(ctx, at("/users/%s/files/content", f.User), values(f))
}

// PutFile stores a file in a user's mailbox. size is the length of the content in bytes, or -1 if
// it is not known.
func (c *Client) PutFile(ctx context.Context, f model.FileRef, content io.Reader, size int64) (model.FileInfo, error) {
	return Call[model.FileInfo](ctx, c,
		Request{Method: "PUT", Path: at("/users/%s/files/content", f.User), Query: values(f), Body: content, Size: size})
}

// RemoveFile removes a file's name from a user's mailbox.
func (c *Client) RemoveFile(ctx context.Context, f model.FileRef) error {
	return do(ctx, c, "DELETE", at("/users/%s/files/content", f.User), values(f), nil)
}

// ListRunFiles opens a CSV list of the files that a retention run names, and what became of each.
func (c *Client) ListRunFiles(ctx context.Context, run string) (*Content, error) {
	return c.open(ctx, at("/retention/runs/%s/files", run), nil)
}

// ExportAudit opens an export of the audit log. format is jsonl or csv. A jsonl export can be
// verified by itself.
func (c *Client) ExportAudit(ctx context.Context, f model.AuditFilter, format string) (*Content, error) {
	q := values(f)
	q.Set("format", format)
	return c.open(ctx, "/audit/export", q)
}

// SampleAudit returns n sealed rows drawn at random, each proven under the newest checkpoint.
func (c *Client) SampleAudit(ctx context.Context, n int) ([]model.SampledLine, error) {
	return Call[[]model.SampledLine](ctx, c,
		Request{Method: "GET", Path: "/audit/sample", Query: url.Values{"n": {strconv.Itoa(n)}}})
}

func (c *Client) open(ctx context.Context, path string, q url.Values) (*Content, error) {
	resp, err := c.Send(ctx, Request{Method: "GET", Path: path, Query: q}) //nolint:bodyclose // Content closes it
	if err != nil {
		return nil, err
	}
	tag := strings.Trim(resp.Header.Get("ETag"), `"`)
	sum, _ := strings.CutPrefix(tag, "sha256:")
	return &Content{ReadCloser: resp.Body, Size: resp.ContentLength, SHA256: sum}, nil
}
