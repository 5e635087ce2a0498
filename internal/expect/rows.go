package expect

import (
	"io"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// CountRows counts the non-empty lines of a content of size bytes. A line of blanks is empty.
// The last line needs no line end.
func CountRows(content io.ReaderAt, size int64) (count int64, err error) {
	buf, empty := make([]byte, 256<<10), true
	for at := int64(0); at < size; {
		read, err := content.ReadAt(buf[:min(int64(len(buf)), size-at)], at)
		if read == 0 && err != nil {
			return 0, fault.Wrap("expect.CountRows", fault.Unavailable, err)
		}
		at += int64(read)
		for _, c := range buf[:read] {
			switch {
			case c == '\n':
				empty = true
			case empty && c != '\r' && c != ' ' && c != '\t':
				empty = false
				count++
			}
		}
	}
	return count, nil
}
