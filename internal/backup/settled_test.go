package backup

import (
	"slices"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/proof"
)

// Of what undoes each other, the last row of a subject counts; networks count by themselves, whatever was set along
// with them; an operator's reset is not undone by a later enable.
func TestWhichRowsCount(t *testing.T) {
	networks := map[string]string{"allow_ips": "192.0.2.0/24"}
	rows := []proof.JournalRow{
		{ID: "1", Action: "user.disable", User: "a"},
		{ID: "2", Action: "user.enable", User: "a", Detail: networks},
		{ID: "3", Action: "user.disable", User: "b"},
		{ID: "4", Action: "operator.reset", Subject: "kim"},
		{ID: "5", Action: "operator.disable", Subject: "kim"},
		{ID: "6", Action: "operator.enable", Subject: "kim"},
		{ID: "7", Action: "feed.unsubscribe", Subject: "cdr", User: "a"},
		{ID: "8", Action: "feed.unsubscribe", Subject: "cdr", User: "b"},
		{ID: "9", Action: "feed.subscribe", Subject: "cdr", User: "b"},
		{ID: "10", Action: "key.revoke", Subject: "SHA256:x"},
	}
	var got []string
	for _, r := range settled(rows) {
		got = append(got, r.ID+" "+r.Action)
	}
	want := []string{"2 user.enable", "2 user.set", "3 user.disable", "4 operator.reset", "6 operator.enable",
		"7 feed.unsubscribe", "9 feed.subscribe", "10 key.revoke"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A replay only restricts.
func TestNetworksOnlyGetNarrower(t *testing.T) {
	have := []string{"192.0.2.0/24", "2001:db8::/32"}
	for _, c := range []struct {
		have, to []string
		ok       bool
	}{{nil, have, true}, {have, have, true}, {have, []string{"192.0.2.128/25"}, true},
		{have, []string{"192.0.0.0/16"}, false}, {have, []string{"198.51.100.0/24"}, false},
		{have, []string{"192.0.2.1/32", "0.0.0.0/0"}, false}, {have, []string{"nonsense"}, false}} {
		if err := narrower(c.have, c.to); (err == nil) != c.ok {
			t.Errorf("from %q to %q: %v", c.have, c.to, err)
		}
	}
}

// What no entry tells of is named, whichever journal has what.
func TestRowsThatNoEntryTellsOf(t *testing.T) {
	for _, c := range []struct {
		told stretches
		want []string
	}{{nil, nil}, {stretches{{5, 12}}, nil}, {stretches{{20, 30}, {5, 12}, {12, 20}}, nil},
		{stretches{{12, 20}}, []string{"no entry tells of rows 10 to 11"}},
		{stretches{{0, 15}, {20, 30}, {12, 16}}, []string{"no entry tells of rows 16 to 19"}}} {
		if got := c.told.lacks(10); !slices.Equal(got, c.want) {
			t.Errorf("%v: %q, want %q", c.told, got, c.want)
		}
	}
}
