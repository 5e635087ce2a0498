package retention

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	maxForecast  = 100_000 // files that a forecast lists
	laterRuns    = 2       // runs after the next one that a forecast counts
	notReached   = "its notice has reached nobody so far"
	goneMeantime = "removed, or replaced by a newer issue, since it was announced"
	otherPolicy  = "another policy keeps it, because its folder was renamed or the policies have changed"
)

// Forecast returns what will be removed: by the runs that are announced, by the one that will be announced next, and
// how much by those after it. What spares a file is told. With ask.At, it is everything that is due by that time and
// not announced. With ask.List, files are listed by name.
func (r *Service) Forecast(ctx context.Context, ask model.ForecastQuery) (model.Forecast, error) {
	q := r.o.Store.Read(ctx).Patient()
	f := model.Forecast{At: ask.At, Announced: []model.ForecastRun{}, Lines: []model.ForecastLine{},
		Stays: []model.ForecastStay{}}
	if ask.Account != "" {
		a, err := q.Account(ask.Account)
		if err != nil {
			return f, fault.Missing("retention.Forecast", err, "There is no account %q.", valid.Printable(ask.Account))
		}
		ask.Account = a.ID
	}
	c := forecasting{r: r, ctx: ctx, q: q, ask: ask, f: &f, names: map[string]string{},
		paths: pathReader{q: q, dirs: map[string]string{}}}
	if err := c.prepare(); err != nil {
		return f, err
	}
	if err := c.announced(); err != nil {
		return f, err
	}
	if f.At.IsZero() {
		if err := c.next(); err != nil {
			return f, err
		}
	}
	lines := summing{lines: &f.Lines, stays: &f.Stays, index: map[[2]string]int{}}
	if err := r.eachDue(ctx, f.At, func(k store.Kept) error { return c.due(&lines, k) }); err != nil {
		return f, err
	}
	lines.sort()
	if ask.At.IsZero() {
		return f, c.later()
	}
	return f, nil
}

// forecasting makes a forecast.
type forecasting struct {
	r     *Service
	ctx   context.Context
	q     *store.Q
	ask   model.ForecastQuery
	f     *model.Forecast
	rules *rules
	names map[string]string // class → displayed name
	paths pathReader
}

// prepare reads policies and holds.
func (c *forecasting) prepare() (err error) {
	if c.rules, err = readRules(c.q, c.r.policy.Load().Keep); err != nil {
		return err
	}
	if c.f.Holds, err = c.q.Holds(model.HoldFilter{}); err != nil {
		return err
	}
	policies, err := c.r.Policies(c.ctx)
	for _, p := range policies {
		c.names[classOf(p)] = p.Class
	}
	return err
}

// next finds the run that will be announced next.
func (c *forecasting) next() error {
	p := c.r.policy.Load()
	at := c.r.nextRun(c.r.now())
	for {
		_, err := c.q.RunAt(at)
		if fault.Is(err, fault.NotFound) {
			break
		} else if err != nil {
			return err
		}
		at = c.r.nextRun(at.Add(time.Hour - p.Notice)) // it is announced already
	}
	announce := at.Add(-p.Notice - planEarlier)
	c.f.At, c.f.AnnounceAt = at, &announce
	var err error
	c.f.Confirm, err = c.q.Setting(confirmSetting)
	return err
}

// announced adds the runs that are announced or going on.
func (c *forecasting) announced() error {
	open, err := c.q.OpenRuns()
	if err != nil {
		return err
	}
	for _, run := range open {
		if run.State == statePlan {
			continue
		}
		run.Report = ""
		n := model.ForecastRun{Run: run, Lines: []model.ForecastLine{}, Stays: []model.ForecastStay{},
			Waits: run.Confirm != "" && run.ConfirmedAt == nil}
		if from := run.CreatedAt.Add(c.r.policy.Load().Notice); n.Waits && c.r.now().Before(from) {
			n.ConfirmFrom = &from
		}
		if err := c.named(&n); err != nil {
			return err
		}
		if c.ask.Account == "" || len(n.Lines) > 0 {
			c.f.Announced = append(c.f.Announced, n)
		}
	}
	return nil
}

