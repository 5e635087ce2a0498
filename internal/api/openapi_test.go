package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// TestOpenAPIIsTheGoldenCopy makes every change of the API visible to reviewers. To update the
// copy: go test ./internal/api -update
func TestOpenAPIIsTheGoldenCopy(t *testing.T) {
	_, api := build(Services{})
	text, err := json.MarshalIndent(api.OpenAPI(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile("openapi.json", text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, golden) {
		t.Fatal("the API has changed; look at the difference after: go test ./internal/api -update")
	}
}
