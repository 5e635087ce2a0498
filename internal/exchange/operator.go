package exchange

import (
	"cmp"
	"strings"
)

// Support is how partners reach support. It is shown in guides, pages, mails and after a failed log-in. The tags are
// the configuration's.
type Support struct {
	Email string `yaml:"email" env:"EMAIL"`
	URL   string `yaml:"url" env:"URL"`
	Phone string `yaml:"phone" env:"PHONE"`
}

// Over returns s, with the fields that it leaves empty taken from other.
func (s Support) Over(other Support) Support {
	return Support{Email: cmp.Or(s.Email, other.Email), URL: cmp.Or(s.URL, other.URL), Phone: cmp.Or(s.Phone, other.Phone)}
}

// Help returns the support line; "" if nothing is configured.
func (s Support) Help() string {
	var parts []string
	for _, p := range []string{s.Email, s.URL, s.Phone} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ", ")
}

// Operator is who runs this server, as partners are told.
type Operator struct {
	Name string // "": nobody is named
	URL  string // its own site; ""
	Logo string // a data: URI of a picture, for an <img>; ""

	Colour string // of buttons on pages: "#1f5a4c"; "": the pages' own
}
