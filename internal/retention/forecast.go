package retention

import (
	"cmp"
	"context"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// maxForecast bounds how many files a forecast lists.
const maxForecast = 100_000

// Forecast returns what a run at a time would name: counts per account and policy, and how much
// was never collected. Files that an announced run names are counted there and not here. A zero
// at is the next run. account "" is all. With list, files are listed by name.
func (r *Service) Forecast(ctx context.Context, at time.Time, account string, list bool) (model.Forecast, error) {
	q := r.o.Store.Read(ctx).Patient()
	if at.IsZero() {
		at = r.nextRun(r.now())
	}
	f := model.Forecast{At: at, Lines: []model.ForecastLine{}}
	rules, err := readRules(q, r.o.Policy.Keep)
	if err != nil {
		return f, err
	}
	if f.Holds, err = q.Holds(model.HoldFilter{}); err != nil {
		return f, err
	}
	policies, err := r.Policies(ctx)
	if err != nil {
		return f, err
	}
	c := forecasting{f: &f, rules: rules, names: map[string]string{}, lines: map[[2]string]int{}, list: list,
		paths: pathReader{q: q, dirs: map[string]string{}}}
	for _, p := range policies {
		c.names[classOf(p)] = p.Class
	}
	err = r.eachDue(ctx, at, func(k store.Kept) error {
		if account != "" && k.Account != account {
			return nil
		}
		return c.add(k)
	})
	return f, err
}

// forecasting adds up a forecast.
type forecasting struct {
	f     *model.Forecast
	rules *rules
	names map[string]string // class → displayed name
	lines map[[2]string]int // account and class → index in f.Lines
	list  bool
	paths pathReader
}

// line returns the line for a version's account and class.
func (c *forecasting) line(k store.Kept) *model.ForecastLine {
	key := [2]string{k.Account, k.Class}
	i, known := c.lines[key]
	if !known {
		i = len(c.f.Lines)
		c.lines[key] = i
		c.f.Lines = append(c.f.Lines,
			model.ForecastLine{Account: k.Account, Class: cmp.Or(c.names[k.Class], k.Class), Keep: c.rules.period(k.Class)})
	}
	return &c.f.Lines[i]
}

func (c *forecasting) add(k store.Kept) error {
	l := c.line(k)
	held := holding(c.f.Holds, k.Account, k.UserID, k.Feed, k.FileID) != nil
	c.f.Files, c.f.Bytes, l.Files, l.Bytes = c.f.Files+1, c.f.Bytes+k.Size, l.Files+1, l.Bytes+k.Size
	if k.Delivery == model.DeliveryPublished || k.Delivery == model.DeliveryOpened {
		l.Uncollected++
	}
	if k.Drop == model.DropNew || k.Drop == model.DropUnscanned || k.Drop == model.DropClaimed {
		l.Unclaimed++
	}
	if held {
		l.Held++
	}
	if !c.list || len(c.f.Named) >= maxForecast {
		return nil
	}
	full, err := c.paths.of(k)
	c.f.Named = append(c.f.Named, model.ForecastItem{Account: k.Account, User: k.User, Path: valid.Printable(full),
		Size: k.Size, StoredAt: k.StoredAt, Fetched: cmp.Or(string(k.Delivery), string(k.Drop)), Held: held})
	return err
}