// named judges what an announced run names.
func (c *forecasting) named(n *model.ForecastRun) error {
	told, err := c.r.notifiedAt(c.ctx, n.Run)
	if err != nil {
		return err
	}
	lines := summing{lines: &n.Lines, stays: &n.Stays, index: map[[2]string]int{}}
	at := n.Run.DueAt
	if now := c.r.now(); now.After(at) {
		at = now
	}
	there := map[string]int64{}
	for after := ""; ; {
		page, err := c.q.KeptOfRun(n.Run.ID, after, planBatch)
		if err != nil || len(page) == 0 {
			if err != nil {
				return err
			}
			break
		}
		for _, k := range page {
			after = k.ID
			if c.ask.Account != "" && k.Account != c.ask.Account {
				continue
			}
			there[k.Account]++
			state, why := c.r.judge(n.Run, k, c.f.Holds, c.rules, told, at)
			if why == reachedNobody {
				why = notReached
			}
			s := sum{key: [2]string{k.Account}, line: model.ForecastLine{Account: k.Account}, kept: k, why: why,
				held: state == model.ItemHeld}
			lines.add(s)
			if state == model.ItemRemoved {
				n.Files, n.Bytes = n.Files+1, n.Bytes+k.Size
			}
			if n.Named, err = c.list(n.Named, s); err != nil {
				return err
			}
		}
	}
	if err := c.gone(n, &lines, there); err != nil {
		return err
	}
	lines.sort()
	return c.told(n)
}

// gone counts the named files that are not there any more.
func (c *forecasting) gone(n *model.ForecastRun, lines *summing, there map[string]int64) error {
	counts, err := c.q.CountItems(n.Run.ID)
	if err != nil {
		return err
	}
	for _, i := range counts {
		if i.State != model.ItemNamed || c.ask.Account != "" && i.Account != c.ask.Account {
			continue
		}
		if missing := i.Files - there[i.Account]; missing > 0 {
			l := lines.line([2]string{i.Account}, model.ForecastLine{Account: i.Account})
			l.Files, l.Stay = l.Files+missing, l.Stay+missing
			lines.stay(goneMeantime, missing, 0)
		}
	}
	return nil
}

// told fills in whom the notices of a run have reached.
func (c *forecasting) told(n *model.ForecastRun) error {
	notices, err := c.q.RetentionNotices(n.Run.ID, "", model.Paging{})
	if err != nil {
		return err
	}
	for i := range n.Lines {
		l := &n.Lines[i]
		l.Told = "not yet"
		for _, notice := range notices {
			switch {
			case notice.Account != l.Account:
			case notice.ToldBy != "":
				l.Told = "told by " + notice.ToldBy
			case notice.Reached && l.Told != "not reached":
				l.Told = "mailed " + notice.At.Format(time.DateOnly)
			case l.Told == "not yet":
				l.Told = "not reached"
			case notice.Reached:
				l.Told = "mailed " + notice.At.Format(time.DateOnly)
			}
		}
	}
	return nil
}

// due adds a file that is due and that no run names.
func (c *forecasting) due(lines *summing, k store.Kept) error {
	if c.ask.Account != "" && k.Account != c.ask.Account {
		return nil
	}
	s := sum{key: [2]string{k.Account, k.Class}, kept: k, line: model.ForecastLine{Account: k.Account,
		Class: cmp.Or(c.names[k.Class], k.Class), Keep: c.rules.period(k.Class)}}
	full, err := c.paths.of(k)
	if err != nil {
		return err
	}
	if h := holding(c.f.Holds, k.Account, k.UserID, k.Feed, k.FileID); h != nil {
		s.why, s.held = holdText(h), true
	} else if c.rules.class(k.UserID, full, k.Feed) != k.Class {
		s.why = otherPolicy
	}
	lines.add(s)
	c.f.Files, c.f.Bytes = c.f.Files+1, c.f.Bytes+k.Size
	c.f.Named, err = c.list(c.f.Named, s)
	return err
}

