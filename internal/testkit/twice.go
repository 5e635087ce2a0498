package testkit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Twice is the environment variable that makes every transaction's function run twice; see make
// twice.
const Twice = "SALLYPORT_TWICE"

// again returns the function for store.Options.Again; nil unless Twice is set.
func again() func(first, second store.Run) error {
	if os.Getenv(Twice) == "" {
		return nil
	}
	return SameRun
}

// SameRun fails unless both runs of a transaction's function did the same. The first was rolled
// back, so a difference means that it left something behind. Texts in results are not compared,
// because ids, times and secrets differ.
func SameRun(first, second store.Run) error {
	if (first.Err == nil) != (second.Err == nil) || fault.KindIn(first.Err) != fault.KindIn(second.Err) {
		return fmt.Errorf("a second run ended with %v, and the first with %v", second.Err, first.Err)
	}
	a, b := slices.Sorted(slices.Values(first.Statements)), slices.Sorted(slices.Values(second.Statements))
	if !slices.Equal(a, b) {
		return fmt.Errorf("a second run did\n%s\nand the first\n%s", strings.Join(b, "\n"), strings.Join(a, "\n"))
	}
	x, errX := shape(first.Result)
	y, errY := shape(second.Result)
	if !bytes.Equal(x, y) {
		return fmt.Errorf("a second run returned %s, and the first %s", y, x)
	}
	return errors.Join(errX, errY)
}

// shape returns a result as JSON, without its texts.
func shape(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return nil, err
	}
	return json.Marshal(withoutTexts(plain))
}

func withoutTexts(v any) any {
	switch v := v.(type) {
	case string:
		return ""
	case []any:
		for i := range v {
			v[i] = withoutTexts(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = withoutTexts(v[k])
		}
	}
	return v
}
