package cli

import (
	"strings"

	"github.com/sallyport-sftp/sallyport/model"
)

// stateWords say states as support and partners do; JSON keeps the codes.
var stateWords = map[string]string{
	model.DropAcked:         "accepted",
	model.DropRejected:      "refused",
	model.DeliveryCollected: "downloaded in full",
}

// stateWord is a state for people.
func stateWord(code string) string {
	if w, ok := stateWords[code]; ok {
		return w
	}
	return code
}

// stateCode reads a state that people typed, as a word or as its code.
func stateCode(word string) string {
	if word == "downloaded" {
		return model.DeliveryCollected
	}
	for code, w := range stateWords {
		if w == word {
			return code
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
