package oldserver

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Dir is a directory of a user's tree.
type Dir struct {
	Path   string
	Rights *exchange.Rights // the operator's directory with these rights; nil: one of the partner's
	Mtime  time.Time
}

// Entry is a file of a user's tree.
type Entry struct {
	Path   string // in the mailbox
	Folder string // the root or mount that it is in
	Below  string // its path there, without a slash at the front
	Size   int64
	Mtime  time.Time
	Ctime  time.Time
	Mode   uint32 // permissions
}

// Tree is what a user's folder has.
type Tree struct {
	Root  exchange.Rights // in the root
	Dirs  []Dir           // parents before their children
	Files []Entry
	Bytes int64
}

// Dates that SFTP can show: it has 32 bits of seconds since 1970.
const lastSecond = 1<<32 - 1

// Walk looks at a user's files, and lists what cannot be moved. It follows no symlink, and leaves the user's folders by
// no way: their owner may change them meanwhile, and the command runs as root.
func Walk(u *User, f *Findings) (*Tree, error) {
	t := &Tree{}
	if u.Folder == "" {
		return t, nil
	}
	w := &walker{user: u, t: t, f: f}
	if err := w.root(u.Folder, "/"); err != nil {
		return nil, err
	}
	for _, m := range u.Mounts {
		if err := w.mount(m); err != nil {
			return nil, err
		}
	}
	return t, nil
}

type walker struct {
	user   *User
	t      *Tree
	f      *Findings
	folder string
}

func (w *walker) root(folder, at string) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		w.f.add(folder, w.user.Old, "The folder cannot be read: "+publicText(err)+".",
			"run the command as root; see whether it is there")
		return nil
	}
	defer root.Close()
	w.folder = folder
	info, err := root.Lstat(".")
	if err != nil {
		return fault.Wrap("oldserver.root", fault.Unavailable, err)
	}
	rights := w.rights(at, info, filepath.Join(folder, "."))
	if at == "/" {
		w.t.Root = rights
	}
	return w.dir(root, "", at, rights)
}

// mount brings in a folder at a path, whose directories above it are made if they are missing.
func (w *walker) mount(m Mount) error {
	have := map[string]bool{"/": true}
	for _, d := range w.t.Dirs {
		have[d.Path] = true
	}
	names := strings.Split(strings.Trim(m.Path, "/"), "/")
	for i := range names {
		p := "/" + strings.Join(names[:i+1], "/")
		if have[p] {
			continue
		}
		rights, _ := w.user.May.at(p)
		now := time.Unix(0, 0)
		if info, err := os.Stat(m.Folder); err == nil {
			now = info.ModTime()
		}
		w.t.Dirs = append(w.t.Dirs, Dir{Path: p, Rights: &rights, Mtime: now})
	}
	return w.root(m.Folder, m.Path)
}

