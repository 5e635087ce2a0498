package guide

import (
	_ "embed"
	"html/template"
	"regexp"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

//go:embed guide.html
var guideHTML string

var guidePage = template.Must(template.New("guide").Funcs(template.FuncMap{"rich": rich}).Parse(guideHTML))

// addresses finds web and e-mail addresses, which become links.
var addresses = regexp.MustCompile(`https://[^\s,<>"]*[^\s,<>".]|[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+`)

// rich turns `…` into code and addresses into links, and escapes the rest.
func rich(s string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(s, "`") {
		if i%2 == 1 {
			b.WriteString("<code>" + template.HTMLEscapeString(part) + "</code>")
			continue
		}
		at := 0
		for _, m := range addresses.FindAllStringIndex(part, -1) {
			text := template.HTMLEscapeString(part[m[0]:m[1]])
			to := text
			if !strings.HasPrefix(to, "https://") {
				to = "mailto:" + to
			}
			b.WriteString(template.HTMLEscapeString(part[at:m[0]]) + `<a href="` + to + `">` + text + "</a>")
			at = m[1]
		}
		b.WriteString(template.HTMLEscapeString(part[at:]))
	}
	return template.HTML(b.String())
}

// The page as its template sees it.
type (
	htmlRow struct {
		Name   string
		Values []string // of all rows in succession with this name
	}
	htmlTable struct {
		Class string
		Rows  []htmlRow
	}
	htmlSection struct {
		Title, Intro, Code, After string
		Steps                     []string
		Table                     *htmlTable
		Drawing                   *htmlDrawing
	}
	// htmlDrawing is the picture of lock and key. Way is what goes from one to the other.
	htmlDrawing struct{ Way string }

	htmlPage struct {
		Title, From, Site, Without string
		Logo                       template.URL
		Intro                      []string
		Card                       htmlTable
		Sections, Others           []htmlSection
	}
)

// HTML renders the guide as one page. It loads no other resources, and can be printed.
func (c *Card) HTML() (string, error) {
	var b strings.Builder
	if err := guidePage.Execute(&b, c.htmlPage()); err != nil {
		return "", fault.Wrap("guide.HTML", fault.Internal, err)
	}
	return b.String(), nil
}

// Body returns the title of the guide, and what follows it as HTML, for a page that has a style of its own.
func (c *Card) Body() (title string, body template.HTML, err error) {
	page := c.htmlPage()
	var b strings.Builder
	if err := guidePage.ExecuteTemplate(&b, "body", page); err != nil {
		return "", "", fault.Wrap("guide.Body", fault.Internal, err)
	}
	return page.Title, template.HTML(b.String()), nil
}

func (c *Card) htmlPage() htmlPage {
	d := c.document()
	return htmlPage{Title: d.title, From: d.from, Site: d.site, Intro: d.intro, Without: d.without,
		Logo: template.URL(c.Operator.Logo), // it is base64 that config.Operator.Read has made
		Card: htmlTable{"card", htmlRows(d.card)}, Sections: htmlSections(d.sections), Others: htmlSections(d.others)}
}

// htmlRows joins rows that have the same name.
func htmlRows(rows []row) (out []htmlRow) {
	for _, r := range rows {
		if n := len(out); n > 0 && out[n-1].Name == r.name {
			out[n-1].Values = append(out[n-1].Values, r.value)
			continue
		}
		out = append(out, htmlRow{r.name, []string{r.value}})
	}
	return out
}

func htmlSections(list []section) (out []htmlSection) {
	for _, s := range list {
		h := htmlSection{Title: s.title, Intro: s.intro, Code: s.code, After: s.after, Steps: s.steps}
		if len(s.rows) > 0 {
			h.Table = &htmlTable{"", htmlRows(s.rows)}
		}
		if s.drawing != nil {
			h.Drawing = &htmlDrawing{"You send the public file, and nothing else."}
			if s.drawing.given {
				h.Drawing.Way = "When you connect, the key opens the lock."
			}
		}
		out = append(out, h)
	}
	return out
}
