package hostile

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Raw is appended by Pack as it is, without a length.
type Raw []byte

// Pack writes fields as SSH and SFTP do: strings and byte slices with their
// length, lists of names joined by commas, integers big-endian (RFC 4251 §5).
func Pack(fields ...any) []byte {
	var b []byte
	for _, f := range fields {
		switch v := f.(type) {
		case Raw:
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
			b = append(b, Pack(strings.Join(v, ","))...)
		default:
			panic(fmt.Sprintf("pack: %T", f))
		}
	}
	return b
}
