package faults

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/expect"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/handover"
	"github.com/sallyport-sftp/sallyport/internal/inbox"
	"github.com/sallyport-sftp/sallyport/internal/notify"
	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/model"
)

// pairs are the services, joined as a node joins them, over a few mailboxes that
// everything wants at once.
type pairs struct {
	t        *testing.T
	ctx      context.Context
	store    *store.Store
	db       *sql.DB
	ids      *exchange.IDs
	accounts *account.Service
	feeds    *feed.Service
	inbox    *inbox.Service
	retain   *retention.Service
	expect   *expect.Service
	links    *handover.Service
	tell     *notify.Service
	tree     *tree.Tree
	users    []model.User
	mu       sync.Mutex
	n        int
}

// next counts, to name things.
func (p *pairs) next() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	return p.n
}

func newPairs(t *testing.T, database string) *pairs {
	t.Helper()
	must := func(err error) { t.Helper(); testkit.Must(t, err) }
	p := &pairs{t: t, ctx: context.Background()}
	p.store, _ = testkit.OpenStore(t, farAway(t, database))
	var err error
	p.db, err = sql.Open("pgx", database)
	must(err)
	t.Cleanup(func() { must(p.db.Close()) })
	p.ids = exchange.NewIDs(time.Now, rand.Reader)
	blobs, err := disk.Open(t.TempDir(), time.Now)
	must(err)
	log, key, all := slog.New(slog.DiscardHandler), testkit.SigningKey(t), exchange.AllRights
	p.accounts = account.New(p.store, time.Now, p.ids,
		account.Policy{MaxKeys: 1 << 20, KeyTypes: []string{"ed25519"}, Overlap: time.Hour,
			Templates: map[model.UserKind]account.Template{model.KindVendor: {StartDir: "/", Root: all},
				model.KindCustomer: {StartDir: "/", Root: all}}})
	p.retain = retention.New(retention.Options{Store: p.store, Blobs: blobs, Clock: time.Now, IDs: p.ids, Log: log,
		Key: key, Node: "node", Policy: retention.Policy{Keep: "12mo", Day: 1, AfterClose: 100 * 24 * time.Hour}})
	p.feeds = feed.New(feed.Options{Store: p.store, Blobs: blobs, Clock: time.Now, IDs: p.ids, Key: key,
		Bounds: feed.Bounds{MaxFile: 1 << 20}, Class: p.retain.Class})
	p.inbox = inbox.New(inbox.Options{Store: p.store, Blobs: blobs, Clock: time.Now, IDs: p.ids, Log: log, Key: key,
		Lease: time.Second})
	p.expect = expect.New(expect.Options{Store: p.store, Clock: time.Now, IDs: p.ids, Log: log})
	p.links = handover.New(p.store, time.Now, p.ids)
	p.tell = notify.New(notify.Options{Store: p.store, Clock: time.Now, IDs: p.ids, Log: log})
	p.tree, err = tree.New(tree.Options{Store: p.store, Blobs: blobs, Clock: time.Now, IDs: p.ids, Log: log,
		Policy: tree.Policy{MaxFile: 1 << 30, Limits: exchange.DefaultLimits{QuotaBytes: 1 << 40, QuotaFiles: 1 << 30},
			MaxCopy: 1 << 20, KeepPartial: time.Hour},
		Hooks: tree.Hooks{Class: p.retain.Class,
			OnGone: func(tx *store.Tx, id string, replaced bool) (bool, error) {
				needed, err := p.inbox.Gone(tx, id, replaced)
				if err != nil {
					return false, err
				}
				held, err := p.retain.Held(tx, id)
				return needed || held, err
			},
			OnCommit: p.inbox.Arrived, OnRename: p.inbox.Renamed,
			OnServed: p.feeds.Served}})
	must(err)
	t.Cleanup(p.tree.Close)

	_, err = p.accounts.AddVendor(p.ctx, "test", model.NewVendor{Short: "tap", Name: "TAP"})
	must(err)
	_, err = p.feeds.AddFeed(p.ctx, "test", model.NewFeed{Name: "bills", Kind: "bill", Pattern: "bill-{seq}.csv"})
	must(err)
	for _, email := range []string{"ann@tap.example", "bob@tap.example"} {
		_, err = p.accounts.AddContact(p.ctx, "test", model.NewContact{Vendor: "tap", Name: email, Email: email})
		must(err)
		_, err = p.accounts.SetContact(p.ctx, "test", email, model.EditContact{Verified: new("by phone")})
		must(err)
	}
	for _, id := range []string{"acme", "beta", "carl"} {
		_, err = p.accounts.AddAccount(p.ctx, "test", model.NewAccount{ID: id, Name: id})
		must(err)
		u, err := p.accounts.AddUser(p.ctx, "test", model.NewUser{Account: id, Vendor: "tap"})
		must(err)
		p.users = append(p.users, u)
		_, err = p.feeds.Subscribe(p.ctx, "test", "bills", model.NewSubscription{User: u.Name})
		must(err)
	}
	return p
}

