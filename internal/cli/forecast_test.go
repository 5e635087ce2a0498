package cli

import (
	"testing"
	"time"
)

// TestADayIsOfTheOperatorsZone: a forecast put its days into the zone of the machine that the command
// ran on, beside times in the operator's.
func TestADayIsOfTheOperatorsZone(t *testing.T) {
	east := time.FixedZone("EAST", 14*60*60)
	if got := day(time.Date(2026, 11, 30, 13, 0, 0, 0, time.UTC).In(east)); got != "2026-12-01" {
		t.Errorf("%s, not the day there", got)
	}
}
