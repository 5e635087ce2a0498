package attacks

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// atOnce runs functions at the same time and says how many returned true.
func atOnce(all ...func() bool) (won int) {
	var wait sync.WaitGroup
	var mu sync.Mutex
	begin := make(chan struct{})
	for _, f := range all {
		wait.Go(func() {
			<-begin
			if f() {
				mu.Lock()
				defer mu.Unlock()
				won++
			}
		})
	}
	close(begin)
	wait.Wait()
	return won
}

// What two may not have both is asked for at the same time, where transactions
// run side by side.
func TestRulesHoldForRequestsAtOnce(t *testing.T) {
	k := openCounter(t, onPostgres(t))
	k.User("bob")
	call := func(method, path string, body any) func() bool {
		return func() bool {
			_, err := attempt[any](k.Node, method, path, body)
			if fault.Is(err, fault.Internal) || fault.Is(err, fault.Unavailable) {
				t.Errorf("%s %s: %v", method, path, err)
			}
			return err == nil
		}
	}
	for round := range 12 {
		fingerprint := fingerprintOf(fmt.Sprint(round))
		file, _, _ := ask("key", "ann@a.example", fingerprint, "a private key file")
		phrase, _, _ := ask("passphrase", "ann@a.example", fingerprint, "seven secret words")
		if won := atOnce(call("POST", "/links", file), call("POST", "/links", phrase)); won != 1 {
			t.Errorf("round %d: one contact got %d halves of a key", round, won)
		}
		line := map[string]string{"text": string(ssh.MarshalAuthorizedKey(testkit.NewKey(t).PublicKey()))}
		if won := atOnce(call("POST", "/users/alice/keys", line), call("POST", "/users/bob/keys", line)); won > 1 {
			t.Errorf("round %d: one key was enrolled for two accounts", round)
		}
		k.revokeAll("alice", "bob")
	}
}

// revokeAll makes room for more keys.
func (k *counter) revokeAll(users ...string) {
	k.t.Helper()
	for _, user := range users {
		for _, key := range testkit.List[model.Key](k.Node, "/users/"+user+"/keys") {
			if key.State == model.KeyActive {
				_, _ = attempt[model.Revoked](k.Node, "POST", "/keys/revoke",
					map[string]string{"fingerprint": key.Fingerprint, "reason": "test"})
			}
		}
	}
}

// A contact who leaves while a link is made for them has none that waits.
func TestLinkMadeWhileItsContactLeaves(t *testing.T) {
	k := openCounter(t, onPostgres(t))
	for round := range 12 {
		c := k.person("alice", fmt.Sprintf("c%d@a.example", round))
		body, p, err := ask("key", c.ID, fingerprintOf(fmt.Sprint(round)), "a private key file")
		if err != nil {
			t.Fatal(err)
		}
		atOnce(func() bool {
			_, err := attempt[model.Link](k.Node, "POST", "/links", body)
			return err == nil
		}, func() bool {
			testkit.Call[model.Leaving](k.Node, "POST", "/contacts/"+c.ID+"/leave", nil)
			return true
		})
		if got := k.send("GET", k.url+"/handover/"+p.Secret); got.status != http.StatusNotFound {
			t.Errorf("round %d: a link waits for somebody who left", round)
		}
	}
}

// A click and a revocation at the same time: either she has it and it is
// opened, or it is revoked and she has nothing.
func TestLinkClickedWhileItIsRevoked(t *testing.T) {
	for name, option := range map[string]testkit.Option{"SQLite": guarded, "PostgreSQL": onPostgres(t)} {
		t.Run(name, func(t *testing.T) {
			k := openCounter(t, option)
			for round := range 10 {
				l := k.give("passphrase", "ann@a.example", fingerprintOf(fmt.Sprint(round)), "seven secret words")
				got := false
				atOnce(func() bool {
					p, err := fetch("POST", l.url, nil)
					got = err == nil && strings.Contains(p.body, "seven secret words")
					return got
				}, func() bool {
					_, err := attempt[model.Link](k.Node, "DELETE", "/links/"+l.ID, nil)
					return err == nil
				})
				state := map[bool]model.LinkState{true: model.LinkOpened, false: model.LinkRevoked}[got]
				k.assertGone(fmt.Sprint("round ", round), state, l)
			}
		})
	}
}
