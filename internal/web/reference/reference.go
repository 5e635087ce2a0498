// Package reference has the reference of the API as pages, written from its OpenAPI document and from the
// table of roles.
package reference

import (
	"embed"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/model"
)

//go:embed *.html
var templates embed.FS

// Path is the page of all operations; OperationPath is the prefix of the page of one.
const (
	Path          = "/api"
	OperationPath = "/api/operations/"
)

// Options are what the pages are written from.
type Options struct {
	Pages    *page.Site
	Document func() ([]byte, error) // OpenAPI, JSON; it is asked for once, when somebody opens a page
	At       string                 // where the document is served
	URL      string                 // of the server, as programs reach it; ""
}

type server struct {
	*page.Set
	index      *indexPage
	operations map[string]*operationPage
}

// New returns the handler of Path and OperationPath. Everybody may read them: they say what the API is,
// and nothing of what it knows. They are written when the first one is opened, since most servers' never are.
func New(o Options) http.Handler {
	written := sync.OnceValues(func() (http.Handler, error) { return write(o) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, err := written()
		if err != nil {
			panic(err) // our own document is damaged: a bug, which httpd.Guard logs under a reference
		}
		h.ServeHTTP(w, r)
	})
}

// write writes the pages, and returns their handler.
func write(o Options) (http.Handler, error) {
	text, err := o.Document()
	if err != nil {
		return nil, err
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, err
	}
	s := &server{Set: o.Pages.Set(templates, "index.html", "operation.html"), operations: map[string]*operationPage{}}
	for path, methods := range d.Paths {
		for method, op := range methods {
			s.operations[op.ID] = d.operation(strings.ToUpper(method), path, op, o.URL)
		}
	}
	s.index = s.list(o, &d)
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path, func(w http.ResponseWriter, _ *http.Request) {
		p := *s.index
		s.Show(w, http.StatusOK, "index.html", &p)
	})
	mux.HandleFunc("GET "+OperationPath+"{id}", func(w http.ResponseWriter, r *http.Request) {
		found, ok := s.operations[r.PathValue("id")]
		if !ok {
			s.Nothing(w)
			return
		}
		p := *found
		s.Show(w, http.StatusOK, "operation.html", &p)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { s.Nothing(w) })
	return page.Headers(mux), nil
}

// indexPage lists all operations.
type indexPage struct {
	page.Frame
	Document, URL string
	Duties        []duty
	Events        []event
}

// duty is a row of the table of roles, with its operations.
type duty struct {
	Name, Roles string
	Operations  []*operationPage
}

// event is something that a webhook is told.
type event struct{ Name, Summary string }

func (s *server) list(o Options, d *document) *indexPage {
	p := &indexPage{Frame: page.Frame{Title: "The API", Width: "full"}, Document: o.At, URL: o.URL}
	if p.URL == "" {
		p.URL = "https://files.example.com"
	}
	for _, row := range model.Duties {
		one := duty{Name: row.Name, Roles: who(row)}
		for _, id := range row.Operations {
			if op := s.operations[id]; op != nil {
				one.Operations = append(one.Operations, op)
			}
		}
		slices.SortFunc(one.Operations, func(a, b *operationPage) int { return strings.Compare(a.Path, b.Path) })
		p.Duties = append(p.Duties, one)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Webhooks)) {
		for _, op := range d.Webhooks[name] {
			p.Events = append(p.Events, event{name, op.Summary})
		}
	}
	return p
}

// who says which roles may do what a duty consists of.
func who(d model.Duty) string {
	var roles []string
	for _, r := range model.Roles {
		switch may, reasoned := d.May(r); {
		case reasoned:
			roles = append(roles, string(r)+" (with a reason)")
		case may:
			roles = append(roles, string(r))
		}
	}
	return strings.Join(roles, ", ")
}

// operationPage is the page of one operation.
type operationPage struct {
	page.Frame
	ID, Method, Path, Summary, Roles string
	Parameters                       []place
	Body                             string // its type, or what it is
	BodyType                         string
	Answer, AnswerType               string
	Types                            []typed
	Example                          string
}

// place is a parameter: where it is, and what it means.
type place struct {
	Name, In, Word, About string
	Required              bool
}

func (d *document) operation(method, path string, op operation, url string) *operationPage {
	p := &operationPage{Frame: page.Frame{Title: op.Summary, Width: "full", Nav: []page.Place{{Name: "The API",
		Path: Path}}}, ID: op.ID, Method: method, Path: path, Summary: op.Summary}
	if row, ok := model.DutyOf(op.ID); ok {
		p.Roles = who(row)
	}
	for _, q := range op.Parameters {
		about := q.Schema
		about.Description = q.Description
		p.Parameters = append(p.Parameters, place{q.Name, q.In, q.Schema.word(), about.about(), q.Required})
	}
	if op.Body != nil {
		p.Body, p.BodyType = described(op.Body.Content)
	}
	p.Answer = "nothing (204)"
	for _, code := range []string{"200", "201"} {
		if r, ok := op.Responses[code]; ok {
			p.Answer, p.AnswerType = described(r.Content)
		}
	}
	p.Types = d.types(p.BodyType, p.AnswerType)
	p.Example = example(method, path, p, url)
	return p
}

// described says what a body is, and which type it has, if that is described.
func described(list map[string]content) (word, kind string) {
	if c, ok := list["application/json"]; ok {
		return "JSON: " + c.Schema.word(), c.Schema.named()
	}
	kinds := slices.Sorted(maps.Keys(list))
	if len(kinds) == 0 {
		return "a stream", ""
	}
	return kinds[0], ""
}

// example is a command that sends the request.
func example(method, path string, p *operationPage, url string) string {
	if url == "" {
		url = "https://files.example.com"
	}
	var b strings.Builder
	b.WriteString("curl -H \"Authorization: Bearer $SALLYPORT_TOKEN\"")
	if method != http.MethodGet {
		b.WriteString(" -X " + method)
	}
	switch {
	case p.BodyType != "":
		b.WriteString(" \\\n  -H 'Content-Type: application/json' -d @body.json")
	case p.Body != "":
		b.WriteString(" \\\n  --data-binary @file")
	}
	b.WriteString(" \\\n  " + url + path)
	return b.String()
}
