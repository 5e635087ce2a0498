package faults

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	_ "modernc.org/sqlite"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/offline"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	subscribers = 230 // more than one transaction of a fan-out serves
	closedFiles = 40  // of each account that is closed under fire
)

// trade is what the test knows of publications, acks and closings.
type trade struct {
	mu     sync.Mutex
	keys   []string // of publications that were asked for
	acked  []string // drops whose ack was answered
	closed []string // accounts whose closing was begun

	answers atomic.Int64 // of this round
}

func (tr *trade) note(list *[]string, v string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	*list = append(*list, v)
}

func try[T any](s *server, method, path string, body any) (T, error) {
	return client.Call[T](context.Background(), s.api, client.Request{Method: method, Path: path, Body: body})
}

func publish(s *server, feed, account, key string) (model.Publication, error) {
	q := url.Values{"all": {"true"}}
	if account != "" {
		q = url.Values{"account": {account}}
	}
	content := []byte("file," + key + "\n")
	return client.Call[model.Publication](context.Background(), s.api,
		client.Request{Method: "PUT", Path: "/feeds/" + feed + "/publications/" + key + ".csv",
			Query: q, Header: http.Header{"Idempotency-Key": {key}}, Body: bytes.NewReader(content), Size: int64(len(content))})
}

// TestKillNineInTheExchange kills the server at random points of fan-outs, acks
// and retention runs, thirty times over one data folder. No delivery is lost or
// doubled, no ack forgotten, no blob missing, and none stays for ever.
func TestKillNineInTheExchange(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	const yaml = "retention: {after_close: 1ms, require_notice: false}\n"
	s := start(t, data, yaml)
	key := s.user("acme")
	for _, name := range []string{"everybody", "leaving"} {
		call[model.Feed](s, "POST", "/feeds", map[string]string{"name": name, "kind": "report"})
	}
	for i := range subscribers {
		name := fmt.Sprintf("sub-%03d", i)
		call[model.Account](s, "POST", "/accounts", map[string]string{"id": name, "name": name})
		call[model.User](s, "POST", "/users", map[string]string{"account": name})
		call[model.Subscription](s, "POST", "/feeds/everybody/subscriptions", map[string]string{"user": name})
	}
	tr := &trade{}
	for round := range killRounds {
		leaving := fmt.Sprintf("leaving-%d", round)
		prepareLeaving(s, leaving)
		var work sync.WaitGroup
		work.Go(func() { tr.publish(s, round) })
		work.Go(func() { tr.send(s, key, round) })
		work.Go(func() { tr.consume(s) })
		work.Go(func() { tr.leave(s, leaving) })
		tr.await(mathrand.IntN(25))
		time.Sleep(time.Duration(mathrand.IntN(60)) * time.Millisecond) // any moment will do
		s.kill()
		work.Wait()
		s = start(t, data, yaml)
		tr.settle(t, s)
		if round%6 == 5 { // what is lost or doubled stays so
			tr.check(t, s)
		}
	}
	if len(tr.acked) < killRounds || len(tr.keys) < killRounds {
		t.Errorf("too little happened to be killed: %d publications, %d acks", len(tr.keys), len(tr.acked))
	}
	t.Logf("%d rounds: %d publications to %d mailboxes each, %d acks, %d accounts closed", killRounds, len(tr.keys),
		subscribers, len(tr.acked), len(tr.closed))
	s.term()
	tr.checkLog(t, data)
}

// await waits until so many requests of a round were answered, or for long
// enough.
func (tr *trade) await(answers int) {
	for end := time.Now().Add(3 * time.Second); tr.answers.Load() < int64(answers) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	tr.answers.Store(0)
}

