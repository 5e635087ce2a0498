package api

import (
	"cmp"
	"context"
	"reflect"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Names knows which accounts, users, feeds and other things there are.
type Names interface {
	// Known returns the name as it is stored, if a thing of the kind, one of the model's nouns, has it in any case of
	// its letters. Otherwise it returns NotFound with the nearest name.
	Known(ctx context.Context, kind, name string) (string, error)
	// Complete lists names that begin with a text.
	Complete(ctx context.Context, c model.CompleteQuery) ([]model.Suggestion, error)
}

// checkNames is called with the input of every operation. It refuses names that nothing has, in the
// fields that have a names tag, and spells the others as they are stored: people ignore the case of letters.
func (rt *routes) checkNames(ctx context.Context, path string, in any) error {
	return eachText(reflect.ValueOf(in), func(f reflect.StructField, v reflect.Value) error {
		if kind := f.Tag.Get("names"); kind != "" {
			name, err := rt.Names.Known(ctx, kind, v.String())
			if err == nil && v.CanSet() {
				v.SetString(name)
			}
			return err
		}
		if kind := nounOf(f, path); lowered[kind] && v.CanSet() {
			v.SetString(valid.Fold(v.String()))
		}
		return nil
	})
}

// lowered are the things whose names are always in lower case (valid.CheckID). Those of accounts and users are looked
// up without regard to case.
var lowered = map[string]bool{model.NounVendor: true, model.NounFeed: true, model.NounWebhook: true,
	model.NounExpectation: true, model.NounTag: true}

// fieldNouns says what a field names that has no names tag, by the field's name.
var fieldNouns = map[string]string{"Account": model.NounAccount, "Parent": model.NounAccount,
	"Producer": model.NounAccount, "User": model.NounUser, "Vendor": model.NounVendor, "Feed": model.NounFeed,
	"Tag": model.NounTag}

// pathNouns says what an id in a path names.
var pathNouns = []struct{ prefix, kind string }{{"/api/v1/accounts/", model.NounAccount},
	{"/api/v1/users/", model.NounUser}, {"/api/v1/vendors/", model.NounVendor}, {"/api/v1/feeds/", model.NounFeed},
	{"/api/v1/webhooks/", model.NounWebhook}, {"/api/v1/expectations/", model.NounExpectation}}

// nounOf says what a field of the input of an operation names, if it has no names tag; "" if it names nothing.
func nounOf(f reflect.StructField, path string) string {
	if f.Tag.Get("path") == "id" {
		for _, p := range pathNouns {
			if strings.HasPrefix(path, p.prefix) {
				return p.kind
			}
		}
	}
	return fieldNouns[f.Name]
}

// named is called with the error of an operation. If something was not found, and a name in the input
// is known nowhere, it returns the error that says so, with the nearest name.
func (rt *routes) named(ctx context.Context, path string, in any, err error) error {
	if !fault.Is(err, fault.NotFound) || fault.HintIn(err) != "" {
		return err
	}
	better := eachText(reflect.ValueOf(in), func(f reflect.StructField, v reflect.Value) error {
		kind := nounOf(f, path)
		if kind == "" || kind == model.NounExpectation { // which the store does not look up by name
			return nil
		}
		_, err := rt.Names.Known(ctx, kind, v.String())
		return err
	})
	switch {
	case !fault.Is(better, fault.NotFound):
		return err
	case strings.HasPrefix(fault.PublicText(better), "There is no "): // the service's own words are as good
		e := &fault.Error{Op: "api.named", Kind: fault.NotFound, Public: fault.PublicText(err), Err: err,
			Hint: fault.HintIn(better)}
		if e.Hint == "" {
			e.Action = cmp.Or(fault.ActionIn(err), fault.ActionIn(better))
		}
		return e
	}
	return better
}

// eachText calls do with each text in an operation's input that is not empty, also in structs within
// it. It stops at the first error.
func eachText(v reflect.Value, do func(reflect.StructField, reflect.Value) error) error {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil
	}
	for i := range v.NumField() {
		f, field := v.Type().Field(i), v.Field(i)
		if !f.IsExported() {
			continue
		}
		if field.Kind() == reflect.Pointer && !field.IsNil() {
			field = field.Elem()
		}
		var err error
		switch {
		case field.Kind() == reflect.String && field.String() != "":
			err = do(f, field)
		case field.Kind() == reflect.Struct:
			err = eachText(field, do)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
