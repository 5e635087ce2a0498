package model

import "strings"

// words are what people read in place of codes that are not plain words. JSON has the codes; as
// input, both are accepted.
var words = map[string]string{
	string(DropAcked):          "accepted",
	string(DropRejected):       "refused",
	string(DropUnexpected):     "unexpected",
	string(DeliveryCollected):  "downloaded in full",
	string(AccountReadOnly):    "read-only",
	string(RequestNeedsAnswer): "needs answer",
	string(RequestFirstLogin):  "first log-in",
	string(RequestFirstFile):   "first file",
	string(KeyBurned):          "blocked",
	string(SignInSSO):          "single sign-on",
	ReasonNoSFTP:               "SFTP not asked for",
	ReasonOtherUsersKey:        "another user's key",
	ReasonSecondRequest:        "second log-in",
}

// Word returns what people read for a state or another code: accepted for acked, key pending for
// key_pending.
func Word[S ~string](code S) string {
	if w, ok := words[string(code)]; ok {
		return w
	}
	return strings.ReplaceAll(string(code), "_", " ")
}

// Code returns the code for a word or a code that a person typed, whatever its case. "downloaded" is
// short for "downloaded in full". A word without a code is returned as it is.
func Code[S ~string](word S) S {
	plain := strings.ToLower(strings.TrimSpace(string(word)))
	if plain == "downloaded" || plain == "downloaded-in-full" {
		return S(DeliveryCollected)
	}
	for code, w := range words {
		if strings.EqualFold(w, plain) {
			return S(code)
		}
	}
	return S(plain)
}
