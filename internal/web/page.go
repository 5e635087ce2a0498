package web

import (
	"embed"
	"html/template"
	"net/http"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// frame is what every page has around its content. A page's type embeds it under this name.
type frame struct {
	Title    string
	Operator exchange.Operator
	Help     string // how to reach support
	Nav      []place
	Width    string // class of the body: "" for a short text, "wide" for a form, "full" for tables
	Script   bool   // the page has parts that are quicker with the script
}

// place is an entry of the navigation.
type place struct {
	Name, Path string
	Here       bool
}

// framed gives a page's frame to show, which completes it.
func (f *frame) framed() *frame { return f }

// page is the content of one page.
type page interface{ framed() *frame }

//go:embed *.html
var templates embed.FS

// pages are the templates, by name. Each has the layout around it.
type pages map[string]*template.Template

// readPages parses every page.
func readPages(a assets) pages {
	funcs := template.FuncMap{"asset": a.path, "picture": picture, "dict": dict}
	layout := template.Must(template.New("layout.html").Funcs(funcs).ParseFS(templates, "layout.html", "shared.html"))
	all := pages{}
	files, err := templates.ReadDir(".")
	if err != nil {
		panic(err) // they are in the program
	}
	for _, f := range files {
		if f.Name() != "layout.html" && f.Name() != "shared.html" {
			all[f.Name()] = template.Must(template.Must(layout.Clone()).ParseFS(templates, f.Name()))
		}
	}
	return all
}

// picture marks the operator's logo as safe: config.Operator.Read has made it, base64 in a data URI.
func picture(logo string) template.URL { return template.URL(logo) }

// dict makes a map of names and values: the arguments of a template that another one uses.
func dict(pairs ...any) map[string]any {
	out := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		out[pairs[i].(string)] = pairs[i+1]
	}
	return out
}

// show writes a page. What fails half-way is the client's connection, or a fault of a template, which
// the tests of every page would have found.
func (s *server) show(w http.ResponseWriter, status int, name string, p page) {
	f := p.framed()
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

// message is a page that says one thing.
type message struct {
	frame
	Lines []string
}

// say writes a page that says one thing.
func (s *server) say(w http.ResponseWriter, status int, title string, lines ...string) {
	s.show(w, status, "message.html", &message{frame: frame{Title: title}, Lines: lines})
}

// nothing says that there is no page.
func (s *server) nothing(w http.ResponseWriter) {
	s.say(w, http.StatusNotFound, "Nothing here", "There is no page at this address.")
}

// Fault writes the answer to a request whose handler panicked; see httpd.Guard.
func (s *Server) Fault(w http.ResponseWriter, reference string) {
	s.say(w, http.StatusInternalServerError, "Something went wrong here",
		"Please try it again. If that does not help, tell us this reference: "+reference+".")
}
