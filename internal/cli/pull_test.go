package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// atFirst calls do before the first write.
type atFirst struct {
	bytes.Buffer
	do func()
}

func (w *atFirst) Write(p []byte) (int, error) {
	if w.do != nil {
		w.do()
		w.do = nil
	}
	return w.Buffer.Write(p)
}

// A pull that is stopped in the middle of its batch gives the rest back, and says so. The next one
// goes on at once.
func TestAStoppedPullGivesItsClaimsBack(t *testing.T) {
	w := newWorld(t)
	w.prepare([]string{"partners"})
	for _, name := range []string{"a.csv", "b.csv", "c.csv"} {
		w.prepare([]string{"upload", "jo", "acme", "calls.csv", "/upload/" + name})
	}
	ctx, cancel := context.WithCancel(t.Context())
	out, stderr := &atFirst{do: cancel}, &bytes.Buffer{}
	a := newApp(IO{Out: out, Err: stderr, Clock: w.clock.now})
	a.data = "data"
	l, err := parseLayout("{account}/{name}")
	testkit.Must(t, err)
	p := pulling{claim: model.NewClaim{Consumer: "pull", Limit: pullBatch}, to: "landed", layout: l, follow: true}
	testkit.Must(t, a.pull(ctx, p))
	if stderr.String() != "Stopped. 2 claims were given back.\n" {
		t.Errorf("it says %q", stderr)
	}
	list, _, _ := w.run([]string{"sallyport", "inbox", "list"})
	if strings.Count(list, " accepted") != 1 || strings.Count(list, " new, duplicate") != 2 ||
		strings.Contains(list, "claimed") {
		t.Errorf("received files:\n%s", list)
	}

	p.follow = false
	err = a.pull(ctx, p) // it is stopped before it begins
	if !fault.Is(err, fault.Unavailable) || fault.PublicText(err) != "Stopped. No claim was left to give back." {
		t.Errorf("without --follow: %v", err)
	}
	testkit.Must(t, a.pull(t.Context(), p))
	if found, _ := filepath.Glob("landed/acme/*.csv"); len(found) != 3 {
		t.Errorf("landed: %v", found)
	}
}

// A pull that was stopped while the server accepted a file did not tell of that file, so who reads its
// output never learnt of it. Whatever was accepted is told of, with --follow and without.
func TestAStoppedPullTellsOfWhatItAccepted(t *testing.T) {
	w := newWorld(t)
	w.prepare([]string{"partners"})
	l, err := parseLayout("{id}")
	testkit.Must(t, err)
	accepted := 0
	for i, follow := range []bool{true, false} {
		for j := range 3 {
			w.prepare([]string{"upload", "jo", "acme", "calls.csv", fmt.Sprintf("/upload/%d-%d.csv", i, j)})
		}
		to := fmt.Sprintf("landed-%d", i)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { // it is stopped at the first file that is whole
			for ctx.Err() == nil {
				if found, _ := filepath.Glob(to + "/*.json"); len(found) > 0 {
					cancel()
				}
			}
		}()
		out := &bytes.Buffer{}
		a := newApp(IO{Out: out, Err: &bytes.Buffer{}, Clock: w.clock.now})
		a.data = "data"
		p := pulling{claim: model.NewClaim{Consumer: "pull", Limit: pullBatch}, to: to, layout: l, follow: follow}
		if err := a.pull(ctx, p); follow != (err == nil) {
			t.Errorf("follow %t: %v", follow, err)
		}
		cancel()
		list, _, _ := w.run([]string{"sallyport", "inbox", "list"})
		now := strings.Count(list, " accepted")
		if told := strings.Count(out.String(), to+"/"); told != now-accepted {
			t.Errorf("follow %t: %d files were accepted, and it says\n%s", follow, now-accepted, out)
		}
		accepted = now
	}
	if accepted == 0 {
		t.Error("nothing was accepted")
	}
}

// A pull that was killed between the file, its sidecar and the server's word goes on there.
func TestAKilledPullGoesOn(t *testing.T) {
	w := newWorld(t)
	w.prepare([]string{"partners"})
	w.prepare([]string{"upload", "jo", "acme", "calls.csv", "/upload/calls.csv"})
	testkit.Must(t, os.MkdirAll("landed/acme", 0o700))
	testkit.Must(t, os.WriteFile("landed/acme/calls.csv", testkit.MustRead(t, "calls.csv"), 0o600)) // killed here
	pull := []string{"sallyport", "inbox", "pull", "--to", "landed", "--layout", "{account}/{name}"}
	if out, stderr, code := w.run(pull); code != 0 || !strings.Contains(out, "landed/acme/calls.csv ") {
		t.Fatalf("%d: %s%s", code, out, stderr)
	}
	w.prepare([]string{"upload", "jo", "acme", "more.csv", "/upload/calls.csv"}) // the same name, other content
	if out, stderr, code := w.run(pull); code != 0 || !strings.Contains(out, "landed/acme/calls-01") {
		t.Fatalf("%d: %s%s", code, out, stderr)
	}
	found, err := os.ReadDir("landed/acme")
	testkit.Must(t, err)
	if len(found) != 4 {
		t.Errorf("landed: %v", found)
	}
	if !bytes.Equal(testkit.MustRead(t, "landed/acme/calls.csv"), testkit.MustRead(t, "calls.csv")) {
		t.Error("the first file was replaced")
	}
}

