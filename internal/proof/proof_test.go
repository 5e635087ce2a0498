package proof_test

import (
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// newKey makes a deployment's key.
func newKey(t testing.TB, name string) *proof.Key {
	t.Helper()
	private, public, err := proof.NewKey(rand.Reader, name)
	testkit.Must(t, err)
	k, err := proof.ReadKey(private+"\n", " "+public+"\n")
	testkit.Must(t, err)
	return k
}

var receipt = proof.Document{Title: proof.ReceiptTitle,
	Fields: []proof.Field{{Name: "file", Value: "rates.csv"}, {Name: "to", Value: "acme"}, {Name: "note", Value: ""}}}

func sign(t testing.TB, k *proof.Key, d proof.Document) string {
	t.Helper()
	signed, err := k.Sign(d)
	testkit.Must(t, err)
	return signed
}

// TestDocumentsOpenAsTheyWereSigned: title and ordered fields are kept, also an empty value.
func TestDocumentsOpenAsTheyWereSigned(t *testing.T) {
	k := newKey(t, "files.example.com")
	if k.Name() != "files.example.com" {
		t.Fatalf("the key signs for %s", k.Name())
	}
	for _, title := range []string{proof.ReceiptTitle, proof.RemovalTitle} {
		d := proof.Document{Title: title, Fields: receipt.Fields}
		got, err := proof.Open(sign(t, k, d), k.Public())
		testkit.Must(t, err)
		if got.Title != title || !slices.Equal(got.Fields, d.Fields) {
			t.Fatalf("signed %+v, opened %+v", d, got)
		}
	}
	got, err := proof.Open(sign(t, k, receipt), "\n"+k.Public()+"\r\n")
	testkit.Must(t, err)
	if got.Get("to") != "acme" || got.Get("nothing") != "" {
		t.Fatalf("fields are %+v", got.Fields)
	}
}

// TestNoValueForgesAField: no value, such as a file name, can change or add a field of a document.
func TestNoValueForgesAField(t *testing.T) {
	k := newKey(t, "h")
	for _, hostile := range []string{"a.csv\nto: mallory", "a.csv\r\nto: mallory", "a\n\n— h AAAA\n", "\n\n— h ",
		"a\u2028to: mallory", "a\u0085to: mallory", "a\x00b", "\xff\xfe", "\u202egpj.exe", "\x1b[2J", ": ", "to: mallory",
		strings.Repeat("x\n", 5000)} {
		d := proof.Document{Title: proof.ReceiptTitle,
			Fields: []proof.Field{{Name: "file", Value: hostile}, {Name: "to", Value: "acme"}}}
		signed := sign(t, k, d)
		got, err := proof.Open(signed, k.Public())
		testkit.Must(t, err)
		if len(got.Fields) != 2 || got.Fields[0] != (proof.Field{Name: "file", Value: valid.Printable(hostile)}) ||
			got.Get("to") != "acme" {
			t.Errorf("a file named %q makes the document %+v", hostile, got.Fields)
		}
		if strings.ContainsAny(signed, "\r\x00\x1b") || strings.ContainsRune(signed, 0x2028) ||
			strings.ContainsRune(signed, 0x85) {
			t.Errorf("a file named %q is not escaped: %q", hostile, signed)
		}
	}
}

// TestMailedCopiesVerify: CRLF line ends, which mail programs make, are accepted.
func TestMailedCopiesVerify(t *testing.T) {
	k := newKey(t, "h")
	signed := strings.ReplaceAll(sign(t, k, receipt), "\n", "\r\n")
	if _, err := proof.Open(signed, k.Public()); err != nil {
		t.Fatal(err)
	}
	note, err := k.SignCheckpoint(proof.Checkpoint{Size: 7, At: "2026-01-05T09:00:00Z"})
	testkit.Must(t, err)
	c, err := proof.OpenCheckpoint(strings.ReplaceAll(note, "\n", "\r\n"), k.Public())
	testkit.Must(t, err)
	if c.Size != 7 || c.Signer != "h" || c.At != "2026-01-05T09:00:00Z" {
		t.Fatalf("the checkpoint reads %+v", c)
	}
}

// TestOneChangedByteFails: no byte of the signed text can be changed.
func TestOneChangedByteFails(t *testing.T) {
	k := newKey(t, "h")
	signed := sign(t, k, receipt)
	text := signed[:strings.LastIndex(signed, "\n\n")]
	for i := range signed {
		for _, with := range []byte{signed[i] ^ 1, signed[i] ^ 0x20, '\n'} {
			if with == signed[i] {
				continue
			}
			changed := signed[:i] + string(with) + signed[i+1:]
			d, err := proof.Open(changed, k.Public())
			switch {
			case err == nil && i < len(text):
				t.Fatalf("byte %d became %q and nobody saw it: %+v", i, with, d)
			case err == nil && !slices.Equal(d.Fields, receipt.Fields): // the last bits of the signature are unused
				t.Fatalf("byte %d of the signature became %q, and the document %+v", i, with, d)
			}
		}
	}
	for i := range len(signed) {
		if _, err := proof.Open(signed[:i], k.Public()); err == nil {
			t.Fatalf("its first %d of %d bytes are taken for the whole", i, len(signed))
		}
	}
}

// TestAnotherKeyFails: another key is refused, even with the same name.
func TestAnotherKeyFails(t *testing.T) {
	k := newKey(t, "h")
	signed := sign(t, k, receipt)
	for _, other := range []string{newKey(t, "h").Public(), newKey(t, "other").Public()} {
		_, err := proof.Open(signed, other)
		testkit.WantKind(t, err, fault.Denied)
		if !strings.Contains(fault.PublicText(err), "not with the key") {
			t.Errorf("another key: %s", fault.PublicText(err))
		}
	}
	_, err := proof.Open(strings.Replace(signed, "rates.csv", "rates.txt", 1), k.Public())
	testkit.WantKind(t, err, fault.Denied)
	for _, bad := range []string{"", "h", "h+00000000+AAAA", strings.Replace(k.Public(), "h+", "i+", 1)} {
		_, err := proof.Open(signed, bad)
		testkit.WantKind(t, err, fault.Invalid)
	}
	for _, bad := range []string{"", "hello", "hello\n", "\n\n", "a\n\n— h AAAA\n", strings.Repeat("x", 2<<20)} {
		_, err := proof.Open(bad, k.Public())
		testkit.WantKind(t, err, fault.Invalid)
	}
}

// TestOneKindIsNotTakenForAnother: a checkpoint is not accepted as a receipt, nor a document as a
// checkpoint, though the same key signed both.
func TestOneKindIsNotTakenForAnother(t *testing.T) {
	k := newKey(t, "h")
	note, err := k.SignCheckpoint(proof.Checkpoint{Size: 1})
	testkit.Must(t, err)
	_, err = proof.Open(note, k.Public())
	testkit.WantKind(t, err, fault.Invalid)
	_, err = proof.OpenCheckpoint(sign(t, k, receipt), k.Public())
	testkit.WantKind(t, err, fault.Invalid)
	_, err = proof.Open(sign(t, k, proof.Document{Title: "Sallyport receipt v2"}), k.Public())
	testkit.WantKind(t, err, fault.Invalid)
	for _, lines := range []string{"sallyport audit log of h\n-1", "sallyport audit log of h\n1\nAAAA",
		"sallyport audit log of h\n9999999999999999999999",
		"sallyport audit log of h\n1\n" + strings.Repeat("A", 44) + "\nnow\nmore"} {
		_, err := proof.OpenCheckpoint(sign(t, k, proof.Document{Title: lines}), k.Public())
		testkit.WantKind(t, err, fault.Invalid)
	}
}

// TestKeysAreReadWhole: ReadKey needs both halves of one pair, and a name that is valid in a note.
func TestKeysAreReadWhole(t *testing.T) {
	for _, name := range []string{"", "a b", "a+b", "a\nb", "a\tb", "\u202e"} {
		_, _, err := proof.NewKey(rand.Reader, name)
		testkit.WantKind(t, err, fault.Invalid)
	}
	private, public, err := proof.NewKey(rand.Reader, "h")
	testkit.Must(t, err)
	_, other, err := proof.NewKey(rand.Reader, "h")
	testkit.Must(t, err)
	for _, c := range [][2]string{{"", public}, {private, ""}, {private, other}, {public, public},
		{private[:20], public}} {
		_, err := proof.ReadKey(c[0], c[1])
		testkit.WantKind(t, err, fault.Invalid)
		if strings.Contains(fault.PublicText(err), "PRIVATE") {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}

func fuzzKey(f *testing.F) *proof.Key {
	k := newKey(f, "h")
	note, err := k.SignCheckpoint(proof.Checkpoint{Size: 3, At: "2026-01-05T09:00:00Z"})
	testkit.Must(f, err)
	f.Add(sign(f, k, receipt))
	f.Add(note)
	f.Add(strings.ReplaceAll(note, "\n", "\r\n"))
	f.Add("a\n\n— h AAAA\n")
	f.Add("")
	return k
}

// FuzzOpen: for any input, Open returns an error or what was signed.
func FuzzOpen(f *testing.F) {
	k := fuzzKey(f)
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := proof.Open(text, k.Public()); err == nil && !slices.Equal(d.Fields, receipt.Fields) {
			t.Fatalf("%q opens as %+v, which was never signed", text, d)
		}
		_, _ = proof.Open(sign(t, k, receipt), text) // with any key
		signed := sign(t, k, proof.Document{Title: proof.ReceiptTitle, Fields: []proof.Field{{Name: "file", Value: text}}})
		d, err := proof.Open(signed, k.Public())
		if err != nil || len(d.Fields) != 1 || d.Get("file") != valid.Printable(text) {
			if len(signed) < 900_000 { // the size limit of a note
				t.Fatalf("a file named %q: %v, %+v", text, err, d)
			}
		}
	})
}

// FuzzOpenCheckpoint: any signed text is a checkpoint or an error.
func FuzzOpenCheckpoint(f *testing.F) {
	k := fuzzKey(f)
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := proof.OpenCheckpoint(text, k.Public()); err == nil && c.Size != 3 {
			t.Fatalf("%q opens as %+v, which was never signed", text, c)
		}
		signed, err := k.SignCheckpoint(proof.Checkpoint{Size: 1, At: text})
		if err != nil {
			return
		}
		if c, err := proof.OpenCheckpoint(signed, k.Public()); err == nil && (c.Size != 1 || c.Signer != "h" || c.Size < 0) {
			t.Fatalf("made at %q: %+v", text, c)
		}
	})
}
