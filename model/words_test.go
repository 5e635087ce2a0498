package model_test

import (
	"testing"

	"github.com/sallyport-sftp/sallyport/model"
)

// TestWordsAndCodesAreOneToOne: each word leads back to its code, in any case, and plain states are
// their own words.
func TestWordsAndCodesAreOneToOne(t *testing.T) {
	for code, word := range map[model.DropState]string{model.DropAcked: "accepted", model.DropRejected: "refused",
		model.DropNew: "new", model.DropState(model.DeliveryCollected): "downloaded in full",
		model.DropState(model.AccountReadOnly): "read-only"} {
		if got := model.Word(code); got != word {
			t.Errorf("the word for %q is %q, want %q", code, got, word)
		}
		for _, typed := range []string{word, string(code), " " + word + " "} {
			if got := model.Code(model.DropState(typed)); got != code {
				t.Errorf("%q means %q, want %q", typed, got, code)
			}
		}
	}
	for typed, code := range map[string]string{"downloaded": "collected", "Downloaded in full": "collected",
		"nothing-like-it": "nothing-like-it", "": ""} {
		if got := model.Code(typed); got != code {
			t.Errorf("%q means %q, want %q", typed, got, code)
		}
	}
	if got := model.Word(model.ReasonKeyPending); got != "key pending" {
		t.Errorf("a reason reads %q", got)
	}
}