// list adds a file to a list, if files are listed.
func (c *forecasting) list(to []model.ForecastItem, s sum) ([]model.ForecastItem, error) {
	if !c.ask.List || len(to) >= maxForecast {
		return to, nil
	}
	full, err := c.paths.of(s.kept)
	k := &s.kept
	return append(to, model.ForecastItem{Account: k.Account, User: k.User, Path: valid.Printable(full), Size: k.Size,
		StoredAt: k.StoredAt, Fetched: cmp.Or(string(k.Delivery), string(k.Drop)), Held: s.held, Stays: s.why}), err
}

// later counts what the runs after the next one will name.
func (c *forecasting) later() error {
	classes, err := c.q.Classes()
	if err != nil {
		return err
	}
	at := c.f.At
	for range laterRuns {
		after := time.Date(at.Year(), at.Month()+1, at.Day(), at.Hour(), 0, 0, 0, time.UTC)
		l := model.ForecastLater{At: after}
		for _, class := range classes {
			from, err := valid.Before(at, c.rules.period(class))
			if err != nil {
				return err
			}
			before, err := valid.Before(after, c.rules.period(class))
			if err != nil {
				return err
			}
			files, bytes, err := c.q.CountDue(class, c.ask.Account, from, before)
			if err != nil {
				return err
			}
			l.Files, l.Bytes = l.Files+files, l.Bytes+bytes
		}
		c.f.Later = append(c.f.Later, l)
		at = after
	}
	return nil
}

// sum is a file to be added to the lines of a forecast.
type sum struct {
	key  [2]string // of its line
	line model.ForecastLine
	kept store.Kept
	why  string // why it stays; "": it goes
	held bool
}

// summing adds files up.
type summing struct {
	lines *[]model.ForecastLine
	stays *[]model.ForecastStay
	index map[[2]string]int
}

// line returns the line of a key. It is valid until the next call.
func (s *summing) line(key [2]string, begin model.ForecastLine) *model.ForecastLine {
	i, known := s.index[key]
	if !known {
		i = len(*s.lines)
		s.index[key] = i
		*s.lines = append(*s.lines, begin)
	}
	return &(*s.lines)[i]
}

func (s *summing) add(f sum) {
	l, k := s.line(f.key, f.line), &f.kept
	l.Files, l.Bytes = l.Files+1, l.Bytes+k.Size
	if k.Delivery == model.DeliveryPublished || k.Delivery == model.DeliveryOpened {
		l.Uncollected++
	}
	if k.Drop == model.DropNew || k.Drop == model.DropUnscanned || k.Drop == model.DropClaimed {
		l.Unclaimed++
	}
	if f.held {
		l.Held++
	}
	if f.why != "" {
		l.Stay++
		s.stay(f.why, 1, k.Size)
	}
}

// stay counts files that stay for a reason.
func (s *summing) stay(why string, files, bytes int64) {
	i := slices.IndexFunc(*s.stays, func(have model.ForecastStay) bool { return have.Why == why })
	if i < 0 {
		i = len(*s.stays)
		*s.stays = append(*s.stays, model.ForecastStay{Why: why})
	}
	st := &(*s.stays)[i]
	st.Files, st.Bytes = st.Files+files, st.Bytes+bytes
}

// sort sorts lines by account, and reasons by how many files they keep.
func (s *summing) sort() {
	slices.SortStableFunc(*s.lines, func(a, b model.ForecastLine) int { return strings.Compare(a.Account, b.Account) })
	slices.SortStableFunc(*s.stays, func(a, b model.ForecastStay) int {
		return cmp.Or(cmp.Compare(b.Files, a.Files), strings.Compare(a.Why, b.Why))
	})
}
