package sshd

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"strings"
	"testing"
)

var balancer = netip.MustParseAddr("192.0.2.10")

// v2 returns a header of version 2.
func v2(command, family byte, rest string) string {
	head := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x20|command, family)
	return string(binary.BigEndian.AppendUint16(head, uint16(len(rest)))) + rest
}

const (
	fromV4 = "\xc6\x33\x64\x09\xc0\x00\x02\x0a\xc3\x50\x08\x0a"
	fromV6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0a\xc3\x50\x08\x0a"
	mapped = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc6\x33\x64\x09" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x0a\xc3\x50\x08\x0a"
)

var headers = []struct{ name, header, from string }{
	{"version 1", "PROXY TCP4 198.51.100.9 192.0.2.10 50000 2058\r\n", "198.51.100.9"},
	{"version 1, IPv6", "PROXY TCP6 2001:db8::9 2001:db8::a 50000 2058\r\n", "2001:db8::9"},
	{"version 1, mapped", "PROXY TCP6 ::ffff:198.51.100.9 ::ffff:192.0.2.10 50000 2058\r\n", "198.51.100.9"},
	{"version 1, the longest",
		"PROXY TCP6 ffff:f00f:ffff:ffff:ffff:ffff:ffff:ffff ffff:f00f:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
		"ffff:f00f:ffff:ffff:ffff:ffff:ffff:ffff"},
	{"version 1, the proxy itself", "PROXY UNKNOWN\r\n", "192.0.2.10"},
	{"version 1, unknown with words", "PROXY UNKNOWN ffff::1 ffff::1 65535 65535\r\n", "192.0.2.10"},
	{"version 2", v2(1, 0x11, fromV4), "198.51.100.9"},
	{"version 2, IPv6", v2(1, 0x21, fromV6), "2001:db8::9"},
	{"version 2, mapped", v2(1, 0x21, mapped), "198.51.100.9"},
	{"version 2, with extensions", v2(1, 0x11, fromV4+"\x04\x00\x05SSH-2"), "198.51.100.9"},
	{"version 2, the proxy itself", v2(0, 0, ""), "192.0.2.10"},
	{"version 2, itself, with bytes to pass over", v2(0, 0x11, fromV4), "192.0.2.10"},
}

func TestHeadersOfAProxy(t *testing.T) {
	const ssh = "SSH-2.0-x\r\n"
	for _, h := range headers {
		r := strings.NewReader(h.header + ssh)
		from, err := readProxy(r, balancer)
		if err != nil || from.String() != h.from {
			t.Errorf("%s: from %s, %v; want %s", h.name, from, err, h.from)
		}
		if rest, _ := io.ReadAll(r); string(rest) != ssh {
			t.Errorf("%s: SSH is left with %q", h.name, rest)
		}
		for n := range len(h.header) { // truncated at every length
			if from, err := readProxy(strings.NewReader(h.header[:n]), balancer); err == nil {
				t.Errorf("%s, %d bytes of it: from %s", h.name, n, from)
			}
		}
	}
}

func TestWhatIsNoHeaderOfAProxy(t *testing.T) {
	for name, text := range map[string]string{
		"SSH":                      "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
		"HTTP":                     "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"no kind":                  "PROXY \r\nSSH-2.0-x\r\n",
		"a kind that is none":      "PROXY TCP5 198.51.100.9 192.0.2.10 1 2\r\n",
		"lower case":               "proxy TCP4 198.51.100.9 192.0.2.10 1 2\r\n",
		"an address that is none":  "PROXY TCP4 198.51.100.999 192.0.2.10 1 2\r\n",
		"an address of the other":  "PROXY TCP4 2001:db8::9 2001:db8::a 1 2\r\n",
		"a port that is none":      "PROXY TCP4 198.51.100.9 192.0.2.10 1 65536\r\n",
		"no carriage return":       "PROXY TCP4 198.51.100.9 192.0.2.10 1 2\n",
		"a line without end":       "PROXY TCP4 " + strings.Repeat("1", 200),
		"an end in the first word": "PROXY\nTCP4 198.51.100.9 192.0.2.10 1 2\r\n",
		"version 3":                strings.Replace(v2(1, 0x11, fromV4), "\x21", "\x31", 1),
		"version 2, of no kind":    v2(1, 0, ""), // the specification lets the receiver choose
		"addresses cut short":      v2(1, 0x11, fromV4[:4]),
		"a file of the system":     v2(1, 0x31, strings.Repeat("/run/x", 36)),
		"far too long":             v2(1, 0x11, fromV4+strings.Repeat("\x00", 5000)),
	} {
		if from, err := readProxy(strings.NewReader(text), balancer); err == nil {
			t.Errorf("%s: from %s", name, from)
		}
	}
}

// FuzzReadProxy: no input causes a panic. If a header is accepted, exactly its bytes were
// read.
func FuzzReadProxy(f *testing.F) {
	for _, h := range headers {
		f.Add([]byte(h.header))
		f.Add([]byte(h.header + "SSH-2.0-x\r\n"))
	}
	f.Add([]byte("PROXY TCP4 198.51.100.9\r\n"))
	f.Add([]byte("SSH-2.0-x\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		from, err := readProxy(r, balancer)
		read := len(data) - r.Len()
		if read > 16+proxyV2Most {
			t.Fatalf("%d bytes were read", read)
		}
		if err != nil {
			return
		}
		if !from.IsValid() || from.Is4In6() || from.Zone() != "" {
			t.Fatalf("from %s", from)
		}
		want := bytes.IndexByte(data, '\n') + 1 // version 1 is one line
		if bytes.HasPrefix(data, proxyV2Begin) {
			want = 16 + int(binary.BigEndian.Uint16(data[14:]))
		}
		if read != want {
			t.Fatalf("%d bytes were read of a header of %d: %q", read, want, data)
		}
		again, err := readProxy(bytes.NewReader(data[:read]), balancer) // no byte after the header is needed
		if err != nil || again != from {
			t.Fatalf("alone it is from %s, %v; with more behind it from %s", again, err, from)
		}
	})
}
