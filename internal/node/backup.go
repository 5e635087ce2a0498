package node

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/backup"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/datadir"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/handover"
	"github.com/sallyport-sftp/sallyport/internal/identity"
	"github.com/sallyport-sftp/sallyport/internal/operator"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// What the command line shows of backups.
type (
	// BackupOutcome says how a backup went.
	BackupOutcome = backup.Outcome
	// BackupReport says what was found of a backup.
	BackupReport = backup.Report
	// RestoreOpened says what happened after the backup was made.
	RestoreOpened = backup.Opened
	// S3 says how a bucket is reached.
	S3 = backup.S3
)

// BackupRequest asks for a backup.
type BackupRequest struct {
	Target          string
	S3              S3
	Recipients      []string // age's public keys
	RecipientsFiles []string
	Keep            int
	Rate            int64 // bytes a second; 0: no limit
	Out             io.Writer
	Actor           string
	Clock           exchange.Clock
	Progress        func(done, total int64)
}

// Backup makes a backup of the configured deployment, whether its server runs or not, and records how it went.
func Backup(ctx context.Context, cfg config.Config, r BackupRequest) (out BackupOutcome, err error) {
	if closed, err := backup.Closed(cfg.Data); err != nil || closed != nil {
		if err == nil {
			err = stillClosed(cfg.Data)
		}
		return out, err
	}
	to, err := backup.Recipients(r.Recipients, r.RecipientsFiles)
	if err != nil {
		return out, err
	}
	s, err := store.Beside(ctx, store.Options{Dir: cfg.Data, URL: cfg.Database.URL})
	if err != nil {
		return out, err
	}
	defer s.Close()
	o := backup.Options{Store: s, Database: kindOf(cfg), Data: cfg.Data, Clock: r.Clock, Program: exchange.Version,
		Keep: r.Keep, Rate: r.Rate, Progress: r.Progress}
	if o.Known, err = publicKeys(cfg.Data); err != nil {
		return out, err
	}
	o.Signer, _, _ = strings.Cut(o.Known, "\n")
	target, err := backup.OpenTarget(ctx, r.Target, backup.TargetOptions{S3: r.S3, To: to, Out: r.Out, Clock: r.Clock})
	if err != nil {
		return out, errors.Join(err, recordBackup(s, r, backup.Outcome{At: r.Clock().UTC(), To: r.Target,
			Error: fault.PublicText(err)}))
	}
	out, err = backup.Make(ctx, o, target)
	if closed := target.Close(); closed != nil && err == nil {
		out.OK, out.Error, err = false, fault.PublicText(closed), closed
	}
	if recorded := recordBackup(s, r, out); err == nil {
		err = recorded
	}
	return out, err
}

func kindOf(cfg config.Config) string {
	if cfg.Database.URL != "" {
		return "postgres"
	}
	return "sqlite"
}

