package store

import (
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// rewrites matches what takes longer the more rows a table has, and holds the start of a server up for so long. What
// must be computed for each row is computed by a periodic task instead, in batches, once the server is up.
var rewrites = regexp.MustCompile(`(?is)\b(UPDATE\s+\w+\s+SET|DELETE\s+FROM|INSERT\s+INTO[^;]*\bSELECT\b|` +
	`ALTER\s+COLUMN\s+\w+\s+(SET\s+DATA\s+)?TYPE|SET\s+NOT\s+NULL)`)

// Migrations add tables, columns and indexes. The first ones did more; there was no release then.
func TestMigrationsRewriteNoRows(t *testing.T) {
	list, err := migrations.ReadDir("migrations")
	if err != nil || len(list) < 20 {
		t.Fatal(list, err)
	}
	comments := regexp.MustCompile(`--[^\n]*`)
	for _, f := range list {
		if f.Name() < "0010" {
			continue
		}
		text, err := migrations.ReadFile(path.Join("migrations", f.Name()))
		if err != nil {
			t.Fatal(fault.InWords(err))
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		if found := rewrites.FindString(comments.ReplaceAllString(up, "")); found != "" {
			t.Errorf("%s rewrites rows: %q", f.Name(), found)
		}
	}
}
