package connection

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Bounds on what is kept in memory between two writes, and on the size of statements.
const (
	maxSeen     = 16_384
	seenAtOnce  = 32
	reportPage  = 2000
	maxSessions = 100_000 // of one key in a report
	lostCounter = "activity_lost"
	pathKept    = 512 // bytes of a path that are stored
)

// sight identifies one action on one path in one session. Repetitions are counted.
type sight struct{ session, action, path string }

// Seen records that a login read or listed something. It does not wait for the database.
func (r *Service) Seen(l *exchange.Login, action, path string, bytes int64) {
	if len(path) > pathKept {
		path = path[:pathKept] + "…"
	}
	k := sight{l.Session, action, path}
	now := r.o.Clock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := r.seen[k]; o != nil {
		o.Times++
		o.Bytes += bytes
		o.Until = now
		return
	}
	if len(r.seen) >= maxSeen {
		r.lost.Add(1)
		return
	}
	r.seen[k] = &store.Observation{ID: r.o.IDs.New(), Fingerprint: l.Fingerprint, UserID: l.User.ID, Session: l.Session,
		Action: action, Path: path, Bytes: bytes, Times: 1, Until: now}
}

// flushSeen writes the observations, in few statements.
func (r *Service) flushSeen() {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.mu.Lock()
	var seen map[sight]*store.Observation
	if len(r.seen) > 0 {
		seen, r.seen = r.seen, map[sight]*store.Observation{}
	}
	r.mu.Unlock()
	lost := r.lost.Swap(0)
	if len(seen) == 0 && lost == 0 {
		return
	}
	list := make([]store.Observation, 0, len(seen))
	for _, o := range seen {
		list = append(list, *o)
	}
	slices.SortFunc(list, func(a, b store.Observation) int { return strings.Compare(a.ID, b.ID) })
	err := r.o.Store.WriteFor(context.Background(), store.Behind, func(tx *store.Tx) error {
		for part := range slices.Chunk(list, seenAtOnce) {
			if err := tx.AddObservations(part); err != nil {
				return err
			}
		}
		return tx.Count(lostCounter, lost)
	})
	if err != nil {
		r.lost.Add(lost)
		if errors.Is(err, store.ErrOutcomeUnknown) {
			r.lost.Add(int64(len(list))) // They may have been written. Writing them again could then fail, every time.
		} else {
			r.seeAgain(seen)
		}
		r.o.Log.Error("what was read and listed could not be recorded", "count", len(list), "err", err)
	}
}

// seeAgain puts observations back that could not be written, as far as there is room.
func (r *Service) seeAgain(seen map[sight]*store.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, o := range seen {
		switch now := r.seen[k]; {
		case now != nil:
			now.ID, now.Times, now.Bytes = o.ID, now.Times+o.Times, now.Bytes+o.Bytes
		case len(r.seen) < maxSeen:
			r.seen[k] = o
		default:
			r.lost.Add(1)
		}
	}
}

// Activity reports everything that was done with a key: its sessions, what was read and listed in
// them, and every change, from the audit log.
func (r *Service) Activity(ctx context.Context, fingerprint string) (model.KeyActivity, error) {
	const op = "connection.Activity"
	r.Flush()
	q := r.o.Store.Read(ctx)
	out := model.KeyActivity{Fingerprint: fingerprint, Made: r.o.Clock().UTC(), Users: []string{}, Addresses: []string{},
		Rows: []model.Activity{}}
	holders, err := q.KeysOf(valid.Printable(fingerprint))
	if err != nil {
		return out, err
	}
	if len(holders) == 0 {
		return out, fault.E(op, fault.NotFound, "No user has or had the key %q.", valid.Printable(fingerprint)).
			WithAction("list-keys")
	}
	if out.Lost, err = q.Counter(lostCounter); err != nil {
		return out, err
	}
	users := map[string]string{} // id → name
	for _, k := range holders {
		u, err := q.User(k.User)
		if err != nil {
			return out, err
		}
		users[u.ID] = u.Name
		if out.Since.IsZero() || k.CreatedAt.Before(out.Since) {
			out.Since = k.CreatedAt
		}
	}
	out.Users = slices.Sorted(maps.Values(users))
	if err := addSessions(q, &out); err != nil {
		return out, err
	}
	if err := addSeen(q, &out, users); err != nil {
		return out, err
	}
	for id, name := range users {
		if err := addChanges(q, &out, id, name); err != nil {
			return out, err
		}
	}
	fillIn(&out)
	slices.SortStableFunc(out.Rows, func(a, b model.Activity) int { return a.At.Compare(b.At) })
	return out, nil
}

