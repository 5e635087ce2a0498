package siem_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/siem"
	"github.com/sallyport-sftp/sallyport/model"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// certificate makes a certificate for 127.0.0.1, and a pool that knows it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "siem"}, IsCA: true,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// counted reads one message with its length in front.
func counted(r *bufio.Reader) ([]byte, error) {
	text, err := r.ReadString(' ')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(text, " "))
	if err != nil || n < 1 || n > siem.MostStream || text[0] == '0' {
		return nil, fmt.Errorf("the length is %q", text)
	}
	m := make([]byte, n)
	_, err = io.ReadFull(r, m)
	return m, err
}

func events(from, to int64) (list []model.StreamEvent) {
	for i := from; i < to; i++ {
		list = append(list, model.StreamEvent{Time: time.Unix(1e9+i, 0), Source: model.SourceAudit, Seq: i, ID: "x",
			Action: "file.store", Actor: "user:acme", Subject: "/a\n]\"\\\x1b", Outcome: "done"})
	}
	return list
}

func TestSyslogOverTLSAndAReceiverThatGoesAway(t *testing.T) {
	cert, pool := certificate(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	must(t, err)
	defer l.Close()
	target, err := siem.ParseTarget("tls://"+l.Addr().String(), "syslog")
	must(t, err)
	defer target.Close()
	target.Host = "box"
	got, leave, done := make(chan string, 100), make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for round := range 2 {
			conn, err := l.Accept()
			if err != nil {
				got <- err.Error()
				return
			}
			r := bufio.NewReader(conn)
			for range 5 {
				m, err := counted(r)
				p, why := parse(m)
				got <- fmt.Sprint(p.values["seq"], why, err)
			}
			if round == 1 {
				<-leave
			}
			_ = conn.Close()
		}
	}()
	ctx := context.Background()
	if err := target.Send(ctx, events(0, 5)); err == nil { // it may not believe its authority
		t.Fatal("a certificate of an unknown authority was accepted")
	}
	target.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	for range 5 { // what the refused handshake left for the receiver
		<-got
	}
	must(t, target.Send(ctx, events(0, 5)))
	for i := range 5 {
		if m := <-got; m != fmt.Sprint(i, "<nil>") {
			t.Errorf("message %d: %s", i, m)
		}
	}
	close(leave)
	<-done
	// The receiver has closed: what is sent now is not taken for accepted.
	if err := target.Send(ctx, events(5, 6)); err == nil {
		t.Error("events count as sent over a connection that was closed")
	}
}

func TestLinesOverTCPAndDatagrams(t *testing.T) {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	target, err := siem.ParseTarget("udp://"+l.LocalAddr().String(), "syslog")
	must(t, err)
	defer target.Close()
	must(t, target.Send(context.Background(), events(0, 2)))
	for range 2 {
		m := make([]byte, 4096)
		n, _, err := l.ReadFrom(m)
		must(t, err)
		if _, why := parse(m[:n]); why != "" {
			t.Error(why)
		}
	}
	var out strings.Builder
	target, err = siem.ParseTarget("-", "json")
	must(t, err)
	target.Out = &out
	must(t, target.Send(context.Background(), events(0, 3)))
	if strings.Count(out.String(), "\n") != 3 {
		t.Errorf("not a line each: %q", out.String())
	}
}

func TestWrongPlaces(t *testing.T) {
	for _, to := range []string{"", "siem", "http://a:1", "tcp://a", "tls://a:1/x", "udp://:5", "tcp://u@a:1",
		"tcp://a:b"} {
		if _, err := siem.ParseTarget(to, "syslog"); err == nil {
			t.Errorf("%q is accepted", to)
		}
	}
	if _, err := siem.ParseTarget("udp://a:1", "json"); err == nil {
		t.Error("JSON over UDP is accepted")
	}
	if _, err := siem.ParseTarget("-", "cef"); err == nil {
		t.Error("an unknown form is accepted")
	}
}
