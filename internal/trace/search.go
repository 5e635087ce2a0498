package trace

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	nearFrom = 20_000 // newest names of each kind that near names are looked for in
	nearMost = 5
	// pathsPerName is how many paths of removed files are read for one that is shown.
	pathsPerName = 100
)

// ranks order matches, the best first.
var ranks = []model.TraceMatch{model.MatchExact, model.MatchCase, model.MatchBegins, model.MatchContains}

func rankOf(m model.TraceMatch) int { return slices.Index(ranks, m) }

// match says how a name matches a text, in any case; "" if it does not.
func match(name, text string) model.TraceMatch {
	if name == text {
		return model.MatchExact
	}
	switch name, text := strings.ToLower(name), strings.ToLower(text); {
	case name == text:
		return model.MatchCase
	case strings.HasPrefix(name, text):
		return model.MatchBegins
	case strings.Contains(name, text):
		return model.MatchContains
	}
	return ""
}

// hit is a row that a search has found.
type hit struct {
	store.Named
	from store.Source
	how  model.TraceMatch
}

// search collects the files whose names contain a text. If some equal it but for the case of letters, it collects
// those alone.
func (w *walker) search(text string) error {
	var hits []hit
	for from := store.SourcePublications; from <= store.SourceStored; from++ {
		most := maxFiles + 1
		if from == store.SourceRemoved { // the text may be in the names of folders, which are looked at here
			most *= pathsPerName
		}
		rows, err := w.q.Search(from, text, w.account, most)
		if err != nil {
			return err
		}
		before := len(hits)
		for _, row := range rows {
			if how := match(path.Base(row.Name), text); how != "" {
				hits = append(hits, hit{row, from, how})
			}
		}
		w.t.More = w.t.More || len(hits)-before > maxFiles
	}
	best := model.MatchContains
	for _, h := range hits {
		if rankOf(h.how) < rankOf(best) {
			best = h.how
		}
	}
	if all, err := w.q.SearchedAll(); err != nil {
		return err
	} else if !all {
		w.t.Searched = store.SearchRows
	}
	slices.SortStableFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(rankOf(a.how), rankOf(b.how)), strings.Compare(b.ID, a.ID))
	})
	for _, h := range hits {
		if len(w.t.Files) > maxFiles || best == model.MatchCase && h.how != best {
			break
		}
		if err := w.found(h); err != nil {
			return err
		}
		w.matched(h.how)
	}
	if err := w.unfinished("", func(name string) bool {
		how := match(name, text)
		return how != "" && (best != model.MatchCase || how == best)
	}); err != nil {
		return err
	}
	for i := range w.t.Files {
		f := &w.t.Files[i]
		f.Match = cmp.Or(f.Match, match(f.Name, text), model.MatchContains)
	}
	if len(w.t.Files) > 0 && best != model.MatchCase {
		w.t.Kind = model.TracePart
	}
	return nil
}

// found collects the file of a row that a search has found.
func (w *walker) found(h hit) error {
	switch h.from {
	case store.SourcePublications:
		p, err := w.q.Publication(h.ID)
		if err != nil {
			return err
		}
		return w.published([]store.PublicationRow{p})
	case store.SourceDrops, store.SourceDropNames:
		d, err := w.q.Drop(h.ID)
		if err != nil {
			return err
		}
		return w.received([]model.Drop{d})
	case store.SourceRefused:
		u, err := w.q.RefusedUpload(h.ID)
		if err == nil {
			w.refused([]model.RefusedUpload{u})
		}
		return err
	case store.SourceRemoved:
		return w.removed(h.ID)
	}
	files, err := w.q.UnreceivedFile(h.ID, h.Name)
	if err != nil {
		return err
	}
	return w.unreceived(files)
}

// never fills in, for an empty trace, how far the records go back and which names are similar.
func (w *walker) never(about string) error {
	since, err := w.q.OldestRecord()
	if err != nil {
		return err
	}
	if !since.IsZero() {
		w.t.Since = &since
	}
	names, err := w.q.NewestNames(w.account, nearFrom)
	w.t.Near = near(path.Base(about), names)
	return err
}

