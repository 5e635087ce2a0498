package valid

import "net/netip"

// ParseNetwork parses an address or a network (CIDR), IPv4 or IPv6. IPv4 in IPv6 form is converted
// to IPv4, since addresses are compared in that form.
func ParseNetwork(s string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

// Subscriber returns what one subscriber of a provider has: an IPv4 address, or a /64 of IPv6. Whoever
// counts by addresses counts by this. It is the zero prefix if the address is not known.
func Subscriber(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits) // fails for the zero address alone
	return p
}
