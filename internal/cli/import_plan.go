//go:build linux

package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/oldserver"
	"github.com/sallyport-sftp/sallyport/model"
)

// compareAtOnce is how many files are compared with the server's in a request; takeAtOnce is how many are moved.
const (
	compareAtOnce = 2000
	takeAtOnce    = 500
)

// mover moves in from an old server.
type mover struct {
	*app
	moveFlags
	c     *client.Client
	plan  *oldserver.Plan
	users []*moving
	out   moveReport

	finding sync.Mutex // files are staged while others are taken, and both may find something
}

// moving is a user that moves in.
type moving struct {
	*oldserver.User
	tree  *oldserver.Tree
	have  bool // the user is here already
	dirs  []oldserver.Dir
	files []oldserver.Entry // those to be transferred
}

// moveReport is what a run did, or would do.
type moveReport struct {
	DryRun   bool                `json:"dry_run"`
	Users    int                 `json:"users"`
	Fresh    int                 `json:"new_users"`
	Dirs     int                 `json:"directories"`
	Files    int                 `json:"files"`
	Bytes    int64               `json:"bytes"`
	Added    int                 `json:"added"`
	Changed  int                 `json:"changed"`
	Same     int                 `json:"same"`
	Found    []oldserver.Finding `json:"found"`
	HostKeys []string            `json:"host_keys,omitempty"`
	Listen   []string            `json:"listen,omitempty"`
	Staging  float64             `json:"staging_seconds"`
	Hashing  float64             `json:"hashing_seconds"`
}

// moveIn looks at everything first. If something is listed, it changes nothing.
func (a *app) moveIn(ctx context.Context, plan *oldserver.Plan, m moveFlags) error {
	if a.serverURL() != "" {
		return fault.E("cli.moveIn", fault.Invalid, "Files are moved in on the server's own machine alone.").
			WithHint("run the command there, as root, without --url")
	}
	w := &mover{app: a, moveFlags: m, c: a.client(), plan: plan}
	for i := range plan.Users {
		u := &moving{User: &plan.Users[i]}
		var err error
		if u.tree, err = oldserver.Walk(u.User, &plan.Findings); err != nil {
			return err
		}
		w.users = append(w.users, u)
	}
	if err := w.judge(ctx); err != nil {
		return err
	}
	stops := plan.Stops()
	if !m.dryRun && (stops == 0 || m.skipListed) {
		if err := w.work(ctx); err != nil {
			return err
		}
	}
	if err := w.report(m.dryRun || stops > 0 && !m.skipListed); err != nil {
		return err
	}
	if stops > 0 && !m.skipListed {
		return fault.E("cli.moveIn", fault.Invalid, "%s in the way. Nothing was changed.", counted(stops, "thing is",
			"things are")).
			WithHint("correct them at their place; or leave them out with --skip-listed")
	}
	if left := plan.Stops(); left > stops {
		return fault.E("cli.moveIn", fault.Conflict, "%s left out.", counted(left-stops, "file was", "files were")).
			WithHint("run the same command again for what changed meanwhile")
	}
	return nil
}

func (w *mover) stop(where, user, what, do string) {
	w.finding.Lock()
	defer w.finding.Unlock()
	w.plan.List = append(w.plan.List, oldserver.Finding{Where: where, User: user, What: what, Do: do})
}

func (w *mover) note(where, user, what string) {
	w.plan.List = append(w.plan.List, oldserver.Finding{Where: where, User: user, What: what, Note: true})
}

