package reference

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// document is what the pages need of an OpenAPI document.
type document struct {
	Paths      map[string]map[string]operation `json:"paths"`
	Webhooks   map[string]map[string]operation `json:"webhooks"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	ID         string      `json:"operationId"`
	Summary    string      `json:"summary"`
	Parameters []parameter `json:"parameters"`
	Body       *struct {
		Required bool               `json:"required"`
		Content  map[string]content `json:"content"`
	} `json:"requestBody"`
	Responses map[string]struct {
		Content map[string]content `json:"content"`
	} `json:"responses"`
}

type content struct {
	Schema schema `json:"schema"`
}

type parameter struct {
	Name, In, Description string
	Required              bool
	Schema                schema
}

// schema is a type, or a reference to one.
type schema struct {
	Ref         string            `json:"$ref"`
	Type        any               `json:"type"` // a name, or a list of names
	Format      string            `json:"format"`
	Description string            `json:"description"`
	Enum        []any             `json:"enum"`
	Default     any               `json:"default"`
	Items       *schema           `json:"items"`
	Properties  map[string]schema `json:"properties"`
	Additional  json.RawMessage   `json:"additionalProperties"`
	Required    []string          `json:"required"`
	OneOf       []schema          `json:"oneOf"`
}

// named returns the name of the type that a schema refers to, itself or as items; "" if it refers to none.
func (s schema) named() string {
	switch {
	case s.Ref != "":
		return s.Ref[strings.LastIndex(s.Ref, "/")+1:]
	case s.Items != nil:
		return s.Items.named()
	}
	return ""
}

// word says what a schema's values are: text, number, list of Account.
func (s schema) word() string {
	if s.Ref != "" {
		return s.named()
	}
	kind, _ := s.Type.(string)
	if list, ok := s.Type.([]any); ok && len(list) > 0 {
		kind, _ = list[0].(string)
	}
	switch {
	case s.Items != nil:
		return "list of " + s.Items.word()
	case s.Format == "date-time":
		return "time (RFC 3339)"
	case s.Format == "byte", s.Format == "base64":
		return "bytes in base64"
	case kind == "string":
		return "text"
	case kind == "integer", kind == "number":
		return "number"
	case kind == "boolean":
		return "true or false"
	case kind == "object" && len(s.Properties) == 0:
		return "names and values"
	}
	return kind
}

// about is a schema's description, with the values that it may have.
func (s schema) about() string {
	var parts []string
	if s.Description != "" {
		parts = append(parts, s.Description+".")
	}
	enum := s.Enum
	if s.Items != nil {
		enum = append(enum, s.Items.Enum...)
	}
	if len(enum) > 0 {
		values := make([]string, len(enum))
		for i, v := range enum {
			values[i] = fmt.Sprint(v)
		}
		parts = append(parts, "One of: "+strings.Join(values, ", ")+".")
	}
	if s.Default != nil {
		parts = append(parts, fmt.Sprintf("Default: %v.", s.Default))
	}
	return strings.ReplaceAll(strings.Join(parts, " "), "..", ".")
}

// field is a row of a table of fields.
type field struct {
	Name, Word, Type, About string // Type is the name of a type that is described on the page; ""
	Required                bool
}

// fields lists the properties of a type, those that are required first.
func (s schema) fields() []field {
	var out []field
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		out = append(out, field{name, p.word(), p.named(), p.about(), slices.Contains(s.Required, name)})
	}
	slices.SortStableFunc(out, func(a, b field) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}

func rank(f field) int {
	if f.Required {
		return 0
	}
	return 1
}

// typed is a type that is described on a page.
type typed struct {
	Name   string
	Fields []field
}

// types describes types and those that they refer to, each once, in the order in which a reader meets
// them.
func (d *document) types(names ...string) (out []typed) {
	seen := map[string]bool{"": true}
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		s := d.Components.Schemas[name]
		one := typed{Name: name, Fields: s.fields()}
		out = append(out, one)
		for _, f := range one.Fields {
			names = append(names, f.Type)
		}
	}
	return out
}
