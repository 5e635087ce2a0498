package oldserver

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// ErrChanging is in the chain of an error about a file that changed while it was read, or that is gone.
var ErrChanging = errors.New("it changed while it was read")

// Staged is a file that was laid into the folder.
type Staged struct {
	Name   string
	SHA256 string
	Entry       // as the file was when it was read
	Ctimes bool // the time of its inode tells whether it was changed
}

// Stager lays files into the folder of a run.
type Stager struct {
	run  model.MoveInRun
	link bool
	lock *os.File
	n    atomic.Int64
	took [2]atomic.Int64 // nanoseconds: staging, hashing

	mu       sync.Mutex
	reserved int64 // bytes that copies under way will take
	roots    map[string]*os.Root
}

// NewStager locks the folder of a run. link: files are hard-linked, not copied.
func NewStager(run model.MoveInRun, link bool) (*Stager, error) {
	f, err := os.OpenFile(filepath.Join(run.Folder, blob.LandingLock), os.O_RDWR, 0)
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err == nil {
		_, err = f.WriteString("locked\n")
	}
	if err != nil {
		return nil, fault.E("oldserver.NewStager", fault.Denied, "The server's folder for files cannot be used: %v.",
			fault.InWords(err)).
			WithHint("run the command as root, on the server's own machine")
	}
	return &Stager{run: run, link: link, lock: f, roots: map[string]*os.Root{}}, nil
}

// Close gives the lock back.
func (s *Stager) Close() {
	for _, r := range s.roots {
		_ = r.Close() // it was only read
	}
	_ = s.lock.Close()
}

// Took returns how long staging and hashing took, added up over all workers.
func (s *Stager) Took() (staging, hashing time.Duration) {
	return time.Duration(s.took[0].Load()), time.Duration(s.took[1].Load())
}

func (s *Stager) root(folder string) (*os.Root, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.roots[folder]; r != nil {
		return r, nil
	}
	r, err := os.OpenRoot(folder)
	if err == nil {
		s.roots[folder] = r
	}
	return r, err
}

// tries is how often a file that changes is read.
const tries = 3

// Stage lays a file into the folder: shared or copied, or linked, and hashes it. It may be called by several workers.
func (s *Stager) Stage(e Entry) (out Staged, err error) {
	for range tries {
		out, err = s.stage(e)
		if !errors.Is(err, ErrChanging) {
			break
		}
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return out, fault.E("oldserver.Stage", fault.NoSpace,
			"The disk is full.").WithHint("make room, and run the import again: it goes on")
	case errors.Is(err, fs.ErrNotExist):
		return out, errors.Join(ErrChanging, err)
	}
	return out, err
}

func (s *Stager) stage(e Entry) (out Staged, err error) {
	root, err := s.root(e.Folder)
	if err != nil {
		return out, err
	}
	src, err := root.OpenFile(e.Below, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return out, err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return out, errors.Join(ErrChanging, err)
	}
	out.Name = "F" + strconv.FormatInt(s.n.Add(1), 10)
	to := filepath.Join(s.run.Folder, out.Name)
	begin := time.Now()
	sum := sha256.New()
	linked, hashed := false, false
	if s.link {
		linked, err = s.linkTo(src, info, to)
	}
	if err == nil && !linked {
		hashed, err = s.copyTo(src, info, to, sum)
	}
	s.took[0].Add(int64(time.Since(begin)))
	switch {
	case err != nil || hashed:
	case linked:
		err = s.hash(src, sum) // it is the same file
	default:
		err = s.hashAt(to, sum)
	}
	if err == nil {
		err = unchangedSince(src, info, linked)
	}
	if err != nil {
		_ = os.Remove(to) // else the server removes it with the folder
		return out, err
	}
	out.Entry = e
	out.Size, out.Mtime, out.SHA256, out.Ctimes = info.Size(), info.ModTime(), hex.EncodeToString(sum.Sum(nil)), !linked
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		out.Ctime = time.Unix(st.Ctim.Unix())
	}
	return out, nil
}

// unchangedSince fails if a file is not as it was. To link it changes its inode.
func unchangedSince(src *os.File, was fs.FileInfo, linked bool) error {
	now, err := src.Stat()
	if err != nil {
		return err
	}
	a, b := was.Sys().(*syscall.Stat_t), now.Sys().(*syscall.Stat_t)
	if was.Size() != now.Size() || !was.ModTime().Equal(now.ModTime()) || !linked && a.Ctim != b.Ctim {
		return ErrChanging
	}
	return nil
}

var hashBuffers = sync.Pool{New: func() any { b := make([]byte, 128<<10); return &b }}

// hash reads a file from its beginning.
func (s *Stager) hash(f *os.File, sum hash.Hash) error {
	begin := time.Now()
	buf := hashBuffers.Get().(*[]byte)
	defer hashBuffers.Put(buf)
	// Without its WriterTo, which would make a buffer of its own for each file.
	_, err := io.CopyBuffer(sum, struct{ io.Reader }{f}, *buf)
	s.took[1].Add(int64(time.Since(begin)))
	return err
}

