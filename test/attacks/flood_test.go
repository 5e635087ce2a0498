package attacks

import (
	"database/sql"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// 10,000 connections from as many addresses fail, some after a whole key
// exchange: the database grows by what is bounded, and real users get in.
func TestFloodOf10000FailedLogins(t *testing.T) {
	n := start(t, guarded, waiting)
	key := n.User("alice")
	before := heap()
	jobs := make(chan int)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range jobs {
				knock(t, n, i)
			}
		})
	}
	began, worst := time.Now(), time.Duration(0)
	for i := range 10_000 {
		jobs <- i
		if i%2500 == 1250 {
			from := time.Now()
			alive(t, n, "alice", key)
			worst = max(worst, time.Since(from))
		}
	}
	close(jobs)
	all.Wait()
	took := time.Since(began)
	t.Logf("%v; the slowest real log-in took %v", took, worst)
	if worst > patience {
		t.Errorf("a real log-in took %v", worst)
	}
	assertBoundedRecords(t, n, took)
	assertHeap(t, "the flood", before, 32<<20)
	if got := len(testkit.List[model.PendingKey](n, "/keys/pending")); got > 5 {
		t.Errorf("%d unknown keys wait", got)
	}
	alive(t, n, "alice", key)
}

// knock fails once, from the i-th address: mostly cheaply, now and then with a
// key of the knocker's own for a real user.
func knock(t *testing.T, n *testkit.Node, i int) {
	client := fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
	if i%5 == 4 {
		client = fmt.Sprintf("2001:db8:%x:%x::1", i>>8, i&255)
	}
	conn := dialAs(t, n, client)
	defer conn.Close()
	if i%100 == 99 {
		c := overConn(conn)
		c.begin(t)
		_, _ = c.query([]string{"alice", "nobody-here"}[i/100%2], testkit.NewKey(t).PublicKey())
		return
	}
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	_, _ = io.Copy(io.Discard, conn)
}

// assertBoundedRecords fails when more was written down than 2,000 failures at
// once and 30 a second (connection.go), and an address for each.
func assertBoundedRecords(t *testing.T, n *testkit.Node, took time.Duration) {
	t.Helper()
	explained(n, "10.0.0.1") // writes down what is queued
	db, err := sql.Open("sqlite", "file:"+filepath.Join(n.Data, "sallyport.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for table, most := range map[string]int{"connections": 2200 + 30*int(took.Seconds()), "addresses": 500, "bans": 0,
		"pending_keys": 5, "audit": 20, "activity": 20, "notices": 0} {
		var rows int
		if err := db.QueryRow("SELECT COUNT(*) FROM " + table).Scan(&rows); err != nil || rows > most {
			t.Errorf("%s has %d rows, want at most %d (%v)", table, rows, most, err)
		}
	}
	testkit.Eventually(t, "what was not recorded is said",
		func() bool { return n.Log.Contains("connection records were dropped") })
}

// A client with a huge agent is cut off, and what it offered is bounded.
func TestHugeListsOfOfferedKeys(t *testing.T) {
	n := start(t, waiting)
	key := n.User("alice")
	before := heap()
	for range 5 {
		c := greet(t, n.Addr)
		var err error
		offered := 0
		for ; err == nil && offered < 200; offered++ {
			_, err = c.query("alice", testkit.NewKey(t).PublicKey())
		}
		if offered > 21 {
			t.Errorf("%d keys could be offered on one connection", offered)
		}
		_ = c.conn.Close()
	}
	huge := greet(t, n.Addr) // a key of 200 KiB
	big := pack("ssh-rsa", []byte{1, 0, 1}, append([]byte{1}, make([]byte, 200<<10)...))
	if err := huge.send(byte(msgAuthRequest), "alice", "ssh-connection", "publickey", false, "rsa-sha2-256",
		big); err == nil {
		_, _, _, _ = huge.outcome()
	}
	_ = huge.conn.Close()
	testkit.Eventually(t, "the connections are on record", func() bool { return len(outcomes(n, "alice")) >= 5 })
	for _, e := range explained(n, "alice").Explanations {
		if len(e.Connection.Offered) > 20 || len(e.Connection.Methods) > 60 || len(e.Sentence) > 4096 {
			t.Errorf("a record of %d keys, %d methods; a sentence of %d bytes", len(e.Connection.Offered),
				len(e.Connection.Methods), len(e.Sentence))
		}
	}
	pending := testkit.List[model.PendingKey](n, "/keys/pending?user=alice")
	if len(pending) == 0 || len(pending) > 5 {
		t.Errorf("%d unknown keys wait", len(pending))
	}
	assertHeap(t, "offered keys", before, 4<<20)
	alive(t, n, "alice", key)
}

// Bodies that no key, contact or reason needs are refused, and cost no memory.
func TestBodiesOfTenMegabytes(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	before := heap()
	big := strings.Repeat("A", 10<<20)
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(testkit.NewKey(t).PublicKey())))
	for _, c := range []struct {
		path string
		body map[string]any
	}{
		{"/users/alice/keys", map[string]any{"text": big}},
		{"/users/alice/keys", map[string]any{"text": line + "\n" + big}},
		{"/users/alice/keys", map[string]any{"text": "-----BEGIN OPENSSH PRIVATE KEY-----\n" + big}},
		{"/users/alice/keys", map[string]any{"text": big[:900_000]}},
		{"/users/alice/keys", map[string]any{"text": strings.Repeat(line+"\n", 8000)}},
		{"/users/alice/keys", map[string]any{"text": strings.Repeat("PuTTY-User-Key-File-3: ", 30_000)}},
		{"/users/alice/keys", map[string]any{"text": strings.Repeat("-----BEGIN PRIVATE KEY-----\n", 30_000)}},
		{"/contacts", map[string]any{"account": "alice", "name": big, "email": "a@a.example"}},
		{"/contacts", map[string]any{"account": "alice", "name": "x", "email": big[:900_000] + "@a.example"}},
		{"/contacts", map[string]any{"account": "alice", "name": "x", "email": "a@a.example", "phone": big[:900_000]}},
		{"/keys/revoke", map[string]any{"fingerprint": ssh.FingerprintSHA256(key.PublicKey()), "reason": big}},
		{"/keys/revoke", map[string]any{"fingerprint": ssh.FingerprintSHA256(key.PublicKey()), "reason": big[:900_000]}},
		{"/accounts", map[string]any{"id": "x", "name": big[:900_000]}},
	} {
		began := time.Now()
		if _, err := attempt[any](n, "POST", c.path, c.body); err == nil || fault.Is(err, fault.Internal) {
			t.Errorf("%s, %.60q: %v", c.path, c.body, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s, %.60q: refused after %v", c.path, c.body, took)
		}
	}
	assertHeap(t, "large bodies", before, 16<<20)
	alive(t, n, "alice", key)
	if n.Log.Contains("AAAAAAAA") {
		t.Error("the log has what was sent")
	}
}
