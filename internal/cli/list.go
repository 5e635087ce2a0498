package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// perPage is how many items one request asks for.
const perPage = 1000

// list prints all items of a list: as a table with a row for each, or as a JSON array. It writes
// the array while the pages arrive.
func list[F, T any, P model.Filter[F]](ctx context.Context, a *app, t table,
	read func(context.Context, F) (model.Page[T], error), f F, row func(T) []string) error {
	return listSome[F, T, P](ctx, a, t, read, f, 0, row)
}

// listSome is list, limited to most items; 0 means all.
func listSome[F, T any, P model.Filter[F]](ctx context.Context, a *app, t table,
	read func(context.Context, F) (model.Page[T], error), f F, most int, row func(T) []string) error {
	if most < 0 {
		return fault.E("cli.list", fault.Invalid, "A limit is not negative.").WithHint("0 means all")
	}
	P(&f).Paged().Limit = perPage
	if most > 0 {
		P(&f).Paged().Limit = min(most, perPage)
	}
	out := jsonArray{a: a}
	n := 0
	for v, err := range client.Each[F, T, P](ctx, read, f) {
		if err != nil {
			return err
		}
		if a.json {
			err = out.add(v)
		} else {
			t.add(row(v)...)
		}
		if err != nil {
			return err
		}
		if n++; n == most {
			break
		}
	}
	if a.json {
		return out.end()
	}
	return a.show(nil, t)
}

// jsonArray writes a JSON array one item at a time, indented like other output.
type jsonArray struct {
	a     *app
	begun bool
}

func (j *jsonArray) add(v any) error {
	text, err := json.MarshalIndent(v, "  ", "  ")
	if err != nil {
		return err
	}
	before := "[\n  "
	if j.begun {
		before = ",\n  "
	}
	j.begun = true
	_, err = fmt.Fprintf(j.a.Out, "%s%s", before, text)
	return err
}

func (j *jsonArray) end() error {
	last := "\n]\n"
	if !j.begun {
		last = "[]\n"
	}
	_, err := fmt.Fprint(j.a.Out, last)
	return err
}
