package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// auditShare returns the share of the audit row and outbox row in the processor time of a batched
// commit.
func auditShare(ctx context.Context, dir string, z sizes) (float64, error) {
	l, u, err := openLabWithUser(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer l.close()
	var shares []float64
	for turn := range 6 {
		var used [2]time.Duration // without, with
		for i := range used {
			told := (i+turn)%2 == 1 // the order changes every turn
			took, err := busy(func() error { return commits(ctx, l, u, 2*z.files, told) })
			if err != nil {
				return 0, err
			}
			if told {
				used[1] = took
			} else {
				used[0] = took
			}
		}
		shares = append(shares, 1-used[0].Seconds()/used[1].Seconds())
	}
	return median(shares), nil
}

// commits makes n commits like those of an upload, 64 at a time. If told, each has its audit row
// and outbox row.
func commits(ctx context.Context, l *lab, u model.User, n int, told bool) error {
	var next atomic.Int64
	var work sync.WaitGroup
	fail := make(chan error, 64)
	for range 64 {
		work.Go(func() {
			for next.Add(1) <= int64(n) {
				if err := l.store.Write(ctx, func(tx *store.Tx) error { return commitOne(tx, l, u, told) }); err != nil {
					fail <- err
					return
				}
			}
		})
	}
	work.Wait()
	select {
	case err := <-fail:
		return err
	default:
		return nil
	}
}

func commitOne(tx *store.Tx, l *lab, u model.User, told bool) error {
	id, now := l.ids.New(), time.Now()
	sum := []byte(id + "xxxxxx")
	if _, err := tx.RevocationNumber(); err != nil {
		return err
	}
	if _, err := tx.LockMailbox(u.ID); err != nil {
		return err
	}
	if _, _, err := tx.DirPath(u.ID); err != nil {
		return err
	}
	if _, err := tx.Walk(u.ID, []string{id}); err != nil {
		return err
	}
	if err := tx.AddBlob(store.Blob{ID: id, Key: "bench/" + id, Size: 64, SHA256: sum}, 1, time.UnixMicro(1)); err != nil {
		return err
	}
	if _, err := tx.File(u.ID, id); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err := tx.AddVersion(store.Version{ID: id, FileID: id, UserID: u.ID, BlobID: id, HashState: make([]byte, 108),
		Actor: "user:bench", StoredAt: now}); err != nil {
		return err
	}
	if err := tx.PutFile(store.File{DirID: u.ID, Name: id, FileID: id, VersionID: id, Size: 64,
		Mtime: now, Mode: 0o644}); err != nil {
		return err
	}
	if err := tx.Use(u.ID, store.Counts{Bytes: 64, Files: 1},
		model.StorageLimits{QuotaBytes: 1 << 60, QuotaFiles: 1 << 60}); err != nil {
		return err
	}
	drops := []store.NewDrop{{VersionID: id, UserID: u.ID, Path: "/" + id, Size: 64, SHA256: sum,
		Fingerprint: "SHA256:bench", Address: "192.0.2.1", ReceivedAt: now}}
	if _, _, err := tx.Twins(u.ID, drops); err != nil {
		return err
	}
	if err := tx.AddDrops(drops); err != nil {
		return err
	}
	if !told {
		tx.Unaudited("what the audit row costs is measured")
		return nil
	}
	if err := tx.Emit(model.Event{ID: l.ids.New(), Type: model.EventReceived, At: now, Account: "bench", User: "bench",
		Data: map[string]any{
			"drop": id, "path": "/" + id, "name": id, "size": 64, "sha256": fmt.Sprintf("%x", sum), "key": "SHA256:bench",
			"address": "192.0.2.1"}}); err != nil {
		return err
	}
	return tx.Audit(model.AuditRow{ID: l.ids.New(), At: now, Actor: "user:bench", Action: "file.store", Subject: "/" + id,
		User: u.ID, Detail: map[string]string{
			"version": id, "size": "64", "sha256": fmt.Sprintf("%x", sum), "key": "SHA256:bench", "address": "192.0.2.1",
			"session": id}})
}

// seed writes audit rows that are not sealed.
func seed(ctx context.Context, l *lab, rows int) error {
	for rows > 0 {
		n := min(rows, 2000)
		err := l.store.Write(ctx, func(tx *store.Tx) error {
			for range n {
				id := l.ids.New()
				if err := tx.Audit(model.AuditRow{ID: id, At: time.Now(), Actor: "user:bench", Action: "file.store",
					Subject: "/upload/" + id + ".csv", User: id,
					Detail: map[string]string{"version": id, "size": "64", "sha256": madeUp(id), "key": madeUp("k"),
						"address": "192.0.2.1", "session": id}}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		rows -= n
	}
	return nil
}

func sealing(ctx context.Context, dir string, z sizes) (float64, error) {
	l, err := openLab(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer l.close()
	if err := seed(ctx, l, z.many/2); err != nil {
		return 0, err
	}
	began := time.Now()
	err = l.audits.Seal(ctx)
	return float64(z.many/2) / time.Since(began).Seconds(), err
}

func verifying(ctx context.Context, dir string, z sizes) (float64, error) {
	l, err := openLab(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer l.close()
	if err := errors.Join(seed(ctx, l, z.many*2), l.audits.Seal(ctx)); err != nil {
		return 0, err
	}
	began := time.Now()
	v := audit.Verifier{Store: l.store, Public: l.key.Public()}
	report, err := v.Verify(ctx)
	if err == nil && (!report.OK || report.Rows < int64(z.many*2)) {
		err = fmt.Errorf("%+v", report)
	}
	return float64(z.many*2) / time.Since(began).Seconds(), err
}
