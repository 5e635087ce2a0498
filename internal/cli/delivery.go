package cli

import (
	"context"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/client"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

func (a *app) deliveryCommand() *cobra.Command {
	var feed, account, state string
	list := command("list", "List deliveries in the order they were made", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q := url.Values{}
		for name, v := range map[string]string{"feed": feed, "account": account, "state": state} {
			if v != "" {
				q.Set(name, v)
			}
		}
		all := []exchange.Delivery{}
		for {
			v, err := client.Call[[]exchange.Delivery](ctx, a.client(), client.Request{Method: "GET", Path: "/deliveries", Query: q})
			if err != nil {
				return err
			}
			if len(v) == 0 {
				break
			}
			all = append(all, v...)
			q.Set("after", v[len(v)-1].ID)
		}
		t := table{head: []string{"ID", "PUBLISHED", "FEED", "USER", "NAME", "SIZE", "STATE", "COLLECTED"}, none: "There are no deliveries yet."}
		for _, d := range all {
			t.add(d.ID, when(d.PublishedAt), d.Feed, d.User, d.Name, size(d.Size), d.State, whenPtr(d.CollectedAt))
		}
		return a.show(all, t)
	})
	list.Flags().StringVar(&feed, "feed", "", "only this feed's")
	list.Flags().StringVar(&account, "account", "", "only this account's users'")
	list.Flags().StringVar(&state, "state", "", "only in this state: published, opened, collected")
	show := command("show ID", "Show a delivery", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		d, err := call[exchange.Delivery](ctx, a, "GET", "/deliveries/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return a.card(d, [2]string{"ID", d.ID}, [2]string{"Feed", d.Feed}, [2]string{"User", d.User}, [2]string{"Account", d.Account},
			[2]string{"Name", d.Name}, [2]string{"SHA-256", d.SHA256}, [2]string{"State", d.State},
			[2]string{"Served", fmt.Sprintf("%d of %d bytes", d.Served, d.Size)}, [2]string{"Published", when(d.PublishedAt)},
			[2]string{"Opened", whenPtr(d.OpenedAt)}, [2]string{"Collected", whenPtr(d.CollectedAt)}, [2]string{"With key", d.Fingerprint})
	})
	return group("delivery", "Files placed for subscribers, and whether they were collected", list, show)
}

func (a *app) sessionCommand() *cobra.Command {
	list := command("list", "List live sessions", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		v, err := call[[]exchange.Session](ctx, a, "GET", "/sessions", nil)
		if err != nil {
			return err
		}
		t := table{head: []string{"SESSION", "USER", "ACCOUNT", "ADDRESS", "CLIENT", "SINCE", "RECEIVED", "SENT"}, none: "Nobody is logged in."}
		for _, s := range v {
			t.add(s.ID, s.User, s.Account, s.Address, s.Client, when(s.Since), size(s.Received), size(s.Sent))
		}
		return a.show(v, t)
	})
	end := command("end SESSION", "End a live session", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v, err := call[map[string]int](ctx, a, "DELETE", "/sessions/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return a.done(v, "The session was ended.")
	})
	return group("session", "Live log-ins", list, end)
}
