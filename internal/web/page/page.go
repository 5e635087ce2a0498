// Package page is what every page for people has: the layout, the style, the script, the program that
// makes keys, and the headers that keep them safe. Pages work without the script, and load nothing from
// elsewhere.
package page

import (
	"embed"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// Options are what pages have in common.
type Options struct {
	Operator exchange.Operator // who runs the server
	Help     string            // how to reach support
	Log      *slog.Logger
}

// Site is what the pages of a server have in common. It is safe for concurrent use.
type Site struct {
	o      Options
	assets assets
	own    *Set
}

// NewSite prepares what pages load.
func NewSite(o Options) *Site {
	s := &Site{o: o, assets: readAssets(o.Operator.Colour)}
	s.own = s.Set(templates, "message.html")
	return s
}

// Frame is what every page has around its content. A page's type embeds it.
type Frame struct {
	Title    string
	Operator exchange.Operator
	Help     string // how to reach support
	Nav      []Place
	Who      string // who is signed in, with the role; "" for pages that anybody sees
	Width    string // class of the body: "" for a short text, "wide" for a form, "full" for tables
	Script   bool   // the page has parts that are quicker with the script
}

// Place is an entry of the navigation, or a file to download.
type Place struct {
	Name, Path string
	Here       bool
}

// Framed gives a page's frame to Show, which completes it.
func (f *Frame) Framed() *Frame { return f }

// Page is the content of one page.
type Page interface{ Framed() *Frame }

//go:embed *.html
var templates embed.FS

// Set are the templates of pages, by name. Each has the layout around it.
type Set struct {
	*Site
	pages map[string]*template.Template
}

// partsFile has parts that the pages of one set share.
const partsFile = "parts.html"

// Set parses pages, one a file. Each defines "main"; files may use the parts that shared.html has, and those of
// the set's own parts.html.
func (s *Site) Set(files embed.FS, names ...string) *Set {
	funcs := template.FuncMap{"asset": s.assets.path, "picture": picture, "dict": dict, "number": number}
	layout := template.Must(template.New("layout.html").Funcs(funcs).ParseFS(templates, "layout.html", "shared.html"))
	if _, err := fs.Stat(files, partsFile); err == nil {
		template.Must(layout.ParseFS(files, partsFile))
	}
	all := map[string]*template.Template{}
	for _, name := range names {
		all[name] = template.Must(template.Must(layout.Clone()).ParseFS(files, name))
	}
	return &Set{s, all}
}

// picture marks the operator's logo as safe: config.Operator.Read has made it, base64 in a data URI.
func picture(logo string) template.URL { return template.URL(logo) }

// number returns the number of the item with an index, as people count.
func number(index int) int { return index + 1 }

// dict makes a map of names and values: the arguments of a template that another one uses.
func dict(pairs ...any) map[string]any {
	out := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		out[pairs[i].(string)] = pairs[i+1]
	}
	return out
}

// Show writes a page. What fails half-way is the client's connection, or a fault of a template, which
// the tests of every page would have found.
func (s *Set) Show(w http.ResponseWriter, status int, name string, p Page) {
	f := p.Framed()
	f.Operator = s.o.Operator
	if f.Help == "" {
		f.Help = s.o.Help
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := s.pages[name].Execute(w, p); err != nil {
		s.o.Log.Error("a page could not be written", "page", name, "err", err)
	}
}

// Part writes a part of a page, which the script puts into it.
func (s *Set) Part(w http.ResponseWriter, status int, name, part string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := s.pages[name].ExecuteTemplate(w, part, data); err != nil {
		s.o.Log.Error("a part of a page could not be written", "page", name, "part", part, "err", err)
	}
}

// Message is a page that says one thing.
type Message struct {
	Frame
	Lines []string
}

// Say writes a page that says one thing.
func (s *Site) Say(w http.ResponseWriter, status int, title string, lines ...string) {
	s.Message(w, status, &Message{Frame: Frame{Title: title}, Lines: lines})
}

// Message writes a page that says one thing, with a frame of its own.
func (s *Site) Message(w http.ResponseWriter, status int, m *Message) {
	s.own.Show(w, status, "message.html", m)
}

// Nothing says that there is no page.
func (s *Site) Nothing(w http.ResponseWriter) {
	s.Say(w, http.StatusNotFound, "Nothing here", "There is no page at this address.")
}

// Fault writes the answer to a request whose handler panicked; see httpd.Guard.
func (s *Site) Fault(w http.ResponseWriter, reference string) {
	s.Say(w, http.StatusInternalServerError, "Something went wrong here",
		"Please try it again. If that does not help, tell us this reference: "+reference+".")
}
