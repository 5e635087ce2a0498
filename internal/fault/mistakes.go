package fault

import "strings"

// Mistake is what is wrong with one field of a form.
type Mistake struct {
	Field string `json:"field" doc:"JSON name"`
	Text  string `json:"text" doc:"A sentence for whoever filled it in"`
}

// Mistakes is every mistake in a form. It is Invalid.
type Mistakes []Mistake

// Add adds what is wrong with a field, if err is not nil.
func (m *Mistakes) Add(field string, err error) {
	if err == nil {
		return
	}
	*m = append(*m, Mistake{Field: field, Text: PublicText(err)})
}

// Of returns what is wrong with a field; "" for nothing.
func (m Mistakes) Of(field string) string {
	for _, one := range m {
		if one.Field == field {
			return one.Text
		}
	}
	return ""
}

func (m Mistakes) Error() string { return m.text() }

func (m Mistakes) text() string {
	texts := make([]string, len(m))
	for i, one := range m {
		texts[i] = one.Text
	}
	return strings.Join(texts, " ")
}

// Unwrap returns the mistakes as one error, which names the first field.
func (m Mistakes) Unwrap() error {
	if len(m) == 0 {
		return nil
	}
	return E("fault.Mistakes", Invalid, "%s", m.text()).WithField(m[0].Field)
}
