package config

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// exampleWidth is the width of the lines of an example, where words allow it.
const exampleWidth = 100

const exampleHead = `# The configuration of Sallyport: every setting, what it means, and its default.
# What is left out keeps its default, so only what you change needs to stay.
# A setting can be given as a variable, too: limits.idle is SALLYPORT_LIMITS_IDLE. A variable wins
# over this file. Regions, file types and templates are set here alone.
# Sizes: 512MiB, 50GB, or a number of bytes. Lengths of time: 90s, 15m, 24h, 7d.
# What is marked [reload] changes in a running server with "sallyport reload"; the rest needs a restart.
# Check your changes with: sallyport config check --config FILE
`

// Example returns a configuration file with every setting, its meaning and its default.
func Example() []byte {
	e := example{told: map[string]bool{}}
	e.text.WriteString(exampleHead)
	e.fields("", 0, reflect.ValueOf(Default()))
	return e.text.Bytes()
}

// example writes a configuration file.
type example struct {
	text bytes.Buffer
	told map[string]bool // meanings that were written
}

func (e *example) line(depth int, text string) {
	fmt.Fprintf(&e.text, "%s%s\n", strings.Repeat("  ", depth), text)
}

// meaning writes the comment on a setting, the first time.
func (e *example) meaning(name string, depth int) {
	if e.told[name] {
		return
	}
	e.told[name] = true
	line, text := "#", meanings[name]
	if AtReload(name) && slices.ContainsFunc(Settings(), func(s Setting) bool { return s.Name == name }) {
		text += " [reload]"
	}
	for word := range strings.FieldsSeq(text) {
		if 2*depth+len(line)+1+len(word) > exampleWidth {
			e.line(depth, line)
			line = "#"
		}
		line += " " + word
	}
	if line != "#" {
		e.line(depth, line)
	}
}

// fields writes the settings of a struct.
func (e *example) fields(prefix string, depth int, v reflect.Value) {
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag.Get("yaml")
		name := joined(prefix, tag)
		if depth == 0 {
			e.text.WriteByte('\n')
		}
		e.meaning(name, depth)
		e.field(name, tag, depth, v.Field(i))
	}
}

func (e *example) field(name, tag string, depth int, v reflect.Value) {
	switch {
	case isValue(v.Type()) && v.Kind() != reflect.Slice:
		e.line(depth, tag+": "+scalarYAML(v))
	case isValue(v.Type()):
		e.list(tag, depth, v)
	case v.Kind() == reflect.Struct:
		e.line(depth, tag+":")
		e.fields(name, depth+1, v)
	case v.Kind() == reflect.Slice:
		e.line(depth, tag+":")
		e.items(name, depth+1, v)
	case v.Len() == 0:
		e.line(depth, tag+": {}")
		e.template(name, depth, v.Type().Elem())
	default:
		e.line(depth, tag+":")
		keys := v.MapKeys()
		slices.SortFunc(keys, func(x, y reflect.Value) int { return strings.Compare(x.String(), y.String()) })
		for _, key := range keys {
			e.line(depth+1, key.String()+":")
			e.fields(name+".NAME", depth+2, v.MapIndex(key))
		}
	}
}

// template writes, as a comment, an entry of a map that is empty by default.
func (e *example) template(name string, depth int, t reflect.Type) {
	inner := example{told: e.told}
	inner.line(0, "NAME:")
	inner.fields(name+".NAME", 1, reflect.New(t).Elem())
	for line := range strings.Lines(inner.text.String()) {
		e.line(depth, "#  "+strings.TrimSuffix(line, "\n"))
	}
}

// items writes a list of structs.
func (e *example) items(name string, depth int, v reflect.Value) {
	for i := range v.Len() {
		item := v.Index(i)
		for k := range item.NumField() {
			e.meaning(joined(name, item.Type().Field(k).Tag.Get("yaml")), depth)
		}
		inner := example{told: e.told}
		inner.fields(name, 1, item)
		e.line(depth, "- "+strings.ReplaceAll(strings.TrimSpace(inner.text.String()), "\n",
			"\n"+strings.Repeat("  ", depth)))
	}
}

// list writes a list of values: on one line if it fits.
func (e *example) list(tag string, depth int, v reflect.Value) {
	words := make([]string, v.Len())
	for i := range words {
		words[i] = scalarYAML(v.Index(i))
	}
	short := tag + ": [" + strings.Join(words, ", ") + "]"
	if 2*depth+len(short) <= exampleWidth {
		e.line(depth, short)
		return
	}
	e.line(depth, tag+":")
	for _, w := range words {
		e.line(depth+1, "- "+w)
	}
}

// scalarYAML formats one value.
func scalarYAML(v reflect.Value) string {
	if own, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, _ := own.MarshalText() // sizes and lengths of time marshal
		return string(text)
	}
	if v.Kind() == reflect.String && strings.ContainsAny(v.String(), ",[]{}*:#") {
		return fmt.Sprintf("%q", v.String()) // plain text would mean something else in a list
	}
	text, _ := yaml.Marshal(v.Interface()) // texts, numbers and booleans marshal
	return strings.TrimSpace(string(text))
}
