package sftpd

import (
	"strconv"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// sixMonths is the age from which ls shows the year in place of the time.
const sixMonths = 182 * 24 * time.Hour

// appendLong appends a line as ls -l prints it. The line is shown to people, so characters
// that a terminal would interpret are escaped. Programs use the other fields of the reply.
func appendLong(b []byte, f model.FileInfo, now time.Time) []byte {
	if f.Dir {
		b = append(b, 'd')
	} else {
		b = append(b, '-')
	}
	const letters = "rwxrwxrwx"
	for i := range letters {
		if f.Mode&(1<<(8-i)) != 0 {
			b = append(b, letters[i])
		} else {
			b = append(b, '-')
		}
	}
	b = append(b, "    1 user     group    "...)
	size := strconv.AppendInt(nil, f.Size, 10)
	for n := len(size); n < 12; n++ {
		b = append(b, ' ')
	}
	b = append(append(b, size...), ' ')
	t := f.Mtime.UTC()
	b = append(b, t.Month().String()[:3]...)
	b = appendPadded(append(b, ' '), t.Day(), ' ')
	b = append(b, ' ')
	if age := now.Sub(t); age > sixMonths || age < -time.Hour {
		b = append(b, ' ')
		b = strconv.AppendInt(b, int64(t.Year()), 10)
	} else {
		b = appendPadded(b, t.Hour(), '0')
		b = appendPadded(append(b, ':'), t.Minute(), '0')
	}
	return append(append(b, ' '), valid.Printable(f.Name)...)
}

func appendPadded(b []byte, n int, pad byte) []byte {
	if n < 10 {
		b = append(b, pad)
	}
	return strconv.AppendInt(b, int64(n), 10)
}
