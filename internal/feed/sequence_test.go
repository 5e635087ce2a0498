package feed_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

var sequenceStories = stories{
	"a gap is told once, and closes when its numbers come late": func(t *testing.T, w *world) {
		w.numbered("acme")
		for _, s := range []struct {
			number int
			told   string // the missing numbers that publishing reports
			last   int64
			left   []model.Gap
		}{
			{5, "", 5, nil}, // the first: nothing is missing before it
			{6, "", 6, nil},
			{10, "7 to 9", 10, []model.Gap{{From: 7, To: 9}}},
			{12, "11", 12, []model.Gap{{From: 7, To: 9}, {From: 11, To: 11}}},
			{8, "", 12, []model.Gap{{From: 7, To: 7}, {From: 9, To: 9}, {From: 11, To: 11}}},
			{7, "", 12, []model.Gap{{From: 9, To: 9}, {From: 11, To: 11}}},
			{11, "", 12, []model.Gap{{From: 9, To: 9}}},
			{12, "", 12, []model.Gap{{From: 9, To: 9}}}, // once more
			{3, "", 12, []model.Gap{{From: 9, To: 9}}},  // from before the first
			{9, "", 12, nil},
			{13, "", 13, nil},
		} {
			p := w.publish("data", "acme", fmt.Sprintf("cdr-%d.csv", s.number), "1")
			if got := strings.Join(p.Missing, ","); got != s.told {
				t.Fatalf("after %d it is told that %q is missing, want %q", s.number, got, s.told)
			}
			if q := w.sequence("acme"); q.Last != s.last || !slices.Equal(q.Missing, s.left) {
				t.Fatalf("after %d: %+v, want %d and %v", s.number, q, s.last, s.left)
			}
		}
		events := w.Events(model.EventGap)
		if len(events) != 2 || events[0].Account != "acme" || events[0].Field("from") != 7.0 || events[0].Field("to") != 9.0 {
			t.Fatalf("the events are %+v", events)
		}
		if text := fmt.Sprint(events[1].Field("text")); !strings.Contains(text, "cdr-12.csv came, and number 11 did not") {
			t.Fatalf("the event says %q", text)
		}
	},
	"numbers count for each account, and for all together": func(t *testing.T, w *world) {
		w.numbered("acme", "beta")
		w.publish("data", "acme", "cdr-1.csv", "1")
		w.publish("data", "beta", "cdr-100.csv", "1")
		w.publish("data", "all", "cdr-7.csv", "1")
		if p := w.publish("data", "acme", "cdr-2.csv", "1"); p.Missing != nil {
			t.Fatalf("%v is missing", p.Missing)
		}
		if p := w.publish("data", "all", "cdr-9.csv", "1"); !slices.Equal(p.Missing, []string{"8"}) {
			t.Fatalf("%v is missing", p.Missing)
		}
		if e := w.Events(model.EventGap); len(e) != 1 ||
			!strings.Contains(fmt.Sprint(e[0].Field("text")), "for all subscribers") {
			t.Fatalf("the events are %+v", e)
		}
	},
	"what is refused counts for nothing": func(t *testing.T, w *world) {
		w.numbered("acme")
		w.publish("data", "acme", "cdr-1.csv", "1")
		w.refused(to("data", "acme", "cdr-9.csv", pdf), fault.Invalid, "that of a pdf")
		if q := w.sequence("acme"); q.Last != 1 {
			t.Fatalf("the numbers are at %+v", q)
		}
	},
	"only the newest hundred gaps are remembered": func(t *testing.T, w *world) {
		w.numbered("acme")
		for n := 1; n <= 103*2; n += 2 {
			w.publish("data", "acme", fmt.Sprintf("cdr-%d.csv", n), "1")
		}
		if q := w.sequence("acme"); len(q.Missing) != 100 || q.Missing[0] != (model.Gap{From: 6, To: 6}) || q.Last != 205 {
			t.Fatalf("%d gaps, from %v, last %d", len(q.Missing), q.Missing[0], q.Last)
		}
	},
	"an operator sets, forgets and accepts": func(t *testing.T, w *world) {
		w.numbered("acme")
		for _, n := range []int{1, 5, 9} {
			w.publish("data", "acme", fmt.Sprintf("cdr-%d.csv", n), "1")
		}
		if _, err := w.service.AcceptGap(ctx, "test", "data", "acme", model.Gap{From: 3, To: 7},
			"the switch was down"); err != nil {
			t.Fatal(err)
		}
		if q := w.sequence("acme"); !slices.Equal(q.Missing, []model.Gap{{From: 2, To: 2}, {From: 8, To: 8}}) {
			t.Fatalf("missing is %v", q.Missing)
		}
		for what, err := range map[string]error{
			"again":      second(w.service.AcceptGap(ctx, "test", "data", "acme", model.Gap{From: 3, To: 7}, "again")),
			"backwards":  second(w.service.AcceptGap(ctx, "test", "data", "acme", model.Gap{From: 8, To: 2}, "x")),
			"no reason":  second(w.service.AcceptGap(ctx, "test", "data", "acme", model.Gap{From: 2, To: 2}, "")),
			"no feed":    second(w.service.SetSequence(ctx, "test", "nothing", "acme", 5)),
			"no account": second(w.service.SetSequence(ctx, "test", "data", "nobody", 5)),
			"negative":   second(w.service.SetSequence(ctx, "test", "data", "acme", -1)),
			"uncounted":  w.service.ForgetSequence(ctx, "test", "data", ""),
		} {
			if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := w.service.SetSequence(ctx, "test", "data", "acme", 100); err != nil {
			t.Fatal(err)
		}
		if p := w.publish("data", "acme", "cdr-102.csv", "1"); !slices.Equal(p.Missing, []string{"100 to 101"}) {
			t.Fatalf("%v is missing", p.Missing)
		}
		if err := w.service.ForgetSequence(ctx, "test", "data", "acme"); err != nil {
			t.Fatal(err)
		}
		if p := w.publish("data", "acme", "cdr-7.csv", "1"); p.Missing != nil || w.sequence("acme").Last != 7 {
			t.Fatalf("%v is missing of %+v", p.Missing, w.sequence("acme"))
		}
	},
	"a list of no gaps is an empty list": func(t *testing.T, w *world) {
		w.numbered("acme")
		for _, n := range []int{1, 3, 2} {
			w.publish("data", "acme", fmt.Sprintf("cdr-%d.csv", n), "1")
		}
		if w.sequence("acme").Missing == nil {
			t.Fatal("missing is null")
		}
	},
}

func second(_ model.Sequence, err error) error { return err }

// numbered creates a feed whose names have numbers, and its subscribers.
func (w *world) numbered(accounts ...string) {
	w.Helper()
	w.feed("data", func(f *model.NewFeed) { f.Pattern = "cdr-{seq}.csv" })
	for _, a := range accounts {
		w.Customer(a)
		w.subscribe("data", a)
	}
}
