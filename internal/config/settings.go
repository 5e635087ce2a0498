package config

import (
	"encoding"
	"reflect"
)

// Setting is one setting: what has a value of its own.
type Setting struct {
	Name     string // limits.idle; NAME stands for what the operator chooses: regions.NAME.host
	Variable string // SALLYPORT_LIMITS_IDLE; "": it is set in the file alone
	index    []int  // of the field in Config; nil within maps and lists
}

// Settings returns every setting, in the order of the struct.
func Settings() []Setting { return settingsOf(reflect.TypeFor[Config](), "", EnvPrefix, nil, true) }

func settingsOf(t reflect.Type, prefix, variables string, index []int, fixed bool) (list []Setting) {
	for i := range t.NumField() {
		f := t.Field(i)
		name := joined(prefix, f.Tag.Get("yaml"))
		at := append(append([]int{}, index...), i)
		if isValue(f.Type) {
			s := Setting{Name: name}
			if v := f.Tag.Get("env"); v != "" && fixed {
				s.Variable, s.index = variables+v, at
			}
			list = append(list, s)
			continue
		}
		inner, below := f.Type, fixed && f.Type.Kind() == reflect.Struct
		for inner.Kind() != reflect.Struct { // a map or a list
			if inner.Kind() == reflect.Map {
				name += ".NAME"
			}
			inner = inner.Elem()
		}
		list = append(list, settingsOf(inner, name, variables+f.Tag.Get("envPrefix"), at, below)...)
	}
	return list
}

// isValue reports whether a field of a type is set by one value or a list of values.
func isValue(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return true
	}
	switch t.Kind() {
	case reflect.Struct:
		return false
	case reflect.Map, reflect.Slice:
		return t.Elem().Kind() != reflect.Struct
	}
	return true
}
