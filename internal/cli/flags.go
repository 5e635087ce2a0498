package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/config"
)

// An optional flag sets a pointer. If it is not given, the pointer stays nil, and the request has
// no such field.

// optional is a flag of one value.
type optional[T any] struct {
	to    **T
	parse func(string) (T, error)
	kind  string
}

func (o optional[T]) Set(s string) error {
	v, err := o.parse(s)
	if err == nil {
		*o.to = &v
	}
	return err
}

// clears says that empty text may take away what is set; the parser refuses it where it may not.
func (o optional[T]) clears() {}

func (o optional[T]) String() string { return "" }
func (o optional[T]) Type() string   { return o.kind }

// optText adds a text flag. If none is not "", that word stands for empty text.
func optText(c *cobra.Command, to **string, name, none, usage string) {
	c.Flags().Var(optional[string]{to, func(s string) (string, error) {
		if s == none {
			return "", nil
		}
		return s, nil
	}, "string"}, name, usage)
}

// optNumber adds a flag for a number of things. "default" and 0 stand for the default.
func optNumber(c *cobra.Command, to **int64, name, usage string) {
	c.Flags().Var(optional[int64]{to, parseCount, "number"}, name, usage)
}

// optSize adds a flag for a number of bytes, with a unit: 50GB. "default" and 0 stand for the default.
func optSize(c *cobra.Command, to **int64, name, usage string) {
	c.Flags().Var(optional[int64]{to, parseSize, "size"}, name, usage)
}

// sizeFlag is optSize for a value of which 0 is the default.
func sizeFlag(c *cobra.Command, to *int64, name, usage string) {
	c.Flags().Var(plain[int64]{to, parseSize, "size"}, name, usage)
}

// parseSize reads a size. Unlike in the configuration, it needs a unit: who types 10 does not mean ten bytes.
func parseSize(s string) (int64, error) {
	number := strings.TrimSpace(s)
	if number == "default" || strings.Trim(number, "0") == "" && number != "" {
		return 0, nil
	}
	if strings.Trim(number, "0123456789") == "" && number != "" {
		return 0, fmt.Errorf("%s what? Write a unit: %[1]sMB, %[1]sGB; or %[1]sB for bytes", number)
	}
	var n config.Size
	if err := n.UnmarshalText([]byte(s)); err != nil {
		return 0, fmt.Errorf("%q is not a size; write 50GB, 512MiB or default", s)
	}
	if n == 0 {
		return 0, fmt.Errorf("%s leaves room for nothing; write default for the configured size", number)
	}
	return int64(n), nil
}

// parseCount reads a number of things. "default" and 0 stand for the default.
func parseCount(s string) (int64, error) {
	if strings.TrimSpace(s) == "default" {
		return 0, nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not a number; write 2000 or default", s)
	}
	return n, nil
}

// fromOne adds a flag for a whole number that is 1 at least. Its value is the default.
func fromOne[T int | int64](c *cobra.Command, to *T, value T, name, usage string) {
	*to = value
	c.Flags().Var(plain[T]{to, func(s string) (T, error) {
		n, err := strconv.ParseInt(s, 0, 32)
		if err != nil || n < 1 {
			return 0, fmt.Errorf("%q is not a number from 1 on", s)
		}
		return T(n), nil
	}, "number"}, name, usage)
}

// plain is a flag of one value with a reader of its own.
type plain[T int | int64] struct {
	to    *T
	parse func(string) (T, error)
	kind  string
}

func (p plain[T]) Set(s string) error {
	v, err := p.parse(s)
	if err == nil {
		*p.to = v
	}
	return err
}

func (p plain[T]) String() string {
	if p.to == nil || *p.to == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*p.to), 10)
}

func (p plain[T]) Type() string { return p.kind }

// optBool adds a flag for true or false. The flag without a value means true.
func optBool(c *cobra.Command, to **bool, name, usage string) {
	c.Flags().Var(optional[bool]{to, strconv.ParseBool, "bool"}, name, usage)
	c.Flags().Lookup(name).NoOptDefVal = "true"
}

// optList is a flag for a list. It may be repeated. If split is set, one value may have several
// items, separated by commas. If none is not "", that word stands for an empty list.
type optList struct {
	to    **[]string
	none  string
	split bool
}

func (o optList) Set(s string) error {
	if *o.to == nil || s == o.none {
		*o.to = &[]string{}
	}
	if s == o.none {
		return nil
	}
	words := []string{s}
	if o.split {
		words = strings.Split(s, ",")
	}
	**o.to = append(**o.to, words...)
	return nil
}

func (o optList) String() string { return "" }

func (o optList) Type() string {
	if o.split {
		return "strings"
	}
	return "stringArray"
}
