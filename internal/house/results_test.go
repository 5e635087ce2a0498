package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestResultsOfTransactionsAreReturned: a transaction's function may run more than once, so it must
// not set variables of the function around it. store.Change returns results.
func TestResultsOfTransactionsAreReturned(t *testing.T) {
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, "../")
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			strings.HasPrefix(name, "store/") || strings.HasPrefix(name, "blob/") {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			fn := transaction(n)
			if fn == nil {
				return true
			}
			for variable, at := range sets(fn) {
				t.Errorf("%s: a transaction's function sets %s, which is its caller's", files.Position(at), variable)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// transaction returns the function that a call runs in a transaction; nil if it runs none.
func transaction(n ast.Node) *ast.FuncLit {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 {
		return nil
	}
	name := ""
	switch fun := call.Fun.(type) {
	case *ast.SelectorExpr:
		name = fun.Sel.Name
	case *ast.Ident:
		name = fun.Name
	}
	if !slices.Contains(strings.Fields("Write WriteFor WriteAs Change ChangeAs ChangeFor write change changed "+
		"changedOwing changeSequence"), name) {
		return nil
	}
	fn, _ := call.Args[len(call.Args)-1].(*ast.FuncLit)
	return fn
}

// sets returns the variables that a function sets, or whose address it takes, and that it does not
// declare.
func sets(fn *ast.FuncLit) map[string]token.Pos {
	own, out := map[string]bool{"_": true}, map[string]token.Pos{}
	declare := func(e ast.Expr) {
		if id, ok := e.(*ast.Ident); ok {
			own[id.Name] = true
		}
	}
	set := func(e ast.Expr) {
		if id := root(e); id != nil && !own[id.Name] {
			out[id.Name] = id.Pos()
		}
	}
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, name := range n.Names {
				own[name.Name] = true
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				own[name.Name] = true
			}
		case *ast.RangeStmt:
			declare(n.Key)
			declare(n.Value)
		case *ast.AssignStmt:
			for _, e := range n.Lhs {
				if n.Tok == token.DEFINE {
					declare(e)
				} else {
					set(e)
				}
			}
		case *ast.IncDecStmt:
			set(n.X)
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				set(n.X)
			}
		}
		return true
	})
	return out
}

// root returns the variable that an expression is a part of; nil for a literal or a result.
func root(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.Ident:
		return e
	case *ast.SelectorExpr:
		return root(e.X)
	case *ast.IndexExpr:
		return root(e.X)
	case *ast.ParenExpr:
		return root(e.X)
	}
	return nil
}
