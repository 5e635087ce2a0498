package inbox

import (
	"context"
	"fmt"
	"log/slog"
	"path"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const mailboxActor = "system:inbox"

// Mailboxes implements Mailbox with sessions of the server's own.
type Mailboxes struct {
	Store *store.Store
	Tree  *tree.Tree
	Log   *slog.Logger
	Live  func(userID string) bool // reports whether a user has sessions on this node
}

// session opens the mailbox of a drop's uploader.
func (m Mailboxes) session(d model.Drop) (*tree.Session, error) {
	u, err := m.Store.Read(context.Background()).User(d.User)
	if err != nil {
		return nil, err
	}
	return m.Tree.Begin(exchange.Login{User: u, Operator: mailboxActor}, nil), nil
}

// Move moves a drop's file into a folder, under its current name.
func (m Mailboxes) Move(d model.Drop, folder string) error {
	s, err := m.session(d)
	if err != nil {
		return err
	}
	defer s.End()
	q := m.Store.Read(context.Background())
	f, err := q.FileOfVersion(d.ID)
	if err != nil {
		return err // NotFound: the name shows another version or is gone
	}
	dir, _, err := q.DirPath(f.DirID)
	if err != nil {
		return err
	}
	if folder, err = m.folder(s, d, folder); err != nil || dir == folder {
		return err
	}
	from := path.Join(dir, f.Name)
	err = s.Rename(from, path.Join(folder, f.Name), false)
	if fault.Is(err, fault.Exists) {
		err = s.Rename(from, path.Join(folder, d.ID+"-"+valid.CutName(f.Name, valid.MaxName-len(d.ID)-1)), false)
	}
	return err
}

// Write stores a small text file. It does not overwrite a file of the partner.
func (m Mailboxes) Write(d model.Drop, file, text string) error {
	s, err := m.session(d)
	if err != nil {
		return err
	}
	defer s.End()
	folder, err := m.folder(s, d, path.Dir(file))
	if err != nil {
		return err
	}
	file = path.Join(folder, path.Base(file))
	if versions, err := s.Versions(file, model.Paging{Limit: 1}); err == nil && len(versions) > 0 &&
		versions[0].Actor != mailboxActor {
		file = path.Join(path.Dir(file), d.ID+".txt") // the partner has a file of that name
	}
	return s.Store(file, strings.NewReader(text))
}

// otherFolders is how many alternative names are tried for a folder whose name is taken by a
// file.
const otherFolders = 9

// folder creates a folder for the server's use in a mailbox. If the partner has a file of that
// name, it tries other names and logs a warning.
func (m Mailboxes) folder(s *tree.Session, d model.Drop, folder string) (string, error) {
	for n := 1; ; n++ {
		at := folder
		if n > 1 {
			at = fmt.Sprintf("%s-%d", folder, n)
		}
		err := s.Mkdir(at)
		if err == nil && n > 1 {
			m.Log.Warn("a partner has a file where the server's own folder belongs; another folder has its place", "user",
				d.User, "file", valid.Printable(folder), "folder", valid.Printable(at))
		}
		if err != nil && !fault.Is(err, fault.Exists) {
			return "", err
		}
		info, err := s.Stat(at)
		if err != nil || info.Dir {
			return at, err
		}
		if n > otherFolders {
			return "", fault.E("inbox.folder", fault.Conflict, "Files have the names of all folders like %s.",
				valid.Printable(folder))
		}
	}
}

// Busy reports whether a user has sessions on this node.
func (m Mailboxes) Busy(userID string) bool { return m.Live(userID) }
