// Package retention removes old files on time, and never without notice.
//
// A policy says how long files stay (policy.go). A run is planned about a month ahead
// (plan.go): every version that will be due is named, and the people of each account are
// notified (notice.go). On its day the run (run.go) removes the named versions in small
// batches. A version is removed only if it is still due, no hold covers it (hold.go), and its
// account was notified in time; with RequireNotice, the notice must have been delivered. A run
// removes nothing else. It then writes a signed report (report.go). After a policy was
// shortened, or files were imported, a run waits for an administrator's confirmation.
//
// The sweep (sweep.go) then removes blobs without references.
package retention

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Letter is a message to an account's people about a run.
type Letter struct {
	Kind     string // "expiring" or "removed"
	Account  string
	Text     string // what an operator tells them who tells them by hand
	Due      time.Time
	Closing  bool // the account was closed
	Shut     bool // its users can't log in to download
	Reminder bool
	Files    int64
	Missed   int64                 // of the files, those that were never downloaded in full
	Names    []string              // of some of those
	Ages     []string              // how old the files are, as periods
	Items    []model.RetentionItem // some of the files, those that were never downloaded first
	More     int                   // how many are left out of Items
	Ref      string                // id of the notice, or of the run for "removed"
	Signed   string
}

// Tell mails a letter to an account's billing and technical contacts, in a transaction. It
// returns the number of mails.
type Tell func(tx *store.Tx, l Letter) (int, error)

// Policy is the operator's configuration.
type Policy struct {
	Keep          string        // default period
	Day, Hour     int           // day of the month and hour, UTC, of the regular run
	Notice        time.Duration // between the first notice and the run
	Reminder      time.Duration // between the reminder and the run
	AfterClose    time.Duration // between the closing of an account and its last run
	CloseAccess   string        // what its users may do until then: model.CloseReadOnly, CloseNone
	RequireNotice bool          // an account's files stay if no notice was delivered
}

// Options configure the service.
type Options struct {
	Store  *store.Store
	Blobs  blob.Store
	Desk   *deposit.Desk // nil: the service makes its own
	Clock  exchange.Clock
	IDs    *exchange.IDs
	Log    *slog.Logger
	Key    *proof.Key
	Policy Policy
	Tell   Tell
	Zone   *time.Location // the operator's; nil: UTC
	Node   string         // name of this process among those that share the database
}

// Service implements retention.
type Service struct {
	o      Options
	policy atomic.Pointer[Policy] // in force

	mu       sync.Mutex
	rules    *rules
	loadedAt time.Time
	running  sync.Mutex // at most one run at a time in this process
}

// New returns the service.
func New(o Options) *Service {
	if o.Desk == nil {
		o.Desk = deposit.New(o.Store, o.Log)
	}
	r := &Service{o: o}
	r.policy.Store(&o.Policy)
	return r
}

// Replace puts another policy in force, from now on. A shorter default period needs a confirmation, as after a start.
func (r *Service) Replace(p Policy) {
	r.policy.Store(&p)
	r.Forget()
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

// Keep runs Step once a minute until ctx ends. Only one node works at a time.
func (r *Service) Keep(ctx context.Context) {
	exchange.Task{Every: keepEvery, Log: r.o.Log, Failure: "retention could not go on", Do: r.Step}.Run(ctx)
}

// lead takes or renews the lease of the node that plans and runs. It returns false if another
// node has it.
func (r *Service) lead(ctx context.Context) (bool, error) {
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) (bool, error) {
		now := r.now()
		return tx.TakeLease(leaseName, r.o.Node, now, now.Add(leaseFor))
	})
}

// Step does everything that is due now. It does nothing if another node has the lease.
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
