package attacks

import (
	"encoding/binary"
	"strings"

	"github.com/sallyport-sftp/sallyport/test/hostile"
)

// Every attack writes its fields with these.
type raw = hostile.Raw

var pack = hostile.Pack

// unpack takes fields off what pack wrote. What is not there reads as zero,
// and short says so.
type unpack struct {
	b     []byte
	short bool
}

func (u *unpack) take(n int) []byte {
	if n < 0 || n > len(u.b) {
		u.short, u.b = true, nil
		return make([]byte, min(max(n, 0), 8))
	}
	v := u.b[:n]
	u.b = u.b[n:]
	return v
}

func (u *unpack) byte() byte     { return u.take(1)[0] }
func (u *unpack) uint32() uint32 { return binary.BigEndian.Uint32(u.take(4)) }
func (u *unpack) uint64() uint64 { return binary.BigEndian.Uint64(u.take(8)) }
func (u *unpack) bytes() []byte {
	n := int(u.uint32())
	if n > len(u.b) {
		u.short, u.b = true, nil
		return nil
	}
	return u.take(n)
}
func (u *unpack) string() string  { return string(u.bytes()) }
func (u *unpack) names() []string { return strings.Split(u.string(), ",") }
