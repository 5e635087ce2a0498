package node

import (
	"context"
	"path"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/guide"
	"github.com/sallyport-sftp/sallyport/internal/notify"
	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/internal/web"
	"github.com/sallyport-sftp/sallyport/model"
)

// welcome returns what a user needs to connect, with the guide and the site files.
func (n *Node) welcome(ctx context.Context, user string) (f notify.WelcomeFacts, files []model.MessageFile, err error) {
	c, err := n.guides.Card(ctx, user)
	if err != nil {
		return f, nil, err
	}
	f = notify.WelcomeFacts{Host: c.Host, Port: c.Port, Start: c.StartDir, From: c.AllowIPs, Issued: c.Issued}
	for _, k := range c.HostKeys {
		f.HostKeys = append(f.HostKeys, notify.HostKeyFacts{Type: k.Type, Fingerprint: k.Fingerprint})
	}
	f.Folders = folders(c)
	u, err := n.accounts.User(ctx, user)
	if err != nil {
		return f, nil, err
	}
	if u.Vendor != "" {
		v, err := n.accounts.Vendor(ctx, u.Vendor)
		if err != nil {
			return f, nil, err
		}
		f.Vendor = v.Name
	}
	page, err := c.HTML()
	if err != nil {
		return f, nil, err
	}
	files = []model.MessageFile{{Name: valid.FileFor(user) + ".guide.html", Type: "text/html; charset=utf-8",
		Content: []byte(page)}}
	for _, program := range guide.WelcomePrograms {
		sites, err := c.Sites(program, "")
		if err != nil {
			return f, nil, err
		}
		for _, s := range sites {
			files = append(files, model.MessageFile{Name: s.Name, Type: "application/octet-stream", Content: []byte(s.Content)})
		}
	}
	return f, files, nil
}

// folders returns a card's folders as letters name them. Those of feeds have the feed's title.
func folders(c guide.Card) (out []notify.FolderFacts) {
	for _, d := range c.Folders {
		out = append(out, notify.FolderFacts{Path: d.Path, Sends: d.Send, Fetches: d.Fetch,
			Kept: d.Retention})
	}
	for _, feed := range c.Feeds {
		title := feed.Title
		if title == "" {
			title = feed.Name
		}
		at := -1
		for i := range out {
			if out[i].Path == feed.Dir {
				at = i
			}
		}
		if at < 0 {
			out, at = append(out, notify.FolderFacts{Path: feed.Dir, Fetches: true}), len(out)
		}
		out[at].Title, out[at].Kept = title, feed.Retention
	}
	return out
}

// mailLink queues a mail with a one-time link.
func (n *Node) mailLink(tx *store.Tx, l model.Link, c model.Contact, secret string) error {
	if n.cfg.Web.URL == "" {
		return fault.E("node.mailLink", fault.Conflict, "This server has no web address, so nobody could open a link.").
			WithHint("set web.listen and web.url in the configuration")
	}
	return n.tell.MailLink(tx, l, c, strings.TrimSuffix(n.cfg.Web.URL, "/")+web.HandOverPath, secret)
}

// mailPeople sends a mail of retention to an account's people.
func (n *Node) mailPeople(tx *store.Tx, l retention.Letter) (mails int, err error) {
	letter := notify.Letter{Kind: l.Kind, Account: l.Account}
	if l.Kind == "removed" {
		letter.Facts = notify.RemovedFacts{Total: int(l.Files), Signed: l.Signed}
		return n.tell.MailPeople(tx, letter, l.Ref)
	}
	f := notify.RemovalFacts{FilesFacts: notify.FilesFacts{Total: int(l.Files), More: l.More}, Due: l.Due,
		Reminder: l.Reminder, Closing: l.Closing, Shut: l.Shut,
		Ages: l.Ages, Missed: int(l.Missed), Names: l.Names}
	vendors := map[string]string{} // of users: the names of their vendors
	for _, i := range l.Items {
		vendor, seen := vendors[i.User]
		if !seen {
			if u, err := tx.User(i.User); err == nil && u.Vendor != "" {
				v, err := tx.Vendor(u.Vendor)
				if err != nil {
					return 0, err
				}
				vendor = v.Name
			}
			vendors[i.User] = vendor
		}
		f.Files = append(f.Files, notify.FileFacts{Name: path.Base(i.Path), Path: i.Path, User: i.User, At: i.StoredAt,
			Size: i.Size, Downloaded: downloaded(i.Fetched), Vendor: vendor})
	}
	letter.Facts = f
	return n.tell.MailPeople(tx, letter, l.Ref)
}

// downloaded says in letters how far a delivery went. What is "" was neither delivered nor received:
// a temporary file, or one that an operator put there.
func downloaded(fetched string) string {
	switch model.DeliveryState(fetched) {
	case model.DeliveryPublished:
		return "never"
	case model.DeliveryOpened:
		return "part"
	case model.DeliveryCollected:
		return "full"
	case model.DeliveryWithdrawn:
		return "withdrawn"
	case model.DeliveryReplaced:
		return "replaced"
	case model.DeliveryExpired:
		return "removed"
	case "":
		return ""
	}
	return "sent"
}

// reminding returns how a reminder is mailed; nil if mail is not configured.
func (n *Node) reminding() func(tx *store.Tx, l feed.Letter) error {
	if !n.tell.Mails() {
		return nil
	}
	return func(tx *store.Tx, l feed.Letter) error {
		f := notify.ReminderFacts{FilesFacts: notify.FilesFacts{Total: int(l.Total), More: int(l.Total) - len(l.Files)},
			Oldest: l.Oldest}
		for _, d := range l.Files {
			f.Files = append(f.Files, notify.FileFacts{Name: d.Name, Path: d.Path, Feed: d.Feed, User: d.User,
				At: d.PublishedAt, Size: d.Size})
		}
		return n.tell.MailContact(tx, l.To.ID, notify.Letter{Kind: "reminder", Account: l.Account, Facts: f}, "")
	}
}
