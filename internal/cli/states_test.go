package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestEveryStateThatAListPrintsIsAStateOfItsFilter: inbox list --state withdrawn was refused, although files were shown
// as withdrawn. Each list with --state takes all codes of its vocabulary, and the words that its table prints for them.
func TestEveryStateThatAListPrintsIsAStateOfItsFilter(t *testing.T) {
	said := statesInModel(t)
	w := newWorld(t)
	filters := map[string]struct {
		filter any
		field  string // of the filter
		more   []string
	}{
		"inbox list":    {model.DropFilter{}, "State", printedOfDrops()},
		"delivery list": {model.DeliveryFilter{}, "State", nil},
		"message list":  {model.MessageFilter{}, "State", nil},
		"request list":  {model.RequestFilter{}, "In", nil},
		"operator list": {model.OperatorFilter{}, "In", nil},
	}
	for _, c := range lists((&app{}).root()) {
		flag := c.Flags().Lookup("state")
		if flag == nil {
			continue
		}
		name := strings.TrimPrefix(c.CommandPath(), "sallyport ")
		f, ok := filters[name]
		if !ok {
			t.Errorf("%s has --state, and is no row of this table", name)
			continue
		}
		field, _ := reflect.TypeOf(f.filter).FieldByName(f.field)
		codes := strings.Split(field.Tag.Get("enum"), ",")
		if of := said[field.Type.Name()]; len(of) == 0 || !slices.Equal(of, slices.Sorted(slices.Values(codes))) {
			t.Errorf("%s takes %q; the states of %s are %q", name, codes, field.Type.Name(), of)
		}
		for _, code := range codes {
			if word := model.Word(code); !strings.Contains(flag.Usage, word) {
				t.Errorf("%s --state does not say %q: %s", name, word, flag.Usage)
			}
			for _, typed := range []string{code, model.Word(code), strings.ToUpper(model.Word(code))} {
				line := slices.Concat([]string{"sallyport"}, strings.Fields(name), []string{"--state", typed})
				if _, stderr, exit := w.run(line); exit != 0 {
					t.Errorf("%s --state %q: %s", name, typed, stderr)
				}
			}
		}
		for _, word := range f.more {
			if code := model.Code(word); !slices.Contains(codes, code) {
				t.Errorf("%s prints %q, and --state does not take it", name, word)
			}
		}
		delete(filters, name)
	}
	for name := range filters {
		t.Errorf("%s has no --state", name)
	}
}

// printedOfDrops returns each word that a received file's state may be printed with, without what is said of it.
func printedOfDrops() (words []string) {
	at := time.Unix(0, 0)
	for _, state := range []model.DropState{model.DropUnscanned, model.DropNew, model.DropClaimed, model.DropAcked,
		model.DropRejected, model.DropSuperseded} {
		text := dropState(model.Drop{State: state, Consumer: "rating", Withdrawn: true, Duplicate: model.DuplicateBoth,
			Flag: "later than expected", RemovedAt: &at})
		for _, word := range strings.Split(text, ", ") {
			word, _, _ = strings.Cut(word, " (")
			words = append(words, strings.TrimSuffix(word, " by rating"))
		}
	}
	return words
}

// statesInModel returns the constants of the types of states in package model, by type, sorted.
func statesInModel(t *testing.T) map[string][]string {
	t.Helper()
	names, err := filepath.Glob("../../model/*.go")
	testkit.Must(t, err)
	out := map[string][]string{}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		testkit.Must(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if kind, ok := spec.Type.(*ast.Ident); ok && strings.HasSuffix(kind.Name, "State") {
				for _, v := range spec.Values {
					code, err := strconv.Unquote(v.(*ast.BasicLit).Value)
					testkit.Must(t, err)
					out[kind.Name] = append(out[kind.Name], code)
				}
			}
			return true
		})
	}
	for _, codes := range out {
		slices.Sort(codes)
	}
	return out
}
