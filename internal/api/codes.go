package api

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/model"
)

// stateCodes turns the words that people use for states (accepted) into codes (acked) in the filters
// of lists.
func stateCodes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); q.Get("state") != "" {
			q.Set("state", model.Code(q.Get("state")))
			r = r.Clone(r.Context())
			r.URL.RawQuery = q.Encode()
		}
		next.ServeHTTP(w, r)
	})
}

// describeCodes adds to the description of each enumeration which words people read for its codes.
func describeCodes(doc *huma.OpenAPI) {
	for _, s := range doc.Components.Schemas.Map() {
		for _, field := range s.Properties {
			describe(&field.Description, field.Enum)
		}
	}
	for _, item := range doc.Paths {
		for _, o := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if o == nil {
				continue
			}
			for _, p := range o.Parameters {
				describe(&p.Description, p.Schema.Enum)
			}
		}
	}
}

func describe(description *string, codes []any) {
	said := []string{}
	for _, c := range codes {
		code, _ := c.(string)
		if word := model.Word(code); word != code {
			said = append(said, code+": "+word)
		}
	}
	if len(said) == 0 {
		return
	}
	if *description != "" {
		*description += "; "
	}
	*description += "people read " + strings.Join(said, ", ")
}
