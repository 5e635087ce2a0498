package console

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/model"
)

// requestPage is one request with what decides about it.
type requestPage struct {
	page.Frame
	Done     string
	Mistakes fault.Mistakes
	Path     string
	model.Request
	State     string
	Tone      tone
	Waits     string
	WaitsLate string // how long it is late; ""
	Since     *stamp
	DueAt     *stamp
	Steps     []step
	Verdict   verdict
	Findings  []finding
	Facts     []fact
	Account   *model.RequestAccount
	People    []person
	Feeds     []model.RequestFeed
	Earlier   []row
	Talk      []said
	History   []mark
	Made      *made

	Form                    *approval // nil: it can't be approved, or not by this role
	Second                  bool      // the approval is the second one, of the same words
	MayAsk, MayReject, Mine bool
	MayAssign, MayRemind    bool
	MayWithdraw, MayDecide  bool
	Colleagues              []string // who may be the owner, as far as this role sees them
	Reasons                 []option
	Typed                   map[string]string
	Me                      string
}

// Acts reports whether there is something to do with the request, for whoever looks at it.
func (p *requestPage) Acts() bool {
	return p.Form != nil || p.MayAsk || p.MayReject || p.MayAssign || p.MayRemind || p.MayWithdraw
}

// step is a step on the way from the request to the first file.
type step struct {
	Name       string
	Done, Here bool
}

// verdict says in a line whether a request can be approved.
type verdict struct {
	Tone tone
	Text string
}

// finding is one fact that decides.
type finding struct {
	Tone             tone
	Word, Text       string
	Path, ActionName string
}

// fact is a line of what is known.
type fact struct {
	Name, Value string
	Code        bool
	Soft        string // what is said behind the value
}

// person is a contact of an account.
type person struct {
	Name, Email, Roles string
	Verified, Same     bool // Same: the address has the requester's domain
}

// said is a question or an answer.
type said struct {
	At        *stamp
	Who, Text string
	Ours      bool
}

// mark is a line of a history.
type mark struct {
	At         *stamp
	What, Text string
}

// made is what an approval has made.
type made struct {
	Account, User, UserPath, By string
	Mails                       []mail
}

// mail is a letter to the requester.
type mail struct {
	Kind, State, Subject string
	Tone                 tone
	At                   *stamp
	Error                string
}

// request shows a request.
func (s *server) request(w http.ResponseWriter, r *http.Request) error {
	return s.showRequest(w, r, nil)
}

// showRequest shows a request. wrong is why the form that was sent was not carried out; nil if none was sent.
func (s *server) showRequest(w http.ResponseWriter, r *http.Request, wrong error) error {
	j, err := s.api.JudgeRequest(r.Context(), r.PathValue("reference"))
	if err != nil {
		return err
	}
	p := s.requestPage(r, j)
	if p.Form != nil {
		if err := s.complete(r, p.Form, j); err != nil {
			return err
		}
	}
	if p.Made, err = s.made(r, j.Request); err != nil {
		return err
	}
	if p.MayAssign && s.may(r, "list-operators") {
		list, err := s.api.ListOperators(r.Context(), model.OperatorFilter{Paging: model.Paging{Limit: colleaguesShown}})
		if err != nil {
			return err
		}
		for _, o := range list.Items {
			if o.State == model.OperatorActive {
				p.Colleagues = append(p.Colleagues, o.Email)
			}
		}
	}
	var status int
	status, p.Mistakes = outcome(wrong)
	s.Show(w, status, "request.html", p)
	return nil
}

// colleaguesShown is how many operators are offered as owners.
const colleaguesShown = 100