// hashAt reads a staged file.
func (s *Stager) hashAt(name string, sum hash.Hash) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.hash(f, sum)
}

// wasAttr keeps, on a file that is linked, whom it belonged to and its permissions.
const wasAttr = "user.sallyport.was"

// owned is whom a file belonged to before it was linked.
type owned struct {
	uid, gid int
	mode     uint32
}

// linkedFrom returns whom a file belonged to that an earlier run has linked, or has begun to. Only what is read-only
// for its owner alone can be one: everybody else could have written the attribute.
func linkedFrom(name string, info fs.FileInfo) (was owned, is bool) {
	if info.Mode().Perm() != 0o400 {
		return was, false
	}
	buf := make([]byte, 64)
	n, err := unix.Lgetxattr(name, wasAttr, buf)
	if err != nil {
		return was, false
	}
	_, err = fmt.Sscanf(string(buf[:n]), "%d:%d:%o", &was.uid, &was.gid, &was.mode)
	return was, err == nil
}

// linkTo hard-links a file, and makes it the server's own, read-only. A file that has other names already is not
// linked, since whoever has such a name could still write to it; nor is one whose file system does not keep attributes.
func (s *Stager) linkTo(src *os.File, info fs.FileInfo, to string) (bool, error) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Nlink > 1 {
		return false, nil
	}
	was := fmt.Sprintf("%d:%d:%o", st.Uid, st.Gid, info.Mode().Perm())
	if _, is := linkedFrom("/proc/self/fd/"+strconv.Itoa(int(src.Fd())), info); !is {
		if err := unix.Fsetxattr(int(src.Fd()), wasAttr, []byte(was), 0); err != nil {
			return false, nil
		}
	}
	err := unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(int(src.Fd())), unix.AT_FDCWD, to,
		unix.AT_SYMLINK_FOLLOW)
	if errors.Is(err, unix.EXDEV) {
		return false, fault.E("oldserver.linkTo", fault.Invalid,
			"The old files are on another file system than the server's, so they cannot be linked.").
			WithHint("leave --link out: they are copied then")
	}
	if err != nil {
		return false, err
	}
	return true, s.own(src)
}

// own gives a file to the server, read-only.
func (s *Stager) own(f *os.File) error {
	if err := f.Chown(s.run.UID, s.run.GID); err != nil {
		return err
	}
	return f.Chmod(0o400)
}

// copyTo shares a file's storage where the file system can, or copies it and hashes it meanwhile.
func (s *Stager) copyTo(src *os.File, info fs.FileInfo, to string, sum hash.Hash) (hashed bool, err error) {
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	if err := s.room(0); err != nil {
		return false, err
	}
	if unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())) == nil {
		return false, s.own(dst)
	}
	st, _ := info.Sys().(*syscall.Stat_t)
	need := min(info.Size(), st.Blocks*512) // a sparse file takes less than its size
	if err := s.room(need); err != nil {
		return false, err
	}
	defer s.room(-need) //nolint:errcheck // what it takes is on the disk by now
	if err := copySparse(dst, src, info.Size(), sum); err != nil {
		return false, err
	}
	return true, s.own(dst)
}

// room reserves bytes, and fails if fewer than the floor would be free.
func (s *Stager) room(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved += n
	if n < 0 {
		return nil
	}
	var st unix.Statfs_t
	if err := unix.Statfs(s.run.Folder, &st); err != nil {
		return err
	}
	if int64(st.Bavail)*st.Bsize-s.reserved < s.run.FreeFloor {
		s.reserved -= n
		return fault.E("oldserver.room", fault.NoSpace,
			"The disk has no room for more files: storage.free_floor must stay free.").
			WithHint("make room, and run the import again: it goes on where it stopped")
	}
	return nil
}

// copySparse copies a file, hashes it, and leaves its holes out of the copy.
func copySparse(dst, src *os.File, size int64, sum hash.Hash) error {
	if err := dst.Truncate(size); err != nil {
		return err
	}
	zero := make([]byte, 64<<10)
	for at := int64(0); at < size; {
		data, err := unix.Seek(int(src.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			data = size // no more data
		} else if err != nil {
			data = at // the file system does not tell
		}
		for gap := min(data, size) - at; gap > 0; gap -= int64(len(zero)) {
			sum.Write(zero[:min(gap, int64(len(zero)))])
		}
		if at = min(data, size); at == size {
			break
		}
		end, err := unix.Seek(int(src.Fd()), at, unix.SEEK_HOLE)
		if err != nil || end > size || end <= at {
			end = size
		}
		n, err := io.Copy(io.MultiWriter(io.NewOffsetWriter(dst, at), sum), io.NewSectionReader(src, at, end-at))
		if err != nil {
			return err
		}
		if n < end-at {
			return ErrChanging // it was cut
		}
		at = end
	}
	return nil
}
