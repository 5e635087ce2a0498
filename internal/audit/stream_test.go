package audit_test

import (
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// pages reads the stream from a cursor to its end, and returns the numbers of the log's rows and the cursor.
func (w *world) pages(f model.StreamFilter) (list []model.StreamEvent, cursor string) {
	w.Helper()
	for f.Limit = 3; ; f.Cursor = cursor {
		page, err := w.service.Stream(ctx, f)
		w.Must(err)
		if cursor = page.Cursor; len(page.Items) == 0 {
			return list, cursor
		}
		list = append(list, page.Items...)
	}
}

var streamStories = stories{
	"rows come once they are sealed, in order, and from the cursor on": func(t *testing.T, w *world) {
		w.sealed(7)
		w.note(1) // not sealed
		list, cursor := w.pages(model.StreamFilter{})
		if len(list) != 7 || list[0].Seq != 0 || list[6].Seq != 6 {
			t.Fatalf("%+v", list)
		}
		w.seal()
		if more, _ := w.pages(model.StreamFilter{Cursor: cursor}); len(more) != 1 || more[0].Seq != 7 {
			t.Errorf("%+v", more)
		}
		if some, _ := w.pages(model.StreamFilter{From: 5}); len(some) != 3 || some[0].Seq != 5 {
			t.Errorf("%+v", some)
		}
	},
	"a stream does not go on in another log": func(t *testing.T, w *world) {
		w.sealed(5)
		_, cursor := w.pages(model.StreamFilter{})
		w.tamper(`UPDATE audit SET id = id || 'x' WHERE seq = 4`)
		if _, err := w.service.Stream(ctx, model.StreamFilter{Cursor: cursor, Limit: 9}); !fault.Is(err, fault.Conflict) {
			t.Errorf("another row is there: %v", err)
		}
		if _, err := w.service.Stream(ctx, model.StreamFilter{From: 6, Limit: 9}); !fault.Is(err, fault.Conflict) {
			t.Errorf("the log is shorter: %v", err)
		}
		for _, wrong := range []string{"x", "1.2.3", "1.-1.x.0", "2.1.x.0", "1.1.x.99999999999999999999",
			strings.Repeat(".", 150)} {
			_, err := w.service.Stream(ctx, model.StreamFilter{Cursor: wrong, Limit: 9})
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("cursor %q: %v", wrong, err)
			}
		}
	},
	"a row that was taken out is not skipped in silence": func(t *testing.T, w *world) {
		w.sealed(5)
		w.tamper(`DELETE FROM audit WHERE seq = 2`)
		if _, err := w.service.Stream(ctx, model.StreamFilter{Limit: 9}); !fault.Is(err, fault.Conflict) {
			t.Errorf("%v", err)
		}
	},
	"rows that expired are counted": func(t *testing.T, w *world) {
		w.aged(9, 6)
		w.expired(9)
		page, err := w.service.Stream(ctx, model.StreamFilter{Limit: 9})
		testkit.Must(t, err)
		if page.Expired != 9 || page.Items[0].Seq != 9 {
			t.Errorf("%+v", page)
		}
	},
	"what happened to connections comes in the order of its commits": func(t *testing.T, w *world) {
		c := func(reference string) model.Connection {
			return model.Connection{Reference: reference, At: w.Clock(), User: "acme", Outcome: model.ReasonOK, LoggedIn: true}
		}
		w.Write(func(tx *store.Tx) error {
			n, err := tx.NumberConnectionEvents(2)
			if err == nil {
				err = tx.AddConnection(c("a"), n)
			}
			if err == nil {
				err = tx.AddConnection(c("b"), n+1)
			}
			return err
		})
		list, cursor := w.pages(model.StreamFilter{Connections: true})
		if len(list) != 2 || list[0].ID != "a" || list[1].Action != model.ActionLogin {
			t.Fatalf("%+v", list)
		}
		w.Write(func(tx *store.Tx) error {
			n, err := tx.NumberConnectionEvents(1)
			if err == nil {
				ended, at := c("a"), w.Clock()
				ended.EndedAt, ended.Received = &at, 5
				err = tx.EndConnection(ended, n)
			}
			return err
		})
		list, _ = w.pages(model.StreamFilter{Connections: true, Cursor: cursor})
		if len(list) != 1 || list[0].Action != model.ActionEnd || list[0].ID != "a" || list[0].Detail["received"] != "5" {
			t.Fatalf("%+v", list)
		}
	},
	"a reader of the stream is recorded once an hour": func(t *testing.T, w *world) {
		for range 3 {
			testkit.Must(t, w.service.NoteStream(ctx, "token:siem", nil))
		}
		if n := w.Count(`audit WHERE action = 'audit.stream'`); n != 1 {
			t.Errorf("%d rows", n)
		}
	},
}
