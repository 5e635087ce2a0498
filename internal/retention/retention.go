// Package retention forgets on time, and never by surprise.
//
// A policy says how long files stay (policy.go). A month ahead a run is planned
// (plan.go): every version that will be due is named, and each account's people
// are told (notice.go). On its day the run (run.go) removes what was named, if
// it is still due, nobody holds it (hold.go) and its notice reached somebody,
// in small batches, and leaves a signed report (report.go). Nothing else is
// ever removed. After a policy was shortened, or files were imported, a run
// waits until an administrator has confirmed it.
//
// The sweep (sweep.go) then removes the bytes that nothing refers to.
package retention

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Letter is what an account's people are told of a run.
type Letter struct {
	Kind    string // expiring, removed
	Account string
	Text    string
	Head    []string
	Rows    [][]string
	More    int
	Ref     string // the notice's id
	Signed  string
}

// Tell mails a letter to an account's billing and technical contacts, in a
// transaction, and returns to how many.
type Tell func(tx *store.Tx, l Letter) (int, error)

// Policy is what the operator configured.
type Policy struct {
	Keep          string        // of files that no other policy keeps
	Day, Hour     int           // of the month, UTC: when the regular run is
	Notice        time.Duration // between the first notice and the run
	Reminder      time.Duration // between the second and the run
	AfterClose    time.Duration // between an account's end and its last removal
	RequireNotice bool          // files of an account whose notice reached nobody stay
}

// Options are what the service is made of.
type Options struct {
	Store  *store.Store
	Blobs  blob.Store
	Desk   *deposit.Desk // nil: one of the service's own
	Clock  exchange.Clock
	IDs    *exchange.IDs
	Log    *slog.Logger
	Key    *proof.Key
	Policy Policy
	Tell   Tell
	Node   string // names this process among those that share the database
}

// Service is retention's.
type Service struct {
	o Options

	mu       sync.Mutex
	rules    *rules
	loadedAt time.Time
	running  sync.Mutex // one run at a time in this process
}

// New opens the service.
func New(o Options) *Service {
	if o.Desk == nil {
		o.Desk = deposit.New(o.Store, o.Log)
	}
	return &Service{o: o}
}

func (r *Service) now() time.Time { return r.o.Clock().UTC().Truncate(time.Microsecond) }

func (r *Service) audit(tx *store.Tx, actor, action, subject string, detail map[string]string) error {
	return tx.Audit(model.AuditRow{ID: r.o.IDs.New(), At: r.now(), Actor: actor, Action: action, Subject: subject,
		Detail: detail})
}

const (
	keepEvery = time.Minute
	actor     = "system:retention"
	leaseName = "retention"
	leaseFor  = 10 * time.Minute
)

// Keep plans, tells and runs when it is time, until ctx ends. One node at a
// time does.
func (r *Service) Keep(ctx context.Context) {
	exchange.Task{Every: keepEvery, Log: r.o.Log, Failure: "retention could not go on", Do: r.Step}.Run(ctx)
}

// lead makes this process the one that plans and runs, for a while.
func (r *Service) lead(ctx context.Context) (bool, error) {
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) (bool, error) {
		now := r.now()
		return tx.TakeLease(leaseName, r.o.Node, now, now.Add(leaseFor))
	})
}

// Step does everything that is due now.
func (r *Service) Step(ctx context.Context) error {
	if ok, err := r.lead(ctx); err != nil || !ok {
		return err
	}
	r.running.Lock()
	defer r.running.Unlock()
	for _, do := range []func(context.Context) error{r.watchDefault, r.reclassifyPending, r.discardHalfPlanned,
		r.notifyDue, r.runDue, r.planRegular, r.planClosings, r.notifyDue} {
		if err := do(ctx); err != nil {
			return err
		}
	}
	return nil
}
