package audit_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// The list of actions is that of the source: what is written is listed, and nothing else.
func TestEveryActionIsListed(t *testing.T) {
	if !slices.IsSorted(model.AuditActions) {
		t.Error("the actions are not in order")
	}
	written, texts := map[string]bool{}, map[string]bool{}
	action := regexp.MustCompile(`^[a-z]+(\.[a-z_]+)+$`)
	note := func(in map[string]bool, n ast.Node) {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil && action.MatchString(text) {
				in[text] = true
			}
		}
	}
	testkit.Must(t, filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		testkit.Must(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			note(texts, n)
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Action" {
					note(written, n.Value)
				}
			case *ast.CallExpr:
				called := ""
				switch f := n.Fun.(type) {
				case *ast.Ident:
					called = f.Name
				case *ast.SelectorExpr:
					called = f.Sel.Name
				}
				if slices.Contains([]string{"audit", "change", "changedOwing", "viewed", "row", "selection",
					"recordReplaced"}, called) {
					for _, arg := range n.Args {
						note(written, arg)
					}
				}
			}
			return true
		})
		return nil
	}))
	file, err := parser.ParseFile(token.NewFileSet(), "../../model/request.go", nil, 0)
	testkit.Must(t, err)
	ast.Inspect(file, func(n ast.Node) bool { // steps of requests are written behind "request."
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Step") && len(spec.Values) == 1 {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			testkit.Must(t, err)
			written["request."+text], texts["request."+text] = true, true
		}
		return true
	})
	for name := range written {
		if !slices.Contains(model.AuditActions, name) {
			t.Errorf("%s is written, and not listed", name)
		}
	}
	for _, name := range model.AuditActions {
		if !texts[name] {
			t.Errorf("%s is listed, and written nowhere", name)
		}
	}
}
