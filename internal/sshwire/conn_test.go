package sshwire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Write drops the library's version line, also in pieces, and nothing else.
func TestWriteSwallowsOneVersionLine(t *testing.T) {
	for _, cut := range []int{1, 5, len(serverLine), len(serverLine) + 2, len(serverLine) + 10, 1000} {
		server, client := tcpPair(t)
		c := newConn(server)
		c.swallow = len(serverLine) + 2
		all := []byte(serverLine + "\r\nafter the line")
		for rest := all; len(rest) > 0; {
			n, err := c.Write(rest[:min(cut, len(rest))])
			if err != nil || n != min(cut, len(rest)) {
				t.Fatalf("Write: %d, %v", n, err)
			}
			rest = rest[n:]
		}
		_ = server.Close()
		if got, _ := io.ReadAll(client); string(got) != "after the line" {
			t.Errorf("cut at %d: %q", cut, got)
		}
	}
}

// Writes of every size, inside and outside of bulks, arrive completely and in order, and
// done of a bulk waits until the kernel has the bytes.
func TestBulkKeepsOrder(t *testing.T) {
	server, client := tcpPair(t)
	c := newConn(server)
	var want bytes.Buffer
	got := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(client)
		got <- b
	}()
	number := uint32(0)
	write := func(size int) {
		p := make([]byte, 0, size+4)
		for len(p) <= size {
			number++
			p = binary.BigEndian.AppendUint32(p, number)
		}
		want.Write(p)
		if n, err := c.Write(p); err != nil || n != len(p) {
			t.Fatalf("Write: %d, %v", n, err)
		}
		for i := range p {
			p[i] = 0xee // the caller may reuse p
		}
	}
	for round := range 5 {
		write(10)
		done := c.Bulk()
		for i := range 40 {
			write([]int{1, 100, 32 << 10, 255 << 10}[(round+i)%4])
		}
		inner := c.Bulk()
		write(70_000)
		inner()
		write(3)
		done()
		if c.draining || c.gathered != nil {
			t.Fatal("done returned while bytes were gathered")
		}
	}
	if c.Sent() != int64(want.Len()) {
		t.Errorf("counted %d of %d bytes", c.Sent(), want.Len())
	}
	_ = server.Close()
	if b := <-got; !bytes.Equal(b, want.Bytes()) {
		t.Errorf("%d bytes arrived of %d, or in another order", len(b), want.Len())
	}
}

// After a gathered write failed, later writes return its error, and no writer waits for ever.
func TestBulkReportsErrors(t *testing.T) {
	server, client := tcpPair(t)
	c := newConn(server)
	done := c.Bulk()
	_ = client.Close()
	chunk := make([]byte, 64<<10)
	var err error
	for end := time.Now().Add(5 * time.Second); err == nil && time.Now().Before(end); {
		_, err = c.Write(chunk)
	}
	if err == nil {
		t.Error("writes to a closed connection succeed")
	}
	done()
	if _, err := c.Write(chunk); err == nil {
		t.Error("and go on to succeed")
	}
}

// If the peer does not read, the writer blocks at a limit. Close ends the wait.
func TestBulkToAPeerThatReadsNothingIsBounded(t *testing.T) {
	server, client := tcpPair(t)
	_ = server.(*net.TCPConn).SetWriteBuffer(64 << 10)
	_ = client.(*net.TCPConn).SetReadBuffer(64 << 10)
	c := newConn(server)
	done := c.Bulk()
	result := make(chan error, 1)
	go func() {
		chunk := make([]byte, 32<<10)
		for range 10_000 {
			if _, err := c.Write(chunk); err != nil {
				result <- err
				return
			}
		}
		result <- nil
	}()
	var before int64
	for { // until the writer blocks
		time.Sleep(50 * time.Millisecond)
		now := c.Sent()
		if now > 0 && now == before {
			break
		}
		before = now
	}
	if before > 8<<20 {
		t.Errorf("%d bytes were taken from the writer", before)
	}
	c.mu.Lock()
	if c.gathered != nil && cap(*c.gathered) > gatherBuffer {
		t.Errorf("%d bytes are gathered", cap(*c.gathered))
	}
	c.mu.Unlock()
	_ = server.Close()
	if err := <-result; err == nil {
		t.Error("the writer was not told")
	}
	done()
}

// Many bulks at once, as with several channels, under the library's lock.
func TestBulksOfManyCallers(t *testing.T) {
	server, client := tcpPair(t)
	c := newConn(server)
	total := make(chan int64, 1)
	go func() {
		n, _ := io.Copy(io.Discard, client)
		total <- n
	}()
	var lock sync.Mutex
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				done := c.Bulk()
				lock.Lock()
				_, err := c.Write(make([]byte, 10_000))
				lock.Unlock()
				if err != nil {
					t.Error(err)
				}
				done()
			}
		})
	}
	all.Wait()
	_ = server.Close()
	if n := <-total; n != 8*50*10_000 {
		t.Errorf("%d bytes arrived", n)
	}
}

// Reads use one pooled buffer, which is returned to the pool when it is empty.
func TestReadHoldsABufferOnlyWhileItHasBytes(t *testing.T) {
	server, client := tcpPair(t)
	c := newConn(server)
	_, _ = client.Write(bytes.Repeat([]byte("x"), 1000))
	p := make([]byte, 10)
	for got := 0; got < 1000; {
		n, err := c.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		if got += n; (c.pooled != nil) != (len(c.buf) > 0) {
			t.Fatal("a buffer is held without bytes, or bytes without a buffer")
		}
	}
	if c.pooled != nil {
		t.Error("an idle connection holds a buffer")
	}
	_ = client.Close()
	if n, err := c.Read(p); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if c.Received() != 1000 {
		t.Errorf("counted %d bytes", c.Received())
	}
}

// A deadline ends a waiting read.
func TestReadDeadline(t *testing.T) {
	server, _ := tcpPair(t)
	c := newConn(server)
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	var timeout net.Error
	if _, err := c.Read(make([]byte, 10)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v", err)
	}
	if c.pooled != nil {
		t.Error("a buffer was kept")
	}
}
