package sshwire

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestAPauseEndsWithTheConnection: closing the connection ends a pause.
func TestAPauseEndsWithTheConnection(t *testing.T) {
	client, server := net.Pipe()
	c := newConn(server)
	asked := make(chan struct{}, 1)
	c.Meter(func(took time.Duration) time.Duration {
		asked <- struct{}{}
		return time.Hour
	})
	go func() { _, _ = client.Write([]byte("ab")) }()
	b := make([]byte, 1)
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	c.meter.since = time.Now().Add(-time.Minute) // as if the library had worked for a minute
	ended := make(chan error, 1)
	go func() { _, err := c.Read(b); ended <- err }()
	<-asked
	select {
	case <-ended:
		t.Fatal("it did not pause")
	default:
	}
	_ = c.Close()
	if err := <-ended; err == nil {
		t.Fatal("a closed connection was read")
	}
}
