//go:build linux

package cli

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/csv"
	"encoding/pem"
	"fmt"
	"hash/fnv"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/model"
)

// key makes a user's demo key, for OpenSSH and for PuTTY, and enrols it. It writes the private key
// file last. As long as that is missing, the next start makes a new pair.
func (d *demo) key(ctx context.Context, user string) error {
	private := filepath.Join(d.dir, user)
	if _, err := os.Stat(private); err == nil {
		return nil
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fault.Wrap("cli.demo", fault.Internal, err)
	}
	comment := "sallyport demo " + user
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return fault.Wrap("cli.demo", fault.Internal, err)
	}
	block, err := ssh.MarshalPrivateKey(key, comment)
	if err != nil {
		return fault.Wrap("cli.demo", fault.Internal, err)
	}
	public := bytes.TrimSpace(ssh.MarshalAuthorizedKey(signer.PublicKey()))
	line := append(public, " "+comment+"\n"...)
	_, err = d.client().AddKeys(ctx, user, model.NewKey{Text: string(line)})
	if err != nil {
		return err
	}
	ppk, err := keys.MarshalPPK(key, comment, "", 3)
	if err != nil {
		return fault.Wrap("cli.demo", fault.Internal, err)
	}
	for _, f := range []struct {
		name    string
		content []byte
	}{{user + ".pub", line}, {user + ".ppk", ppk}, {user, pem.EncodeToMemory(block)}} {
		path := filepath.Join(d.dir, f.name)
		if err := replaceFile(path, f.content, 0o600); err != nil {
			return fault.Wrap("cli.demo", fault.Internal, err)
		}
	}
	return nil
}

// bill is a month of calls, the same at every start.
type bill struct {
	account, name string
	calls         []phoneCall
}

type phoneCall struct {
	at       time.Time
	from, to string
	seconds  int
	cents    int
}

// demoBill makes an account's calls, with random numbers seeded by the account's name, so that a
// second start publishes the same bytes.
func demoBill(account, name string) bill {
	h := fnv.New64a()
	h.Write([]byte(account))
	r := mathrand.New(mathrand.NewPCG(h.Sum64(), 1))
	b := bill{account: account, name: name}
	at := time.Date(2026, 10, 1, 6, 0, 0, 0, time.UTC)
	for at.Month() == time.October {
		secs := 5 + r.IntN(1800)
		b.calls = append(b.calls, phoneCall{at, fmt.Sprintf("+6129550%04d", r.IntN(20)), fmt.Sprintf("+614%08d", r.IntN(1e8)),
			secs, 2 + secs/20})
		at = at.Add(time.Duration(10+r.IntN(300)) * time.Minute)
	}
	return b
}

func (b bill) csv() []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	_ = w.Write([]string{"account", "start_utc", "from", "to", "seconds", "amount_aud"}) // a buffer cannot fail
	for _, c := range b.calls {
		_ = w.Write([]string{b.account, c.at.Format(time.RFC3339), c.from, c.to, strconv.Itoa(c.seconds),
			fmt.Sprintf("%d.%02d", c.cents/100, c.cents%100)})
	}
	w.Flush()
	return out.Bytes()
}

// pdf writes the invoice as a PDF of one page (ISO 32000-1 §7.5): objects, the table of their
// offsets, and the trailer.
func (b bill) pdf() []byte {
	seconds, cents := 0, 0
	for _, c := range b.calls {
		seconds, cents = seconds+c.seconds, cents+c.cents
	}
	lines := []string{"Invoice 2026-10", b.name + " (" + b.account + ")", "",
		fmt.Sprintf("Calls in October 2026:   %d", len(b.calls)),
		fmt.Sprintf("Minutes:                 %d", seconds/60),
		fmt.Sprintf("Amount due (AUD):        %d.%02d", cents/100, cents%100), "",
		"A demonstration; please do not pay."}
	var page bytes.Buffer
	page.WriteString("BT /F1 14 Tf 72 770 Td 22 TL\n")
	for _, l := range lines {
		fmt.Fprintf(&page, "(%s) '\n", l)
	}
	page.WriteString("ET")
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", page.Len(), page.String()),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>",
	}
	var out bytes.Buffer
	out.WriteString("%PDF-1.4\n")
	offsets := make([]int, len(objects))
	for i, o := range objects {
		offsets[i] = out.Len()
		fmt.Fprintf(&out, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	table := out.Len()
	fmt.Fprintf(&out, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, o := range offsets {
		fmt.Fprintf(&out, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&out, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, table)
	return out.Bytes()
}
