package mail

import (
	_ "embed"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/notify"
)

//go:embed manual.txt
var manual string

// Manual says how templates are written, and which facts each kind has.
func Manual() string {
	var b strings.Builder
	fmt.Fprintf(&b, manual, strings.Join(Common, ", "))
	for _, k := range notify.Kinds {
		fmt.Fprintf(&b, "\n%s: %s\n", k.Name, k.About)
		if list := describe(reflect.TypeOf(k.Sample)); list != "" {
			fmt.Fprintf(&b, "  %s\n", list)
		}
	}
	fmt.Fprintf(&b, "\n%s, %s:\n  %s, Operator\n", banner, banned, describe(reflect.TypeFor[bannerFacts]()))
	return b.String()
}

// describe lists a struct's fields, and those of the structs in its lists.
func describe(t reflect.Type) string {
	var out []string
	for _, f := range reflect.VisibleFields(t) {
		switch {
		case f.Anonymous:
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			out = append(out, f.Name+" (each: "+describe(f.Type.Elem())+")")
		case f.Type.Kind() == reflect.Slice:
			out = append(out, f.Name+" (a list)")
		case f.Type == reflect.TypeFor[time.Time]():
			out = append(out, f.Name+" (a time)")
		case f.Type.Kind() == reflect.Bool:
			out = append(out, f.Name+" (true or false)")
		default:
			out = append(out, f.Name)
		}
	}
	return strings.Join(out, ", ")
}