// requestPage returns the page of a request, as far as its judgement tells.
func (s *server) requestPage(r *http.Request, j model.Judgement) *requestPage {
	q, mine := j.Request, me(s.o.Who(r.Context()))
	p := &requestPage{Frame: s.frame(r, q.Name()+", "+q.Company, ""), Done: doneText(r), Path: requestPath(q.Reference),
		Request: q, State: stateWord(q.State), Tone: requestTones[q.State], Waits: waitsFor(q.WaitsFor),
		Since: s.at(&q.Since), DueAt: s.at(q.Due), Account: j.Account, Feeds: j.Feeds, Facts: facts(j), Me: mine,
		Mine: q.Owner != "" && q.Owner == mine, Steps: way(q), Reasons: reasons, Typed: typed(r)}
	if q.Late && q.WaitsFor != model.AwaitedRequester {
		p.WaitsLate = length(s.now().Sub(*q.Due))
	}
	undecided := slices.Contains([]model.RequestState{model.RequestUnverified, model.RequestNew, model.RequestNeedsAnswer,
		model.RequestApproved}, q.State)
	if undecided {
		p.Findings, p.Verdict = judged(j, p.Path)
	}
	confirmed := undecided && q.State != model.RequestUnverified
	p.MayAsk, p.MayReject = confirmed && s.may(r, "ask-request"), undecided && s.may(r, "reject-request")
	p.MayWithdraw = undecided && s.may(r, "withdraw-request")
	p.MayAssign = !q.State.Over() && s.may(r, "assign-request")
	p.MayRemind = !q.State.Over() && q.State != model.RequestFirstLogin &&
		q.WaitsFor != model.AwaitedOperator && s.may(r, "remind-request")
	if p.MayDecide = s.may(r, "approve-request"); p.MayDecide && confirmed {
		p.Form, p.Second = &approval{Approval: j.Proposed}, q.State == model.RequestApproved
	}
	p.people(q.Email)
	for _, one := range j.Earlier {
		p.Earlier = append(p.Earlier, s.row(one, mine))
	}
	s.past(p, q)
	return p
}

// weights are the words and colours of findings.
var weights = map[model.Weight]finding{model.WeightStop: {Tone: bad, Word: "Stops it"},
	model.WeightWarn: {Tone: warn, Word: "Check"}, model.WeightGood: {Tone: good, Word: "OK"}}

// judged returns what decides, the gravest first, and what it comes to.
func judged(j model.Judgement, here string) (list []finding, v verdict) {
	counts, makes := map[model.Weight]int{}, ""
	for _, f := range j.Findings {
		if f.Action != nil && f.Action.Operation == "approve-request" && f.Action.Values["create_account"] != "" {
			f.Weight, makes = model.WeightWarn, " The approval makes the account." // the form has a button for it
		}
		counts[f.Weight]++
		one := weights[f.Weight]
		one.Text, one.Path = f.Text, pageOf(f.Action, here)
		if one.Path != "" {
			one.ActionName = actionNames[f.Action.Operation]
		}
		list = append(list, one)
	}
	stops, warns := counts[model.WeightStop], counts[model.WeightWarn]
	switch {
	case stops > 0:
		return list, verdict{bad, "Not ready to approve: " + valid.Count(stops, "thing") + " to settle."}
	case makes != "" && warns == 1:
		return list, verdict{good, "Ready to approve." + makes}
	case warns > 0:
		return list, verdict{warn, "It can be approved. Check " + valid.Count(warns, "thing") + " first." + makes}
	}
	return list, verdict{good, "Everything is in order. It can be approved."}
}

// facts are what the requester told, and how it came.
func facts(j model.Judgement) []fact {
	q, feeds := j.Request, slices.Clone(j.Request.Feeds)
	for i := range feeds {
		for _, f := range j.Feeds {
			if f.Name == feeds[i] && f.Title != "" {
				feeds[i] = f.Title
			}
		}
	}
	how := "no"
	if q.VerifiedAt != nil {
		how = q.Verified
	}
	from := ""
	if q.From != "" {
		from = "from " + q.From
	}
	key := strings.TrimSpace(q.Key.Comment)
	if key != "" {
		key = "comment: " + key
	}
	list := []fact{{Name: "Account number", Value: q.AccountNumber}, {Name: "Company", Value: q.Company},
		{Name: "E-mail", Value: q.Email, Soft: "verified: " + how}, {Name: "Phone", Value: q.Phone},
		{Name: "Username wished", Value: q.Username}, {Name: "Feeds wished", Value: strings.Join(feeds, ", ")},
		{Name: "File types wished", Value: strings.Join(q.Types, ", ")},
		{Name: "Key", Value: q.Key.Type + ", " + valid.Count(q.Key.Bits, "bit"), Soft: "read from " + q.Key.Format},
		{Name: "Fingerprint", Value: q.Key.Fingerprint, Code: true, Soft: key},
		{Name: "Came by", Value: channels[q.Channel], Soft: from}, {Name: "Language", Value: q.Language}}
	return slices.DeleteFunc(list, func(f fact) bool { return f.Value == "" })
}

// way are the steps from the request to the first file, as far as it has come.
func way(q model.Request) []step {
	names := []string{"Asked", "Address confirmed", "Decision", "First log-in", "First file"}
	next := map[model.RequestState]int{model.RequestUnverified: 1, model.RequestNew: 2, model.RequestNeedsAnswer: 2,
		model.RequestApproved: 2, model.RequestReady: 3, model.RequestFirstLogin: 4, model.RequestFirstFile: 5}
	here, goesOn := next[q.State]
	if !goesOn {
		return nil
	}
	out := make([]step, len(names))
	for i, name := range names {
		out[i] = step{name, i < here, i == here}
	}
	return out
}

