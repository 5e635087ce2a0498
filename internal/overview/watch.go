package overview

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// What needs a person is looked at once a minute, so that receivers of events and operators hear of it without asking.
// Something must be seen at two looks in a row before it is told, and missed at two before it counts as over: a queue
// that is stuck for a second is no news.

const (
	watchEvery   = time.Minute
	needsSetting = "events.needs"
)

// Usual is what Status is asked when nobody said otherwise.
var Usual = model.StatusQuery{Uncollected: "3d", Unclaimed: "1d"}

// known is what was seen of one topic. It is kept in the database, so that a restart tells nothing twice.
type known struct {
	Urgency model.Urgency `json:"urgency"`
	Since   time.Time     `json:"since"`
	Told    model.Urgency `json:"told,omitempty"` // the urgency that was told; "": nobody was told yet
	Missed  bool          `json:"missed,omitempty"`
}

// Watch looks until ctx ends.
func (s *Service) Watch(ctx context.Context, log *slog.Logger) {
	exchange.Task{Every: watchEvery, Do: s.Look, Failure: "what needs a person could not be looked at", Log: log}.Run(ctx)
}

// Look looks once, and emits an event for each topic that is new, more urgent or over.
func (s *Service) Look(ctx context.Context) error {
	status, err := s.Status(ctx, Usual)
	if err != nil {
		return err
	}
	first := map[string]model.Need{} // by topic; the most urgent comes first
	for _, n := range status.Needs {
		if _, have := first[n.Topic]; !have {
			first[n.Topic] = n
		}
	}
	return s.o.Store.Write(ctx, func(tx *store.Tx) error {
		tx.Unaudited("it says what other rows show")
		text, err := tx.Setting(needsSetting)
		if err != nil {
			return err
		}
		was := map[string]known{}
		if text != "" {
			if err := json.Unmarshal([]byte(text), &was); err != nil {
				return fault.Wrap("overview.Look", fault.Internal, err)
			}
		}
		is, events := s.news(was, first, status.At)
		next, err := json.Marshal(is)
		if err != nil {
			return fault.Wrap("overview.Look", fault.Internal, err)
		}
		if string(next) == text || text == "" && len(is) == 0 {
			return nil
		}
		if err := tx.SetSetting(needsSetting, string(next)); err != nil {
			return err
		}
		return tx.Emit(events...)
	})
}

// news compares what was known with what there is now.
func (s *Service) news(was map[string]known, now map[string]model.Need,
	at time.Time) (is map[string]known, events []model.Event) {
	is = map[string]known{}
	emit := func(kind, topic string, k known, n model.Need) {
		events = append(events, model.Event{ID: s.o.IDs.New(), Type: kind, At: at, Data: model.NeedChanged{Topic: topic,
			Urgency: k.Urgency, Count: n.Count, Since: k.Since, Words: n.Text}})
	}
	for _, topic := range slices.Sorted(maps.Keys(now)) {
		n := now[topic]
		k, have := was[topic]
		if !have {
			is[topic] = known{Urgency: n.Urgency, Since: at}
			continue
		}
		k.Missed = false
		if k.Urgency = n.Urgency; k.Told == "" || n.Urgency.Over(k.Told) {
			k.Told = n.Urgency
			emit(model.EventNeed, topic, k, n)
		}
		is[topic] = k
	}
	for _, topic := range slices.Sorted(maps.Keys(was)) {
		k := was[topic]
		switch _, still := now[topic]; {
		case still:
		case k.Told == "": // it came and went
		case !k.Missed:
			k.Missed = true
			is[topic] = k
		default:
			emit(model.EventNeedOver, topic, k, model.Need{Text: "It needs nobody any more."})
		}
	}
	return is, events
}
