package valid

import (
	"regexp"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// language matches the tags of languages that are in use: de, pt-BR, zh-Hant.
var language = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$`)

// CheckLanguage checks the tag of a language, such as de or pt-BR.
func CheckLanguage(tag string) error {
	if language.MatchString(tag) {
		return nil
	}
	return fault.E("valid.CheckLanguage", fault.Invalid, "%q is not the tag of a language.", Printable(tag)).
		WithHint("write en, de or pt-BR")
}
