package testkit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority is a certificate authority of a test.
type Authority struct {
	PEM  []byte // its certificate
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	made int64 // certificates
}

// NewAuthority makes an authority that nobody trusts yet.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{}
	a.cert, a.key, a.PEM = a.make(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true,
		Subject: pkix.Name{CommonName: "an authority of a test"}, KeyUsage: x509.KeyUsageCertSign}, nil)
	return a
}

// make makes a certificate that signer has signed; nil: the certificate itself.
func (a *Authority) make(t testing.TB, of *x509.Certificate, signer *Authority) (*x509.Certificate, *ecdsa.PrivateKey,
	[]byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Must(t, err)
	a.made++
	of.SerialNumber, of.NotBefore, of.NotAfter = big.NewInt(a.made), time.Now().Add(-time.Hour), time.Now().Add(Day)
	parent, by := of, key
	if signer != nil {
		parent, by = signer.cert, signer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, of, parent, key.Public(), by)
	Must(t, err)
	cert, err := x509.ParseCertificate(der)
	Must(t, err)
	return cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// Pool returns the authority alone, for those who trust it.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Pair makes a certificate for a name or an address, and its key, as PEM. Each has another serial number.
func (a *Authority) Pair(t testing.TB, name string) (cert, key []byte) {
	t.Helper()
	of := &x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, KeyUsage: x509.KeyUsageDigitalSignature}
	if ip := net.ParseIP(name); ip != nil {
		of.DNSNames, of.IPAddresses = nil, []net.IP{ip}
	}
	_, private, cert := a.make(t, of, a)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	Must(t, err)
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// Files makes a pair in files of a folder of its own.
func (a *Authority) Files(t testing.TB, name string) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	certificate, private := a.Pair(t, name)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	Must(t, os.WriteFile(cert, certificate, 0o600))
	Must(t, os.WriteFile(key, private, 0o600))
	return cert, key
}