// Flush writes what is queued, and waits for a batch that is being written, so that a report
// contains it.
func (r *Service) Flush() {
	for more := true; more; {
		_, more = r.flush()
	}
	r.flushSeen()
	r.flushRefusals()
	r.guard.sync(r.o.Clock(), r.o.Log)
}

// fillIn gives every row the address and the client of its session.
func fillIn(out *model.KeyActivity) {
	sessions := map[string]model.Activity{}
	for _, r := range out.Rows {
		if r.Action == model.ActivitySession {
			sessions[r.Session] = r
		}
	}
	for i := range out.Rows {
		r := &out.Rows[i]
		if s, ok := sessions[r.Session]; ok {
			r.Address, r.Client = s.Address, s.Client
			if r.At.Before(s.At) { // an observation's time is cut to milliseconds
				r.At = s.At
			}
		}
	}
}

func addSessions(q *store.Q, out *model.KeyActivity) error {
	list, err := q.Connections("fingerprint", out.Fingerprint, maxSessions)
	for _, c := range list {
		a := model.Activity{At: c.At, Until: c.EndedAt, User: c.User, Session: c.Session, Action: model.ActivitySession,
			Bytes: c.Received + c.Sent, Times: 1, Address: c.Address, Client: c.Client}
		if c.EndedAt == nil {
			a.Note = "still open, or cut off"
		}
		out.Rows = append(out.Rows, a)
		if !slices.Contains(out.Addresses, c.Address) {
			out.Addresses = append(out.Addresses, c.Address)
		}
	}
	out.Sessions = len(list)
	slices.Sort(out.Addresses)
	return err
}

func addSeen(q *store.Q, out *model.KeyActivity, users map[string]string) error {
	for after := ""; ; {
		list, err := q.ObservationsOf(out.Fingerprint, after, reportPage)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, o := range list {
			until := o.Until
			path, _ := valid.Text(o.Path)
			out.Rows = append(out.Rows, model.Activity{At: exchange.IDTime(o.ID), Until: &until, User: users[o.UserID],
				Session: o.Session, Action: o.Action, Path: path, Bytes: o.Bytes, Times: o.Times})
		}
		after = list[len(list)-1].ID
	}
}

// addChanges adds the changes that were made with the key in a user's mailbox.
func addChanges(q *store.Q, out *model.KeyActivity, userID, name string) error {
	for after := exchange.FirstID(out.Since); ; {
		list, err := q.AuditOf(userID, after, reportPage)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, row := range list {
			action := changeAction(row.Action)
			if action == "" || row.Detail["key"] != out.Fingerprint {
				continue
			}
			a := model.Activity{At: row.At, User: name, Session: row.Detail["session"], Action: action, Path: row.Subject,
				Times: 1, Address: row.Detail["address"]}
			a.Bytes, _ = strconv.ParseInt(row.Detail["size"], 10, 64) // 0 for actions without a size
			switch row.Action {
			case "file.store":
				a.Note = "SHA-256 " + row.Detail["sha256"]
			case "file.rename", "dir.rename":
				a.Note = "renamed to " + valid.Printable(row.Detail["to"])
			default:
				a.Note = row.Action
			}
			out.Rows = append(out.Rows, a)
		}
		after = list[len(list)-1].ID
	}
}

// changeAction maps an audit action to an action of the report; "" for what is not a change of
// files.
func changeAction(action string) string {
	switch {
	case action == "file.store":
		return model.ActivityWrite
	case action == "file.remove", action == "dir.remove":
		return model.ActivityRemove
	case strings.HasPrefix(action, "file."), strings.HasPrefix(action, "dir."):
		return model.ActivityChange
	}
	return ""
}
