package api

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestTheClientHasEveryOperation calls each method of the client against a server that only records
// the request. The method's name, and the request's method, path, parameters and body, must be
// those of an operation in the OpenAPI document. Every operation must have a method.
func TestTheClientHasEveryOperation(t *testing.T) {
	_, api := build(Services{})
	operations := map[string]operation{} // by the name of the client's method
	for path, item := range api.OpenAPI().Paths {
		for _, o := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if o != nil {
				operations[methodName(o.OperationID)] = operation{o, strings.TrimPrefix(path, "/api/v1")}
			}
		}
	}
	var asked *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r
		body = make([]byte, max(r.ContentLength, 0))
		_, _ = r.Body.Read(body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	c := reflect.ValueOf(client.Remote(server.URL, "token"))
	for i := range c.NumMethod() {
		name := c.Type().Method(i).Name
		if name == "Send" {
			continue
		}
		o, known := operations[name]
		if !known {
			t.Errorf("%s is a method of the client, and no operation", name)
			continue
		}
		delete(operations, name)
		asked = nil
		args := arguments(c.Method(i).Type())
		c.Method(i).Call(args)
		if asked == nil {
			t.Errorf("%s sent no request", name)
			continue
		}
		o.check(t, name, asked, body, args, api.OpenAPI())
	}
	for _, name := range slices.Sorted(maps.Keys(operations)) {
		t.Errorf("the operation %s has no method %s", operations[name].OperationID, name)
	}
}

type operation struct {
	*huma.Operation
	path string
}

// methodName turns an operation's id into a method's name: list-burned-keys into ListBurnedKeys.
func methodName(id string) string {
	var name strings.Builder
	for word := range strings.SplitSeq(id, "-") {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return name.String()
}

// arguments returns non-zero values for the parameters of a method.
func arguments(f reflect.Type) []reflect.Value {
	out := []reflect.Value{reflect.ValueOf(client.Matching(context.Background(), `"tag"`))}
	for i := 1; i < f.NumIn(); i++ {
		v := reflect.New(f.In(i)).Elem()
		fill(v)
		out = append(out, v)
	}
	return out
}

func fill(v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(1, 0)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("a/b c")
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i))
			}
		}
	case reflect.Interface:
		if reflect.TypeFor[*strings.Reader]().Implements(v.Type()) {
			v.Set(reflect.ValueOf(strings.NewReader("x")))
		}
	}
}

var pathPart = regexp.MustCompile(`\{\w+\}`)

// check compares a request with the operation.
func (o operation) check(t *testing.T, name string, r *http.Request, body []byte, args []reflect.Value,
	doc *huma.OpenAPI) {
	t.Helper()
	pattern := "^/api/v1" + pathPart.ReplaceAllString(o.path, "a%2Fb%20c") + "$"
	if r.Method != o.Method || !regexp.MustCompile(pattern).MatchString(r.URL.EscapedPath()) {
		t.Errorf("%s sends %s %s, want %s %s", name, r.Method, r.URL.EscapedPath(), o.Method, o.path)
	}
	known := map[string]bool{}
	for _, p := range o.Parameters {
		if p.In == "query" {
			known[p.Name] = true
			if !r.URL.Query().Has(p.Name) {
				t.Errorf("%s does not send %s", name, p.Name)
			}
		}
		if p.In == "header" && r.Header.Get(p.Name) == "" {
			t.Errorf("%s does not send the header %s", name, p.Name)
		}
	}
	for p := range r.URL.Query() {
		if !known[p] {
			t.Errorf("%s sends %s, which the operation does not have", name, p)
		}
	}
	if o.RequestBody == nil || r.Header.Get("Content-Type") != "application/json" {
		return
	}
	schema := doc.Components.Schemas.SchemaFromRef(o.RequestBody.Content["application/json"].Schema.Ref)
	var sent map[string]any
	if err := json.Unmarshal(body, &sent); err != nil || schema == nil {
		t.Errorf("%s sends %q: %v", name, body, err)
		return
	}
	for field := range schema.Properties {
		if _, has := sent[field]; !has && field != "$schema" {
			t.Errorf("%s does not send the field %s", name, field)
		}
	}
	for field := range sent {
		if schema.Properties[field] == nil {
			t.Errorf("%s sends the field %s, which the operation does not take", name, field)
		}
	}
}

// TestACursorBelongsToItsList: a cursor of another list or other filters, or garbage, is refused.
// Otherwise items would be skipped silently.
func TestACursorBelongsToItsList(t *testing.T) {
	mark := bindingOf[model.UserFilter]("list-users", model.UserFilter{Account: "acme"})
	cursor := sealCursor("jo", mark)
	key, err := openCursor(cursor, mark)
	if err != nil || key != "jo" {
		t.Fatalf("%q, %v", key, err)
	}
	for name, other := range map[string]string{
		"another list":   bindingOf[model.UserFilter]("list-keys", model.UserFilter{Account: "acme"}),
		"another filter": bindingOf[model.UserFilter]("list-users", model.UserFilter{Account: "globex"}),
	} {
		if _, err := openCursor(cursor, other); err == nil {
			t.Errorf("a cursor of %s was taken", name)
		}
	}
	for _, garbage := range []string{"x", "jo", "AAAA", "%00", strings.Repeat("A", 5000), cursor[:8], "é", cursor + "="} {
		if _, err := openCursor(garbage, mark); err == nil {
			t.Errorf("%.20q was taken", garbage)
		}
	}
	page := model.UserFilter{Account: "acme", Paging: model.Paging{Cursor: cursor, Limit: 7}}
	if bindingOf[model.UserFilter]("list-users", page) != mark {
		t.Error("the mark depends on the page")
	}
}

// TestAServerOfAnotherRelease: a field that only one side knows does not affect the rest of an
// answer.
func TestAServerOfAnotherRelease(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"items": [{"id": "acme", "colour": "red", "allow_ips": null}], "next": "x", "total": 12}`))
	}))
	defer server.Close()
	page, err := client.Remote(server.URL, "").ListAccounts(t.Context(), model.AccountFilter{})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != "acme" || page.Items[0].Name != "" || page.Next != "x" {
		t.Fatalf("%+v, %v", page, err)
	}
}
