package main

import (
	"strings"
	"testing"
)

func TestLinesJudgeByTheMedianOfTheRoundsRatios(t *testing.T) {
	got := result{
		ours:   {{"x": 1}, {"x": 10}, {"x": 3}},
		theirs: {{"x": 2}, {"x": 20}, {"x": 1}},
	}
	r := row{name: "work", bars: []bar{
		{measure: "x", limit: 0.5},
		{measure: "x", limit: 0.51, atLeast: true},
		{measure: "x", limit: 2.9, alone: true},
	}}
	want := []string{
		"| 7 | work | x | 3.00 | 2.00 | 0.50 | ≤ 0.50 | pass |",
		"| 7 | work | x | 3.00 | 2.00 | 0.50 | ≥ 0.51 | **miss** |",
		"| 7 | work | x | 3.00 |  |  | ≤ 2.90 | **miss** |",
	}
	if have := lines(7, r, got); strings.Join(have, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
}

func TestMedianOfAnEvenNumber(t *testing.T) {
	if m := median([]float64{4, 1, 3, 2}); m != 2.5 {
		t.Errorf("the median is %v, want 2.5", m)
	}
}
