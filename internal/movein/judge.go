package movein

import (
	"path"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Why what is in the mailbox stays.
const (
	keptFile    = "A file of this name is here already, and was not moved in."
	keptDir     = "A directory has this name here."
	keptAbove   = "A file has the name of a directory above it here."
	keptChanged = "It was changed, renamed or removed here since it was moved in."
)

// judge says what is to be done with directories and files, from what the mailbox has.
type judge struct {
	q     *store.Q
	user  string
	dirs  map[string]*place           // by path
	moved map[string]store.Moved      // of the batch, by path
	files map[string]store.File       // that have the names of the batch's files, by path
	taken map[string]bool             // names of the batch's files that are directories' here, by path
	want  map[string]*exchange.Rights // of directories that the batch brings, by path
}

// place is a directory of the mailbox, or one that is missing.
type place struct {
	id    string // "" if it is missing
	above bool   // a file has its name, or that of a directory above it
}

// newJudge reads what the mailbox has for a batch.
func newJudge(q *store.Q, user string, in *model.MoveIn) (*judge, error) {
	j := &judge{q: q, user: user, dirs: map[string]*place{}, files: map[string]store.File{}, taken: map[string]bool{},
		want: map[string]*exchange.Rights{}}
	paths := make([]string, 0, len(in.Dirs)+len(in.Files))
	names := map[string][]string{} // by directory
	for _, d := range in.Dirs {
		paths = append(paths, string(d.Path))
	}
	for _, f := range in.Files {
		p := string(f.Path)
		paths = append(paths, p)
		names[path.Dir(p)] = append(names[path.Dir(p)], path.Base(p))
	}
	var err error
	if j.moved, err = q.MovedAt(user, paths); err != nil {
		return nil, err
	}
	for _, d := range in.Dirs {
		if _, err := j.dir(string(d.Path)); err != nil {
			return nil, err
		}
	}
	for dir, list := range names {
		if err := j.look(dir, list); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// look reads which names of a directory are taken.
func (j *judge) look(dir string, names []string) error {
	at, err := j.dir(dir)
	if err != nil || at.id == "" {
		return err
	}
	files, err := j.q.FilesIn(at.id, names)
	if err != nil {
		return err
	}
	dirs, err := j.q.SubdirsIn(at.id, names)
	for _, name := range names {
		full := path.Join(dir, name)
		if f, is := files[name]; is {
			j.files[full] = f
		}
		j.taken[full] = dirs[name]
	}
	return err
}

// dir finds a directory of the mailbox.
func (j *judge) dir(p string) (*place, error) {
	if at := j.dirs[p]; at != nil {
		return at, nil
	}
	at := &place{}
	if p == "/" {
		at.id = j.user
	} else {
		up, err := j.dir(path.Dir(p))
		if err != nil {
			return nil, err
		}
		if at.above = up.above; up.id != "" {
			found, err := j.q.Look(up.id, []string{path.Base(p)})
			if err != nil {
				return nil, err
			}
			at.above = found.File != nil
			if len(found.Dirs) > 1 {
				at.id = found.Dirs[1].ID
			}
		}
	}
	j.dirs[p] = at
	return at, nil
}

// ofDir judges a directory. One of the partner's that was moved in, and is gone, stays gone.
func (j *judge) ofDir(d model.MovedDir) model.MovedOutcome {
	at := j.dirs[string(d.Path)]
	_, was := j.moved[string(d.Path)]
	switch {
	case at.id != "":
		return model.MovedOutcome{Does: model.MovedSame}
	case at.above:
		return model.MovedOutcome{Does: model.MovedKept, Text: keptAbove}
	case was && d.Rights == nil:
		return model.MovedOutcome{Does: model.MovedSame}
	}
	return model.MovedOutcome{Does: model.MovedAdds}
}

// ofFile judges a file. In a dry run nobody knows yet whether a file with another date has other bytes.
func (j *judge) ofFile(f model.MovedFile, sum func() (string, error)) (model.MovedOutcome, error) {
	p := string(f.Path)
	was, earlier := j.moved[p]
	now, is := j.files[p]
	kept := func(why string) (model.MovedOutcome, error) {
		return model.MovedOutcome{Does: model.MovedKept, Text: why}, nil
	}
	switch {
	case earlier && unchanged(was, f):
		return model.MovedOutcome{Does: model.MovedSame}, nil
	case j.dirs[path.Dir(p)].above:
		return kept(keptAbove)
	case j.taken[p]:
		return kept(keptDir)
	case !earlier && is:
		return kept(keptFile)
	case !earlier:
		return model.MovedOutcome{Does: model.MovedAdds}, nil
	case !is || now.FileID != was.FileID || now.VersionID != was.VersionID:
		return kept(keptChanged)
	case now.Size == f.Size && f.SHA256 == "":
		return model.MovedOutcome{Does: model.MovedTouched}, nil
	case now.Size == f.Size:
		have, err := sum()
		if err != nil || have == f.SHA256 {
			return model.MovedOutcome{Does: model.MovedSame}, err
		}
	}
	return model.MovedOutcome{Does: model.MovedChanges}, nil
}

// unchanged reports whether a file of the old server is as it was when it was moved in.
func unchanged(was store.Moved, f model.MovedFile) bool {
	same := func(x, y time.Time) bool { return x.Equal(y.Truncate(time.Microsecond)) }
	return was.Size == f.Size && same(was.Mtime, f.Mtime) &&
		(was.Ctime.IsZero() || f.Ctime.IsZero() || same(was.Ctime, f.Ctime))
}

// check refuses a batch that makes no sense, and returns the directories' rights.
func check(in *model.MoveIn) error {
	const op = "movein.check"
	if n := len(in.Dirs) + len(in.Files); n > MaxBatch {
		return fault.E(op, fault.Invalid, "A batch has %d directories and files; %d are the most.", n, MaxBatch)
	}
	if !in.DryRun && !isRun(in.Run) {
		return errNoRun(in.Run)
	}
	seen := map[string]bool{}
	for _, d := range in.Dirs {
		if err := checkPath(string(d.Path), seen); err != nil {
			return err
		}
		if strings.Count(string(d.Path), "/") > valid.MaxDepth {
			return fault.E(op, fault.Invalid, "%s is more than %d directories deep.", valid.Printable(string(d.Path)),
				valid.MaxDepth)
		}
		if d.Rights != nil {
			if _, err := exchange.ParseRights(*d.Rights); err != nil {
				return err
			}
		}
	}
	for _, f := range in.Files {
		if err := checkPath(string(f.Path), seen); err != nil {
			return err
		}
		if in.DryRun {
			continue
		}
		if sum, err := sumOf(f); err != nil || len(sum) != 32 || !isRun(f.Stage) {
			return fault.E(op, fault.Invalid, "%s has no stage or no SHA-256.", valid.Printable(string(f.Path)))
		}
	}
	return nil
}

// checkPath refuses paths that are not clean, and those that the batch has twice.
func checkPath(p string, seen map[string]bool) error {
	clean, err := valid.CleanPath("/", p)
	if err != nil {
		return err
	}
	if clean != p || p == "/" || seen[p] {
		return fault.E("movein.check", fault.Invalid, "%q is not a clean path, or stands twice in the batch.",
			valid.Printable(p))
	}
	seen[p] = true
	return nil
}
