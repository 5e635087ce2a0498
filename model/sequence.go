package model

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// When numbers start again at the beginning.
const (
	RestartsNever = "never"
	RestartsYear  = "year"
	RestartsMonth = "month"
	RestartsDay   = "day"
)

// Sequence is the state of the numbers in a feed's file names, for one account.
type Sequence struct {
	Account  string     `json:"account,omitempty" doc:"Empty: published to all"`
	Last     int64      `json:"last"`
	Period   string     `json:"period,omitempty" doc:"Day, month or year that the numbers are of: 20261127"`
	Restarts string     `json:"restarts,omitempty" enum:"year,month,day" doc:"When the numbers begin again, if they do"`
	Round    int64      `json:"round,omitempty" doc:"How often they began again because their digits were used up"`
	Missing  []Gap      `json:"missing" doc:"Numbers that never came"`
	Odd      *int64     `json:"odd,omitempty" doc:"A number far from all others, which is not counted"`
	Date     string     `json:"date,omitempty" doc:"The latest date in a name"`
	Earlier  []Finished `json:"earlier,omitempty" doc:"How far the numbers came in periods before"`
}

// Finished is the last number of a period that is over.
type Finished struct {
	Period string `json:"period"`
	Last   int64  `json:"last"`
}

// Gap is a range of missing numbers.
type Gap struct {
	From   int64  `json:"from"`
	To     int64  `json:"to"`
	Period string `json:"period,omitempty"`
	Round  int64  `json:"round,omitempty"`
}

// Text formats a gap for people: 7, 7-9, or 20261127: 7-9.
func (g Gap) Text() string {
	text := strconv.FormatInt(g.From, 10)
	if g.To > g.From {
		text += "-" + strconv.FormatInt(g.To, 10)
	}
	if g.Period != "" {
		text = g.Period + ": " + text
	}
	return text
}

// UnmarshalJSON reads a gap. It also reads a pair of numbers, which earlier releases wrote.
func (g *Gap) UnmarshalJSON(text []byte) error {
	var pair []int64
	if json.Unmarshal(text, &pair) == nil {
		if len(pair) != 2 {
			return fmt.Errorf("a gap of %d numbers", len(pair))
		}
		*g = Gap{From: pair[0], To: pair[1]}
		return nil
	}
	type plain Gap
	return json.Unmarshal(text, (*plain)(g))
}

// SetSequence is the body that sets the next expected number.
type SetSequence struct {
	Account string `json:"account,omitempty" doc:"Account that the files are published to; empty: those for all"`
	Next    int64  `json:"next"`
}

// AcceptGap is the body that accepts missing numbers, so that they are no longer listed.
type AcceptGap struct {
	Account string `json:"account,omitempty" doc:"Account that the files were published to; empty: those for all"`
	From    int64  `json:"from"`
	To      int64  `json:"to"`
	Period  string `json:"period,omitempty" doc:"As the list shows it"`
	Reason  string `json:"reason"`
}
