package config

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"net/url"
	"reflect"
	"slices"
)

// secretSettings are never shown. A short hash tells whether they changed.
var secretSettings = []string{"mail.password", "sign_in.sso.client_secret", "traces.token"}

// Redacted flattens a configuration to names and values. Secrets are replaced by a short hash.
func (c Config) Redacted() map[string]string {
	out := map[string]string{}
	flatten("", reflect.ValueOf(c), out)
	for _, name := range secretSettings {
		if out[name] != "" {
			out[name] = "(secret " + secretMark(out[name]) + ")"
		}
	}
	if c.Database.URL != "" { // the URL may have a password
		out["database.url"] = "(secret " + secretMark(c.Database.URL) + ")"
		if u, err := url.Parse(c.Database.URL); err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") {
			out["database.url"] = u.Host + u.Path + " " + out["database.url"]
		}
	}
	return out
}

// secretMark returns a short hash, which shows that a secret changed. It is too short to verify
// guesses of the secret.
func secretMark(s string) string {
	sum := sha256.Sum256([]byte("sallyport config\x00" + s))
	return hex.EncodeToString(sum[:2])
}

func flatten(prefix string, v reflect.Value, out map[string]string) {
	if t, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, _ := t.MarshalText() // sizes and durations marshal
		out[prefix] = string(text)
		return
	}
	join := func(name string) string {
		if prefix == "" {
			return name
		}
		return prefix + "." + name
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			flatten(join(v.Type().Field(i).Tag.Get("yaml")), v.Field(i), out)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			flatten(join(key.String()), v.MapIndex(key), out)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			for i := range v.Len() {
				flatten(join(fmt.Sprint(i)), v.Index(i), out)
			}
			return
		}
		out[prefix] = fmt.Sprint(v.Interface())
	default:
		out[prefix] = fmt.Sprint(v.Interface())
	}
}

// maxDifference limits the settings that one audit row lists.
const maxDifference = 100

// Difference returns the settings that changed, as "was → is".
func Difference(was, is map[string]string) map[string]string {
	var names []string
	for name, v := range is {
		if was[name] != v {
			names = append(names, name)
		}
	}
	for name := range was {
		if _, still := is[name]; !still {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	out := map[string]string{}
	for _, name := range names[:min(len(names), maxDifference)] {
		out[name] = was[name] + " → " + is[name]
	}
	return out
}
