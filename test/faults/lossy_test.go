package faults

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/offline"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	lossOf    = 6 // one COMMIT in so many
	senders   = 3
	sends     = 25 // files of each sender
	customers = 5
	issues    = 25 // publications
)

// hookSink collects events.
type hookSink struct {
	mu  sync.Mutex
	ids map[string]map[string]bool // type and what it tells of → ids of events
}

func (r *hookSink) ServeHTTP(_ http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	var e struct {
		Type string
		Data map[string]any
	}
	_ = json.Unmarshal(body, &e)
	r.mu.Lock()
	defer r.mu.Unlock()
	about := fmt.Sprint(e.Type, " ", e.Data["drop"], e.Data["publication"])
	if r.ids[about] == nil {
		r.ids[about] = map[string]bool{}
	}
	r.ids[about][req.Header.Get("webhook-id")] = true
}

// count is of how many things an event told, and of how many two did.
func (r *hookSink) count(kind string) (told, twice int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for about, ids := range r.ids {
		if strings.HasPrefix(about, kind+" ") {
			told++
			if len(ids) > 1 {
				twice++
			}
		}
	}
	return told, twice
}

// TestADayWithALossyDatabase cuts connections to PostgreSQL at one COMMIT in six,
// before it arrives or behind it, while partners upload, a platform publishes and
// collects, and events are sent. Everybody repeats what failed. In the end
// everything is there once, and the log and the books are right.
func TestADayWithALossyDatabase(t *testing.T) {
	straight := testkit.Postgres(t).Database(t)
	p := testkit.PostgresProxy(t, straight)
	hooks := &hookSink{ids: map[string]map[string]bool{}}
	web := httptest.NewServer(hooks)
	t.Cleanup(web.Close)
	n := testkit.Start(t, func(c *config.Config) {
		c.Database.URL, c.Webhooks.Allow, c.Webhooks.AllowHTTP = p.URL, []string{"127.0.0.1/32"}, true
	})
	d := &lossyDay{Node: n, t: t, published: map[string]string{}}
	d.begin(web.URL)
	p.Lossy(lossOf)
	began := time.Now()
	d.work()
	p.Lossy(0)
	took := time.Since(began)

	db, err := sql.Open("pgx", straight)
	testkit.Must(t, err)
	defer db.Close()
	d.check(db, hooks)
	n.Stop()
	cfg := testkit.Config(n.Data)
	cfg.Database.URL = straight
	report, err := offline.VerifyAudit(t.Context(), cfg,
		string(testkit.MustRead(t, filepath.Join(proof.SigningDir(n.Data), "key.pub"))), "", nil)
	if err != nil || !report.OK {
		t.Fatalf("the log: %+v, %v", report, err)
	}
	t.Logf("%d requests were repeated in %v; the log has %d rows", d.repeats, took.Round(time.Second), report.Rows)
}

type lossyDay struct {
	*testkit.Node
	t    *testing.T
	keys []ssh.Signer // of the senders

	mu        sync.Mutex
	repeats   int
	published map[string]string // idempotency key → publication
}

func (d *lossyDay) begin(hook string) {
	for i := range senders {
		d.keys = append(d.keys, d.User(fmt.Sprintf("sender%d", i)))
	}
	testkit.Call[any](d.Node, "POST", "/feeds", map[string]string{"name": "inv", "kind": "invoice"})
	for i := range customers {
		name := fmt.Sprintf("customer%d", i)
		d.keys = append(d.keys, d.User(name))
		testkit.Call[any](d.Node, "POST", "/feeds/inv/subscriptions", map[string]string{"user": name})
	}
	testkit.Call[any](d.Node, "POST", "/webhooks",
		map[string]any{"name": "hook", "url": hook, "events": []string{model.EventReceived, model.EventPublished}})
}

// until repeats what fails, as programs do.
func (d *lossyDay) until(what string, do func() error) {
	for end := time.Now().Add(2 * time.Minute); ; {
		err := do()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			d.t.Errorf("%s does not succeed: %v", what, err)
			return
		}
		d.mu.Lock()
		d.repeats++
		d.mu.Unlock()
	}
}

func (d *lossyDay) work() {
	var work sync.WaitGroup
	for i := range senders {
		work.Go(func() { d.send(i) })
	}
	work.Go(d.publish)
	work.Go(d.collect)
	work.Wait()
}

// contentOf is what a sender sends under a name.
func contentOf(sender, file int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%d,%d\n", sender, file), 500)
}

func (d *lossyDay) send(sender int) {
	for i := range sends {
		d.until("an upload", func() error {
			conn, err := ssh.Dial("tcp", d.Addr, testkit.ClientConfig(fmt.Sprintf("sender%d", sender), d.keys[sender]))
			if err != nil {
				return err
			}
			defer conn.Close()
			c, err := sftp.NewClient(conn)
			if err != nil {
				return err
			}
			temporary, final := fmt.Sprintf("/upload/%d.part", i), fmt.Sprintf("/upload/%d.csv", i)
			if _, err := c.Stat(final); err == nil {
				return nil // a try before did it
			}
			if err := put(c, temporary, contentOf(sender, i)); err != nil {
				return err
			}
			return c.Rename(temporary, final)
		})
	}
}

