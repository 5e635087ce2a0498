package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, written 1048576, 50GB (decimal) or 1GiB (binary), in letters of any case.
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	in := strings.TrimSpace(string(text))
	num, unit := in, int64(1)
	for _, u := range sizeUnits {
		if at := len(in) - len(u.suffix); at >= 0 && strings.EqualFold(in[at:], u.suffix) {
			num, unit = strings.TrimSpace(in[:at]), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(num, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return fmt.Errorf("%q is not a size; write 50GB, 512MiB or a number of bytes", in)
	}
	*s = Size(n * unit)
	return nil
}

// MarshalText writes a size so that UnmarshalText reads it back.
func (s Size) MarshalText() ([]byte, error) {
	for _, u := range []int{3, 2, 1, 0, 7, 6, 5, 4} {
		if unit := sizeUnits[u]; s > 0 && int64(s)%unit.bytes == 0 && int64(s)/unit.bytes < 100_000 {
			return fmt.Appendf(nil, "%d%s", int64(s)/unit.bytes, unit.suffix), nil
		}
	}
	return strconv.AppendInt(nil, int64(s), 10), nil
}

// Duration is a length of time, written 90s, 15m, 24h or 7d.
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	in := strings.TrimSpace(string(text))
	if days, ok := strings.CutSuffix(in, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 100_000 {
			*d = Duration(time.Duration(n) * 24 * time.Hour)
			return nil
		}
	}
	v, err := time.ParseDuration(in)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a length of time; write 90s, 15m, 24h or 7d", in)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes a duration so that UnmarshalText reads it back.
func (d Duration) MarshalText() ([]byte, error) {
	const day = Duration(24 * time.Hour)
	if d > 0 && d%day == 0 {
		return fmt.Appendf(nil, "%dd", d/day), nil
	}
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return []byte(s), nil
}
