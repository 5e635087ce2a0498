package cli

import (
	"strings"

	"github.com/sallyport-sftp/sallyport/model"
)

// stateWords say states as support and partners do; JSON keeps the codes.
var stateWords = map[string]string{
	string(model.DropAcked):         "accepted",
	string(model.DropRejected):      "refused",
	string(model.DeliveryCollected): "downloaded in full",
}

// stateWord is a state for people.
func stateWord[S ~string](code S) string {
	if w, ok := stateWords[string(code)]; ok {
		return w
	}
	return string(code)
}

// stateCode reads a state that people typed, as a word or as its code.
func stateCode[S ~string](word S) S {
	if word == "downloaded" {
		return S(model.DeliveryCollected)
	}
	for code, w := range stateWords {
		if w == string(word) {
			return S(code)
		}
	}
	return word
}

// word is a name as a shell takes it for one word.
func word(name string) string {
	if strings.Contains(name, " ") {
		return "'" + name + "'"
	}
	return name
}