// dir looks at a directory. below is its path in the folder, at the one in the mailbox.
func (w *walker) dir(dir *os.Root, below, at string, rights exchange.Rights) error {
	d, err := dir.Open(".")
	if err != nil {
		w.f.add(filepath.Join(w.folder, below), w.user.Old, "The directory cannot be read: "+publicText(err)+".",
			"run the command as root")
		return nil
	}
	names, err := d.Readdirnames(-1)
	_ = d.Close() // it was only read
	if err != nil {
		return fault.Wrap("oldserver.dir", fault.Unavailable, err)
	}
	slices.Sort(names)
	for _, name := range names {
		full := path.Join(at, name)
		if slices.Contains(w.user.Without, full) || slices.ContainsFunc(w.user.Mounts,
			func(m Mount) bool { return m.Path == full }) {
			continue
		}
		info, err := dir.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return fault.Wrap("oldserver.dir", fault.Unavailable, err)
		}
		if info.IsDir() {
			err = w.subdir(dir, info, path.Join(below, name), full, rights)
		} else {
			w.file(info, path.Join(below, name), full)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) subdir(parent *os.Root, info fs.FileInfo, below, full string, above exchange.Rights) error {
	where := filepath.Join(w.folder, below)
	sub, err := parent.OpenRoot(info.Name())
	if err != nil {
		w.f.add(where, w.user.Old, "The directory cannot be read: "+publicText(err)+".", "run the command as root")
		return nil
	}
	defer sub.Close()
	if now, err := sub.Stat("."); err != nil || !os.SameFile(info, now) {
		w.f.add(where, w.user.Old, "It was changed while it was looked at.", "run the command again")
		return nil
	}
	if depth := strings.Count(full, "/"); depth > valid.MaxDepth || len(full) > valid.MaxPath {
		w.f.add(where, w.user.Old, "It is nested too deep; 64 directories and 4096 bytes are the most.", "move it up")
		return nil
	}
	if !w.fits(info, where) {
		return nil
	}
	if w.user.May.UID >= 0 && w.user.May.Rights == nil && !w.access(info, 4|1) {
		w.f.add(where, w.user.Old, "The user could not read this directory on the old server.",
			"move it away, or leave it out with --skip-listed")
		return nil
	}
	rights := w.rights(full, info, where)
	d := Dir{Path: full, Mtime: info.ModTime()}
	_, own := w.user.May.at(full)
	if above&exchange.Mkdir == 0 || rights != above || own {
		d.Rights = &rights
	}
	w.t.Dirs = append(w.t.Dirs, d)
	return w.dir(sub, below, full, rights)
}

// rights returns what the user may do in a directory.
func (w *walker) rights(full string, info fs.FileInfo, where string) exchange.Rights {
	m := &w.user.May
	look := exchange.Read | exchange.List
	switch {
	case m.Rights != nil:
		r, _ := m.at(full)
		return r
	case m.ReadOnly:
		return look
	case m.UID < 0: // nothing is known of the user: what root owns is not to be written
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid == 0 {
			return look
		}
		return exchange.AllRights
	}
	if hasACL(where) {
		w.f.add(where, w.user.Old, "It has an access control list, which is not read.",
			"see what it allows, and set the rights here (user dir set); remove the list, or use --skip-listed")
	}
	if w.access(info, 2|1) {
		return exchange.AllRights
	}
	return look
}

// hasACL reports whether permissions are not all that decides about access.
func hasACL(name string) bool {
	n, err := unix.Lgetxattr(name, "system.posix_acl_access", nil)
	return err == nil && n > 0
}

// access reports whether the user has permissions (4 read, 2 write, 1 enter).
func (w *walker) access(info fs.FileInfo, want uint32) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	mode := uint32(info.Mode().Perm())
	switch {
	case int(st.Uid) == w.user.May.UID:
		mode >>= 6
	case slices.Contains(w.user.May.GIDs, int(st.Gid)):
		mode >>= 3
	}
	return mode&want == want
}

// fits lists what has a date that cannot be shown.
func (w *walker) fits(info fs.FileInfo, where string) bool {
	if s := info.ModTime().Unix(); s < 0 || s > lastSecond {
		w.f.add(where, w.user.Old, "Its date, "+info.ModTime().UTC().Format("2006-01-02")+", cannot be shown over SFTP.",
			"give it another with touch")
		return false
	}
	return true
}

// file judges a file.
func (w *walker) file(info fs.FileInfo, below, full string) {
	where := filepath.Join(w.folder, below)
	if kind := oddKind(info.Mode()); kind != "" {
		w.f.add(where, w.user.Old, "It is "+kind+"; only files and directories are moved.",
			"replace it with a file, or leave it out with --skip-listed")
		return
	}
	if len(full) > valid.MaxPath {
		w.f.add(where, w.user.Old, "Its path is longer than 4096 bytes.", "move it up")
		return
	}
	if !w.fits(info, where) {
		return
	}
	e := Entry{Path: full, Folder: w.folder, Below: below, Size: info.Size(), Mtime: info.ModTime(),
		Mode: uint32(info.Mode().Perm())}
	st, _ := info.Sys().(*syscall.Stat_t)
	if st != nil {
		e.Ctime = time.Unix(st.Ctim.Unix())
	}
	was, linked := linkedFrom(where, info)
	if linked {
		e.Mode = was.mode
	}
	judged := w.user.May.UID >= 0 && w.user.May.Rights == nil && !linked
	if judged && st != nil && int(st.Uid) != w.user.May.UID && hasACL(where) { // a list says nothing of the owner
		w.f.add(where, w.user.Old, "It has an access control list, which is not read, and belongs to another user.",
			"see whether the user could read it; remove the list, or leave the file out with --skip-listed")
		return
	}
	if judged && !w.access(info, 4) {
		w.f.add(where, w.user.Old, "The user could not read this file on the old server.",
			"leave it out with --skip-listed, or give the user the right")
		return
	}
	w.t.Files, w.t.Bytes = append(w.t.Files, e), w.t.Bytes+e.Size
}

// oddKind names what is neither a file nor a directory; "" for a file.
func oddKind(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&(fs.ModeDevice|fs.ModeCharDevice) != 0:
		return "a device"
	case !m.IsRegular():
		return "something else"
	}
	return ""
}
