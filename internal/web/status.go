package web

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/guide"
	"github.com/sallyport-sftp/sallyport/internal/onboard"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/model"
)

// status adds the pages of a request that is on its way. Their links have a secret; opening a page
// changes nothing, so that mail scanners do no harm.
func (s *server) status(mux *http.ServeMux) {
	mux.HandleFunc("GET "+onboard.VerifyPath+"{secret}", s.lookConfirm)
	mux.HandleFunc("POST "+onboard.VerifyPath+"{secret}", s.confirm)
	mux.HandleFunc("GET "+onboard.StatusPath+"{secret}", s.lookStatus)
	mux.HandleFunc("POST "+onboard.StatusPath+"{secret}/answer", s.answerQuestion)
	mux.HandleFunc("POST "+onboard.StatusPath+"{secret}/withdraw", s.withdraw)
	mux.HandleFunc("GET "+onboard.StatusPath+"{secret}/guide", s.guidePage)
	mux.HandleFunc("GET "+onboard.StatusPath+"{secret}/site/{program}/{file}", s.siteFile)
}

// confirmPage asks to confirm the e-mail address of a request.
type confirmPage struct {
	page.Frame
	Steps                           []step
	Reference, Company, Fingerprint string
}

func (s *server) lookConfirm(w http.ResponseWriter, r *http.Request) {
	v, err := s.o.Requests.Look(r.Context(), r.PathValue("secret"))
	if err == nil && !v.MayVerify {
		err = fault.E("web.lookConfirm", fault.NotFound, "This link was used.")
	}
	if err != nil {
		s.dead(w, err)
		return
	}
	s.Show(w, http.StatusOK, "confirm.html", &confirmPage{Frame: page.Frame{Title: "Is this your address?",
		Width: "wide"}, Steps: stepsAt(2),
		Reference: v.Reference, Company: v.Company, Fingerprint: v.Key.Fingerprint})
}

// confirm confirms an address, and goes on to the status of the request.
func (s *server) confirm(w http.ResponseWriter, r *http.Request) {
	v, err := s.o.Requests.Verify(r.Context(), r.PathValue("secret"))
	if err != nil {
		s.dead(w, err)
		return
	}
	http.Redirect(w, r, onboard.StatusPath+url.PathEscape(v.Status), http.StatusSeeOther)
}

// statusPage says how a request stands.
type statusPage struct {
	page.Frame
	Steps       []step
	Tone        string // class of the note: good, warn, bad, or none
	Headline    string
	Lines       []string
	Mistake     string // what is wrong with what was just sent
	Talk        []said
	MayAnswer   bool
	Typed       string // an answer that could not be sent
	MayWithdraw bool
	Reference   string
	Facts, Card []fact
	Prints      []fact         // of the server's other keys
	Programs    []page.Program // with the files that they import
	Guide       string         // path of the guide
	Marks       []mark
	Path        string // this page's
}

// said is a question or an answer.
type said struct {
	Ours     bool
	At, Text string
}

// fact is a row of a list of names and values. Code is shown as something to copy.
type fact struct {
	Name, Value string
	Code        bool
}

// mark is something that happened.
type mark struct{ At, Text string }

func (s *server) lookStatus(w http.ResponseWriter, r *http.Request) {
	s.showStatus(w, r, http.StatusOK, func(*statusPage) {})
}

// showStatus shows how a request stands; with completes the page.
func (s *server) showStatus(w http.ResponseWriter, r *http.Request, status int, with func(*statusPage)) {
	v, err := s.o.Requests.Status(r.Context(), r.PathValue("secret"))
	if err != nil {
		s.dead(w, err)
		return
	}
	offers, err := s.o.Requests.Offers(r.Context())
	if err != nil {
		s.unavailable(w, err)
		return
	}
	p := s.statusPage(v)
	p.Facts = facts(v, offers)
	p.Path = onboard.StatusPath + url.PathEscape(r.PathValue("secret"))
	if isReady(v.State) {
		if err := s.settings(r, p, v.Username); err != nil {
			s.o.Log.Warn("the settings of a ready request could not be shown", "user", v.Username, "err", err)
		}
	}
	with(p)
	s.Show(w, status, "status.html", p)
}

// isReady reports whether the log-in of a request exists.
func isReady(state model.RequestState) bool {
	return state == model.RequestReady || state == model.RequestFirstLogin || state == model.RequestFirstFile
}

// titleOf says how a request stands in its page's title.
func titleOf(state model.RequestState) string {
	switch {
	case isReady(state):
		return "Your access is ready"
	case state == model.RequestNeedsAnswer:
		return "We have a question"
	}
	return "Your request"
}

