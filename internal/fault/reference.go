package fault

import (
	"crypto/rand"
	"strings"
)

// NewReference is a short word that a person can read out on the phone: letters
// and digits that are not mistaken for one another.
func NewReference() string {
	const alphabet = "23456789abcdefghjkmnpqrstuvwxyz"
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
