package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) deliveryCommand() *cobra.Command {
	return group("delivery", "Files placed for subscribers, and whether they were downloaded in full", a.deliveryList(),
		a.deliveryShow(), a.deliveryWithdraw())
}

func (a *app) deliveryList() *cobra.Command {
	var uncollected string
	var b byAccount
	l := &listing[model.DeliveryFilter, model.Delivery]{use: "list",
		short: "List deliveries in the order they were made",
		head:  []string{"ID", "PUBLISHED", "FEED", "USER", "NAME", "ISSUE", "SIZE", "STATE", "DOWNLOADED"},
		more:  []string{"ACCOUNT", "PATH", "SERVED", "OPENED", "ENDED", "SHA-256", "FINGERPRINT", "ADDRESS", "CLIENT"},
		at:    "PUBLISHED", order: "id", none: "Nothing was published to anybody yet.", read: (*client.Client).ListDeliveries,
		row: func(d model.Delivery) []any {
			return []any{d.ID, d.PublishedAt, d.Feed, d.User, d.Name, d.Issue, fileSize(d.Size), stateWord(d.State),
				d.CollectedAt, d.Account, d.Path, fileSize(d.Served), d.OpenedAt, d.EndedAt, d.SHA256, d.Fingerprint, d.Address,
				d.Client}
		}}
	l.ready = func(ctx context.Context, f *model.DeliveryFilter, _ []string) (err error) {
		if uncollected != "" {
			f.Uncollected, err = parseTime(uncollected, a.now(ctx), ago, false)
			b.uncollected = f.Uncollected
		}
		return err
	}
	l.instead = func(ctx context.Context, f model.DeliveryFilter, flags listFlags) (bool, error) {
		return b.run(ctx, a, f, flags)
	}
	c := listCommand(a, l)
	c.Flags().StringVar(&l.filter.Feed, "feed", "", "only this feed's")
	c.Flags().StringVar(&l.filter.Account, "account", "", "only this account's users'")
	c.Flags().StringVar(&l.filter.User, "user", "", "only this user's")
	c.Flags().StringVar(&l.filter.Name, "name", "", "only files of this name")
	stateFlag(c, &l.filter.State, model.DeliveryPublished, model.DeliveryOpened, model.DeliveryCollected,
		model.DeliveryExpired, model.DeliveryWithdrawn, model.DeliveryReplaced)
	c.Flags().StringVar(&uncollected, "uncollected", "",
		"only what was not downloaded in full, and was published before this: 3d, 2026-11-01")
	b.add(c)
	c.Long = `List deliveries in the order they were made.

Who has not collected: --uncollected 3d --by account lists the customers that have not
downloaded everything that was published more than three days ago, with counts, names
and the mail addresses to write to. With --remind these people are mailed, after you
agree.`
	return c
}

func (a *app) deliveryShow() *cobra.Command {
	return command("show ID", "Show a delivery", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		d, err := a.client().ShowDelivery(ctx, args[0])
		if err != nil {
			return err
		}
		return a.card(d, [2]string{"ID", d.ID}, [2]string{"Feed", d.Feed}, [2]string{"User", d.User},
			[2]string{"Account", d.Account}, [2]string{"Name", d.Name}, [2]string{"Path", d.Path},
			[2]string{"Issue", fmt.Sprint(d.Issue)},
			[2]string{"SHA-256", d.SHA256}, [2]string{"State", stateWord(d.State)},
			[2]string{"Served", fmt.Sprintf("%d of %d bytes", d.Served, d.Size)}, [2]string{"Published", when(d.PublishedAt)},
			[2]string{"Opened", whenPtr(d.OpenedAt)}, [2]string{"Downloaded in full", whenPtr(d.CollectedAt)},
			[2]string{"Ended", whenPtr(d.EndedAt)},
			[2]string{"Removed or renamed by the partner", whenPtr(d.TakenAt)},
			[2]string{"With key", d.Fingerprint}, [2]string{"From", d.Address}, [2]string{"Client", d.Client})
	})
}

func (a *app) deliveryWithdraw() *cobra.Command {
	var reason string
	c := command("withdraw ID --reason TEXT", "Take a delivery back; what was served stays on record", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			d, err := a.client().WithdrawDelivery(ctx, args[0], model.Why{Reason: reason})
			if err != nil {
				return err
			}
			return a.done(d, "%s was taken back from %s; %d of its %d bytes had been served.", d.Name, d.User, d.Served, d.Size)
		})
	c.Flags().StringVar(&reason, "reason", "", "why, for the audit log")
	_ = c.MarkFlagRequired("reason")
	return c
}

// rateOf returns how much a session moves in a second, and how much it may at most.
func rateOf(s model.Session) string {
	text := "-"
	if s.Rate > 0 {
		text = size(s.Rate) + "/s"
	}
	if s.RateLimit > 0 {
		text += " of " + size(s.RateLimit) + "/s"
	}
	return text
}

func (a *app) sessionCommand() *cobra.Command {
	list := listCommand(a, &listing[model.EveryFilter, model.Session]{use: "list", short: "List live sessions",
		head: []string{"SESSION", "USER", "ACCOUNT", "ADDRESS", "CLIENT", "SINCE", "RECEIVED", "SENT", "RATE"},
		more: []string{"FINGERPRINT"}, at: "SINCE", none: "Nobody is logged in.", read: (*client.Client).ListSessions,
		row: func(s model.Session) []any {
			return []any{s.ID, s.User, s.Account, s.Address, s.Client, s.Since, fileSize(s.Received), fileSize(s.Sent),
				rateOf(s), s.Fingerprint}
		}})
	end := command("end SESSION", "End a live session", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := a.client().EndSession(ctx, args[0])
			if err != nil {
				return err
			}
			return a.done(v, "The session was ended.")
		})
	return group("session", "Live log-ins", list, end)
}