func (s *server) statusPage(v model.RequestStatus) *statusPage {
	zone := s.o.Zone
	p := &statusPage{Frame: page.Frame{Title: titleOf(v.State), Width: "wide", Script: true}, Reference: v.Reference,
		MayAnswer: v.MayAnswer, MayWithdraw: v.MayWithdraw}
	t := tellings[v.State]
	p.Steps, p.Tone, p.Headline, p.Lines = stepsAt(t.step), t.tone, t.headline, append([]string(nil), t.lines...)
	switch {
	case v.Reason != "":
		p.Lines = append([]string{v.Reason}, p.Lines...)
	case v.Due != nil && v.WaitsFor == model.AwaitedRequester:
		p.Lines = append(p.Lines, "Please answer by "+s.when(*v.Due, zone)+
			". After that the request ends; you can ask again.")
	case v.Due != nil && v.WaitsFor != model.AwaitedNobody && !isReady(v.State):
		p.Lines = append(p.Lines, "You will hear from us by "+s.when(*v.Due, zone)+".")
	}
	for _, word := range v.Talk {
		p.Talk = append(p.Talk, said{word.Question, s.when(word.At, zone), word.Text})
	}
	for i, m := range v.Steps {
		text := tellings[m.State].mark
		if i > 0 && m.State == model.RequestNew && v.Steps[i-1].State == model.RequestNeedsAnswer {
			text = "We received your answer."
		}
		p.Marks = append(p.Marks, mark{s.when(m.At, zone), text})
	}
	return p
}

// facts returns what was asked for, feeds by the titles under which they are offered. Fields that were left empty are
// left out.
func facts(v model.RequestStatus, offers []model.Offer) (out []fact) {
	feeds := slices.Clone(v.Feeds)
	for i := range feeds {
		for _, o := range offers {
			if o.Name == feeds[i] && o.Title != "" {
				feeds[i] = o.Title
			}
		}
	}
	for _, f := range []fact{{"Name", v.Name, false}, {"E-mail", v.Email, false}, {"Company", v.Company, false},
		{"Account number", v.AccountNumber, false}, {"Username", v.Username, true}, {"Key", v.Key.Fingerprint, true},
		{"Files", strings.Join(feeds, ", "), false}, {"File types", strings.ToUpper(strings.Join(v.Types, ", ")), false},
		{"Message", v.Message, false}} {
		if f.Value != "" {
			out = append(out, f)
		}
	}
	return out
}

// tellings are what people are told of each state: the step on the way, the tone, sentences, and the
// line in the history.
var tellings = map[model.RequestState]struct {
	step           int
	tone, headline string
	lines          []string
	mark           string
}{
	model.RequestUnverified: {2, "warn", "Please confirm your e-mail address.",
		[]string{"We mailed you a link. We look at the request when you have opened it."}, "You sent the request."},
	model.RequestNew: {3, "", "We look at your request.",
		[]string{"There is nothing for you to do now. We mail you when your account is ready, or if we have a question."},
		"We received your confirmed request."},
	model.RequestNeedsAnswer: {3, "warn", "Please answer below. Then we go on.", nil,
		"We sent you a question."},
	model.RequestApproved: {3, "", "Your request is approved.",
		[]string{"A second person looks at it now. There is nothing for you to do."}, "Your request was approved."},
	model.RequestReady: {4, "good", "You can log in now, with the settings below.", nil,
		"Your access was set up."},
	model.RequestFirstLogin: {5, "good", "Your account works: you have logged in.", nil,
		"You logged in for the first time."},
	model.RequestFirstFile: {5, "good", "Your account works: the first file has gone through.", nil,
		"The first file went through."},
	model.RequestWithdrawn: {0, "", "The request was withdrawn.",
		[]string{"Nothing was set up. You can ask again at any time."},
		"The request was withdrawn."},
	model.RequestRejected: {3, "bad", "We can't set this up.",
		[]string{"If you think that this is a mistake, please call or write to us, and give the reference."},
		"We declined the request."},
	model.RequestExpired: {0, "", "The request has expired.",
		[]string{"We waited for you, and nothing was set up. You can ask again at any time."},
		"The request expired."},
}

// settings completes a page with what a partner's program needs.
func (s *server) settings(r *http.Request, p *statusPage, user string) error {
	c, err := s.o.Guides.Card(r.Context(), user)
	if err != nil {
		return err
	}
	p.Card = []fact{{"Server address", c.Host, true}, {"Port", strconv.Itoa(c.Port), true}, {"Protocol", "SFTP", false},
		{"Username", c.User, true}, {"Log-in", "your private key file, no password", false}, {"Starts in", c.StartDir, true}}
	p.fingerprints(c.HostKeys)
	for _, k := range c.Coming {
		p.Prints = append(p.Prints, fact{"Fingerprint (" + guide.PlainType(k.Type) + ") from " +
			k.From.Format("2 January 2006") + " on", k.Fingerprint, true})
	}
	p.Programs, err = downloads(&c, p.Path)
	p.Guide = p.Path + "/guide"
	return err
}

// fingerprints adds those of the server's keys. Most programs show the Ed25519 key's, which is never among the others.
func (p *statusPage) fingerprints(list []model.HostKey) {
	for _, k := range list {
		name := guide.PlainType(k.Type)
		if name == "Ed25519" {
			p.Card = append(p.Card, fact{"Fingerprint (Ed25519), shown by most programs", k.Fingerprint, true})
			continue
		}
		p.Prints = append(p.Prints, fact{"Fingerprint (" + name + ")", k.Fingerprint, true})
	}
}

