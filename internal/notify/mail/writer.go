package mail

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/notify"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

//go:embed templates
var embedded embed.FS

// builtIn is the language of the built-in templates.
const builtIn = "en"

// layoutFile is the template of every letter's HTML. The others are texts, in a folder for each
// language: those of notify.Kinds, and these.
const layoutFile = "layout.html"

const (
	foot   = "foot"   // ends every letter
	banner = "banner" // what an SSH client shows when a log-in failed
	banned = "banned" // what it shows when its address is banned
)

// WriterConfig configures the words of letters.
type WriterConfig struct {
	Templates string // folder of templates that replace built-in ones, or are of other languages; "": none
	Language  string // of people for whom none is set; "": en
	Operator  string // name of the service in letters
	URL       string // the operator's site
	Logo      string // file; "": none
	Zone      *time.Location
	Log       *slog.Logger
}

// Writer renders letters and banners from templates. It is safe for concurrent use.
type Writer struct {
	cfg    WriterConfig
	own    map[string]map[string]*texttemplate.Template // language → name → template
	base   map[string]map[string]*texttemplate.Template // built in
	layout *htmltemplate.Template
	plain  *htmltemplate.Template // the built-in layout
	logo   logo
}

// Templates returns the built-in templates, as a start for own ones.
func Templates() fs.FS {
	sub, err := fs.Sub(embedded, "templates")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}

// templateNames lists the names of text templates.
func templateNames() []string {
	out := []string{foot, banner, banned}
	for _, k := range notify.Kinds {
		out = append(out, k.Name)
	}
	return out
}

// NewWriter reads the templates and renders each with a sample. It returns Invalid, with file and
// line, if one of the operator's cannot be used.
func NewWriter(c WriterConfig) (*Writer, error) {
	const op = "mail.NewWriter"
	c.Language, c.Zone = cmp.Or(c.Language, builtIn), cmp.Or(c.Zone, time.UTC)
	w := &Writer{cfg: c, own: map[string]map[string]*texttemplate.Template{}}
	var err error
	if w.base, w.plain, err = readTemplates(Templates()); err != nil {
		return nil, fault.Wrap(op, fault.Internal, err)
	}
	w.layout = w.plain
	if c.Templates != "" {
		if err := checkNames(c.Templates); err != nil {
			return nil, err
		}
		own, layout, err := readTemplates(os.DirFS(c.Templates))
		if err != nil {
			return nil, fault.E(op, fault.Invalid, "mail.templates: a template cannot be used: %s.", plainError(err))
		}
		if w.own = own; layout != nil {
			w.layout = layout
		}
	}
	if w.chain(c.Language)[0] == nil {
		return nil, fault.E(op, fault.Invalid, "mail.language: there are no templates of %q.", c.Language).
			WithHint("there are: %s", strings.Join(w.Languages(), ", "))
	}
	if w.logo, err = readLogo(c.Logo); err != nil {
		return nil, err
	}
	return w, w.check()
}

// readTemplates parses a folder of templates. layout is nil if it has none.
func readTemplates(dir fs.FS) (texts map[string]map[string]*texttemplate.Template, layout *htmltemplate.Template,
	err error) {
	texts = map[string]map[string]*texttemplate.Template{}
	found, err := fs.Glob(dir, "*/*.txt")
	if err != nil {
		return nil, nil, err
	}
	for _, name := range found {
		source, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, nil, err
		}
		t, err := texttemplate.New(name).Option("missingkey=error").Funcs(functions).
			Parse(strings.ReplaceAll(strings.TrimPrefix(string(source), "\ufeff"), "\r\n", "\n"))
		if err != nil {
			return nil, nil, err
		}
		lang, file := path.Split(name)
		if lang = path.Clean(lang); texts[lang] == nil {
			texts[lang] = map[string]*texttemplate.Template{}
		}
		texts[lang][strings.TrimSuffix(file, ".txt")] = t
	}
	source, err := fs.ReadFile(dir, layoutFile)
	if err != nil {
		return texts, nil, nil
	}
	layout, err = htmltemplate.New(layoutFile).Option("missingkey=error").Parse(string(source))
	return texts, layout, err
}

// Languages lists the languages that there are templates of.
func (w *Writer) Languages() []string {
	all := maps.Clone(w.base)
	maps.Copy(all, w.own)
	return slices.Sorted(maps.Keys(all))
}

