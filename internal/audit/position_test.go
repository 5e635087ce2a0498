package audit

import "testing"

// FuzzCursor: a cursor comes back from whoever reads the stream. One that is read means what it says.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"", "1.0..0", "1.17.01KB10SWWC66V2R0H1XQ2D6Y8N.4", "2.1..1", "1.-1..0", "1.1..",
		"1.9e9..1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePosition(text)
		if err != nil {
			return
		}
		if p.next < 0 || p.connection < 0 {
			t.Fatalf("%q is %+v", text, p)
		}
		again, err := parsePosition(p.String())
		if err != nil || again != p {
			t.Fatalf("%q is %+v, and %q is %+v (%v)", text, p, p, again, err)
		}
	})
}
