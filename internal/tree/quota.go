package tree

import (
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// reserveStep is the most that an image reserves ahead, in bytes.
const reserveStep = 16 << 20

// reserve checks that an image may grow to size bytes: the file limit, the user's quota,
// the limits on what the user and its account keep, and the free-space floor. It reserves
// up to twice as much, at most reserveStep more, so that most writes need no query. The
// commit checks again.
func (s *Session) reserve(img *image, size int64) error {
	const op = "tree.reserve"
	p := s.t.policy.Load()
	if size > p.MaxFile || size < 0 {
		return fault.E(op, fault.TooLarge, "The file is larger than the limit of %d bytes.", p.MaxFile)
	}
	s.box.mu.Lock()
	need := max(0, size-img.credit)
	held, enough := img.held, need <= img.booked && size <= img.held
	s.box.mu.Unlock()
	if enough {
		return nil
	}
	if err := s.checkFloor(); err != nil {
		return err
	}
	if err := s.accountHas(size-held, 0); err != nil {
		return err
	}
	if use, lately := s.box.lately(); lately && s.reserveIn(use, img, size, need) == nil {
		return nil
	}
	use, err := s.query().Usage(s.login.User.ID)
	if err != nil {
		return err
	}
	return s.reserveIn(use, img, size, need)
}

// useFresh is how old the use of a mailbox may be that lets a write pass without a query. The commit checks
// the use again.
const useFresh = time.Second

// lately returns the mailbox's use, if it was read lately, with what was stored since.
func (b *box) lately() (store.Usage, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.use, b.use.Tree > 0 && time.Since(b.useAt) < useFresh
}

// grew counts a stored file in what is known of the mailbox's use. One that it replaced is not subtracted,
// so that the use is too large rather than too small.
func (b *box) grew(size int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.use.Bytes, b.use.Files = b.use.Bytes+size, b.use.Files+1
	b.use.KeptBytes, b.use.KeptContents = b.use.KeptBytes+size, b.use.KeptContents+1
}

// reserveIn is reserve for a mailbox with a use. need is what the image takes of the quota.
func (s *Session) reserveIn(use store.Usage, img *image, size, need int64) error {
	const op = "tree.reserve"
	limits := s.limits(use)
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	used, kept := use.Bytes+s.box.reserved-img.booked, use.KeptBytes+s.box.staged-img.held
	book, hold := min(2*need, need+reserveStep), min(2*size, size+reserveStep)
	if used+book > limits.QuotaBytes || kept > limits.KeepBytes-hold {
		book, hold = need, size // no room to reserve ahead; the exact size may still fit
	}
	if used+need > limits.QuotaBytes { // others may have reserved more than they need
		s.box.trim()
		used = use.Bytes + s.box.reserved - img.booked
	}
	switch {
	case size > limits.QuotaBytes: // removing other files would not help
		return fault.E(op, fault.Quota, exchange.LargerThanQuota+" of %d bytes.", limits.QuotaBytes)
	case used+need > limits.QuotaBytes:
		return fault.E(op, fault.Quota, exchange.NoQuotaBytes, use.Bytes, limits.QuotaBytes)
	case kept > limits.KeepBytes-size:
		return errKept(use.KeptBytes, limits.KeepBytes, "bytes")
	}
	img.book(max(img.booked, book), max(img.held, hold))
	return nil
}

// trim releases what open images have reserved beyond their size. Callers hold mu.
func (b *box) trim() {
	for _, list := range b.images {
		for _, img := range list {
			if img.state != open {
				continue
			}
			img.mu.Lock()
			size, extent := img.size, img.extent
			img.mu.Unlock()
			img.book(min(img.booked, max(0, size-img.credit)), min(img.held, max(size, extent)))
		}
	}
}

// makesRoom reports whether a failed upload that did not fit into the quota is discarded,
// so that the user's other uploads under way have room. If there are none, it stays and
// can be resumed. Callers hold box.mu.
func (img *image) makesRoom() bool {
	if !img.full || img.resumed {
		return false
	}
	for _, list := range img.box.images {
		for _, other := range list {
			if other != img && other.owner != nil && other.dirty && !other.full && other.state == open {
				return true
			}
		}
	}
	return false
}

// book sets what an image has reserved. Callers hold box.mu.
func (img *image) book(booked, held int64) {
	img.box.reserved += booked - img.booked
	img.box.staged += held - img.held
	img.t.accounts.stage(img.box.account, held-img.held)
	img.booked, img.held = booked, held
}

// takeCredit sets credit to the size of the stored file that the image will replace, so
// that those bytes are not counted twice, unless another image of the name has the credit.
// Callers hold box.mu, and add the image afterwards.
func (img *image) takeCredit() {
	for _, other := range img.box.images[img.key] {
		if other != img && other.credit > 0 {
			return
		}
	}
	img.credit = img.covers
}

// checkFloor fails while less than FreeFloor bytes of storage are free, so that the
// database can always commit.
func (s *Session) checkFloor() error {
	free, err := s.t.blobs.Free()
	if err != nil {
		return err
	}
	if free < s.t.policy.Load().FreeFloor {
		return fault.E("tree.checkFloor", fault.NoSpace, "The server's storage is full; please try later.")
	}
	return nil
}

// checkFiles fails if the user or its account may not keep one more item. If fresh, it
// also fails if the quota has no room for another file name; unfinished uploads count.
func (s *Session) checkFiles(use store.Usage, fresh bool) (err error) {
	if use.Tree == 0 {
		if use, err = s.query().Usage(s.login.User.ID); err != nil {
			return err
		}
	}
	if err := s.accountHas(0, 1); err != nil {
		return err
	}
	if err := s.mayKeepOne(use); err != nil || !fresh {
		return err
	}
	limit := s.limits(use).QuotaFiles
	s.box.mu.Lock()
	unfinished := s.box.unfinished()
	s.box.mu.Unlock()
	if use.Files+unfinished < limit {
		return nil
	}
	if unfinished > 0 {
		return fault.E("tree.checkFiles", fault.Quota,
			exchange.NoQuotaUnfinished, use.Files, limit, unfinished)
	}
	return fault.E("tree.checkFiles", fault.Quota, exchange.NoQuotaFiles, use.Files, limit)
}

// unfinished counts the images that would be new files. Callers hold mu.
func (b *box) unfinished() (n int64) {
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

// checkUnfinished fails if the mailbox may not have one more image. Callers hold box.mu.
func (s *Session) checkUnfinished() error {
	if limit := s.t.policy.Load().Unfinished; limit > 0 && s.box.total >= limit {
		return fault.E("tree.checkUnfinished", fault.Quota,
			"%d uploads are unfinished, which is the limit; finish or remove some.", s.box.total)
	}
	return nil
}

// Space reports the quota and its use. Uploads under way count as used.
func (s *Session) Space() (exchange.Space, error) {
	use, err := s.query().Usage(s.login.User.ID)
	if err != nil {
		return exchange.Space{}, err
	}
	limits := s.limits(use)
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	return exchange.Space{Bytes: limits.QuotaBytes, UsedBytes: use.Bytes + s.box.reserved,
		Files: limits.QuotaFiles, UsedFiles: use.Files + s.box.unfinished()}, nil
}
