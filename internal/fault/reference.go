package fault

import (
	"crypto/rand"
	"strings"
)

// alphabet has only letters and digits that are not easily confused.
const alphabet = "23456789abcdefghjkmnpqrstuvwxyz"

// LooksLikeReference reports whether s has the shape of a reference.
func LooksLikeReference(s string) bool {
	return len(s) == 9 && s[4] == '-' && strings.Trim(s[:4]+s[5:], alphabet) == ""
}

// NewReference returns a short random word that can be read out on the phone.
func NewReference() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	var out strings.Builder
	for i, v := range b {
		if i == 4 {
			out.WriteByte('-')
		}
		out.WriteByte(alphabet[int(v)%len(alphabet)])
	}
	return out.String()
}
