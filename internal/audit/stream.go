package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// position is what the cursor of a stream says: everything before it was read.
type position struct {
	next       int64  // the number of the next row of the log
	last       string // the id of the row before it; "": not known
	connection int64  // the number of the last event of a connection
}

const cursorForm = "1" // the first part of a cursor

func (p position) String() string {
	return fmt.Sprintf("%s.%d.%s.%d", cursorForm, p.next, p.last, p.connection)
}

func parsePosition(cursor string) (p position, err error) {
	parts := strings.Split(cursor, ".")
	if len(parts) == 4 && parts[0] == cursorForm {
		var wrong error
		p.last = parts[2]
		p.next, err = strconv.ParseInt(parts[1], 10, 64)
		p.connection, wrong = strconv.ParseInt(parts[3], 10, 64)
		if err == nil && wrong == nil && p.next >= 0 && p.connection >= 0 {
			return p, nil
		}
	}
	return p, fault.E("audit.Stream", fault.Invalid, "This cursor is not from a stream of events.").
		WithHint("begin without a cursor")
}

// Stream returns the events that follow a position. Rows of the log are in it once they are sealed: from then on they
// are neither changed nor taken back, and their numbers have no gaps, so that none is skipped. Events of connections
// are numbered in the order in which they were committed (store.NumberConnectionEvents).
func (r *Service) Stream(ctx context.Context, f model.StreamFilter) (page model.StreamPage, err error) {
	page.Items = []model.StreamEvent{}
	at := position{next: f.From}
	if f.Cursor != "" {
		if at, err = parsePosition(f.Cursor); err != nil {
			return page, err
		}
	}
	q := r.o.Store.Read(ctx)
	if err := continues(q, at); err != nil {
		return page, err
	}
	rows, err := q.LogRows(at.next, f.Limit)
	if err != nil {
		return page, err
	}
	who := owners{q: q, known: map[string]model.User{}}
	for _, row := range rows {
		if gap := row.Seq - at.next; gap > 0 {
			if page.Expired, err = expiredGap(q, at.next, row.Seq); err != nil {
				return page, err
			}
		}
		e, err := rowEvent(row, who)
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, e)
		at.next, at.last = row.Seq+1, row.ID
	}
	if f.Connections {
		events, err := q.ConnectionEvents(at.connection, f.Limit)
		if err != nil {
			return page, err
		}
		for _, v := range events {
			e, err := connectionEvent(v, who)
			if err != nil {
				return page, err
			}
			page.Items = append(page.Items, e)
			at.connection = v.Number
		}
	}
	page.Cursor = at.String()
	return page, nil
}

// continues fails if the log does not go on from a position. A log that was restored from a backup is shorter than
// what was read of it, or has other rows there.
func continues(q *store.Q, at position) error {
	size, err := q.Counter(sealedCounter)
	if err != nil {
		return err
	}
	events, err := q.LastConnectionEvent()
	if err != nil {
		return err
	}
	other := at.next > size || at.connection > events
	if !other && at.last != "" && at.next > 0 {
		before, err := q.LogRows(at.next-1, 1)
		if err != nil {
			return err
		}
		other = len(before) > 0 && before[0].Seq == at.next-1 && before[0].ID != at.last
	}
	if other {
		return fault.E("audit.Stream", fault.Conflict,
			"The log has %d sealed rows, and does not go on where the stream ended: perhaps it was restored from a backup.",
			size).WithHint("begin without the cursor, from a row that you name")
	}
	return nil
}

// expiredGap counts the rows that are missing in front of a row. It fails if they did not expire.
func expiredGap(q *store.Q, from, to int64) (int64, error) {
	expired, err := q.Counter(expiredCounter)
	if err == nil && to > expired {
		err = fault.E("audit.Stream", fault.Conflict, "Row %d is missing from the log.", max(from, expired)).
			WithHint("verifying the log itself says what else is wrong")
	}
	return to - from, err
}

// owners finds users by id, each once.
type owners struct {
	q     *store.Q
	known map[string]model.User
}

// find returns a user; of one that was removed, none of its fields are set.
func (o owners) find(id string) (model.User, error) {
	u, known := o.known[id]
	if known || id == "" {
		return u, nil
	}
	u, err := o.q.UserByID(id)
	if fault.Is(err, fault.NotFound) {
		u, err = model.User{}, nil
	}
	if err == nil {
		o.known[id] = u
	}
	return u, err
}

func rowEvent(row store.LogRow, who owners) (model.StreamEvent, error) {
	u, err := who.find(row.User)
	e := model.StreamEvent{Time: row.At.UTC(), Source: model.SourceAudit, Seq: row.Seq, ID: row.ID, Action: row.Action,
		Actor: valid.Printable(row.Actor), Subject: valid.Printable(row.Subject), User: u.Name, Account: u.Account,
		Outcome: "done"}
	_ = json.Unmarshal([]byte(row.Detail), &e.Detail) // a row that was damaged by hand may have none that can be read
	e.Address = e.Detail["address"]
	return e, err
}

func connectionEvent(v store.ConnectionEvent, who owners) (model.StreamEvent, error) {
	u, err := who.find(v.UserID)
	e := model.StreamEvent{Time: v.At().UTC(), Source: model.SourceConnection, Seq: v.Number, ID: v.Reference,
		Action: model.ActionRefused, Actor: "address:" + v.Address, User: valid.Printable(v.User), Account: u.Account,
		Address: v.Address, Outcome: v.Outcome}
	if v.LoggedIn {
		e.Action, e.Actor, e.Outcome = model.ActionLogin, "user:"+e.User, model.ReasonOK
	}
	e.Detail = map[string]string{"client": valid.Printable(v.Client), "algorithms": v.Algorithms,
		"fingerprint": v.Fingerprint, "session": v.Session, "methods": strings.Join(v.Methods, ",")}
	if v.Ended || !v.LoggedIn {
		e.Detail["about"] = valid.Printable(v.Detail)
	}
	if v.Ended {
		e.Action, e.Outcome = model.ActionEnd, v.Outcome
		e.Detail["received"], e.Detail["sent"] = strconv.FormatInt(v.Received, 10), strconv.FormatInt(v.Sent, 10)
	}
	for name, text := range e.Detail {
		if text == "" {
			delete(e.Detail, name)
		}
	}
	return e, err
}

// streamNoted is how long a look at the stream stands for those that follow. The row of each look would be an event
// of the stream, and cause the next.
const streamNoted = time.Hour

// NoteStream writes a row for somebody who reads the stream, if there was none in the last hour.
func (r *Service) NoteStream(ctx context.Context, actor string, detail map[string]string) error {
	now := r.now()
	r.streaming.Lock()
	defer r.streaming.Unlock()
	for who, at := range r.streams {
		if now.Sub(at) >= streamNoted {
			delete(r.streams, who)
		}
	}
	if _, noted := r.streams[actor]; noted {
		return nil
	}
	err := r.Note(ctx, model.AuditRow{Actor: actor, Action: "audit.stream", Subject: "log", Detail: detail})
	if err == nil {
		r.streams[actor] = now
	}
	return err
}
