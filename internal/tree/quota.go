package tree

import (
	"cmp"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// reserveStep is the most that an image reserves ahead, in bytes.
const reserveStep = 16 << 20

// reserve makes sure that an image may grow to size: within the file limit,
// the user's quota and the free-space floor. It reserves ahead, doubling up to
// reserveStep, so that most writes ask nobody. The commit decides for good.
func (s *Session) reserve(img *image, size int64) error {
	const op = "tree.reserve"
	p := &s.t.policy
	if size > p.MaxFile || size < 0 {
		return exchange.E(op, exchange.TooLarge, "The file is larger than the limit of %d bytes.", p.MaxFile)
	}
	s.box.mu.Lock()
	need := max(0, size-img.covers)
	enough := need <= img.booked
	s.box.mu.Unlock()
	if enough {
		return nil
	}
	if err := s.checkFloor(); err != nil {
		return err
	}
	use, err := s.query().Usage(s.login.User.ID)
	if err != nil {
		return err
	}
	limit := cmp.Or(use.QuotaBytes, p.QuotaBytes)
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	others := use.Bytes + s.box.reserved - img.booked
	want := min(2*need, need+reserveStep)
	if others+want > limit {
		want = need // ahead does not fit; exactly may
	}
	if others+want > limit {
		return exchange.E(op, exchange.Quota, "Quota exceeded: %d of %d bytes are in use.", use.Bytes, limit)
	}
	s.box.reserved += want - img.booked
	img.booked = want
	return nil
}

// checkFloor refuses uploads while the storage is nearly full, so that the
// database can always commit.
func (s *Session) checkFloor() error {
	free, err := s.t.blobs.Free()
	if err != nil {
		return err
	}
	if free < s.t.policy.FreeFloor {
		return exchange.E("tree.checkFloor", exchange.NoSpace, "The server's storage is full; please try later.")
	}
	return nil
}

// checkFiles refuses a new name past the limit on files.
func (s *Session) checkFiles() error {
	use, err := s.query().Usage(s.login.User.ID)
	if err != nil {
		return err
	}
	if limit := cmp.Or(use.QuotaFiles, s.t.policy.QuotaFiles); use.Files >= limit {
		return exchange.E("tree.checkFiles", exchange.Quota, "Quota exceeded: %d of %d files are in use.", use.Files, limit)
	}
	return nil
}

// Space reports quota and use, with uploads under way counted.
func (s *Session) Space() (exchange.Space, error) {
	use, err := s.query().Usage(s.login.User.ID)
	if err != nil {
		return exchange.Space{}, err
	}
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	return exchange.Space{Bytes: cmp.Or(use.QuotaBytes, s.t.policy.QuotaBytes), UsedBytes: use.Bytes + s.box.reserved,
		Files: cmp.Or(use.QuotaFiles, s.t.policy.QuotaFiles), UsedFiles: use.Files}, nil
}
