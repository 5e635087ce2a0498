package cli

import (
	"strings"

	"github.com/sallyport-sftp/sallyport/model"
)

// stateWords are the words that people see for states. JSON has the codes.
var stateWords = map[string]string{
	string(model.DropAcked):         "accepted",
	string(model.DropRejected):      "refused",
	string(model.DeliveryCollected): "downloaded in full",
}

// stateWord returns the word for a state.
func stateWord[S ~string](code S) string {
	if w, ok := stateWords[string(code)]; ok {
		return w
	}
	return string(code)
}

// stateCode returns the state for a word or a code that was typed.
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

// word quotes a name with spaces for the shell.
func word(name string) string {
	if strings.Contains(name, " ") {
		return "'" + name + "'"
	}
	return name
}
