package api_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/api"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestWrongFieldsAreNamed: invalid requests are answered in our words, with the library's status.
func TestWrongFieldsAreNamed(t *testing.T) {
	h := api.New(api.Services{})
	for _, c := range []struct {
		request, body string
		status        int
		detail, hint  string
	}{
		{"GET /deliveries?state=eaten", "", 422, `"eaten" is no value of state.`,
			"say published, opened, downloaded in full, expired, withdrawn or replaced"},
		{"GET /deliveries?state=colected", "", 422, `"colected" is no value of state.`,
			"did you mean downloaded in full? Say published, opened, downloaded in full, expired, withdrawn or replaced"},
		{"GET /inbox?state=refusd", "", 422, `"refusd" is no value of state.`,
			"did you mean refused? Say unscanned, new, claimed, accepted, refused, superseded, withdrawn, removed, " +
				"duplicate or unexpected"},
		{"GET /messages?limit=0", "", 422, "limit is 0; it must be 1 or more.", ""},
		{"GET /messages?limit=5000", "", 422, "limit is 5000; it must be 1000 or less.", ""},
		{"GET /messages?limit=many", "", 422, `limit: "many" is not a whole number.`, ""},
		{"GET /retention/holds?all=perhaps", "", 422, `all: "perhaps" is neither true nor false.`, ""},
		{"GET /audit?since=yesterday", "", 422, `since: "yesterday" is not a time.`, "write 2026-11-01T06:00:00Z"},
		{"GET /explain", "", 422, "about is missing.", ""},
		{"POST /accounts", `{"id": "acme"}`, 422, "name is missing.", ""},
		{"POST /accounts", `{"id": 5, "name": ["x"]}`, 422, `id: 5 is not a text. name: [x] is not a text.`, ""},
		{"POST /accounts", `{"id": "acme", "name": "x", "colour": "red"}`, 422, "There is no field colour.", ""},
		{"POST /accounts", `{"id": "acme", "name": "x", "allow_ips": "10.1.1.1"}`, 422,
			`allow_ips: "10.1.1.1" is not a list.`, ""},
		{"POST /accounts", `{"id": "acme", "name": "x", "allow_ips": [7]}`, 422, "allow_ips[0]: 7 is not a text.", ""},
		{"POST /accounts", `["acme"]`, 422, "body is not an object.", ""},
		{"POST /accounts", `{"id": `, 400, "The body of the request cannot be read as JSON.", ""},
		{"POST /accounts", "", 400, "The request has no body.", ""},
		{"POST /accounts", `{"id": "a", "name": "` + strings.Repeat("x", 2<<20) + `"}`, 413, "The request is too large.", ""},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		r := httptest.NewRequest(method, "/api/v1"+path, strings.NewReader(c.body))
		r = r.WithContext(api.WithIdentity(r.Context(), model.Identity{Name: "test", Role: model.RoleAdmin}))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var p api.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Errorf("%s %.60s: %v: %s", c.request, c.body, err, w.Body)
			continue
		}
		if w.Code != c.status || p.Status != c.status || p.Kind != "invalid" || p.Detail != c.detail || p.Hint != c.hint {
			t.Errorf("%s %.60s:\ngot  %d %s: %s (%s)\nwant %d invalid: %s (%s)",
				c.request, c.body, w.Code, p.Kind, p.Detail, p.Hint, c.status, c.detail, c.hint)
		}
	}
}
