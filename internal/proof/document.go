package proof

import (
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Titles of documents, with the version of their form.
const (
	ReceiptTitle = "Sallyport receipt v1"
	RemovalTitle = "Sallyport removal report v1"
)

// Field is one line of a document: "name: value".
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Document is a title and an ordered list of fields.
type Document struct {
	Title  string  `json:"title"`
	Fields []Field `json:"fields"`
}

// Get returns the first value of a field; "" if there is none.
func (d *Document) Get(name string) string {
	if i := slices.IndexFunc(d.Fields, func(f Field) bool { return f.Name == name }); i >= 0 {
		return d.Fields[i].Value
	}
	return ""
}

// Sign writes a document as a signed note. Values are escaped, so that a file name cannot forge a
// line of the document.
func (k *Key) Sign(d Document) (string, error) {
	var b strings.Builder
	b.WriteString(d.Title + "\n")
	for _, f := range d.Fields {
		b.WriteString(f.Name + ": " + valid.Printable(f.Value) + "\n")
	}
	return k.sign(b.String())
}

// Open verifies a signed document and reads it.
func Open(signed, public string) (Document, error) {
	text, err := open(signed, public)
	if err != nil {
		return Document{}, err
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	d := Document{Title: lines[0]}
	if d.Title != ReceiptTitle && d.Title != RemovalTitle {
		return d, fault.E("proof.Open", fault.Invalid, "The signature is good, but this is no receipt or report: %q.",
			valid.Printable(d.Title))
	}
	for _, l := range lines[1:] {
		name, value, ok := strings.Cut(l, ": ")
		if !ok {
			return d, fault.E("proof.Open", fault.Invalid, "The document has a line without a name: %q.", valid.Printable(l))
		}
		d.Fields = append(d.Fields, Field{name, value})
	}
	return d, nil
}