// farAway is a database a network away: whoever holds a lock holds it for as long
// as the next statement travels, which is when others come to want it.
func farAway(t *testing.T, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	testkit.Must(t, err)
	server := u.Host
	l, err := net.Listen("tcp", "127.0.0.1:0")
	testkit.Must(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", server)
			if err != nil {
				_ = in.Close()
				continue
			}
			all.Go(func() {
				_, _ = io.Copy(in, out)
				_ = in.Close()
			})
			all.Go(func() {
				defer out.Close()
				for b := make([]byte, 64<<10); ; {
					n, err := in.Read(b)
					time.Sleep(500 * time.Microsecond)
					if _, werr := out.Write(b[:n]); err != nil || werr != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { // the store was closed before
		_ = l.Close()
		all.Wait()
	})
	u.Host = l.Addr().String()
	return u.String()
}

// session is a log-in of a user, as it is now.
func (p *pairs) session(u model.User, do func(s *tree.Session) error) error {
	n, err := p.store.Read(p.ctx).RevocationNumber()
	if err != nil {
		return err
	}
	s := p.tree.Begin(exchange.Login{User: u, Fingerprint: "SHA256:test", Revocation: n}, nil)
	defer s.End()
	return do(s)
}

func (p *pairs) put(s *tree.Session, path string) error {
	return s.Store(path, strings.NewReader(fmt.Sprint(p.next())))
}

// one runs something for the user whose turn it is.
func (p *pairs) one(do func(u model.User) error) error {
	return do(p.users[p.next()%len(p.users)])
}

func (p *pairs) publish() error {
	_, err := p.feeds.Publish(p.ctx, "test",
		feed.Publication{Feed: "bills", All: true, Name: fmt.Sprintf("bill-%d.csv", p.next()%7), Size: -1,
			Body: strings.NewReader(fmt.Sprintf("a,b\n%d,2\n", p.next()))})
	return err
}

func (p *pairs) key() string {
	pub, err := ssh.NewPublicKey(testkit.NewKey(p.t).PublicKey().(ssh.CryptoPublicKey).CryptoPublicKey())
	testkit.Must(p.t, err)
	return string(ssh.MarshalAuthorizedKey(pub))
}

// expire runs retention over some of what every mailbox has.
func (p *pairs) expire() error {
	var items []model.RetentionItem
	for _, account := range []string{"acme", "beta", "carl"} {
		list, err := p.store.Read(p.ctx).KeptOfAccount(account, "", 4)
		if err != nil {
			return err
		}
		for _, k := range list {
			items = append(items, model.RetentionItem{Account: k.Account, Version: k.ID, UserID: k.UserID, Path: "/" + k.Name,
				Size: k.Size, Sum: k.Sum, Class: k.Class, StoredAt: k.StoredAt, State: model.ItemNamed})
		}
	}
	at := time.Now()
	run := model.RetentionRun{ID: p.ids.New(), Kind: model.RunClosing, Account: "acme", DueAt: at.Add(-time.Hour),
		State: model.RunAnnounced, CreatedAt: at.Add(-2 * time.Hour)}
	if err := testkit.Write(p.ctx, p.store, func(tx *store.Tx) error {
		if err := tx.PutRun(run); err != nil {
			return err
		}
		for _, id := range []string{"acme", "beta", "carl"} {
			if err := tx.AddRetentionNotice(model.RetentionNotice{ID: p.ids.New(), Run: run.ID, Account: id, Mark: "first",
				At: at.Add(-time.Hour)}); err != nil {
				return err
			}
		}
		return tx.AddItems(run.ID, items)
	}); err != nil {
		return err
	}
	return p.retain.Step(p.ctx)
}

// work is what the product does, by name. Each leaves the world as others need
// it, and may be refused; that they wait for one another in a circle is what is
// looked for.
func (p *pairs) work() map[string]func() error {
	actor := "test"
	return map[string]func() error{
		"publish": p.publish,
		"upload and replace": func() error {
			return p.one(func(u model.User) error {
				return p.session(u,
					func(s *tree.Session) error { return errors.Join(p.put(s, "/a"), p.put(s, "/a"), p.put(s, "/b")) })
			})
		},
		"rename over": func() error {
			return p.one(func(u model.User) error {
				return p.session(u,
					func(s *tree.Session) error { return errors.Join(p.put(s, "/c.part"), s.Rename("/c.part", "/a", true)) })
			})
		},
		"remove": func() error {
			return p.one(func(u model.User) error {
				return p.session(u, func(s *tree.Session) error {
					return errors.Join(s.Remove("/a"), s.Remove("/download/bills/bill-1.csv"), s.Remove("/download/bills/bill-2.csv"))
				})
			})
		},
		"folders": func() error {
			return p.one(func(u model.User) error {
				return p.session(u, func(s *tree.Session) error {
					return errors.Join(s.Mkdir("/d"), s.Rename("/d", "/e", false), s.Rmdir("/e"), s.Mkdir("/start"))
				})
			})
		},
		"fetch": func() error {
			return p.one(func(u model.User) error {
				list, err := p.feeds.Deliveries(p.ctx,
					model.DeliveryFilter{User: u.Name, Paging: model.Paging{Limit: 5}, State: model.DeliveryPublished})
				for _, d := range list {
					version, err := p.store.Read(p.ctx).VersionOfDelivery(d.ID)
					if err != nil {
						return err
					}
					if err := p.feeds.Served(&exchange.Login{User: u}, version, exchange.Spans{{From: 0, To: 1}}); err != nil {
						return err
					}
				}
				return err
			})
		},
		"withdraw": func() error {
			list, err := p.feeds.Deliveries(p.ctx,
				model.DeliveryFilter{Paging: model.Paging{Limit: 6}, State: model.DeliveryPublished})
			for _, d := range list {
				_, more := p.feeds.Withdraw(p.ctx, actor, d.ID, "a mistake")
				err = errors.Join(err, more)
			}
			return err
		},
		"subscribe": func() error {
			return p.one(func(u model.User) error {
				err := p.feeds.Unsubscribe(p.ctx, actor, "bills", u.Name)
				_, again := p.feeds.Subscribe(p.ctx, actor, "bills", model.NewSubscription{User: u.Name, Days: 1})
				return errors.Join(err, again)
			})
		},
		"retention": p.expire,
		"hold": func() error {
			h, err := p.retain.Hold(p.ctx, actor,
				model.NewHold{Kind: model.HoldFile, Target: p.users[0].Name + ":/a", Reason: "case 7"})
			if err != nil {
				return err
			}
			_, err = p.retain.Release(p.ctx, actor, h.ID)
			return err
		},
		"policy": func() error {
			_, err := p.retain.SetPolicy(p.ctx, actor,
				model.SetPolicy{User: p.users[1].Name, Keep: fmt.Sprintf("%dd", 400+p.next()%50)})
			return err
		},
		"claim": func() error {
			list, err := p.inbox.Claim(p.ctx, actor, model.NewClaim{Consumer: "rating", Limit: 20})
			for i, d := range list {
				switch i % 3 {
				case 0:
					_, err = p.inbox.Ack(p.ctx, actor, d.ID, d.Claim)
				case 1:
					_, err = p.inbox.Reject(p.ctx, actor, d.ID, d.Claim, "damaged", "")
				default:
					_, err = p.inbox.Release(p.ctx, actor, d.ID, d.Claim)
				}
			}
			return err
		},
		"claim as a login": func() error {
			g := store.NewGuard(exchange.Login{User: model.User{ID: "billing"}})
			list, err := p.inbox.List(p.ctx, model.DropFilter{State: model.DropNew, Paging: model.Paging{Limit: 3}})
			for _, d := range list {
				d, err := p.inbox.ClaimOne(p.ctx, g, actor, "billing", d.ID)
				if err == nil {
					_, err = p.inbox.Ack(p.ctx, actor, d.ID, d.Claim)
				}
				if err != nil {
					return err
				}
			}
			return err
		},
		"keys": func() error {
			line, old := p.key(), ""
			for _, u := range p.users {
				k, err := p.accounts.AddKeys(p.ctx, actor, u.Name, model.NewKey{Text: line})
				if err != nil {
					return err
				}
				old = k[0].Fingerprint
			}
			next, err := p.accounts.AddKeys(p.ctx, actor, p.users[0].Name, model.NewKey{Text: p.key(), Replaces: old})
			if err != nil {
				return err
			}
			err = testkit.Write(p.ctx, p.store, func(tx *store.Tx) error {
				return tx.KeysUsed([]store.KeyUse{{KeyID: next[0].ID, At: time.Now()}}, time.Minute)
			})
			_, revoked := p.accounts.RevokeKey(p.ctx, actor, old, "replaced", false)
			return errors.Join(err, revoked)
		},
		"change users": func() error {
			return p.one(func(u model.User) error {
				dir, on := "/start", true
				_, err := p.accounts.SetUser(p.ctx, actor, u.Name,
					model.EditUser{Enabled: &on, StartDir: &dir, MakeStartDir: true})
				look, all := []string{"read", "list"}, []string{"all"}
				_, set := p.accounts.EditDir(p.ctx, actor, u.Name, model.EditDirectory{Path: dir, Rights: &all})
				_, root := p.accounts.EditDir(p.ctx, actor, u.Name, model.EditDirectory{Path: "/start", Rights: &look})
				_, applied := p.accounts.ApplyTemplate(p.ctx, actor, u.Name, model.ApplyTemplate{})
				return errors.Join(err, set, root, applied)
			})
		},
		"rename and remove users": func() error {
			id := fmt.Sprintf("new%d", p.next())
			_, err := p.accounts.AddUser(p.ctx, actor, model.NewUser{Account: "beta", Name: id})
			_, renamed := p.accounts.RenameUser(p.ctx, actor, id, model.RenameUser{Name: id + "r"})
			_, other := p.accounts.AddUser(p.ctx, actor, model.NewUser{Account: "beta", Name: id + "x"})
			return errors.Join(err, renamed, other, p.accounts.RemoveUser(p.ctx, actor, id+"x"))
		},
		"suspend": func() error {
			_, err := p.accounts.SetState(p.ctx, actor, "beta", model.AccountSuspended)
			_, again := p.accounts.SetState(p.ctx, actor, "beta", model.AccountActive)
			return errors.Join(err, again)
		},
		"close an account": func() error {
			id := fmt.Sprintf("gone%d", p.next())
			if _, err := p.accounts.AddAccount(p.ctx, actor, model.NewAccount{ID: id, Name: id}); err != nil {
				return err
			}
			u, err := p.accounts.AddUser(p.ctx, actor, model.NewUser{Account: id})
			if err != nil {
				return err
			}
			_, err = p.feeds.Subscribe(p.ctx, actor, "bills", model.NewSubscription{User: u.Name, Days: 1})
			_, first := p.accounts.Close(p.ctx, actor, id, "90d")
			_, planned := p.retain.PlanClosing(p.ctx, id)
			_, reopened := p.accounts.Reopen(p.ctx, actor, id)
			_, closed := p.accounts.Close(p.ctx, actor, id, "")
			return errors.Join(err, first, planned, reopened, closed, p.feeds.Unsubscribe(p.ctx, actor, "bills", u.Name))
		},
		"links": func() error {
			token := sha256.Sum256([]byte(fmt.Sprint("token", p.next())))
			if _, err := p.links.Make(p.ctx, actor,
				model.NewLink{Kind: model.LinkVerify, Contact: "ann@tap.example", Token: token[:]}); err != nil {
				return err
			}
			return p.links.Open(p.ctx, token[:], "192.0.2.1", func(model.Link, []byte) error { return nil })
		},
		"contacts": func() error {
			_, err := p.accounts.SetContact(p.ctx, actor, "ann@tap.example",
				model.EditContact{Email: new("ann2@tap.example"), Verified: new("by phone")})
			_, back := p.accounts.SetContact(p.ctx, actor, "ann2@tap.example",
				model.EditContact{Email: new("ann@tap.example"), Verified: new("by phone")})
			_, bounced := p.tell.Bounced(p.ctx, actor, model.Bounce{Address: "bob@tap.example", Why: "no such user"})
			return errors.Join(err, back, bounced)
		},
		"expectations": func() error {
			name := fmt.Sprintf("x%d", p.next())
			_, err := p.expect.Add(p.ctx, actor,
				model.NewExpectation{Name: name, User: p.users[0].Name, AtLeast: 1, Days: "daily", Clock: "06:00", Zone: "UTC"})
			return errors.Join(err, p.expect.Remove(p.ctx, actor, name))
		},
	}
}

// TestNoTwoTransactionsWaitForEachOther runs everything that the product does
// beside everything else, on mailboxes that all of it wants: PostgreSQL must
// find no deadlock, and no transaction take locks in another than the one order.
func TestNoTwoTransactionsWaitForEachOther(t *testing.T) {
	cluster := testkit.Postgres(t)
	worlds := make([]*pairs, 4) // most of the time is spent on waiting for answers
	var all sync.WaitGroup
	pairs := make(chan [2]string)
	for i := range worlds {
		p := newPairs(t, cluster.Database(t))
		worlds[i] = p
		all.Go(func() {
			work := p.work()
			for _, name := range []string{"publish", "upload and replace"} {
				if err := work[name](); err != nil {
					t.Error(err)
				}
			}
			for pair := range pairs {
				p.beside(pair[0], pair[1], work)
			}
		})
	}
	names := slices.Sorted(maps.Keys(worlds[0].work()))
	for i, a := range names {
		for _, b := range names[i:] {
			pairs <- [2]string{a, b}
		}
	}
	close(pairs)
	all.Wait()
	time.Sleep(1500 * time.Millisecond) // PostgreSQL's connections report what they counted once a second
	for _, p := range worlds {
		if n := p.deadlocks(); n > 0 {
			t.Errorf("PostgreSQL ended %d deadlocks", n)
		}
	}
	for _, action := range []string{"feed.publish", "file.store", "file.rename", "file.remove", "dir.make", "dir.rename",
		"dir.remove", "delivery.open", "delivery.withdraw", "feed.subscribe", "feed.backfill", "retention.hold",
		"retention.release", "retention.policy", "retention.run",
		"retention.done", "file.expire", "drop.claim", "drop.ack",
		"drop.reject", "key.add", "key.rotate", "key.revoke", "user.enable", "account.suspended", "account.closed",
		"account.reopened", "retention.cancel", "user.rename", "user.remove", "dir.set",
		"link.make", "link.open", "contact.set", "contact.bounced",
		"expectation.add"} {
		total := 0
		for _, p := range worlds {
			var n int
			testkit.Must(t, p.db.QueryRow(`SELECT COUNT(*) FROM audit WHERE action = $1`, action).Scan(&n))
			total += n
		}
		t.Logf("%-20s %5d times", action, total)
		if total == 0 {
			t.Errorf("%s never worked", action)
		}
	}
}

// beside runs two kinds of work beside each other and beside themselves, for a
// while and until each was done once.
func (p *pairs) beside(a, b string, work map[string]func() error) {
	const least = 50 * time.Millisecond
	var all sync.WaitGroup
	var left atomic.Int64
	began := time.Now()
	workers := []string{a, b, a, b}
	left.Store(int64(len(workers)))
	for _, name := range workers {
		all.Go(func() {
			for first := true; first || left.Load() > 0 || time.Since(began) < least; first = false {
				err := work[name]()
				if fault := lockFault(err); fault != "" {
					p.t.Errorf("%s, while there was %s and %s: %s: %v", name, a, b, fault, err)
				}
				if first {
					left.Add(-1)
				}
			}
		})
	}
	all.Wait()
}

// deadlocks is how many PostgreSQL has ended so far.
func (p *pairs) deadlocks() (n int) {
	p.t.Helper()
	_, err := p.db.Exec(`SELECT pg_stat_clear_snapshot()`)
	testkit.Must(p.t, err)
	testkit.Must(p.t, p.db.QueryRow(`SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&n))
	return n
}

// lockFault names what must not be among the reasons of an error; "" if it is not.
func lockFault(err error) string {
	if err == nil {
		return ""
	}
	for what, text := range map[string]string{"a deadlock": "40P01", "a lock timeout": "55P03",
		"a statement timeout": "57014", "a wrong order": "lock order"} {
		if strings.Contains(err.Error(), text) {
			return what
		}
	}
	if fault.Is(err, fault.Internal) {
		return "a fault of the program"
	}
	return ""
}
