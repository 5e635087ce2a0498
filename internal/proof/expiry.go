package proof

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Expiry is a signed statement of which rows of the audit log expired by age.
type Expiry struct {
	Until  int64     // rows below this number
	Policy string    // how long rows stay: 7y
	Edge   time.Time // all of them were sealed before this
	At     time.Time // when it was stated
}

const expiryOrigin = "sallyport audit expiry of "

// SignExpiry makes a signed expiry: origin, number, policy, edge and time, one per line.
func (k *Key) SignExpiry(e Expiry) (string, error) {
	return k.sign(fmt.Sprintf("%s%s\n%d\n%s\n%s\n%s\n", expiryOrigin, k.Name(), e.Until, e.Policy,
		e.Edge.UTC().Format(time.RFC3339), e.At.UTC().Format(time.RFC3339)))
}

// OpenExpiry verifies a signed expiry and reads it.
func OpenExpiry(signed, public string) (e Expiry, err error) {
	text, err := open(signed, public)
	if err != nil {
		return e, err
	}
	bad := fault.E("proof.OpenExpiry", fault.Invalid, "The signature is good, but this is no expiry of an audit log.")
	lines := strings.Split(text, "\n")
	if len(lines) != 6 || !strings.HasPrefix(lines[0], expiryOrigin) {
		return e, bad
	}
	e.Policy = lines[2]
	if e.Until, err = strconv.ParseInt(lines[1], 10, 64); err != nil || e.Until < 0 {
		return e, bad
	}
	if e.Edge, err = time.Parse(time.RFC3339, lines[3]); err != nil {
		return e, bad
	}
	if e.At, err = time.Parse(time.RFC3339, lines[4]); err != nil {
		return e, bad
	}
	return e, nil
}
