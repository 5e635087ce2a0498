package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/model"
)

// theOperations returns all operations of the API.
func theOperations() (list []*huma.Operation) {
	_, api := build(Services{})
	for _, item := range api.OpenAPI().Paths {
		for _, o := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if o != nil {
				list = append(list, o)
			}
		}
	}
	return list
}

// TestEveryOperationIsInTheTableOfRoles: in one row, and the table has no other.
func TestEveryOperationIsInTheTableOfRoles(t *testing.T) {
	rows := map[string]int{}
	for _, d := range model.Duties {
		for _, o := range d.Operations {
			rows[o]++
		}
	}
	for _, o := range theOperations() {
		if rows[o.OperationID] != 1 {
			t.Errorf("the operation %s is in %d rows of model.Duties; say in one who may do it", o.OperationID,
				rows[o.OperationID])
		}
		delete(rows, o.OperationID)
	}
	for o := range rows {
		t.Errorf("model.Duties has %s, which is no operation", o)
	}
}

// answerTo returns the status of the answer to a request. A handler that panics, since it has no
// service, was let through: 0.
func answerTo(h http.Handler, o *huma.Operation, who *model.Identity, query string) (status int) {
	defer func() {
		if recover() != nil {
			status = 0
		}
	}()
	path := regexp.MustCompile(`\{\w+\}`).ReplaceAllString(o.Path, "x")
	r := httptest.NewRequest(o.Method, path+query, strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/json")
	if who != nil {
		r = r.WithContext(WithIdentity(r.Context(), *who))
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

// TestEveryOperationWithEveryRole asks for each operation as each role, as a role that does not exist,
// and as nobody.
func TestEveryOperationWithEveryRole(t *testing.T) {
	h := New(Services{})
	for _, o := range theOperations() {
		if got := answerTo(h, o, nil, ""); got != http.StatusUnauthorized {
			t.Errorf("%s for nobody: %d", o.OperationID, got)
		}
		duty, _ := model.DutyOf(o.OperationID)
		for _, role := range append(slices.Clone(model.Roles), "", "root", "Admin") {
			may := role == model.RoleAdmin || slices.Contains(duty.Roles, role)
			who := &model.Identity{Name: "token:x", Role: role}
			if got := answerTo(h, o, who, ""); (got == http.StatusForbidden) == may || got == http.StatusUnauthorized {
				t.Errorf("%s for the role %q: %d", o.OperationID, role, got)
			}
			withReason := answerTo(h, o, who, "?reason=ticket+4711")
			if !may && (withReason != http.StatusForbidden) != slices.Contains(duty.Reasoned, role) {
				t.Errorf("%s for the role %q with a reason: %d", o.OperationID, role, withReason)
			}
		}
	}
}

// TestWhatRolesPromise checks the table against what each role stands for.
func TestWhatRolesPromise(t *testing.T) {
	contents := []string{"get-file", "fetch-drop"}
	for _, o := range theOperations() {
		d, _ := model.DutyOf(o.OperationID)
		reads := o.Method == http.MethodGet
		if may, _ := d.May(model.RoleAuditor); may != (reads && !slices.Contains(contents, o.OperationID) &&
			!slices.Contains([]string{"show-upload", "test-guide"}, o.OperationID)) {
			t.Errorf("an auditor sees everything but contents and changes nothing; %s: %v", o.OperationID, may)
		}
		if may, reasoned := d.May(model.RoleSupport); slices.Contains(contents, o.OperationID) && (!may || !reasoned) {
			t.Errorf("support fetches contents with a reason; %s: %v %v", o.OperationID, may, reasoned)
		}
		for _, word := range []string{"token", "operator", "webhook", "policy", "hold"} {
			if !reads && strings.Contains(o.OperationID, word) && len(d.Roles)+len(d.Reasoned) > 0 {
				t.Errorf("only administrators change a %s; %s may be done by %v", word, o.OperationID, d.Roles)
			}
		}
	}
}

// TestTheDocsHaveTheTableOfRoles: docs/operators.md is written by go test ./internal/api -update.
func TestTheDocsHaveTheTableOfRoles(t *testing.T) {
	const file, from, to = "../../docs/operators.md", "<!-- roles -->\n", "<!-- end -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), from)
	_, after, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", file)
	}
	want := before + from + rolesTable() + to + after
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Errorf("%s has another table of roles; look at the difference after: go test ./internal/api -update", file)
	}
}

func rolesTable() string {
	var out strings.Builder
	out.WriteString("| What |")
	for _, r := range model.Roles {
		fmt.Fprintf(&out, " %s |", r)
	}
	out.WriteString(" Operations |\n|---|" + strings.Repeat("---|", len(model.Roles)) + "---|\n")
	for _, d := range model.Duties {
		fmt.Fprintf(&out, "| %s |", d.Name)
		for _, r := range model.Roles {
			word := "–"
			if may, reasoned := d.May(r); reasoned {
				word = "with a reason"
			} else if may {
				word = "yes"
			}
			fmt.Fprintf(&out, " %s |", word)
		}
		fmt.Fprintf(&out, " %s |\n", strings.Join(slices.Sorted(slices.Values(d.Operations)), ", "))
	}
	return out.String()
}