// judge compares the plan with what the server has.
func (w *mover) judge(ctx context.Context) error {
	if err := w.judgePeople(ctx); err != nil {
		return err
	}
	for _, u := range w.users {
		if u.Service {
			continue
		}
		if !u.have {
			u.dirs, u.files = u.tree.Dirs, u.tree.Files
			continue
		}
		if err := w.compare(ctx, u); err != nil {
			return err
		}
		if err := w.gone(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// partners is the plan as a file of partners. Lines number users and keys, so that mistakes are found again.
func (w *mover) partners(dry bool) (in model.ImportPartners, line map[int][2]int) {
	in.DryRun, line = dry, map[int][2]int{}
	next := func(user, key int) int {
		n := len(line) + 1
		line[n] = [2]int{user, key}
		return n
	}
	at := map[string]int{}
	for i, u := range w.users {
		k, is := at[u.Account]
		if !is {
			k = len(in.Accounts)
			at[u.Account] = k
			in.Accounts = append(in.Accounts, model.PartnerAccount{Line: next(i, -1), ID: u.Account, Name: u.Account})
		}
		if u.Service {
			continue
		}
		root := u.tree.Root.Words()
		user := model.PartnerUser{Line: next(i, -1), Name: u.Name, AllowIPs: u.AllowIPs, RootRights: &root}
		for n, key := range u.Keys {
			user.Keys = append(user.Keys, model.PartnerKey{Line: next(i, n), Text: key.Line})
		}
		in.Accounts[k].Users = append(in.Accounts[k].Users, user)
	}
	return in, line
}

// judgePeople lists what the server would refuse of accounts, users and keys, and leaves that out.
func (w *mover) judgePeople(ctx context.Context) error {
	for range 3 { // what is left out may have hidden other mistakes
		in, line := w.partners(true)
		if len(in.Accounts) == 0 {
			return nil
		}
		v, err := w.c.ImportPartners(ctx, in)
		if err != nil {
			return err
		}
		wrong := w.mistakes(v, line)
		if wrong {
			continue
		}
		for _, s := range v.Steps {
			if strings.HasPrefix(s.What, "user ") && s.Does != model.ImportAdds {
				w.users[line[s.Line][0]].have = true
			}
			if s.Does == model.ImportDiffers {
				w.note(s.What, "", "It is here already, and stays as it is: "+s.Text)
			}
		}
		return nil
	}
	return nil
}

// mistakes lists the mistakes, and takes the keys and users out of the plan that have them.
func (w *mover) mistakes(v model.Imported, line map[int][2]int) (any bool) {
	outUsers, outKeys := map[int]bool{}, map[int][]int{}
	for _, s := range v.Steps {
		if s.Does != model.ImportMistake {
			continue
		}
		any = true
		at := line[s.Line]
		u := w.users[at[0]]
		where := "user " + u.Old
		if at[1] >= 0 {
			where = u.Keys[at[1]].Where
			outKeys[at[0]] = append(outKeys[at[0]], at[1])
		} else {
			outUsers[at[0]] = true
		}
		w.stop(where, u.Old, s.What+": "+s.Text, "correct it; map names with --names and --account-of")
	}
	for i, keys := range outKeys {
		kept := w.users[i].Keys[:0:0]
		for n, k := range w.users[i].Keys {
			if !slices.Contains(keys, n) {
				kept = append(kept, k)
			}
		}
		w.users[i].Keys = kept
	}
	kept := w.users[:0:0]
	for i, u := range w.users {
		if !outUsers[i] {
			kept = append(kept, u)
		}
	}
	w.users = kept
	return any
}

// compare asks which directories and files of a user's are new or changed.
func (w *mover) compare(ctx context.Context, u *moving) error {
	for part := range slices.Chunk(u.tree.Dirs, compareAtOnce) {
		out, err := w.c.MoveIn(ctx, u.Name, model.MoveIn{DryRun: true, Dirs: movedDirs(part)})
		if err != nil {
			return err
		}
		for i, o := range out.Dirs {
			if o.Does == model.MovedAdds {
				u.dirs = append(u.dirs, part[i])
			}
			w.kept(u, part[i].Path, o)
		}
	}
	for part := range slices.Chunk(u.tree.Files, compareAtOnce) {
		in := model.MoveIn{DryRun: true}
		for _, e := range part {
			in.Files = append(in.Files, movedFile(e))
		}
		out, err := w.c.MoveIn(ctx, u.Name, in)
		if err != nil {
			return err
		}
		for i, o := range out.Files {
			switch o.Does {
			case model.MovedSame:
				w.out.Same++
			case model.MovedKept:
				w.kept(u, part[i].Path, o)
			default:
				u.files = append(u.files, part[i])
			}
		}
	}
	return nil
}

// kept notes what stays as it is here. It stops nothing, since nothing is lost here; on the old server the file
// remains.
func (w *mover) kept(u *moving, path string, o model.MovedOutcome) {
	if o.Does == model.MovedKept {
		w.note(u.Name+":"+path, u.Old, o.Text+" The old server's was not taken.")
	}
}

// gone lists what was moved in and is gone on the old server.
func (w *mover) gone(ctx context.Context, u *moving) error {
	have := map[string]bool{}
	for _, f := range u.tree.Files {
		have[f.Path] = true
	}
	for _, d := range u.tree.Dirs {
		have[d.Path] = true
	}
	f := model.MovedFilter{User: u.Name, Paging: model.Paging{Limit: 1000}}
	for m, err := range client.Each(ctx, w.c.ListMovedIn, f) {
		if err != nil {
			return err
		}
		if !have[string(m.Path)] {
			w.note(u.Name+":"+string(m.Path), u.Old, "It is gone on the old server, and stays here.")
		}
	}
	return nil
}

func movedDirs(list []oldserver.Dir) []model.MovedDir {
	out := make([]model.MovedDir, len(list))
	for i, d := range list {
		out[i] = model.MovedDir{Path: []byte(d.Path), Mtime: d.Mtime}
		if d.Rights != nil {
			words := d.Rights.Words()
			out[i].Rights = &words
		}
	}
	return out
}

func movedFile(e oldserver.Entry) model.MovedFile {
	return model.MovedFile{Path: []byte(e.Path), Size: e.Size, Mtime: e.Mtime, Ctime: e.Ctime, Mode: e.Mode}
}

// report prints what was found and what was done, and how partners keep what they know of the old server.
func (w *mover) report(only bool) error {
	w.out.DryRun, w.out.Users, w.out.Found = only, len(w.users), w.plan.List
	w.out.HostKeys, w.out.Listen = w.plan.HostKeys, w.plan.Listen
	var dirs, files int
	var bytes int64
	for _, u := range w.users {
		if !u.have {
			w.out.Fresh++
		}
		w.out.Dirs, w.out.Files = w.out.Dirs+len(u.tree.Dirs), w.out.Files+len(u.tree.Files)
		w.out.Bytes += u.tree.Bytes
		dirs, files = dirs+len(u.dirs), files+len(u.files)
		for _, f := range u.files {
			bytes += f.Size
		}
	}
	if w.out.Found == nil {
		w.out.Found = []oldserver.Finding{}
	}
	if w.json {
		return w.show(w.out, table{})
	}
	if len(w.out.Found) > 0 {
		t := table{head: []string{"", "WHERE", "USER", "WHAT"}, long: true}
		slices.SortStableFunc(w.out.Found, func(x, y oldserver.Finding) int {
			return cmp.Compare(flagOf(x.Note),
				flagOf(y.Note))
		})
		for _, x := range w.out.Found {
			kind, what := "STOPS", x.What
			if x.Note {
				kind = "note"
			}
			if x.Do != "" {
				what += " To do: " + x.Do + "."
			}
			t.add(kind, x.Where, x.User, what)
		}
		if err := w.show(nil, t); err != nil {
			return err
		}
		fmt.Fprintln(w.Out)
	}
	if only {
		fmt.Fprintf(w.Out, "%s, %d of them new; %s and %s (%s) to transfer, %d as they were.\n", counted(w.out.Users, "user",
			"users"),
			w.out.Fresh, counted(dirs, "directory", "directories"), counted(files, "file", "files"), size(bytes), w.out.Same)
		fmt.Fprintln(w.Out, "Nothing was changed.")
	} else {
		fmt.Fprintf(w.Out, "%s, %d of them new; %s added, %d changed, %d as they were; %s.\n",
			counted(w.out.Users, "user", "users"), w.out.Fresh, counted(w.out.Added, "file", "files"), w.out.Changed, w.out.Same,
			counted(w.out.Dirs, "directory", "directories"))
	}
	return w.keeps()
}

func flagOf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// keeps prints the lines with which partners keep the server that they know.
func (w *mover) keeps() error {
	if len(w.plan.HostKeys) > 0 {
		fmt.Fprintf(w.Out, "\nTo keep the host keys that partners know, before the server starts on the old address:\n"+
			"  sallyport hostkey import --data %s --replace %s\n", w.dataDir(), strings.Join(w.plan.HostKeys, " "))
	}
	if len(w.plan.Listen) > 0 {
		quoted := make([]string, len(w.plan.Listen))
		for i, l := range w.plan.Listen {
			quoted[i] = fmt.Sprintf("%q", l)
		}
		fmt.Fprintf(w.Out, "To keep the ports, in the configuration:\n  listen: [%s]\n", strings.Join(quoted, ", "))
	}
	return nil
}
