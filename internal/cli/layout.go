package cli

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// defaultLayout is how "inbox pull" names files. The id makes names unique.
const defaultLayout = "{user}-{id}-{name}"

// layoutHelp explains the placeholders; a test compares it with placeholdersOf.
const layoutHelp = `{account} {user} {vendor}  whose file it is; {vendor} is - for a customer's own
{name} {path}              its name, and its path: upload/2026/calls.csv
{date} {hour}              when it was received, in UTC: 2026-11-01, 06;
{year} {month} {day}       the parts of the date
{id} {sha256}              of the received file`

// layout says where "inbox pull" puts a file: a relative path with placeholders.
type layout []string // components

// placeholdersOf returns the values of all placeholders for a received file. Only path has slashes.
func placeholdersOf(d model.Drop) map[string]string {
	at := d.ReceivedAt.UTC()
	parts := strings.Split(strings.Trim(d.Path, "/"), "/")
	for i := range parts {
		parts[i] = safeName(parts[i])
	}
	vendor := "-"
	if d.Vendor != "" {
		vendor = safeName(d.Vendor)
	}
	return map[string]string{"account": safeName(d.Account), "user": safeName(d.User), "vendor": vendor,
		"name": parts[len(parts)-1], "path": strings.Join(parts, "/"), "id": safeName(d.ID), "sha256": safeName(d.SHA256),
		"date": at.Format("2006-01-02"), "year": at.Format("2006"), "month": at.Format("01"), "day": at.Format("02"),
		"hour": at.Format("15")}
}

// parseLayout reads a layout. It refuses one that leads out of the folder, and one that gives all
// files the same name.
func parseLayout(text string) (layout, error) {
	const op = "cli.parseLayout"
	bad := func(hint, format string, args ...any) error {
		return fault.E(op, fault.Invalid, "--layout: "+format, args...).WithField("--layout").WithHint("%s", hint)
	}
	if text != valid.Printable(text) {
		return nil, bad("", "it has characters that cannot be printed.")
	}
	l := layout(strings.Split(text, "/"))
	for _, c := range l {
		if c == "" || c == "." || c == ".." {
			return nil, bad("such as {account}/{user}/{name}", "%q is not a path below the folder.", text)
		}
		for rest := c; rest != ""; {
			open, shut := strings.IndexByte(rest, '{'), strings.IndexByte(rest, '}')
			if open < 0 && shut < 0 {
				break
			}
			if open < 0 || shut < open {
				return nil, bad("such as {account}/{user}/{name}", "%q has a brace without its other half.", text)
			}
			name, known := rest[open+1:shut], slices.Sorted(maps.Keys(placeholdersOf(model.Drop{})))
			if !slices.Contains(known, name) {
				hint := "sallyport inbox pull --help lists them"
				if near := valid.Nearest(name, known); near != "" {
					hint = "did you mean {" + near + "}?"
				}
				return nil, bad(hint, "there is no placeholder {%s}.", name)
			}
			rest = rest[shut+1:]
		}
	}
	last := l[len(l)-1]
	for _, telling := range []string{"{name}", "{path}", "{id}", "{sha256}"} {
		if strings.Contains(last, telling) {
			return l, nil
		}
	}
	return nil, bad("end it with {name}, for example", "many files would have the same name.")
}

// nameEnds is how many bytes a file's name leaves free, for an id and sidecarEnd.
const nameEnds = 40

// path returns where a file goes, below the folder. No part of it leads out of the folder, whatever
// the partner called the file.
func (l layout) path(d model.Drop) (string, error) {
	values := placeholdersOf(d)
	var out []string
	for i, c := range l {
		most := valid.MaxName
		if i == len(l)-1 {
			most -= nameEnds
		}
		out = append(out, strings.Split(expand(c, values, most), "/")...)
	}
	p := filepath.Join(out...)
	if !filepath.IsLocal(p) || strings.Count(p, "/") != len(out)-1 {
		return "", fault.E("cli.layout", fault.Invalid, "%q leads out of the folder.", valid.Printable(p))
	}
	return p, nil
}

// expand fills in a component. If its last part is longer than most bytes, the name loses its
// beginning, so that its ending stays.
func expand(component string, values map[string]string, most int) string {
	text := filled(component, values)
	surplus, name := len(text[strings.LastIndexByte(text, '/')+1:])-most, values["name"]
	if surplus <= 0 || surplus >= len(name) {
		return text
	}
	shorter := maps.Clone(values)
	shorter["name"] = safeName(strings.ToValidUTF8(name[surplus:], ""))
	shorter["path"] = strings.TrimSuffix(values["path"], name) + shorter["name"]
	return filled(component, shorter)
}

func filled(component string, values map[string]string) string {
	pairs := make([]string, 0, 2*len(values))
	for name, v := range values {
		pairs = append(pairs, "{"+name+"}", v)
	}
	return strings.NewReplacer(pairs...).Replace(component) // a value with braces is not looked into
}

// places lists where a file may lie: at a path, and at the path with its id if something else is at the
// first. A file that ends as metadata does has the second alone, unless all names of the layout have ids:
// it might lie where the metadata of another file goes.
func (l layout) places(at, id string) []string {
	own := withID(at, id)
	if strings.Contains(strings.Join(l, "/"), "{id}") || !strings.EqualFold(filepath.Ext(at), sidecarEnd) {
		return []string{at, own}
	}
	return []string{own}
}

// withID returns a path with an id before its ending, for a second file of the same name.
func withID(path, id string) string {
	dir, name := filepath.Split(path)
	ext := filepath.Ext(name)
	return dir + fmt.Sprintf("%s-%s%s", strings.TrimSuffix(name, ext), id, ext)
}
