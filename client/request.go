package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"reflect"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// Request is one call of the API, for operations without a method of their own.
type Request struct {
	Method string
	Path   string // below /api/v1, parts already escaped
	Query  url.Values
	Header http.Header
	Body   any   // sent as JSON; an io.Reader is sent as it is
	Size   int64 // bytes of an io.Reader; -1 if not known

	Worded bool // sentences of the answer have times in them; they are asked for in the client's zone
}

// matchKey is the context key of an entity tag.
type matchKey struct{}

// Matching returns a context whose changes are bound to an entity tag (ETag) that the thing was shown
// with. If it has changed since, a change fails with a Conflict.
func Matching(ctx context.Context, tag string) context.Context {
	return context.WithValue(ctx, matchKey{}, tag)
}

// Send sends a request and returns the answer. The caller must close its body. An error status
// becomes an *Error.
func (c *Client) Send(ctx context.Context, r Request) (*http.Response, error) {
	if c.wrong != nil {
		return nil, c.wrong
	}
	body, asJSON, err := bodyOf(r.Body)
	if err != nil {
		return nil, asError(&fault.Error{Op: "client.Send", Kind: fault.Internal, Err: err})
	}
	u := c.base + "/api/v1" + r.Path
	if len(r.Query) > 0 {
		u += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, u, body)
	if err != nil {
		return nil, asError(&fault.Error{Op: "client.Send", Kind: fault.Invalid, Err: err})
	}
	for k, v := range r.Header {
		req.Header[k] = v
	}
	if asJSON {
		req.Header.Set("Content-Type", "application/json")
	} else if body != nil {
		req.ContentLength = r.Size
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if tag, _ := ctx.Value(matchKey{}).(string); tag != "" && r.Method == http.MethodPatch {
		req.Header.Set("If-Match", tag)
	}
	if c.sudo != "" {
		req.Header.Set(SudoHeader, c.sudo)
	}
	if r.Worded && c.zone != nil {
		if zone := zoneName(c.zone(ctx)); zone != "" {
			req.Header.Set(model.ZoneHeader, zone)
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode >= 400 {
		defer resp.Body.Close()
		return nil, problem(resp)
	}
	return resp, nil
}

func bodyOf(v any) (body io.Reader, asJSON bool, err error) {
	switch b := v.(type) {
	case nil:
		return nil, false, nil
	case io.Reader:
		return b, false, nil
	}
	text, err := json.Marshal(v)
	return bytes.NewReader(text), true, err
}

// problem turns an error answer (RFC 9457, with our kind and hint) into an *Error.
func problem(resp *http.Response) error {
	var p struct {
		Detail, Kind, Field, Hint string
		Action                    *model.Action
		Mistakes                  fault.Mistakes
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if json.Unmarshal(text, &p) != nil || p.Detail == "" {
		p.Detail = fmt.Sprintf("The server answered %s.", resp.Status)
	}
	e := &fault.Error{Op: "client.Send", Kind: fault.KindOf(p.Kind), Public: p.Detail, Field: p.Field,
		Hint: p.Hint, Action: p.Action}
	if len(p.Mistakes) > 0 {
		e.Err = p.Mistakes
	}
	return asError(e)
}

// Call sends a request and reads the JSON answer.
func Call[T any](ctx context.Context, c *Client, r Request) (v T, err error) {
	resp, err := c.Send(ctx, r)
	if err != nil {
		return v, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return v, nil
	}
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		return v, asError(&fault.Error{Op: "client.Call", Kind: fault.Unavailable, Err: err,
			Public: "The server's answer could not be read: it broke off, or the server is of another release."})
	}
	if c.zone != nil {
		setZone(reflect.ValueOf(&v).Elem(), func() *time.Location { return c.zone(ctx) })
	}
	return v, nil
}

// setZone puts all times in a value that was just decoded into a zone.
func setZone(v reflect.Value, zone func() *time.Location) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			setZone(v.Elem(), zone)
		}
	case reflect.Slice:
		for i := range v.Len() {
			setZone(v.Index(i), zone)
		}
	case reflect.Struct:
		if at, is := v.Interface().(time.Time); is {
			if !at.IsZero() && v.CanSet() {
				v.Set(reflect.ValueOf(at.In(zone())))
			}
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				setZone(v.Field(i), zone)
			}
		}
	}
}

// get sends a GET. query is a struct with query tags, or nil.
func get[T any](ctx context.Context, c *Client, path string, query any) (T, error) {
	return Call[T](ctx, c, Request{Method: "GET", Path: path, Query: values(query)})
}

// worded is get for an answer whose sentences have times in them.
func worded[T any](ctx context.Context, c *Client, path string, query any) (T, error) {
	return Call[T](ctx, c, Request{Method: "GET", Path: path, Query: values(query), Worded: true})
}

// sendWorded is send for an answer whose sentences have times in them, those of errors included.
func sendWorded[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	return Call[T](ctx, c, Request{Method: method, Path: path, Body: body, Worded: true})
}

// send sends a request with a JSON body. body may be nil.
func send[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	return Call[T](ctx, c, Request{Method: method, Path: path, Body: body})
}

// do sends a request whose answer is empty.
func do(ctx context.Context, c *Client, method, path string, query url.Values, body any) error {
	_, err := Call[struct{}](ctx, c, Request{Method: method, Path: path, Query: query, Body: body})
	return err
}

// at formats a path, with its parts escaped.
func at(format string, parts ...string) string {
	escaped := make([]any, len(parts))
	for i, p := range parts {
		escaped[i] = url.PathEscape(p)
	}
	return fmt.Sprintf(format, escaped...)
}

// values returns the fields of a struct that have a query tag. Zero fields are left out.
func values(query any) url.Values {
	out := url.Values{}
	if query != nil {
		addValues(out, reflect.ValueOf(query))
	}
	return out
}

func addValues(out url.Values, v reflect.Value) {
	for i := range v.NumField() {
		f, tag := v.Field(i), v.Type().Field(i)
		name := tag.Tag.Get("query")
		switch {
		case tag.Anonymous:
			addValues(out, f)
		case name == "" || f.IsZero():
		default:
			out.Set(name, text(f.Interface()))
		}
	}
}

func text(v any) string {
	if at, ok := v.(time.Time); ok {
		return at.Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}

// Each iterates over all items of a list, page by page. After an error, which is yielded with a
// zero item, it ends.
//
//	for drop, err := range client.Each(ctx, c.ListDrops, model.DropFilter{State: model.DropNew}) {
func Each[F, T any, P model.Filter[F]](ctx context.Context, list func(context.Context, F) (model.Page[T], error),
	f F) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			page, err := list(ctx, f)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, v := range page.Items {
				if !yield(v, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			P(&f).Paged().Cursor = page.Next
		}
	}
}

// All returns all items of a list.
func All[F, T any, P model.Filter[F]](ctx context.Context, list func(context.Context, F) (model.Page[T], error),
	f F) ([]T, error) {
	out := []T{}
	for v, err := range Each[F, T, P](ctx, list, f) {
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