// people lists the account's contacts. Those at the requester's domain are marked.
func (p *requestPage) people(email string) {
	if p.Account == nil {
		return
	}
	_, domain, _ := strings.Cut(email, "@")
	for _, c := range p.Account.Contacts {
		_, theirs, _ := strings.Cut(c.Email, "@")
		p.People = append(p.People, person{Name: c.Name, Email: c.Email, Roles: strings.Join(c.Roles, ", "),
			Verified: c.VerifiedAt != nil, Same: strings.EqualFold(domain, theirs)})
	}
}

// stepWords are the steps of a history in words.
var stepWords = map[string]string{
	model.StepSubmit:     "Sent",
	model.StepAdd:        "Recorded",
	model.StepVerify:     "Address confirmed",
	model.StepAsk:        "Asked",
	model.StepAnswer:     "Answered",
	model.StepApprove:    "Approved",
	model.StepReady:      "User made",
	model.StepReject:     "Rejected",
	model.StepWithdraw:   "Withdrawn",
	model.StepExpire:     "Ended, since nobody answered",
	model.StepAssign:     "Given to",
	model.StepRemind:     "Reminded",
	model.StepFirstLogin: "First log-in",
	model.StepFirstFile:  "First file"}

// past fills in the conversation and the history, in the operators' zone.
func (s *server) past(p *requestPage, q model.Request) {
	for _, h := range q.History {
		at := s.at(&h.At)
		who := me(model.Identity{Name: h.Actor})
		switch {
		case strings.HasPrefix(h.Actor, "requester:"):
			who = q.Name()
		case h.Action == model.StepFirstLogin || h.Action == model.StepFirstFile || h.Action == model.StepExpire:
			who = ""
		}
		if h.Action == model.StepAsk || h.Action == model.StepAnswer {
			p.Talk = append(p.Talk, said{At: at, Who: who, Text: h.Text, Ours: h.Action == model.StepAsk})
			h.Text = ""
		}
		what := stepWords[h.Action]
		if what == "" {
			what = model.Word(h.Action)
		}
		if h.Action == model.StepAssign && h.Text == "" {
			what = "Given to nobody"
		}
		if who != "" && h.Action != model.StepReady {
			what += " by " + who
			if h.Action == model.StepAssign && h.Text != "" {
				what, h.Text = "Given to "+h.Text+" by "+who, ""
			}
		}
		p.History = append(p.History, mark{At: at, What: what, Text: h.Text})
	}
	slices.Reverse(p.History)
}

// lettersShown is how many letters to a requester are shown.
const lettersShown = 10

// made returns what an approval has made, and whom letters went to.
func (s *server) made(r *http.Request, q model.Request) (*made, error) {
	if q.User == "" {
		return nil, nil
	}
	out := &made{Account: q.Account, User: q.User, UserPath: userPath(q.User), By: me(model.Identity{Name: q.Approver})}
	list, err := s.api.ListMessages(r.Context(), model.MessageFilter{Channel: model.ChannelMail, Target: q.Email,
		Span: model.Span{Since: q.CreatedAt.Add(-time.Minute)}, Paging: model.Paging{Limit: lettersShown}})
	if fault.Is(err, fault.NotFound) { // nothing was ever mailed there
		return out, nil
	} else if err != nil {
		return nil, err
	}
	for _, m := range list.Items {
		out.Mails = append(out.Mails, s.mailOf(m))
	}
	return out, nil
}

func (s *server) mailOf(m model.Message) mail {
	tones := map[model.MessageState]tone{model.MessageSent: good, model.MessageDead: bad, model.MessageBounced: bad}
	at := m.CreatedAt
	if m.SentAt != nil {
		at = *m.SentAt
	}
	subject := m.Subject
	if subject == "" {
		subject = m.Kind
	}
	return mail{Kind: m.Kind, State: mailStates[m.State], Subject: subject, Tone: tones[m.State], At: s.at(&at),
		Error: m.Error}
}

// mailStates say how a mail goes.
var mailStates = map[model.MessageState]string{model.MessageNew: "waits", model.MessageQueued: "waits",
	model.MessageSent: "sent", model.MessageDead: "given up", model.MessageBounced: "came back"}

// allFeeds lists the feeds that a log-in may get.
func (s *server) allFeeds(r *http.Request) ([]model.Feed, error) {
	return client.All(r.Context(), s.api.ListFeeds, model.EveryFilter{})
}