// prepareLeaving makes an account with files that will be removed.
func prepareLeaving(s *server, name string) {
	call[model.Account](s, "POST", "/accounts", map[string]string{"id": name, "name": name})
	call[model.User](s, "POST", "/users", map[string]string{"account": name})
	call[model.Subscription](s, "POST", "/feeds/leaving/subscriptions", map[string]string{"user": name})
	for i := range closedFiles {
		if _, err := publish(s, "leaving", name, fmt.Sprintf("%s-%d", name, i)); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (tr *trade) publish(s *server, round int) {
	for i := 0; ; i++ {
		key := fmt.Sprintf("r%d-%d", round, i)
		tr.note(&tr.keys, key)
		if _, err := publish(s, "everybody", "", key); err != nil {
			return
		}
		tr.answers.Add(1)
	}
}

func (tr *trade) send(s *server, key ssh.Signer, round int) {
	c, err := s.sftp("acme", key)
	if err != nil {
		return
	}
	defer c.Close()
	for i := 0; err == nil; i++ {
		err = put(c, fmt.Sprintf("/upload/r%d-%d.csv", round, i), fmt.Appendf(nil, "%d,%d\n", round, i))
		tr.answers.Add(1)
	}
}

// consume claims and acks; an ack that was answered is remembered.
func (tr *trade) consume(s *server) {
	for {
		list, err := try[[]model.Drop](s, "POST", "/inbox/claims",
			map[string]any{"consumer": "c1", "limit": 5, "lease": "1s"})
		if err != nil {
			return
		}
		for _, d := range list {
			if _, err := try[model.Drop](s, "POST", "/inbox/"+d.ID+"/ack", map[string]string{"claim": d.Claim}); err == nil {
				tr.note(&tr.acked, d.ID)
				tr.answers.Add(1)
			} else if fault.Is(err, fault.Unavailable) {
				return
			}
		}
	}
}

func (tr *trade) leave(s *server, account string) {
	tr.note(&tr.closed, account)
	if _, err := try[model.Account](s, "PATCH", "/accounts/"+account, map[string]string{"state": "closed"}); err == nil {
		_, _ = try[any](s, "POST", "/retention/runs", nil)
	}
}

// settle does again what was cut off, as callers would, and waits until the
// server has finished what it began.
func (tr *trade) settle(t *testing.T, s *server) {
	t.Helper()
	for _, key := range tr.keys[max(0, len(tr.keys)-2):] {
		if p, err := publish(s, "everybody", "", key); err != nil || p.Deliveries != subscribers {
			t.Fatalf("publishing %s again: %d deliveries, %v", key, p.Deliveries, err)
		}
	}
	account := tr.closed[len(tr.closed)-1]
	if a := call[model.Account](s, "GET", "/accounts/"+account, nil); a.State != model.AccountClosed {
		call[model.Account](s, "PATCH", "/accounts/"+account, map[string]string{"state": "closed"})
	}
	testkit.Eventually(t, "the closed account's run is done", func() bool {
		_, _ = try[any](s, "POST", "/retention/runs", nil) // another may be under way
		runs := items[model.RetentionRun](s, "/retention/runs")
		return slices.ContainsFunc(runs,
			func(r model.RetentionRun) bool { return r.Account == account && r.State == model.RunDone })
	})
}

// check looks at the rows behind everything, and at the bytes.
func (tr *trade) check(t *testing.T, s *server) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data, "sallyport.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	none := func(what, query string, args ...any) {
		t.Helper()
		var n int
		if err := db.QueryRow(`SELECT COUNT(*) FROM (`+query+`)`, args...).Scan(&n); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if n > 0 {
			t.Fatalf("%s: %d", what, n)
		}
	}
	none("publications that are not placed", `SELECT id FROM publications WHERE placed_up_to IS NOT NULL`)
	none("publications with lost or doubled deliveries",
		`SELECT p.id FROM publications p LEFT JOIN deliveries d ON d.publication_id = p.id
		WHERE p.feed = 'everybody' GROUP BY p.id HAVING COUNT(d.id) <> $1 OR COUNT(DISTINCT d.user_id) <> $1`, subscribers)
	none("one key that published twice", `SELECT idempotency_key FROM publications
		GROUP BY feed, idempotency_key HAVING COUNT(*) > 1`)
	none("blobs whose references are not their versions",
		`SELECT b.id FROM blobs b LEFT JOIN versions v ON v.blob_id = b.id
		WHERE b.state = 'live' AND b.key NOT LIKE 'reports/%' GROUP BY b.id HAVING COUNT(v.id) <> b.refs`)
	none("files without their version", `SELECT f.file_id FROM files f LEFT JOIN versions v ON v.id = f.version_id
		WHERE v.id IS NULL`)
	none("mailboxes whose use is wrong", `SELECT m.user_id FROM mailboxes m LEFT JOIN dirs d ON d.user_id = m.user_id LEFT
		JOIN files f ON f.dir_id = d.id
		GROUP BY m.user_id HAVING COUNT(f.file_id) <> m.used_files OR COALESCE(SUM(f.size), 0) <> m.used_bytes`)
	of := `FROM accounts a JOIN users u ON u.account_id = a.id JOIN `
	none("accounts that are not closed", `SELECT id FROM accounts WHERE id IN (SELECT value FROM json_each($1))
		AND state <> 'closed'`, asJSON(tr.closed))
	none("files of a closed account that stayed",
		`SELECT v.id `+of+`versions v ON v.user_id = u.id WHERE a.state = 'closed'`)
	none("deliveries of a closed account that did not end once",
		`SELECT d.id `+of+`deliveries d ON d.user_id = u.id WHERE a.state = 'closed' AND d.state <> 'expired'`)
	none("removals that the log has not once", `SELECT json_extract(detail, '$.version') FROM audit
		WHERE action = 'file.expire' GROUP BY 1 HAVING COUNT(*) <> 1`)
	none("acks that were forgotten", `SELECT value FROM json_each($1)
		WHERE value NOT IN (SELECT id FROM drops WHERE state = 'acked')`, asJSON(tr.acked))
	checkBytes(t, db, s.data)
}

func asJSON(list []string) string {
	b, _ := json.Marshal(list) // strings always can be
	return string(b)
}

// checkBytes compares the blobs on disk with the rows of a stopped server: each
// live one has the bytes that its row speaks of.
func checkBytes(t *testing.T, db *sql.DB, data string) {
	t.Helper()
	rows, err := db.Query(`SELECT key, size, sha256 FROM blobs WHERE state = 'live'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var size int64
		var sum []byte
		if err := rows.Scan(&key, &size, &sum); err != nil {
			t.Fatal(err)
		}
		b, err := testkit.StoredBytes(db, filepath.Join(data, "blobs"), key)
		if err != nil {
			t.Fatalf("the bytes of a live blob are missing: %v", err)
		}
		if got := sha256.Sum256(b); int64(len(b)) != size || !bytes.Equal(got[:], sum) {
			t.Fatalf("%s has %d bytes that are not the %d of its row", key, len(b), size)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// checkLog verifies the audit log of the stopped server, after thirty kills.
func (tr *trade) checkLog(t *testing.T, data string) {
	t.Helper()
	cfg := testkit.Config(data)
	report, err := offline.VerifyAudit(t.Context(), cfg,
		string(testkit.MustRead(t, filepath.Join(proof.SigningDir(data), "key.pub"))), "", nil)
	if err != nil || !report.OK {
		t.Fatalf("the log: %+v, %v", report, err)
	}
	t.Logf("the log: %d rows, %d checkpoints, all good", report.Rows, report.Checkpoints)
}
