package node

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/announce"
	"github.com/sallyport-sftp/sallyport/internal/notify"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// buildAnnounce builds the service that tells many contacts something at once.
func (n *Node) buildAnnounce(zone *time.Location) *announce.Service {
	o := announce.Options{Store: n.store, Clock: n.clock, IDs: n.ids, Log: n.log, Zone: zone,
		Regions: slices.Sorted(maps.Keys(n.cfg.Regions))}
	if n.tell.Mails() {
		o.Mail = func(tx *store.Tx, a model.Announcement, to model.Contact) error {
			return n.tell.MailContact(tx, to.ID, notify.Letter{Kind: "announcement", Account: to.Account,
				Facts: notify.TextFacts{Title: a.Subject, Paragraphs: strings.Split(strings.TrimSpace(a.Text), "\n\n")}}, a.ID)
		}
	}
	return announce.New(o)
}
