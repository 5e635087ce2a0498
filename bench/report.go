package main

import (
	"fmt"
	"strconv"
)

// bar is the limit for one measure of a row.
type bar struct {
	measure string // its name in samples and tables
	limit   float64
	// atLeast means that the measure must not be below the limit. Otherwise it must not be above.
	atLeast bool
	// alone means that the limit is for Sallyport's own value, not for the ratio.
	alone bool
}

const tableHead = `| Row | Work | Measure | Sallyport | Beside it | Ratio | Bar | |
| --- | --- | --- | ---: | ---: | ---: | ---: | --- |
`

// lines returns a row's lines of the table.
func lines(number int, r row, got result) []string {
	var out []string
	for _, b := range r.bars {
		mine := got.median(ours, b.measure)
		other, ratio, value := "", "", mine
		if !b.alone {
			value = got.ratio(b.measure)
			other, ratio = figure(got.median(theirs, b.measure)), fmt.Sprintf("%.2f", value)
		}
		limit := sign(b.atLeast) + " " + figure(b.limit)
		verdict := "**miss**"
		if b.atLeast && value >= b.limit || !b.atLeast && value <= b.limit {
			verdict = "pass"
		}
		out = append(out, fmt.Sprintf("| %d | %s | %s | %s | %s | %s | %s | %s |",
			number, r.name, b.measure, figure(mine), other, ratio, limit, verdict))
	}
	return out
}

func sign(atLeast bool) string {
	if atLeast {
		return "≥"
	}
	return "≤"
}

// figure formats a number with its significant digits.
func figure(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
