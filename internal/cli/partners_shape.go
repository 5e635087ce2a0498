package cli

import (
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// shape notes every place of a YAML file that has not the form of a type: an unknown field, a word
// where a list should be. It takes these places away, so that the rest can be read and looked at, too;
// the decoder would stop at the first. of names the thing that the node describes.
func (r *partnersReader) shape(n ast.Node, t reflect.Type, of string) {
	switch n := plainNode(n).(type) {
	case *ast.MappingNode:
		n.Values = slices.DeleteFunc(n.Values, func(v *ast.MappingValueNode) bool {
			return !v.Key.IsMergeKey() && !r.field(v, t, of)
		})
	case *ast.SequenceNode:
		n.Values = slices.DeleteFunc(n.Values, func(v ast.Node) bool {
			return !r.fits(v, t.Elem(), strings.TrimSuffix(of, "s"))
		})
	}
}

// field looks at one field of a thing, and at what is below it. It returns false if the field is to be
// taken away.
func (r *partnersReader) field(v *ast.MappingValueNode, t reflect.Type, of string) bool {
	name := v.Key.GetToken().Value
	var names []string
	for f := range t.Fields() {
		if f.Tag.Get("yaml") != name {
			names = append(names, f.Tag.Get("yaml"))
			continue
		}
		return r.fits(v.Value, f.Type, name)
	}
	r.wrong(v.Key.GetToken().Position.Line, of, "There is no field %q (%s).", name, known("fields are", name, names))
	return false
}

// fits notes a node that is of another kind than a type, and else looks below it.
func (r *partnersReader) fits(n ast.Node, t reflect.Type, of string) bool {
	is, want := "one value", map[reflect.Kind]string{reflect.Struct: "fields", reflect.Slice: "a list"}[t.Kind()]
	switch plainNode(n).(type) {
	case nil, *ast.NullNode, *ast.AliasNode: // nothing, or what is looked at where its anchor is
		return true
	case *ast.MappingNode:
		is = "fields"
	case *ast.SequenceNode:
		is = "a list"
	}
	if want == "" {
		want = "one value"
	}
	if is != want {
		r.wrong(n.GetToken().Position.Line, of, "Here is %s, where %s should be.", is, want)
		return false
	}
	r.shape(n, t, of)
	return true
}

// plainNode is a node without its anchor and tag.
func plainNode(n ast.Node) ast.Node {
	for {
		switch in := n.(type) {
		case *ast.AnchorNode:
			n = in.Value
		case *ast.TagNode:
			n = in.Value
		default:
			return n
		}
	}
}

// known says which name was meant, or which there are.
func known(are, typed string, names []string) string {
	if near := valid.Nearest(strings.ToLower(typed), names); near != "" {
		return "did you mean " + near + "?"
	}
	return are + " " + strings.Join(names, ", ")
}
