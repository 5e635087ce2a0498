package connection

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

// TestTrackedAddressesAreBounded: an attacker with very many addresses costs a bounded amount of
// memory and time. The guard once scanned all addresses for each new one.
func TestTrackedAddressesAreBounded(t *testing.T) {
	g := newGuard(nil, BanPolicy{After: 20, Within: 10 * time.Minute, For: time.Minute})
	now := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	address := func(i int) netip.Addr {
		b := [16]byte{0x20, 0x01, 0x0d, 0xb8}
		binary.BigEndian.PutUint32(b[4:], uint32(i))
		return netip.AddrFrom16(b)
	}
	begun := time.Now()
	for i := range maxTracked + 5000 {
		g.failed(address(i), model.ReasonUnknownUser, now)
		if len(g.tracks) > maxTracked {
			t.Fatalf("%d addresses are tracked", len(g.tracks))
		}
	}
	if len(g.tracks) < maxTracked/2 {
		t.Errorf("only %d addresses are tracked", len(g.tracks))
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("making room takes time: %v for 5000 more", took)
	}
	now = now.Add(11 * time.Minute) // the window of all of these is over, so they are removed first
	for i := range maxTracked - 1 {
		g.failed(address(1<<29+i), model.ReasonUnknownUser, now)
	}
	if len(g.tracks) != maxTracked-1 {
		t.Errorf("%d newer addresses are tracked of %d, which had room", len(g.tracks), maxTracked-1)
	}
}
