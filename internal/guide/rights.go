package guide

import (
	"path"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// folders lists the directories that the operator made and in which the user may do something. It
// leaves out directories that only lead to others, unless the user may write to them.
func folders(q *store.Q, userID string) (out []Folder, err error) {
	dirs, err := q.FixedDirs(userID)
	if err != nil {
		return nil, err
	}
	byID := map[string]store.Dir{}
	for _, d := range dirs {
		byID[d.ID] = d
	}
	rights := map[string]exchange.Rights{}
	for _, d := range dirs {
		p := "/"
		granted, known := exchange.Rights(0), false
		for at := d; ; at = byID[at.Parent] {
			if at.Rights != nil && !known {
				granted, known = *at.Rights, true
			}
			if at.Parent == "" {
				break
			}
			p = path.Join("/", at.Name, p)
		}
		rights[p] = granted
	}
	for p, r := range rights {
		way := p == "/"
		for other := range rights {
			way = way || strings.HasPrefix(other, p+"/")
		}
		f := Folder{Path: p, Send: r&exchange.Write != 0, Fetch: r&exchange.Read != 0}
		if (f.Send || f.Fetch) && (!way || f.Send) {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b Folder) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// outbound lists the feeds that a user publishes in: all, for a program of the platform's own, and those that its
// account produces, for a customer's.
func outbound(q *store.Q, u model.User) (out []Outbound, err error) {
	if u.Kind == model.KindVendor {
		return nil, nil
	}
	list, err := q.Feeds(model.Paging{})
	for _, f := range list {
		if u.Kind == model.KindService || f.Producer == u.Account {
			out = append(out, Outbound{Name: f.Name, Title: f.Title})
		}
	}
	return out, err
}
