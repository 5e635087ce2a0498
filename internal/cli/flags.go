package cli

import (
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

// optNumber adds a flag for a whole number.
func optNumber(c *cobra.Command, to **int64, name, usage string) {
	c.Flags().Var(optional[int64]{to, func(s string) (int64, error) { return strconv.ParseInt(s, 0, 64) }, "int"}, name,
		usage)
}

// optSize adds a flag for a number of bytes, with a unit: 50GB.
func optSize(c *cobra.Command, to **int64, name, usage string) {
	c.Flags().Var(optional[int64]{to, func(s string) (int64, error) {
		var n config.Size
		err := n.UnmarshalText([]byte(s))
		return int64(n), err
	}, "string"}, name, usage)
}

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
