package partners

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/model"
)

// A file in which each of very many accounts comes before its parent is ordered in a moment.
func TestALongFileWithChildrenFirst(t *testing.T) {
	const n = 200_000
	in := make([]model.PartnerAccount, n)
	for i := range in {
		in[i] = model.PartnerAccount{ID: fmt.Sprint("a", i), Parent: fmt.Sprint("a", i+1)}
	}
	ordered, circle := parentsFirst(in)
	if len(ordered) != n || len(circle) > 0 || ordered[0].ID != "a199999" || ordered[n-1].ID != "a0" {
		t.Errorf("%d in order, %d in a circle", len(ordered), len(circle))
	}
}

func TestParentsComeFirst(t *testing.T) {
	for in, want := range map[string]string{
		"a b c":             "a b c |",
		"a<c b c":           "b c a |",
		"a<B b<c c d<elsew": "c d b a |",
		"a<b b<a c<a d":     "d | a b c",
		"a<a":               "| a",
		"a b<a a<b":         "a b a |", // an ID twice
		"x<a a a":           "a a x |",
	} {
		var list []model.PartnerAccount
		for word := range strings.FieldsSeq(in) {
			id, parent, _ := strings.Cut(word, "<")
			list = append(list, model.PartnerAccount{ID: id, Parent: parent})
		}
		list = append(list, model.PartnerAccount{}) // an ID that is left out is nobody's parent
		ordered, circle := parentsFirst(list)
		got := ""
		for _, a := range ordered {
			if a.ID != "" {
				got += a.ID + " "
			}
		}
		got += "|"
		for _, a := range circle {
			got += " " + a.ID
		}
		if got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
