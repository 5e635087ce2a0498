package mail

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/notify"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// plainError returns what is wrong with a template, with its file and line.
func plainError(err error) string {
	return valid.Printable(strings.TrimSuffix(strings.TrimPrefix(err.Error(), "template: "), "."))
}

// checkNames refuses files that no letter would be made of: most likely they are mistyped.
func checkNames(dir string) error {
	const op = "mail.NewWriter"
	known := templateNames()
	return fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fault.E(op, fault.Invalid, "mail.templates: the folder cannot be read: %v.", err)
		}
		lang, file, inFolder := strings.Cut(name, "/")
		switch {
		case strings.HasPrefix(path.Base(name), ".") && name != "." || name == layoutFile || name == "README.txt":
			return nil
		case d.IsDir() && (name == "." || !inFolder && valid.CheckLanguage(lang) == nil):
			return nil
		case !d.IsDir() && !inFolder && strings.HasSuffix(name, ".txt"):
			return fault.E(op, fault.Invalid, "mail.templates: %s is not in the folder of a language.", valid.Printable(name)).
				WithHint("move it to %s", filepath.Join(dir, builtIn, "…"))
		case !d.IsDir() && slices.Contains(known, strings.TrimSuffix(file, ".txt")) && strings.HasSuffix(file, ".txt"):
			return nil
		}
		e := fault.E(op, fault.Invalid, "mail.templates: there is no template %q.", valid.Printable(name))
		if near := valid.Nearest(strings.TrimSuffix(file, ".txt"), known); near != "" {
			return e.WithHint("did you mean %s.txt?", near)
		}
		return e.WithHint("templates are %s, and: a folder for each language with %s", layoutFile,
			strings.Join(known, ".txt, ")+".txt")
	})
}

// check renders each of the operator's templates with the facts of its sample, and without any.
func (w *Writer) check() error {
	for _, from := range []map[string]map[string]*texttemplate.Template{w.base, w.own} {
		for _, lang := range slices.Sorted(maps.Keys(from)) {
			for _, name := range slices.Sorted(maps.Keys(from[lang])) {
				if err := w.checkOne(name, from[lang][name]); err != nil {
					return err
				}
			}
		}
	}
	var b bytes.Buffer
	if err := w.layout.Execute(&b, page{Subject: "x", Blocks: []block{{Code: "x"}}}); err != nil {
		return fault.E("mail.NewWriter", fault.Invalid, "mail.templates: a template cannot be used: %s.", plainError(err))
	}
	return nil
}

func (w *Writer) checkOne(name string, t *texttemplate.Template) error {
	const op = "mail.NewWriter"
	bad := func(what string) error {
		return fault.E(op, fault.Invalid, "mail.templates: a template cannot be used: %s.", what)
	}
	kind, isLetter := notify.KindNamed(name)
	full, bare := notify.Sample(kind), notify.Letter{Kind: name}
	samples := []map[string]any{w.data(full), nil}
	switch {
	case isLetter:
		bare.Facts = reflect.Zero(reflect.TypeOf(kind.Sample)).Interface()
		samples[1] = w.data(bare)
	case name == foot:
		samples[1] = w.data(bare)
	default:
		samples[0] = w.bannerData(bannerFacts{Help: "help@example.com", Reference: "c-7f3a", Until: time.Unix(0, 0)})
		samples[1] = w.bannerData(bannerFacts{})
	}
	for i, data := range samples {
		var b bytes.Buffer
		if err := t.Execute(&b, data); err != nil {
			return bad(plainError(err))
		}
		switch {
		case i == 1: // without facts, words may be missing
		case isLetter && !subjectLine.MatchString(b.String()):
			return bad(t.Name() + ":1: it does not begin with a line \"Subject: …\"")
		case !isLetter && name != foot && strings.Count(strings.TrimSpace(b.String()), "\n") >= maxBanner:
			return bad(fmt.Sprintf("%s: a banner has at most %d lines", t.Name(), maxBanner))
		}
	}
	return nil
}

var subjectLine = regexp.MustCompile(`^Subject: *\S`)
