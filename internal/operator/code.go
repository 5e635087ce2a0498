package operator

import (
	"crypto/rand"
	"encoding/base32"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Codes are those of RFC 6238 as every authenticator app makes them: SHA-1, six digits, 30 seconds.
const (
	codePeriod  = 30 // seconds
	codeDigits  = otp.DigitsSix
	codeDrift   = 1  // steps that a clock may be wrong by
	codeExplain = 40 // steps in which a wrong clock is looked for, to be explained
	secretBytes = 20
)

var codeLetters = base32.StdEncoding.WithPadding(base32.NoPadding)

// newCodeSecret makes what codes are made from.
func newCodeSecret() string {
	b := make([]byte, secretBytes)
	_, _ = rand.Read(b) // never fails
	return codeLetters.EncodeToString(b)
}

// codeURI is what an authenticator app scans.
func codeURI(issuer, email, secret string) string {
	if issuer == "" {
		issuer = "Sallyport"
	}
	issuer = strings.ReplaceAll(issuer, ":", " ") // it ends the issuer in the label
	q := url.Values{"secret": {secret}, "issuer": {issuer}}
	return "otpauth://totp/" + url.PathEscape(issuer+":"+email) + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}

// stepOf returns the number of the step that a time is in.
func stepOf(t time.Time) int64 { return t.Unix() / codePeriod }

// isCode reports whether a code is that of a step.
func isCode(code, secret string, step int64) bool {
	ok, err := hotp.ValidateCustom(code, uint64(max(step, 0)), secret,
		hotp.ValidateOpts{Digits: codeDigits, Algorithm: otp.AlgorithmSHA1})
	return ok && err == nil
}

// checkCode returns the step of a code, which must be later than the latest that was used.
func checkCode(code, secret string, latest int64, now time.Time) (int64, error) {
	const op = "operator.checkCode"
	code = strings.NewReplacer(" ", "", "-", "").Replace(code)
	at := stepOf(now)
	refused := func(format string, args ...any) error {
		return fault.E(op, fault.Denied, format, args...).WithField("code")
	}
	if code == "" {
		return 0, refused("Please give the code that your authenticator app shows.")
	}
	for step := at - codeDrift; step <= at+codeDrift; step++ {
		if isCode(code, secret, step) {
			if step <= latest {
				return 0, refused("This code was used already. Wait for the next one.")
			}
			return step, nil
		}
	}
	// Only the past is explained: of the future it would say which code will be right.
	for off := int64(codeDrift + 1); off <= codeExplain; off++ {
		if isCode(code, secret, at-off) {
			return 0, refused("The code is about %d minutes old: it was typed late, or your device's clock is behind. Have "+
				"the clock set by the network.", (off*codePeriod+30)/60)
		}
	}
	return 0, refused("The code is not right. It changes every 30 seconds.")
}
