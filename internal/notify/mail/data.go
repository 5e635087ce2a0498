package mail

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Marks stand in values for what would be markup in a template. Value sets them, and restore and
// verbatim turn them back. Printable text has none of them: they are private-use runes.
const (
	markLine  = '\ue000' // end of a line
	markPipe  = '\ue001'
	markTick  = '\ue002'
	markOpen  = '\ue003'
	markAngle = '\ue004'
)

var (
	mark = strings.NewReplacer("|", string(markPipe), "`", string(markTick), "[", string(markOpen), "<",
		string(markAngle))
	unmark = strings.NewReplacer(string(markPipe), "|", string(markTick), "`", string(markOpen), "[",
		string(markAngle), "<")
	oneLine = strings.NewReplacer(string(markLine), " ")
	lines   = strings.NewReplacer(string(markLine), "\n")
)

// restore returns text as people read it, on one line.
func restore(s string) string { return unmark.Replace(oneLine.Replace(s)) }

// verbatim returns text as people read it, with its lines.
func verbatim(s string) string { return unmark.Replace(lines.Replace(s)) }

// value converts what a template gets: structs to maps by field name, times to a zone, and every
// text so that it is printable and no part of it is markup.
func value(v reflect.Value, zone *time.Location) any {
	switch v.Kind() {
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			return t.In(zone)
		}
		out := map[string]any{}
		fields(v, zone, out)
		return out
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = value(v.Index(i), zone)
		}
		return out
	case reflect.String:
		parts := strings.Split(strings.TrimRight(v.String(), "\n"), "\n")
		for i := range parts {
			parts[i] = mark.Replace(valid.Printable(strings.TrimSuffix(parts[i], "\r")))
		}
		return strings.Join(parts, string(markLine))
	}
	return v.Interface()
}

// fields adds a struct's fields, and those of structs that it embeds.
func fields(v reflect.Value, zone *time.Location, out map[string]any) {
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.Anonymous {
			fields(v.Field(i), zone, out)
		} else {
			out[f.Name] = value(v.Field(i), zone)
		}
	}
}

// functions are what templates may call, besides those of text/template.
var functions = texttemplate.FuncMap{
	"date":   func(t time.Time) string { return t.Format("2 January 2006") },
	"clock":  func(t time.Time) string { return t.Format("2 Jan 2006, 15:04 MST") },
	"size":   size,
	"exact":  exact,
	"count":  count,
	"shell":  shellWord,
	"join":   func(list []any, with string) string { return strings.Join(texts(list), with) },
	"first":  func(n int, list []any) []any { return list[:min(n, len(list))] },
	"after":  func(n int, list []any) []any { return list[min(n, len(list)):] },
	"period": period,
	"has":    func(list []any, v any) bool { return slices.Contains(list, v) },
}

func texts(list []any) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = fmt.Sprint(v)
	}
	return out
}

// size writes a number of bytes: 299 bytes, 48.2 MB.
func size(n int64) string {
	if n < 1000 {
		return count(n, "byte", "bytes")
	}
	v, unit := float64(n), ""
	for _, unit = range []string{"kB", "MB", "GB", "TB"} {
		if v /= 1000; v < 999.5 {
			break
		}
	}
	if v < 10 {
		return fmt.Sprintf("%.1f %s", v, unit)
	}
	return fmt.Sprintf("%.0f %s", v, unit)
}

// exact writes a number of bytes, and all its digits in the words for one byte, or for many.
func exact(n int64, one, many string) string {
	if n < 1000 {
		return count(n, one, many)
	}
	return size(n) + " (" + count(n, one, many) + ")"
}

// count writes a number with the word for one, or for many.
func count(n any, one, many string) string {
	if fmt.Sprint(n) == "1" {
		return "1 " + one
	}
	return fmt.Sprint(n) + " " + many
}

// shellWord writes text as one word of a command line.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// period writes a period such as 12mo with the words for a day, days, a month and so on.
func period(p string, words ...string) (string, error) {
	digits := strings.TrimRight(p, "abcdefghijklmnopqrstuvwxyz")
	unit := slices.Index([]string{"d", "mo", "y"}, p[len(digits):])
	if len(words) == 0 {
		words = []string{"day", "days", "month", "months", "year", "years"}
	}
	if len(words) != 6 {
		return "", fmt.Errorf("period wants six words: day, days, month, months, year, years")
	}
	if unit < 0 || digits == "" {
		return p, nil
	}
	return count(digits, words[2*unit], words[2*unit+1]), nil
}