// nothing is the error for an empty trace.
func (w *walker) nothing(ask model.TraceQuery) error {
	about, who := w.t.About, "here"
	if w.account != "" {
		who = "of account " + w.account
	}
	text := fmt.Sprintf("No file %s has %q in its name", who, about)
	switch {
	case ask.Exact:
		text = fmt.Sprintf("No file here was ever called %q, exactly so", about)
	case w.account == "":
		text += ", and no account or user is called that"
	}
	text += "."
	others, err := w.partners(about)
	if err != nil {
		return err
	} else if len(others) > 0 && !ask.Exact {
		last := others[len(others)-1]
		return fault.E("trace.Find", fault.NotFound, "No file %s has %q in its name, but %s.", who, about,
			strings.Join(sentences(others), ", and ")).WithAction(last.operation, last.field, last.name)
	}
	if len(w.t.Near) > 0 {
		text += " Did you mean " + strings.Join(w.t.Near, ", ") + "?"
	}
	if w.t.Searched > 0 {
		text += fmt.Sprintf(" The newest %d names of each kind were searched; older files are found by their exact names.",
			w.t.Searched)
	}
	return fault.E("trace.Find", fault.NotFound, "%s", text).
		WithHint("for a sheet that says that it was never sent or received, give its exact name and the account").
		WithAction("trace", "about", about, "account", w.account)
}

// partner is an account or a vendor that somebody may have meant.
type partner struct{ operation, field, name, says string }

func sentences(list []partner) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = p.says
	}
	return out
}

// partners finds accounts that have a text in their names, and a vendor that is called so.
func (w *walker) partners(text string) (out []partner, err error) {
	accounts, err := w.q.AccountsLike(text, nearMost)
	if err != nil {
		return nil, err
	}
	for _, a := range accounts {
		out = append(out, partner{"trace", "about", a.ID, fmt.Sprintf("the account %s is called %s", a.ID, a.Name)})
	}
	vendors, err := w.q.VendorsLike(text, nearMost)
	for _, v := range vendors {
		if !strings.EqualFold(v.Short, text) && !strings.EqualFold(v.Name, text) {
			continue
		}
		users, err := w.q.Users(model.UserFilter{Vendor: v.Short, Paging: model.Paging{Limit: nearMost}})
		if err != nil {
			return nil, err
		}
		of := "which has no users"
		p := partner{operation: "show-vendor", field: "vendor", name: v.Short}
		names := make([]string, len(users))
		for i, u := range users {
			names[i] = u.Name
		}
		if len(names) > 0 {
			of = "whose users are " + strings.Join(names, ", ")
			p = partner{operation: "trace", field: "about", name: names[0]}
		}
		p.says = fmt.Sprintf("%s is a vendor (%s), %s", v.Short, v.Name, of)
		out = append(out, p)
	}
	return out, err
}

// near lists the names that are most like one.
func near(name string, names []string) (out []string) {
	type like struct {
		name     string
		distance int
	}
	low := []rune(strings.ToLower(valid.Printable(name)))
	var list []like
	seen := map[string]bool{}
	for _, n := range names {
		if seen[n] {
			continue
		}
		seen[n] = true
		n = valid.Printable(n)
		other := []rune(strings.ToLower(n))
		same := 0
		for same < min(len(low), len(other)) && low[same] == other[same] {
			same++
		}
		begins := same >= 4 && same*2 >= len(low)
		if longer := max(len(low), len(other)); !begins && abs(len(low)-len(other))*3 > longer {
			continue
		} else if d := distance(low, other); begins || d*3 <= longer {
			list = append(list, like{n, d})
		}
	}
	slices.SortFunc(list, func(a, b like) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), strings.Compare(a.name, b.name))
	})
	for _, l := range list[:min(len(list), nearMost)] {
		out = append(out, l.name)
	}
	return out
}

func abs(n int) int { return max(n, -n) }

// distance is the number of characters to add, remove or change to make b of a (Levenshtein).
func distance(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		last := row[0]
		row[0] = i + 1
		for j := range b {
			change := last
			if a[i] != b[j] {
				change++
			}
			last = row[j+1]
			row[j+1] = min(change, row[j]+1, last+1)
		}
	}
	return row[len(b)]
}