// publicKeys reads the public halves of the signing keys, the present one first; "" if there is none yet.
func publicKeys(data string) (string, error) {
	text, err := os.ReadFile(filepath.Join(proof.SigningDir(data), "key.pub"))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// recordBackup writes down how a backup went, for status, metrics and the audit log.
func recordBackup(s *store.Store, r BackupRequest, out BackupOutcome) error {
	text, err := json.Marshal(out)
	if err != nil {
		return err
	}
	row := model.AuditRow{ID: exchange.NewIDs(r.Clock, rand.Reader).New(), At: r.Clock().UTC().Truncate(time.Microsecond),
		Actor: r.Actor, Action: "backup.make", Subject: out.To, Detail: map[string]string{"snapshot": out.Snapshot,
			"ok": strconv.FormatBool(out.OK), "files": strconv.FormatInt(out.Files, 10),
			"bytes": strconv.FormatInt(out.Bytes, 10), "error": out.Error}}
	return s.Write(context.Background(), func(tx *store.Tx) error { // even if the backup was interrupted
		if out.OK {
			if err := tx.SetSetting(backup.GoodSetting, string(text)); err != nil {
				return err
			}
		}
		if err := tx.SetSetting(backup.Setting, string(text)); err != nil {
			return err
		}
		return tx.Audit(row)
	})
}

// RestoreRequest asks for a backup to be verified or restored.
type RestoreRequest struct {
	Source     string
	Snapshot   string
	S3         S3
	Identities []string // files with age's private keys
	In         io.Reader
	Clock      exchange.Clock
	Progress   func(done, total int64)
}

func (r RestoreRequest) open(ctx context.Context) (*backup.Source, error) {
	from, err := backup.Identities(r.Identities)
	if err != nil {
		return nil, err
	}
	return backup.OpenSource(ctx, r.Source, backup.SourceOptions{S3: r.S3, From: from, In: r.In, Snapshot: r.Snapshot})
}

// VerifyBackup reads a whole backup, and changes nothing.
func VerifyBackup(ctx context.Context, r RestoreRequest) (*BackupReport, error) {
	s, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return backup.Verify(ctx, s, r.Clock, r.Progress)
}

// Restore fills the configured data folder, and the database, which must be empty.
func Restore(ctx context.Context, cfg config.Config, r RestoreRequest) (*BackupReport, error) {
	s, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	dir, err := datadir.Claim(cfg.Data, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return backup.Restore(ctx, s, backup.RestoreOptions{Data: cfg.Data, URL: cfg.Database.URL, Clock: r.Clock,
		Progress: r.Progress})
}

// OpenRequest asks for a restored data folder to be opened.
type OpenRequest struct {
	Journals []string // copies of the journal; none: those beside audit.checkpoints
	Reason   string
	Dry      bool
	Log      *slog.Logger
	Clock    exchange.Clock
}

// OpenRestored opens a restored data folder: it replays what was taken back after the backup was made.
func OpenRestored(ctx context.Context, cfg config.Config, r OpenRequest) (*RestoreOpened, error) {
	closed, err := backup.Closed(cfg.Data)
	if err != nil {
		return nil, err
	}
	if closed == nil {
		return backup.Open(ctx, backup.OpenOptions{Data: cfg.Data}) // says so
	}
	dir, err := datadir.Claim(cfg.Data, r.Log)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	ids := exchange.NewIDs(r.Clock, rand.Reader)
	holder := store.Holder{Name: dir.NodeName(ids) + " (" + cfg.Data + ")", Lock: dir.LockIdentity(), Log: r.Log}
	s, err := store.Open(ctx, store.Options{Dir: cfg.Data, URL: cfg.Database.URL, Holder: &holder})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	policy, err := accountPolicy(&cfg)
	if err != nil {
		return nil, err
	}
	vault, err := identity.OpenVault(cfg.Data)
	if err != nil {
		return nil, err
	}
	o := backup.OpenOptions{Data: cfg.Data, Journals: r.Journals, Reason: r.Reason, Dry: r.Dry,
		Services: backup.Services{Store: s, Accounts: account.New(s, r.Clock, ids, policy),
			Links: handover.New(s, r.Clock, ids), Clock: r.Clock, IDs: ids,
			Operators: operator.New(operator.Options{Store: s, Clock: r.Clock, IDs: ids, Vault: vault, Log: r.Log,
				Policy: operatorPolicy(&cfg)})}}
	if o.Public, err = publicKeys(cfg.Data); err != nil {
		return nil, err
	}
	if len(o.Journals) == 0 {
		for _, to := range cfg.Audit.Checkpoints {
			if path, ok := strings.CutPrefix(to, "file:"); ok {
				o.Journals = append(o.Journals, path+audit.JournalEnd)
			}
		}
	}
	return backup.Open(ctx, o)
}

// holdBlobs keeps backups away while the sweep removes some files.
func (n *Node) holdBlobs() (release func(), err error) {
	release, err = datadir.Hold(n.cfg.Data)
	if errors.Is(err, datadir.ErrHeld) {
		err = retention.ErrHeld
	}
	return release, err
}
func (n *Node) lastBackups(ctx context.Context) (newest, good time.Time, why string, err error) {
	return lastBackups(ctx, n.store)
}
