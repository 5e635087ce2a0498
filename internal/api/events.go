package api

import (
	"maps"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/model"
)

// events adds all event types to the OpenAPI document, as webhooks.
func (rt *routes) events() {
	doc := rt.OpenAPI()
	doc.Webhooks = map[string]*huma.PathItem{}
	for _, kind := range slices.Sorted(maps.Keys(model.Payloads)) {
		doc.Webhooks[kind] = webhook(doc, kind, model.Payloads[kind])
	}
	for _, kind := range []string{model.EventAccountsAll, model.EventKeysAll} {
		doc.Webhooks[kind] = webhook(doc, kind, model.RecordChanged{})
	}
}

// webhook describes the request that carries an event type.
func webhook(doc *huma.OpenAPI, kind string, payload any) *huma.PathItem {
	r := doc.Components.Schemas
	event := *huma.SchemaFromType(r, reflect.TypeFor[model.Event]())
	event.Properties = maps.Clone(event.Properties)
	delete(event.Properties, "id") // sent in the header webhook-id instead
	event.Properties["data"] = r.Schema(reflect.TypeOf(payload), true, "")
	return &huma.PathItem{Post: &huma.Operation{
		Summary: "An event: " + kind,
		RequestBody: &huma.RequestBody{Required: true,
			Content: map[string]*huma.MediaType{"application/json": {Schema: &event}}},
		Responses: map[string]*huma.Response{"2XX": {Description: "It was taken; anything else is tried again"}},
	}}
}
