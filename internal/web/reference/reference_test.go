package reference_test

import (
	"encoding/json"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/internal/web/reference"
	"github.com/sallyport-sftp/sallyport/model"
)

func ask(h http.Handler, path string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code, w.Body.String()
}

// Every operation has a page with its parameters, the fields of what it takes and gives, and who may; the
// list leads to it. Pages are small.
func TestEveryOperationHasAPage(t *testing.T) {
	text := testkit.MustRead(t, "../../api/openapi.json")
	var d struct {
		Paths map[string]map[string]struct {
			OperationID, Summary string
			Parameters           []struct{ Name string }
			RequestBody          struct {
				Content map[string]struct {
					Schema struct {
						Ref string `json:"$ref"`
					}
				}
			}
		}
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any
			}
		}
	}
	testkit.Must(t, json.Unmarshal(text, &d))
	h := reference.New(reference.Options{Pages: page.NewSite(page.Options{Log: slog.New(slog.NewTextHandler(os.Stderr,
		nil))}), Document: func() ([]byte, error) { return text, nil }, At: "/api/openapi.json"})
	status, index := ask(h, "/api")
	if status != http.StatusOK || len(index) > 100<<10 {
		t.Errorf("the list: %d, %d bytes", status, len(index))
	}
	for path, methods := range d.Paths {
		for method, op := range methods {
			link := "/api/operations/" + op.OperationID
			if !strings.Contains(index, `href="`+link+`"`) {
				t.Errorf("the list does not lead to %s", op.OperationID)
			}
			status, got := ask(h, link)
			if status != http.StatusOK || len(got) > 100<<10 {
				t.Errorf("%s: %d, %d bytes", op.OperationID, status, len(got))
			}
			got = html.UnescapeString(got)
			row, _ := model.DutyOf(op.OperationID)
			wants := []string{strings.ToUpper(method) + " " + path, op.Summary, "admin"}
			for _, r := range row.Roles {
				wants = append(wants, string(r))
			}
			for _, q := range op.Parameters {
				wants = append(wants, q.Name)
			}
			ref := op.RequestBody.Content["application/json"].Schema.Ref
			for name := range d.Components.Schemas[ref[strings.LastIndex(ref, "/")+1:]].Properties {
				wants = append(wants, name)
			}
			for _, want := range wants {
				if !strings.Contains(got, want) {
					t.Errorf("the page of %s does not say %s", op.OperationID, want)
				}
			}
		}
	}
	if status, _ := ask(h, "/api/operations/<script>"); status != http.StatusNotFound {
		t.Errorf("an unknown operation: %d", status)
	}
}
