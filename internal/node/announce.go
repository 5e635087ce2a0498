package node

import (
	"maps"
	"slices"
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
			return n.tell.Mail(tx, notify.Letter{Kind: "announcement", To: to.Email, Account: to.Account, Title: a.Subject,
				Text: a.Text}, notify.Mailing{Contact: to.ID, Ref: a.ID})
		}
	}
	return announce.New(o)
}
