package testkit

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/model"
)

// accountPolicy is the default policy of a world's accounts.
func accountPolicy() account.Policy {
	return account.Policy{MaxKeys: 5, KeyTypes: []string{"ed25519", "ecdsa", "rsa"}, MinRSA: 2048, MaxRSA: 8192,
		Overlap: 14 * Day, Templates: map[model.UserKind]account.Template{
			model.KindCustomer: {StartDir: "/", Root: exchange.Read | exchange.List}, model.KindVendor: {StartDir: "/"}}}
}

// OpenAccounts makes the account service with the world's policy.
func (w *World) OpenAccounts() { w.Accounts = account.New(w.Store, w.Clock, w.IDs, w.Policy) }

// Customer makes an account, with a user of the same name. change may set more fields of the
// account.
func (w *World) Customer(name string, change ...func(*model.NewAccount)) model.User {
	w.Helper()
	a := model.NewAccount{ID: name, Name: name}
	for _, c := range change {
		c(&a)
	}
	_, err := w.Accounts.AddAccount(context.Background(), "test", a)
	w.Must(err)
	return w.user(model.NewUser{Account: name})
}

// Customers makes accounts, each with a user of the same name.
func (w *World) Customers(names ...string) {
	w.Helper()
	for _, name := range names {
		w.Customer(name)
	}
}

// Vendor makes a vendor, with a user for each account. Existing vendors and accounts are kept.
func (w *World) Vendor(short string, accounts ...string) (users []model.User) {
	w.Helper()
	_, err := w.Accounts.AddVendor(context.Background(), "test", model.NewVendor{Short: short, Name: short})
	w.unlessThere(err)
	for _, a := range accounts {
		_, err := w.Accounts.AddAccount(context.Background(), "test", model.NewAccount{ID: a, Name: a})
		w.unlessThere(err)
		users = append(users, w.user(model.NewUser{Account: a, Vendor: short}))
	}
	return users
}

func (w *World) user(n model.NewUser) model.User {
	w.Helper()
	u, err := w.Accounts.AddUser(context.Background(), "test", n)
	w.Must(err)
	return u
}

func (w *World) unlessThere(err error) {
	w.Helper()
	if !fault.Is(err, fault.Exists) {
		w.Must(err)
	}
}

// Person makes a contact of an account.
func (w *World) Person(of, email string, roles ...string) model.Contact {
	w.Helper()
	c, err := w.Accounts.AddContact(context.Background(), "test",
		model.NewContact{Account: of, Name: "Jo Hill", Email: email, Roles: roles})
	w.Must(err)
	return c
}

// Verified makes a contact with a verified address.
func (w *World) Verified(of, email string) model.Contact {
	w.Helper()
	c, err := w.Accounts.SetContact(context.Background(), "test", w.Person(of, email).ID,
		model.EditContact{Verified: new("called back")})
	w.Must(err)
	return c
}

// Pair is a key pair as its owner has it.
type Pair struct {
	Private ed25519.PrivateKey
	Line    string    // the public half
	Print   string    // the fingerprint
	Key     model.Key // set by Enrol
}

// NewPair makes a key pair that is not enrolled.
func NewPair(t testing.TB) Pair {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	Must(t, err)
	k, err := ssh.NewPublicKey(public)
	Must(t, err)
	return Pair{Private: private, Line: string(ssh.MarshalAuthorizedKey(k)), Print: ssh.FingerprintSHA256(k)}
}

// Enrol enrols a new key for a user. change may set more fields.
func (w *World) Enrol(user string, change ...func(*model.NewKey)) Pair {
	w.Helper()
	p := NewPair(w)
	n := model.NewKey{Text: p.Line}
	for _, c := range change {
		c(&n)
	}
	added, err := w.Accounts.AddKeys(context.Background(), "test", user, n)
	w.Must(err)
	p.Key = added[0]
	return p
}

// File returns the private key file as ssh-keygen writes it. With a passphrase, it is a PuTTY file
// of version 2, because that takes the least time to make.
func (p Pair) File(t testing.TB, passphrase string) []byte {
	t.Helper()
	if passphrase != "" {
		ppk, err := keys.MarshalPPK(p.Private, "laptop", passphrase, 2)
		Must(t, err)
		return ppk
	}
	block, err := ssh.MarshalPrivateKey(p.Private, "laptop")
	Must(t, err)
	return pem.EncodeToMemory(block)
}
