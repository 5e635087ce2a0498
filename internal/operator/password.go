package operator

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Passwords are hashed with argon2id (RFC 9106). The costs are its second recommendation's memory, so
// that a hash takes about a tenth of a second.
const (
	argonTime    = 3
	argonMemory  = 64 << 10 // KiB
	argonThreads = 1
	argonKey     = 32
	saltBytes    = 16
)

// hashesAtOnce is how many passwords are hashed at once, so that sign-ins leave processors and memory (64
// MiB each) to transfers. One more is for whoever signs in from where it did last.
func hashesAtOnce() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// waitForHash is how long a sign-in waits for its turn to hash.
const waitForHash = 5 * time.Second

// leastPassword and longestPassword are the lengths of passwords, in characters.
const (
	leastPassword   = 12
	longestPassword = 200
)

// checkPassword refuses a password that is too easy to guess.
func checkPassword(password, email, name string) error {
	const op = "operator.checkPassword"
	n := utf8.RuneCountInString(password)
	folded := strings.ToLower(password)
	mailbox, _, _ := strings.Cut(strings.ToLower(email), "@")
	switch {
	case n < leastPassword || n > longestPassword:
		return fault.E(op, fault.Invalid, "A password has from %d to %d characters.", leastPassword, longestPassword).
			WithField("password").WithHint("several words are easy to remember, and hard to guess")
	case strings.Count(folded, folded[:1]) == len(folded):
		return fault.E(op, fault.Invalid, "This password is one character, again and again.").WithField("password")
	case len(mailbox) > 3 && strings.Contains(folded, mailbox),
		len(name) > 3 && strings.Contains(folded, strings.ToLower(name)), strings.Contains(folded, "sallyport"):
		return fault.E(op, fault.Invalid, "This password has a name in it that others would try first.").
			WithField("password").WithHint("choose several words that have nothing to do with you")
	}
	return nil
}

// hash hashes a password, in PHC form.
func (s *Service) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails
	sum, err := s.argon(ctx, password, salt, argonTime, argonMemory, argonThreads, true)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		b64(salt), b64(sum)), nil
}

// argon hashes when it is its turn. Whoever is known has a turn of its own.
func (s *Service) argon(ctx context.Context, password string, salt []byte, passes, memory uint32, threads uint8,
	known bool) ([]byte, error) {
	turns := s.hashing
	if known {
		turns = s.own
	}
	limit := time.NewTimer(waitForHash)
	defer limit.Stop()
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
	case <-limit.C:
		return nil, fault.E("operator.argon", fault.Busy, "Too many people sign in at once.").
			WithHint("try again in a minute")
	case <-ctx.Done():
		return nil, fault.Wrap("operator.argon", fault.Unavailable, ctx.Err())
	}
	return argon2.IDKey([]byte(password), salt, passes, memory, threads, argonKey), nil
}

// matches reports whether a password is the one of a hash. Without a hash, it takes as long, and is not.
func (s *Service) matches(ctx context.Context, password, hashed string, known bool) (bool, error) {
	var version int
	var memory, passes uint32
	var threads uint8
	parts := strings.Split(hashed, "$")
	if len(parts) == 6 && parts[1] == "argon2id" {
		_, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &passes, &threads)
		salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
		want, sumErr := base64.RawStdEncoding.DecodeString(parts[5])
		if err == nil && saltErr == nil && sumErr == nil && version == argon2.Version {
			got, err := s.argon(ctx, password, salt, passes, memory, threads, known)
			return err == nil && subtle.ConstantTimeCompare(got, want) == 1, err
		}
	}
	_, err := s.argon(ctx, password, make([]byte, saltBytes), argonTime, argonMemory, argonThreads, known)
	return false, err
}
