package inbox_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var listStories = stories{
	"received files are listed of a time, and in either order": func(t *testing.T, w *world) {
		start := w.Clock()
		slow := w.AddBlob("acme", "", "an upload of two days") // its id is older than those of b and c
		w.arrive("acme", "/upload/a.csv", "a")
		w.Pass(testkit.Day)
		w.arrive("beta", "/upload/b.csv", "b")
		w.Pass(testkit.Day)
		w.arrive("acme", "/upload/c.csv", "c")
		w.arriveAs(slow, "acme", "/upload/slow.csv")
		for _, c := range []struct {
			filter model.DropFilter
			want   []string
		}{
			{model.DropFilter{}, []string{"/upload/slow.csv", "/upload/a.csv", "/upload/b.csv", "/upload/c.csv"}},
			{model.DropFilter{Order: model.Order{Reverse: true}},
				[]string{"/upload/c.csv", "/upload/b.csv", "/upload/a.csv", "/upload/slow.csv"}},
			{model.DropFilter{Span: model.Span{Since: start.Add(testkit.Day)}},
				[]string{"/upload/slow.csv", "/upload/b.csv", "/upload/c.csv"}},
			{model.DropFilter{Span: model.Span{Until: start.Add(testkit.Day)}}, []string{"/upload/a.csv"}},
			{model.DropFilter{Span: model.Span{Since: start.Add(time.Hour), Until: start.Add(25 * time.Hour)}},
				[]string{"/upload/b.csv"}},
			{model.DropFilter{Span: model.Span{Since: start.Add(time.Hour)}, User: "ACME", Name: "c.csv"},
				[]string{"/upload/c.csv"}},
			{model.DropFilter{Span: model.Span{Since: start.Add(9 * testkit.Day)}}, nil},
			{model.DropFilter{Span: model.Span{Since: start.Add(9 * testkit.Day)}, Order: model.Order{Reverse: true}}, nil},
		} {
			var paths []string
			for c.filter.Limit = 2; ; {
				list, err := w.service.List(ctx, c.filter)
				testkit.Must(t, err)
				for _, d := range list {
					paths = append(paths, d.Path)
				}
				if len(list) < c.filter.Limit {
					break
				}
				c.filter.Cursor = list[len(list)-1].ID
			}
			if !slices.Equal(paths, c.want) {
				t.Errorf("%+v: %v, want %v", c.filter, paths, c.want)
			}
		}
	},
}
