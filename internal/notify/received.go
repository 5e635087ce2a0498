package notify

import (
	"encoding/json"
	"slices"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// digestReceived is the kind of digest that lists received files.
const digestReceived = "received"

// receivedMails tells the contacts who asked for it that a file was received: at once, or in the
// next digest.
func (r *Service) receivedMails(tx *store.Tx, e model.Event, d model.FileReceived) error {
	people, err := tx.ToldOfReceived(e.Account, d.Vendor)
	if err != nil || len(people) == 0 {
		return err
	}
	u, err := tx.User(e.User)
	if err != nil {
		return unlessGone(err)
	}
	if len(told(people, model.ToldDaily)) > 0 {
		detail, err := json.Marshal(digestItem{Name: d.Name, Size: d.Size, SHA256: d.SHA256, ID: d.Drop})
		if err != nil {
			return fault.Wrap("notify.receivedMails", fault.Internal, err)
		}
		if err := tx.AddDigest(store.Digest{ID: r.o.IDs.New(), UserID: u.ID, At: e.At, Kind: digestReceived,
			Detail: string(detail)}); err != nil {
			return err
		}
	}
	return r.peopleMails(tx, u, Mailing{Event: e}, Letter{Kind: "received", Facts: FilesFacts{Total: 1,
		Files: []FileFacts{{Name: d.Name, At: e.At, Size: d.Size, SHA256: d.SHA256, ID: d.Drop, User: u.Name,
			Path: d.Path}}}}, told(people, model.ToldEach))
}

// told returns the contacts who are told so often, one per address. Those whose mail bounced are
// left out.
func told(people []model.Contact, often model.Told) []model.Contact {
	return Reachable(slices.DeleteFunc(slices.Clone(people), func(c model.Contact) bool {
		return c.Received != often || c.BouncedAt != nil
	}), model.RoleTechnical, model.RoleBilling, model.RoleSecurity)
}