func (d *lossyDay) publish() {
	for i := range issues {
		key := fmt.Sprintf("inv-%02d", i)
		d.until("a publication", func() error {
			p, err := client.Call[model.Publication](context.Background(), d.API,
				client.Request{Method: "PUT", Path: "/feeds/inv/publications/" + key + ".csv",
					Query: url.Values{"all": {"true"}}, Header: http.Header{"Idempotency-Key": {key}}, Body: strings.NewReader(key),
					Size: int64(len(key))})
			if err == nil {
				d.mu.Lock()
				d.published[key] = p.ID
				d.mu.Unlock()
			}
			return err
		})
	}
}

// collect takes every drop: an ack whose answer was lost is a conflict when it is
// repeated, and a claim whose answer was lost ends with its lease.
func (d *lossyDay) collect() {
	for acked := 0; acked < senders*sends && !d.t.Failed(); {
		var list []model.Drop
		d.until("a claim", func() (err error) {
			list, err = client.Call[[]model.Drop](context.Background(), d.API,
				client.Request{Method: "POST", Path: "/inbox/claims",
					Body: map[string]any{"consumer": "erp", "limit": 3, "lease": "2s"}})
			return err
		})
		for _, drop := range list {
			d.until("an ack", func() error {
				_, err := client.Call[model.Drop](context.Background(), d.API,
					client.Request{Method: "POST", Path: "/inbox/" + drop.ID + "/ack",
						Body: map[string]string{"claim": drop.Claim}})
				if fault.Is(err, fault.Conflict) {
					return nil
				}
				return err
			})
		}
		acked = len(testkit.List[model.Drop](d.Node, "/inbox?state=acked"))
	}
}

// check looks at what everybody has.
func (d *lossyDay) check(db *sql.DB, hooks *hookSink) {
	t := d.t
	t.Helper()
	for i := range senders {
		c := d.SFTP(fmt.Sprintf("sender%d", i), d.keys[i])
		for f := range sends {
			got, err := get(c, fmt.Sprintf("/upload/%d.csv", f))
			if err != nil || !bytes.Equal(got, contentOf(i, f)) {
				t.Errorf("sender%d's file %d is %.20q, %v", i, f, got, err)
			}
		}
	}
	testkit.Eventually(t, "every publication is placed",
		func() bool { return d.count(db, "publications WHERE placed_up_to IS NOT NULL") == 0 })
	for i := range customers {
		c := d.SFTP(fmt.Sprintf("customer%d", i), d.keys[senders+i])
		for key := range d.published {
			if got, err := get(c, "/download/inv/"+key+".csv"); err != nil || string(got) != key {
				t.Errorf("customer%d's %s is %q, %v", i, key, got, err)
			}
		}
	}
	for what, want := range map[string]int{
		"publications":                            issues,
		"deliveries":                              issues * customers,
		"drops":                                   senders * sends,
		"drops WHERE state = 'acked'":             senders * sends,
		"audit WHERE action = 'drop.ack'":         senders * sends,
		"audit WHERE action = 'feed.publish'":     issues,
		"blobs WHERE state = 'live' AND refs = 0": 0,
	} {
		if n := d.count(db, what); n != want {
			t.Errorf("%d %s, want %d", n, what, want)
		}
	}
	testkit.Eventually(t, "every message was sent, or has a job that will", func() bool {
		return d.count(db, `messages m WHERE state <> 'sent' AND NOT EXISTS (SELECT 1 FROM river_job j
			WHERE j.args ->> 'id' = m.id AND j.state IN ('available', 'scheduled', 'retryable', 'running'))`) == 0 &&
			d.count(db, "outbox") == 0 && d.count(db, "messages WHERE state = 'sent'") > issues
	})
	for kind, want := range map[string]int{model.EventReceived: senders * sends, model.EventPublished: issues} {
		sent := d.count(db, "messages WHERE state = 'sent' AND kind = '"+kind+"'")
		told, twice := hooks.count(kind)
		if all := d.count(db, "messages WHERE kind = '"+kind+"'"); all != want || told < sent || twice > 0 {
			t.Errorf("%d messages of %s, want %d; %d were sent, %d arrived, %d under two ids", all, kind, want, sent, told,
				twice)
		}
	}
	blobs, err := disk.Open(filepath.Join(d.Data, "blobs"), time.Now)
	testkit.Must(t, err)
	testkit.Must(t, testkit.Books(db, blobs))
}

func (d *lossyDay) count(db *sql.DB, of string) (n int) {
	d.t.Helper()
	testkit.Must(d.t, db.QueryRow("SELECT COUNT(*) FROM "+of).Scan(&n))
	return n
}
