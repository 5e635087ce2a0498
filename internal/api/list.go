package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// list adds a list that a service reads page by page. read returns at most Limit items after
// Cursor, in the order of key. key must be unique.
func list[F, T any, P model.Filter[F]](rt *routes, id, path, summary string, key func(T) string,
	read func(ctx context.Context, f F) ([]T, error)) {
	route(rt, id, "GET", path, summary, func(ctx context.Context, in *F) (page model.Page[T], err error) {
		p := P(in).Paged()
		limit := p.Limit
		mark := bindingOf[F, P](id, *in)
		if p.Cursor, err = openCursor(p.Cursor, mark); err != nil {
			return page, err
		}
		p.Limit++ // one item more shows whether there is another page
		if page.Items, err = read(ctx, *in); err != nil {
			return page, err
		}
		if page.Items == nil {
			page.Items = []T{}
		}
		if len(page.Items) > limit {
			page.Items = page.Items[:limit]
			page.Next = sealCursor(key(page.Items[limit-1]), mark)
		}
		return page, nil
	})
}

// listWhole adds a list that read returns as a whole, because it is short. It is cut into pages
// here.
func listWhole[F, T any, P model.Filter[F]](rt *routes, id, path, summary string,
	read func(ctx context.Context, f F) ([]T, error)) {
	route(rt, id, "GET", path, summary, func(ctx context.Context, in *F) (page model.Page[T], err error) {
		p := P(in).Paged()
		mark := bindingOf[F, P](id, *in)
		at, err := openCursor(p.Cursor, mark)
		if err != nil {
			return page, err
		}
		from, _ := strconv.Atoi(at) // 0 if there is no cursor
		all, err := read(ctx, *in)
		if err != nil {
			return page, err
		}
		from = max(0, min(from, len(all)))
		to := min(from+p.Limit, len(all))
		page.Items = append([]T{}, all[from:to]...)
		if to < len(all) {
			page.Next = sealCursor(strconv.Itoa(to), mark)
		}
		return page, nil
	})
}

// bindingOf returns what ties a cursor to a list and its filters. With another list or filter, a
// cursor would silently skip items.
func bindingOf[F any, P model.Filter[F]](id string, f F) string {
	*P(&f).Paged() = model.Paging{}
	text, _ := json.Marshal(f) // plain fields
	sum := sha256.Sum256(append([]byte(id), text...))
	return string(sum[:8])
}

func sealCursor(key, mark string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(mark + key))
}

func openCursor(cursor, mark string) (key string, err error) {
	if cursor == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) < len(mark) || string(b[:len(mark)]) != mark {
		return "", fault.E("api.cursor", fault.Invalid, "This cursor is not from this list with these filters.").
			WithHint("ask for the first page again, without a cursor")
	}
	return string(b[len(mark):]), nil
}
