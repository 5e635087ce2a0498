package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/model"
)

// perPage is how many requests a page of the queue has: some fifty kilobytes.
const perPage = 50

// queuePage is the list of requests.
type queuePage struct {
	page.Frame
	Done     string
	Mistakes fault.Mistakes
	Views    []view
	Query    map[string]string // the filters that are set
	States   []option
	Rows     []row
	Empty    string
	First    string // path of the first page; "" if this is it
	Next     string // path of the next page; ""
	Zone     string
	MayAdd   bool
}

// view is a part of the queue that has a name.
type view struct {
	Name, Label, Path string
	Count             string
	Tone              tone
	Here              bool
}

// option is a choice of a form.
type option struct {
	Value, Label, Hint string
	Chosen             bool
}

// row is a request in the list.
type row struct {
	Reference, Path, Name, Email, Company, Number, Account, State, Waits, Owner string
	Tone                                                                        tone
	Since, Made                                                                 *stamp
	Late                                                                        string // how long it is late; ""
	Mine                                                                        bool
}

// stateOrder are the states in the order of a request's life.
var stateOrder = []model.RequestState{model.RequestUnverified, model.RequestNew, model.RequestNeedsAnswer,
	model.RequestApproved, model.RequestReady, model.RequestFirstLogin, model.RequestFirstFile, model.RequestWithdrawn,
	model.RequestRejected, model.RequestExpired}

// filterFields are the filters of the list, as they are in its address.
var filterFields = []string{"text", "state", "owner", "number", "email", "since", "until"}

// views are the parts of the queue, with what each says if it is empty. The oldest come first, but for all.
var views = []struct{ name, label, empty string }{
	{"us", "Waiting for us", "Nobody waits for us. New requests appear here once their address is confirmed."},
	{"late", "Late", "Nothing is late."},
	{"them", "Waiting for the requester", "We wait for nobody."},
	{"mine", "Mine", "No open request is yours. A request's page has the button for it."},
	{"open", "All open", "No request is open."},
	{"unverified", "Not confirmed", "No request waits until its address is confirmed."},
	{"all", "All", "There are no requests yet. People send them with the form at this server's address."}}

// filter returns what a view and the filters choose.
func filter(q url.Values, mine string, zone *time.Location) (f model.RequestFilter, view string, err error) {
	f = model.RequestFilter{In: model.RequestState(q.Get("state")), Owner: q.Get("owner"), Number: q.Get("number"),
		Email: q.Get("email"), Text: q.Get("text"), Paging: model.Paging{Cursor: q.Get("cursor"), Limit: perPage}}
	view = q.Get("view")
	if view == "" {
		view = "us"
		if filtered(q) {
			view = "all"
		}
	}
	f.Reverse = view != "all"
	switch view {
	case "us":
		f.WaitsFor = model.AwaitedOperator
	case "late":
		f.Late = true
	case "them":
		f.Open, f.WaitsFor = true, model.AwaitedRequester
	case "mine":
		f.Open, f.Owner = true, mine
	case "open":
		f.Open = true
	case "unverified":
		f.In = model.RequestUnverified
	default:
		view = "all"
	}
	if f.Since, err = day("since", q.Get("since"), zone, 0); err != nil {
		return f, view, err
	}
	f.Until, err = day("until", q.Get("until"), zone, 1)
	return f, view, err
}

// filtered reports whether an address has filters.
func filtered(q url.Values) bool {
	return slices.ContainsFunc(filterFields, func(name string) bool { return q.Get(name) != "" })
}

// day reads a day of a filter. later days are added: a list until a day has that day, too.
func day(field, text string, zone *time.Location, later int) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.ParseInLocation(time.DateOnly, text, zone)
	if err != nil {
		return at, fault.E("console.day", fault.Invalid, "That is no day.").WithHint("a day is written 2026-11-30").
			WithField(field)
	}
	return at.AddDate(0, 0, later), nil
}

// queue shows requests, those that wait for an operator first.
func (s *server) queue(w http.ResponseWriter, r *http.Request) error {
	q, mine := r.URL.Query(), me(s.o.Who(r.Context()))
	p := &queuePage{Frame: s.frame(r, "Requests for access", "/console/requests"), Query: map[string]string{},
		Done: doneText(r), Zone: s.now().In(s.o.Zone).Format("MST"), MayAdd: s.may(r, "add-request")}
	for _, name := range filterFields {
		if v := q.Get(name); v != "" {
			p.Query[name] = v
		}
	}
	counts, err := s.api.CountRequests(r.Context(), model.RequestCountQuery{Owner: mine})
	if err != nil {
		return err
	}
	status := http.StatusOK
	f, here, err := filter(q, mine, s.o.Zone)
	var list model.Page[model.Request]
	if err == nil {
		list, err = s.api.ListRequests(r.Context(), f)
	}
	if fault.Is(err, fault.Invalid) {
		p.Mistakes, status = mistakes(err, "text"), http.StatusUnprocessableEntity
	} else if err != nil {
		return err
	}
	p.views(here, counts)
	for _, state := range stateOrder {
		p.States = append(p.States, option{Value: string(state), Label: stateWord(state), Chosen: state == f.In})
	}
	for _, one := range list.Items {
		p.Rows = append(p.Rows, s.row(one, mine))
	}
	p.paths(q, here, list.Next)
	s.Show(w, status, "queue.html", p)
	return nil
}

// views completes the parts of the queue with how much is in each.
func (p *queuePage) views(here string, c model.RequestCounts) {
	counts := map[string]int64{"us": c.Operator, "late": c.Late, "them": c.Requester, "mine": c.Owned, "open": c.Open,
		"unverified": c.Unverified}
	for _, v := range views {
		one := view{Name: v.name, Label: v.label, Path: "/console/requests?view=" + v.name, Here: v.name == here}
		if n, counted := counts[v.name]; counted {
			one.Count = strconv.FormatInt(n, 10)
			if v.name == "late" && n > 0 {
				one.Tone = bad
			}
		}
		if one.Here && len(p.Query) == 0 {
			p.Empty = v.empty
		}
		p.Views = append(p.Views, one)
	}
	if p.Empty == "" {
		p.Empty = "No request matches. Leave something out, or look among all."
	}
}

// paths sets where the first and the next page are.
func (p *queuePage) paths(q url.Values, here, next string) {
	v := url.Values{"view": {here}}
	for name, value := range p.Query {
		v.Set(name, value)
	}
	if q.Get("cursor") != "" {
		p.First = "/console/requests?" + v.Encode()
	}
	if next != "" {
		v.Set("cursor", next)
		p.Next = "/console/requests?" + v.Encode()
	}
}

func (s *server) row(one model.Request, mine string) row {
	out := row{Reference: one.Reference, Path: requestPath(one.Reference), Name: one.Name(), Email: one.Email,
		Company: one.Company, Number: one.AccountNumber, Account: one.Account, State: stateWord(one.State),
		Tone: requestTones[one.State], Waits: waitsFor(one.WaitsFor), Owner: one.Owner, Since: s.at(&one.Since),
		Made: s.at(&one.CreatedAt), Mine: one.Owner != "" && one.Owner == mine}
	if one.Late && one.WaitsFor != model.AwaitedRequester {
		out.Late = length(s.now().Sub(*one.Due))
	}
	return out
}

// requestPath returns where a request's page is.
func requestPath(reference string) string { return "/console/requests/" + url.PathEscape(reference) }
