package guide

import (
	"net/netip"
	"slices"
)

// common returns the networks that are in every list that is not empty, since all lists must allow an address. shut
// says that there are lists, and that they have no address in common.
func common(lists ...[]string) (out []string, shut bool) {
	var have []netip.Prefix
	limited := false
	for _, l := range lists {
		if len(l) == 0 {
			continue
		}
		var next []netip.Prefix
		for _, s := range l {
			p, err := netip.ParsePrefix(s)
			switch {
			case err != nil:
			case !limited:
				next = append(next, p)
			default:
				next = append(next, within(have, p)...)
			}
		}
		have, limited = next, true
	}
	for _, p := range have {
		if s := p.String(); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out, limited && len(out) == 0
}

// within returns the parts of p that are in one of the networks. Of two networks that overlap, one contains the other.
func within(networks []netip.Prefix, p netip.Prefix) (out []netip.Prefix) {
	for _, n := range networks {
		switch {
		case !n.Overlaps(p):
		case n.Bits() > p.Bits():
			out = append(out, n)
		default:
			out = append(out, p)
		}
	}
	return out
}