// chain returns the sets of templates that are tried for a language, in order. The first is nil if
// there is none of the language itself.
func (w *Writer) chain(language string) (out []map[string]*texttemplate.Template) {
	for _, lang := range []string{language, w.cfg.Language, builtIn} {
		general, _, _ := strings.Cut(lang, "-")
		for _, l := range []string{lang, general} {
			for _, from := range []map[string]map[string]*texttemplate.Template{w.own, w.base} {
				if from[l] != nil {
					out = append(out, from[l])
				}
			}
		}
		if len(out) == 0 {
			out = append(out, nil)
		}
	}
	return out
}

// run renders a text template in a language, or in the nearest that has it and does not fail.
func (w *Writer) run(name, language string, data map[string]any) (string, error) {
	var failed error
	for _, set := range w.chain(language) {
		t := set[name]
		if t == nil {
			continue
		}
		var b bytes.Buffer
		err := t.Execute(&b, data)
		if err == nil {
			return b.String(), nil
		}
		failed = cmp.Or(failed, err)
		if w.cfg.Log != nil {
			w.cfg.Log.Error("a template failed, and another was used", "template", t.Name(), "err", err)
		}
	}
	if failed == nil {
		failed = fmt.Errorf("there is no template %s.txt", name)
	}
	return "", fault.Wrap("mail.Write", fault.Internal, failed)
}

// common are the facts that every letter's template gets.
type common struct{ To, Name, Account, AccountName, User, Sender, Operator, OperatorURL, Help string }

// Common lists the names of the facts that every letter's template gets.
var Common = fieldNames(reflect.TypeFor[common]())

// fieldNames lists the names of a struct's fields, and of structs that it embeds.
func fieldNames(t reflect.Type) (names []string) {
	for _, f := range reflect.VisibleFields(t) {
		if !f.Anonymous {
			names = append(names, f.Name)
		}
	}
	return names
}

// unnamed is what the service is called in letters if the operator has no name.
const unnamed = "Sallyport"

// data is what templates get for a letter.
func (w *Writer) data(l notify.Letter) map[string]any {
	out, zone := map[string]any{}, cmp.Or(l.Zone, w.cfg.Zone)
	if l.Facts != nil {
		fields(reflect.ValueOf(l.Facts), zone, out)
	}
	fields(reflect.ValueOf(common{l.To, l.Name, l.Account, cmp.Or(l.AccountName, l.Account), l.User, l.Sender,
		cmp.Or(w.cfg.Operator, unnamed), w.cfg.URL, l.Help}), zone, out)
	return out
}

// Write renders a letter in its language, or in the nearest that has its kind.
func (w *Writer) Write(l notify.Letter) (notify.Written, error) {
	data := w.data(l)
	text, err := w.run(l.Kind, l.Language, data)
	if err != nil {
		return notify.Written{}, err
	}
	end, err := w.run(foot, l.Language, data)
	if err != nil {
		return notify.Written{}, err
	}
	return w.letter(l, text, end)
}

// letter makes a letter of the outputs of its template and of the foot.
func (w *Writer) letter(l notify.Letter, text, end string) (out notify.Written, err error) {
	const op = "mail.Write"
	head, body, _ := strings.Cut(text, "\n")
	subject, ok := strings.CutPrefix(head, "Subject:")
	if subject = strings.TrimSpace(restore(subject)); !ok || subject == "" {
		return out, fault.E(op, fault.Invalid, "The template %s.txt does not begin with a line \"Subject: …\".", l.Kind)
	}
	blocks, ends := parse(body), parse(end)
	out.Subject = valid.Printable(subject)
	out.Text = plain(blocks) + "\n-- \n" + plain(ends)
	out.HTML, err = w.page(page{Language: cmp.Or(l.Language, w.cfg.Language), Subject: out.Subject,
		Operator:    cmp.Or(w.cfg.Operator, unnamed),
		OperatorURL: w.cfg.URL, Account: l.AccountName, Blocks: blocks, Foot: ends, Logo: w.logo.cid()})
	return out, err
}

// page is what the layout gets.
type page struct {
	Language, Subject, Operator, OperatorURL, Account string
	Blocks, Foot                                      []block
	Logo                                              htmltemplate.URL // "": none
}

func (w *Writer) page(p page) (string, error) {
	var b bytes.Buffer
	err := w.layout.Execute(&b, p)
	if err != nil && w.layout != w.plain {
		if w.cfg.Log != nil {
			w.cfg.Log.Error("a template failed, and another was used", "template", layoutFile, "err", err)
		}
		b.Reset()
		err = w.plain.Execute(&b, p)
	}
	return b.String(), fault.Wrap("mail.Write", fault.Internal, err)
}
