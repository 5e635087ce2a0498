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
	need := max(0, size-img.credit)
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

// takeCredit lets an image replace the stored file of its name without counting
// its bytes twice, unless another image of the name does already. Callers hold
// box.mu, and add the image afterwards.
func (img *image) takeCredit() {
	for _, other := range img.box.images[img.key] {
		if other != img && other.credit > 0 {
			return
		}
	}
	img.credit = img.covers
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

// checkFiles refuses a new name past the limit on files. Unfinished uploads count.
func (s *Session) checkFiles() error {
	use, err := s.query().Usage(s.login.User.ID)
	if err != nil {
		return err
	}
	limit := cmp.Or(use.QuotaFiles, s.t.policy.QuotaFiles)
	s.box.mu.Lock()
	unfinished := s.box.unfinished()
	s.box.mu.Unlock()
	if use.Files+unfinished < limit {
		return nil
	}
	if unfinished > 0 {
		return exchange.E("tree.checkFiles", exchange.Quota, "Quota exceeded: %d of %d files are in use, and %d uploads are unfinished.", use.Files, limit, unfinished)
	}
	return exchange.E("tree.checkFiles", exchange.Quota, "Quota exceeded: %d of %d files are in use.", use.Files, limit)
}

// unfinished counts the images that would be new files. Callers hold mu.
func (b *mailbox) unfinished() (n int64) {
	for _, list := range b.images {
		for _, img := range list {
			if img.state == open && img.dirty && img.over == "" {
				n++
				break // a name is one file, however many write it
			}
		}
	}
	return n
}

// checkUnfinished refuses one more image when there are too many. Callers hold box.mu.
func (s *Session) checkUnfinished() error {
	if limit := s.t.policy.Unfinished; limit > 0 && s.box.total >= limit {
		return exchange.E("tree.checkUnfinished", exchange.Quota, "%d uploads are unfinished, which is the limit; finish or remove some.", s.box.total)
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
		Files: cmp.Or(use.QuotaFiles, s.t.policy.QuotaFiles), UsedFiles: use.Files + s.box.unfinished()}, nil
}