// downloads lists the files that programs import. at is the path of the request's page.
func downloads(c *guide.Card, at string) (list []page.Program, err error) {
	for _, program := range page.Programs {
		files, err := c.Sites(program.ID, "")
		if err != nil {
			return nil, err
		}
		one := page.Program{Name: program.Name}
		for _, f := range files {
			one.Files = append(one.Files, page.Place{Name: f.Name,
				Path: at + "/site/" + program.ID + "/" + url.PathEscape(f.Name)})
		}
		list = append(list, one)
	}
	return list, nil
}

// answerQuestion takes the requester's answer.
func (s *server) answerQuestion(w http.ResponseWriter, r *http.Request) {
	text := strings.TrimSpace(r.PostFormValue("text"))
	_, err := s.o.Requests.Answer(r.Context(), r.PathValue("secret"), text)
	s.act(w, r, err, text)
}

// withdraw ends a request at its requester's wish.
func (s *server) withdraw(w http.ResponseWriter, r *http.Request) {
	_, err := s.o.Requests.Withdraw(r.Context(), r.PathValue("secret"))
	s.act(w, r, err, "")
}

// act goes back to the status after a step, or says there what was wrong. typed is kept in the form.
func (s *server) act(w http.ResponseWriter, r *http.Request, err error, typed string) {
	switch {
	case err == nil:
		http.Redirect(w, r, onboard.StatusPath+url.PathEscape(r.PathValue("secret")), http.StatusSeeOther)
	case fault.Is(err, fault.Invalid) || fault.Is(err, fault.Conflict):
		s.showStatus(w, r, fault.KindIn(err).HTTPStatus(), func(p *statusPage) {
			p.Mistake, p.Typed = fault.PublicText(err), typed
		})
	default:
		s.dead(w, err)
	}
}

// card returns the card of the log-in that a request's link led to. It writes the answer if there is none.
func (s *server) card(w http.ResponseWriter, r *http.Request) (guide.Card, bool) {
	v, err := s.o.Requests.Status(r.Context(), r.PathValue("secret"))
	if err == nil && !isReady(v.State) {
		err = fault.E("web.card", fault.NotFound, "There is no log-in yet.")
	}
	if err != nil {
		s.dead(w, err)
		return guide.Card{}, false
	}
	c, err := s.o.Guides.Card(r.Context(), v.Username)
	if err != nil {
		s.unavailable(w, err)
		return guide.Card{}, false
	}
	return c, true
}

// sheetPage is the guide of a log-in, in the pages' own style.
type sheetPage struct {
	page.Frame
	Back string
	Body template.HTML
}

func (s *server) guidePage(w http.ResponseWriter, r *http.Request) {
	c, ok := s.card(w, r)
	if !ok {
		return
	}
	title, body, err := c.Body()
	if err != nil {
		s.unavailable(w, err)
		return
	}
	back := onboard.StatusPath + url.PathEscape(r.PathValue("secret"))
	programs, err := downloads(&c, back)
	if err != nil {
		s.unavailable(w, err)
		return
	}
	s.Show(w, http.StatusOK, "sheet.html", &sheetPage{Frame: page.Frame{Title: title, Width: "wide", Script: true},
		Body: linked(body, programs), Back: back})
}

// linked makes the names of files in a guide links to them.
func linked(body template.HTML, programs []page.Program) template.HTML {
	text := string(body)
	for _, p := range programs {
		for _, f := range p.Files {
			name := "<code>" + template.HTMLEscapeString(f.Name) + "</code>"
			if strings.Contains(text, " download>"+name) {
				continue // of several programs: known_hosts
			}
			text = strings.ReplaceAll(text, name, `<a href="`+template.HTMLEscapeString(f.Path)+`" download>`+name+"</a>")
		}
	}
	return template.HTML(text)
}

// siteFile sends a file that a program imports.
func (s *server) siteFile(w http.ResponseWriter, r *http.Request) {
	c, ok := s.card(w, r)
	if !ok {
		return
	}
	files, err := c.Sites(r.PathValue("program"), "")
	if err != nil {
		s.Nothing(w)
		return
	}
	for _, f := range files {
		if f.Name == r.PathValue("file") {
			page.Attach(w, r, f.Name, f.Content)
			return
		}
	}
	s.Nothing(w)
}

// dead says that a link of a request does not work, or that the server can't tell now.
func (s *server) dead(w http.ResponseWriter, err error) {
	if !fault.Is(err, fault.NotFound) {
		s.unavailable(w, err)
		return
	}
	s.Say(w, http.StatusNotFound, "This link does not work",
		"It may have been used already, or its time is over. If you have confirmed your address, look for our newer mail: "+
			"it has "+
			"the link to your request.", "If you are not sure, send the form again, or call us.")
}
