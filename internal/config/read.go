package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// reader sets the fields of a configuration from a YAML document. It goes on after a mistake, so
// that all are found.
type reader struct {
	*findings
	anchors map[string]ast.Node
	merging int // depth of merged mappings, which may name themselves
}

// maxMerging is how deep merged mappings may be nested.
const maxMerging = 20

// value sets v, which is the setting at path, from a node.
func (r *reader) value(path string, n ast.Node, v reflect.Value) {
	n = r.resolved(n)
	if n == nil {
		return
	}
	r.lines[path] = n.GetToken().Position.Line
	_, ownText := v.Addr().Interface().(encoding.TextUnmarshaler)
	switch {
	case ownText:
		r.scalar(path, n, v)
	case v.Kind() == reflect.Struct:
		r.fields(path, n, v)
	case v.Kind() == reflect.Map:
		r.entries(path, n, v)
	case v.Kind() == reflect.Slice:
		r.list(path, n, v)
	default:
		r.scalar(path, n, v)
	}
}

// resolved follows anchors and aliases. An alias within its own anchor is nil.
func (r *reader) resolved(n ast.Node) ast.Node {
	for range 100 {
		switch at := n.(type) {
		case *ast.AnchorNode:
			r.anchors[at.Name.GetToken().Value] = at.Value
			n = at.Value
		case *ast.AliasNode:
			n = r.anchors[at.Value.GetToken().Value]
		case *ast.TagNode:
			n = at.Value
		default:
			return n
		}
	}
	return nil
}

// notA notes that a node is of another shape than the setting.
func (r *reader) notA(path, what string, n ast.Node) {
	if path == "" {
		r.at(n, "", "the file has no settings, such as \"data: /var/lib/sallyport\".")
		return
	}
	r.at(n, path, "%s is %s.", path, what)
}

// at notes a mistake at a node.
func (r *reader) at(n ast.Node, setting, format string, args ...any) *Mistake {
	r.findings.list = append(r.findings.list, Mistake{File: r.file, Line: n.GetToken().Position.Line, Setting: setting,
		Text: fmt.Sprintf(format, args...)})
	return &r.findings.list[len(r.findings.list)-1]
}

// isNull reports whether a node has no value. A comment after the colon is none.
func isNull(n ast.Node) bool { return n.Type() == ast.NullType || n.Type() == ast.CommentType }

// fields sets the fields of a struct from a mapping.
func (r *reader) fields(path string, n ast.Node, v reflect.Value) {
	if isNull(n) {
		return // "limits:" with nothing below it
	}
	known := map[string]reflect.Value{}
	var names []string
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		known[name] = v.Field(i)
		names = append(names, name)
	}
	r.each(path, n, func(key ast.Node, name string, value ast.Node) {
		if f, ok := known[name]; ok {
			r.value(joined(path, name), value, f)
			return
		}
		m := r.at(key, joined(path, name), "there is no setting %q.", valid.Printable(joined(path, name)))
		m.Hint = nearestSetting(path, name, names)
	})
}

// nearestSetting is the hint for a name that is no setting of its place.
func nearestSetting(path, name string, siblings []string) string {
	var elsewhere, all []string
	for _, s := range Settings() {
		last := s.Name[strings.LastIndexByte(s.Name, '.')+1:]
		all = append(all, last)
		if last == name {
			elsewhere = append(elsewhere, s.Name)
		}
	}
	if near := valid.Nearest(name, siblings); near != "" {
		return fmt.Sprintf("did you mean %q?", joined(path, near))
	}
	if len(elsewhere) == 1 {
		return fmt.Sprintf("did you mean %q?", elsewhere[0])
	}
	if near := valid.Nearest(name, all); near != "" {
		for _, s := range Settings() {
			if s.Name == near || strings.HasSuffix(s.Name, "."+near) {
				return fmt.Sprintf("did you mean %q?", s.Name)
			}
		}
	}
	return "sallyport config init prints every setting"
}

// each calls do for each entry of a mapping.
func (r *reader) each(path string, n ast.Node, do func(key ast.Node, name string, value ast.Node)) {
	m, ok := n.(ast.MapNode)
	if !ok {
		r.notA(path, "a group of settings, and needs its settings below it: name: value", n)
		return
	}
	before := map[string]int{}
	for it := m.MapRange(); it.Next(); {
		if it.Key().IsMergeKey() {
			if merged := r.resolved(it.Value()); merged != nil && r.merging < maxMerging {
				r.merging++
				r.each(path, merged, do)
				r.merging--
			}
			continue
		}
		name := it.Key().GetToken().Value
		line := it.Key().GetToken().Position.Line
		if first, twice := before[name]; twice {
			r.at(it.Key(), joined(path, name), "%s is set twice; the first time in line %d.",
				valid.Printable(joined(path, name)), first)
			continue
		}
		before[name] = line
		do(it.Key(), name, it.Value())
	}
}

// entries sets a map, whose keys the operator chooses. What an entry of the file leaves out is zero.
func (r *reader) entries(path string, n ast.Node, v reflect.Value) {
	if isNull(n) {
		return
	}
	out := reflect.MakeMap(v.Type())
	r.each(path, n, func(_ ast.Node, name string, value ast.Node) {
		entry := reflect.New(v.Type().Elem()).Elem()
		r.value(joined(path, name), value, entry)
		out.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), entry)
	})
	v.Set(out)
}

// list sets a list, which replaces the default.
func (r *reader) list(path string, n ast.Node, v reflect.Value) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok && !isNull(n) {
		r.notA(path, "a list: [a, b]", n)
		return
	}
	out := reflect.MakeSlice(v.Type(), 0, 0)
	if ok {
		for i, item := range seq.Values {
			entry := reflect.New(v.Type().Elem()).Elem()
			r.value(fmt.Sprintf("%s.%d", path, i), item, entry)
			out = reflect.Append(out, entry)
		}
	}
	v.Set(out)
}

// scalar sets a text, a number, true or false, a size or a length of time.
func (r *reader) scalar(path string, n ast.Node, v reflect.Value) {
	text, ok := scalarText(n)
	switch {
	case isNull(n) && v.Kind() == reflect.String:
		text = ""
	case isNull(n):
		r.at(n, path, "%s has no value.", path)
		return
	case !ok:
		r.notA(path, "one value, not a list or a group", n)
		return
	}
	if err := setText(v, text); err != nil {
		r.at(n, path, "%s: %v.", path, err)
	}
}

// scalarText returns the text of a node that is one value.
func scalarText(n ast.Node) (string, bool) {
	switch at := n.(type) {
	case *ast.LiteralNode:
		return at.Value.Value, true
	case *ast.StringNode:
		return at.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// setText sets a field from text. Lists, which only variables have as text, are separated by commas.
func setText(v reflect.Value, text string) error {
	if own, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return own.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", valid.Printable(text))
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", valid.Printable(text))
		}
		v.SetInt(n)
	case reflect.Slice:
		words := []string{}
		for word := range strings.SplitSeq(text, ",") {
			words = append(words, strings.TrimSpace(word))
		}
		v.Set(reflect.ValueOf(words))
	default:
		return fmt.Errorf("%q cannot be read here", valid.Printable(text))
	}
	return nil
}

func joined(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
