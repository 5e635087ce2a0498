package expect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/expect"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// policies opens the service with a policy on larger and on later files.
func (w *world) policies(larger, later string) {
	w.service = w.open(expect.Policy{Larger: larger, Later: later})
}

// oddOf judges an upload of acme at the present time.
func (w *world) oddOf(name string, size int64) exchange.Odd {
	w.Helper()
	q := w.Store.Read(ctx)
	u, err := q.User("acme")
	w.Must(err)
	odd, err := w.service.Odd(q, exchange.Received{User: u, Name: name, Size: size, At: w.Clock()})
	w.Must(err)
	return odd
}

func most(n int64) func(*model.NewExpectation) {
	return func(e *model.NewExpectation) { e.MostBytes = n }
}

var oddStories = stories{
	"a larger file is marked, told or refused": func(t *testing.T, w *world) {
		w.expects(most(100), func(e *model.NewExpectation) { e.Tell = true })
		for _, c := range []struct {
			policy         string
			tells, refuses bool
		}{{exchange.OddFlag, false, false}, {exchange.OddTell, true, false}, {exchange.OddRefuse, false, true}} {
			w.policies(c.policy, exchange.OddFlag)
			if odd := w.oddOf("cdr-1.csv", 100); odd.Words != "" || odd.Refuse || odd.Tell != nil {
				t.Errorf("%s: as large as it may be: %+v", c.policy, odd)
			}
			if odd := w.oddOf("other.csv", 101); odd.Words != "" {
				t.Errorf("%s: another name: %+v", c.policy, odd)
			}
			odd := w.oddOf("cdr-1.csv", 101)
			if odd.Words != "larger than expected: 101 bytes, 100 at most (cdr)" || odd.Refuse != c.refuses ||
				(odd.Tell != nil) != c.tells {
				t.Fatalf("%s: %+v", c.policy, odd)
			}
			if c.refuses && (odd.Reason != "It is larger than agreed: 101 bytes, and 100 at most." || odd.Advice == "") {
				t.Errorf("the partner reads %q: %s", odd.Reason, odd.Advice)
			}
			if c.tells && (odd.Tell.Type != model.EventLarger || odd.Tell.Account != "acme" ||
				!strings.Contains(odd.Tell.Text("text"), "acme sent cdr-1.csv with 101 bytes; 100 are expected at most") ||
				!strings.Contains(odd.Tell.Text("partner_text"), "If the file is right, there is nothing to do.")) {
				t.Errorf("it is told %+v", odd.Tell)
			}
		}
	},
	"a file is late until its deadline was met": func(t *testing.T, w *world) {
		w.policies(exchange.OddFlag, exchange.OddFlag)
		w.expects()
		late := func(local string, want bool) {
			t.Helper()
			w.at(local)
			if odd := w.oddOf("cdr-1.csv", 1); (odd.Words != "") != want || odd.Refuse || odd.Tell != nil {
				t.Errorf("at %s: %+v", local, odd)
			}
		}
		late("2026-10-31 05:59", false)
		late("2026-10-31 06:01", true) // before the deadline was judged
		w.judge("2026-10-31 06:02", model.ExpectMissed)
		late("2026-10-31 06:03", true)
		if odd := w.oddOf("cdr-1.csv", 1); odd.Words !=
			"later than expected: by Saturday 31 October 2026, 06:00 (Australia/Sydney) (cdr)" {
			t.Errorf("%q", odd.Words)
		}
		w.comes("acme", "cdr-1.csv", "2026-10-31 07:00")
		w.judge("2026-10-31 07:01", model.ExpectMet)
		late("2026-10-31 07:02", false)
		w.comes("acme", "cdr-2.csv", "2026-11-01 05:00")
		late("2026-11-01 06:01", false) // it came in time, and was not judged yet
	},
	"what came late is not told where it is only marked": func(t *testing.T, w *world) {
		w.policies(exchange.OddFlag, exchange.OddFlag)
		w.expects()
		w.judge("2026-10-31 06:00", model.ExpectMissed)
		w.comes("acme", "cdr-1.csv", "2026-10-31 07:00")
		w.judge("2026-10-31 07:01", model.ExpectMet)
		w.wantEvents(1, 0)
		if n := len(w.Audited("expectation.meet")); n != 1 {
			t.Errorf("%d audit rows", n)
		}
	},
	"a late file that is refused does not meet its deadline": func(t *testing.T, w *world) {
		w.policies(exchange.OddFlag, exchange.OddRefuse)
		w.expects()
		w.judge("2026-10-31 06:00", model.ExpectMissed)
		w.at("2026-10-31 07:00")
		odd := w.oddOf("cdr-1.csv", 1)
		if !odd.Refuse || odd.Reason !=
			"It came after its time: we expected it by Saturday 31 October 2026, 06:00 (Australia/Sydney)." {
			t.Fatalf("%+v", odd)
		}
		w.comesNow("acme", "cdr-1.csv")
		w.Exec("UPDATE drops SET state = 'rejected', consumer = $1", exchange.OddConsumer)
		w.judge("2026-10-31 07:01", model.ExpectMissed)
	},
	"larger and later at once": func(t *testing.T, w *world) {
		w.policies(exchange.OddTell, exchange.OddTell)
		w.expects(most(10))
		w.judge("2026-10-31 06:00", model.ExpectMissed)
		w.at("2026-10-31 07:00")
		if odd := w.oddOf("cdr-1.csv", 11); strings.Count(odd.Words, "; later than expected") != 1 || odd.Tell == nil {
			t.Errorf("%+v", odd)
		}
	},
	"a largest size fits a least size, and a user": func(t *testing.T, w *world) {
		for _, change := range []func(*model.NewExpectation){most(-1),
			func(e *model.NewExpectation) { e.MostBytes, e.LeastBytes = 10, new(int64(11)) },
			func(e *model.NewExpectation) { e.MostBytes, e.User, e.Feed = 10, "", "data" }} {
			e := model.NewExpectation{Name: "x", User: "acme", Days: "daily", Clock: "06:00", Zone: "UTC"}
			change(&e)
			_, err := w.service.Add(ctx, "test", e)
			testkit.WantKind(t, err, fault.Invalid)
		}
		if e := w.expects(most(10)); e.MostBytes != 10 {
			t.Errorf("%+v", e)
		}
		list, err := w.service.List(ctx, model.EveryFilter{})
		if err != nil || len(list) != 1 || list[0].MostBytes != 10 {
			t.Errorf("%+v, %v", list, err)
		}
		w.judge("2026-10-31 06:00", model.ExpectMissed)
		if text := fmt.Sprint(w.Events(model.EventMissed)[0].Field("text")); !strings.Contains(text, "of at most 10 bytes") {
			t.Errorf("%s", text)
		}
	},
}