// After kill -9, the next pull into the same folder waited for the lease, a quarter of an hour. It takes
// the claims back that the killed one noted; those of a pull that lives it leaves alone.
func TestAKilledPullsClaimsAreTakenBack(t *testing.T) {
	w := newWorld(t)
	w.prepare([]string{"partners"})
	for _, name := range []string{"a.csv", "b.csv", "c.csv"} {
		w.prepare([]string{"upload", "jo", "acme", "calls.csv", "/upload/" + name})
	}
	a := newApp(IO{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}, Clock: w.clock.now})
	a.data = "data"
	l, err := parseLayout("{account}/{name}")
	testkit.Must(t, err)
	p := pulling{claim: model.NewClaim{Consumer: "pull", Limit: 2}, to: "landed", layout: l}
	testkit.Must(t, os.Mkdir("landed", 0o700))
	living, err := newClaimNote(p)
	testkit.Must(t, err)
	claimed, err := a.claimBatch(t.Context(), p)
	testkit.Must(t, err)
	testkit.Must(t, living.add(claimed))
	pull := []string{"sallyport", "inbox", "pull", "--to", "landed"}

	out, stderr, code := w.run(pull) // beside one that lives
	if code != 0 || strings.Count(out, "landed/") != 1 || !strings.Contains(stderr, "2 files are claimed by another") {
		t.Errorf("%d: %s%s", code, out, stderr)
	}
	_, err = living.f.WriteString("{\"id\":") // it is killed while it writes
	testkit.Must(t, err)
	testkit.Must(t, living.f.Close())
	_, stderr, _ = w.run(append(pull, "--consumer", "other"))
	if strings.Contains(stderr, "given back") {
		t.Errorf("another consumer: %s", stderr)
	}
	out, stderr, code = w.run(pull)
	if want := "An earlier pull into this folder was killed. 2 claims of it were given back.\n"; code != 0 ||
		strings.Count(out, "landed/") != 2 || stderr != want {
		t.Errorf("%d: %s%s", code, out, stderr)
	}
	if left, _ := filepath.Glob("landed/.sallyport-*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A partner that knows the id of a received file sends another one that would be its metadata. The first
// is landed nevertheless, and what lies beside it is ours.
func TestAPartnersFileThatLooksLikeMetadata(t *testing.T) {
	w := newWorld(t)
	w.prepare([]string{"partners"})
	w.prepare([]string{"upload", "jo", "acme", "calls.csv", "/upload/calls.csv"})
	a := newApp(IO{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}, Clock: w.clock.now})
	a.data = "data"
	other, err := a.client().ClaimDrops(t.Context(), model.NewClaim{Consumer: "other", Limit: 1})
	testkit.Must(t, err)
	said := `{"id":"` + other[0].ID + `","user":"beta"}`
	testkit.Must(t, os.WriteFile("forged.json", []byte(said), 0o600))
	w.prepare([]string{"upload", "jo", "acme", "forged.json", "/upload/calls.csv.json"})

	l, err := parseLayout("{account}/{name}")
	testkit.Must(t, err)
	p := pulling{claim: model.NewClaim{Consumer: "pull", Limit: pullBatch}, to: "landed", layout: l}
	testkit.Must(t, a.pull(t.Context(), p))
	_, err = a.client().ReleaseDrop(t.Context(), other[0].ID, model.Settling{Claim: other[0].Claim})
	testkit.Must(t, err)
	testkit.Must(t, a.pull(t.Context(), p))

	if !bytes.Equal(testkit.MustRead(t, "landed/acme/calls.csv"), testkit.MustRead(t, "calls.csv")) {
		t.Error("the file is not what was received")
	}
	if side := string(testkit.MustRead(t, "landed/acme/calls.csv.json")); !strings.Contains(side, `"user": "acme"`) {
		t.Errorf("beside it:\n%s", side)
	}
	found, _ := filepath.Glob("landed/acme/calls.csv-01*.json")
	if len(found) != 2 { // the partner's, and its metadata
		t.Errorf("landed: %v", found)
	}
}
