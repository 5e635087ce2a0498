package attacks

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// raw is appended by pack as it is, without a length.
type raw []byte

// pack writes fields as SSH and SFTP do: strings and byte slices with their
// length, lists of names joined by commas, integers big-endian (RFC 4251 §5).
func pack(fields ...any) []byte {
	var b []byte
	for _, f := range fields {
		switch v := f.(type) {
		case raw:
			b = append(b, v...)
		case byte:
			b = append(b, v)
		case bool:
			b = append(b, map[bool]byte{true: 1}[v])
		case uint32:
			b = binary.BigEndian.AppendUint32(b, v)
		case uint64:
			b = binary.BigEndian.AppendUint64(b, v)
		case string:
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
		case []byte:
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
		case []string:
			b = append(b, pack(strings.Join(v, ","))...)
		default:
			panic(fmt.Sprintf("pack: %T", f))
		}
	}
	return b
}

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
