package fault

import (
	"crypto/rand"
	"strings"
)

// NewReference returns a short random word that can be read out on the phone. It has only letters
// and digits that are not easily confused.
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
