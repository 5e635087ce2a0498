package model

import (
	"maps"
	"slices"
	"strings"
)

// Action is a suggested next step: the id of an API operation, and known values of its parameters.
// Each program offers it in its own way: the command line as a command, a page as a button.
type Action struct {
	Operation string            `json:"operation" doc:"The id of an operation of this API"`
	Values    map[string]string `json:"values,omitempty" doc:"What is known of its parameters"`
}

// Do makes an action. values are parameter names and values in turn.
func Do(operation string, values ...string) *Action {
	a := &Action{Operation: operation}
	for i := 0; i+1 < len(values); i += 2 {
		if a.Values == nil {
			a.Values = map[string]string{}
		}
		a.Values[values[i]] = values[i+1]
	}
	return a
}

// String formats the operation and its values, for logs and for programs that do not know the
// operation.
func (a *Action) String() string {
	if a == nil {
		return ""
	}
	words := []string{a.Operation}
	for _, name := range slices.Sorted(maps.Keys(a.Values)) {
		words = append(words, name+"="+a.Values[name])
	}
	return strings.Join(words, " ")
}

// Finding is a fact about the present state, and an operation that would change it.
type Finding struct {
	Text   string  `json:"text"`
	Action *Action `json:"action,omitempty"`
}

func (f Finding) String() string {
	if f.Action == nil {
		return f.Text
	}
	return f.Text + " (" + f.Action.String() + ")"
}
