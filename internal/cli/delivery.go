package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) deliveryCommand() *cobra.Command {
	return group("delivery", "Files placed for subscribers, and whether they were downloaded in full", a.deliveryList(),
		a.deliveryShow(), a.deliveryWithdraw())
}

func (a *app) deliveryList() *cobra.Command {
	var f model.DeliveryFilter
	var uncollected string
	c := command("list", "List deliveries in the order they were made", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			f.State = model.Code(f.State)
			if uncollected != "" {
				d, err := parseLength(uncollected)
				if err != nil {
					return fault.E("cli.deliveryList", fault.Invalid, "%v.", err)
				}
				f.Uncollected = a.Clock().Add(-d).UTC()
			}
			t := table{head: []string{"ID", "PUBLISHED", "FEED", "USER", "NAME", "ISSUE", "SIZE", "STATE", "DOWNLOADED"},
				none: "There are no such deliveries."}
			return list(ctx, a, t, a.client().ListDeliveries, f, func(d model.Delivery) []string {
				return []string{d.ID, when(d.PublishedAt), d.Feed, d.User, d.Name, fmt.Sprint(d.Issue), size(d.Size),
					stateWord(d.State), whenPtr(d.CollectedAt)}
			})
		})
	c.Flags().StringVar(&f.Feed, "feed", "", "only this feed's")
	c.Flags().StringVar(&f.Account, "account", "", "only this account's users'")
	c.Flags().StringVar(&f.User, "user", "", "only this user's")
	c.Flags().StringVar(&f.Name, "name", "", "only files of this name")
	c.Flags().StringVar((*string)(&f.State), "state", "",
		"only in this state: published, opened, downloaded, expired, withdrawn, replaced")
	c.Flags().StringVar(&uncollected, "uncollected", "", "only what was not downloaded in full within this time: 3d")
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

func (a *app) sessionCommand() *cobra.Command {
	list := command("list", "List live sessions", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		t := table{head: []string{"SESSION", "USER", "ACCOUNT", "ADDRESS", "CLIENT", "SINCE", "RECEIVED", "SENT"},
			none: "Nobody is logged in."}
		return list(ctx, a, t, a.client().ListSessions, model.EveryFilter{}, func(s model.Session) []string {
			return []string{s.ID, s.User, s.Account, s.Address, s.Client, when(s.Since), size(s.Received), size(s.Sent)}
		})
	})
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
