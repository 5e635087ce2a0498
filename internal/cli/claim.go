package cli

import (
	"context"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// claiming is what is asked of a claim.
type claiming struct {
	Consumer string `json:"consumer"`
	Limit    int    `json:"limit,omitempty"`
	Lease    string `json:"lease,omitempty"`
	User     string `json:"user,omitempty"`
	Account  string `json:"account,omitempty"`
}

func (a *app) claim(ctx context.Context, c claiming) ([]model.Drop, error) {
	return call[[]model.Drop](ctx, a, "POST", "/inbox/claims", c)
}

func (a *app) inboxClaim() *cobra.Command {
	var in claiming
	c := command("claim --consumer NAME", "Claim the oldest received files: nobody else gets them until the claim ends", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		v, err := a.claim(ctx, in)
		if err != nil {
			return err
		}
		t := table{head: []string{"ID", "CLAIM", "UNTIL", "USER", "PATH", "SIZE", "NOTE"}, none: "Nothing waits to be claimed."}
		for _, d := range v {
			note := ""
			if d.Duplicate != "" {
				note = "duplicate (" + d.Duplicate + ")"
			}
			t.add(d.ID, d.Claim, whenPtr(d.ClaimUntil), d.User, d.Path, size(d.Size), note)
		}
		return a.show(v, t)
	})
	c.Flags().StringVar(&in.Consumer, "consumer", "", "who works on them")
	c.Flags().IntVar(&in.Limit, "limit", 1, "at most so many")
	c.Flags().StringVar(&in.Lease, "lease", "", "how long: 15m (default: the configured time); renew it for longer work")
	c.Flags().StringVar(&in.User, "user", "", "only this user's")
	c.Flags().StringVar(&in.Account, "account", "", "only this account's users'")
	_ = c.MarkFlagRequired("consumer")
	return c
}

// settle ends or changes a claim.
func (a *app) settle(ctx context.Context, id, verb string, body map[string]string) (model.Drop, error) {
	return call[model.Drop](ctx, a, "POST", "/inbox/"+url.PathEscape(id)+"/"+verb, body)
}

func (a *app) inboxAck() *cobra.Command {
	var claim string
	c := command("ack ID", "Accept a received file", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		d, err := a.settle(ctx, args[0], "ack", map[string]string{"claim": claim})
		if err != nil {
			return err
		}
		if d.State == model.DropNew {
			return a.done(d, "%s was accepted by the scanner, and waits for its consumer.", valid.Printable(d.Path))
		}
		return a.done(d, "%s of %s was accepted.", valid.Printable(d.Path), d.User)
	})
	c.Flags().StringVar(&claim, "claim", "", "the claim, as inbox claim printed it; not needed while nobody has claimed the file")
	return c
}

func (a *app) inboxReject() *cobra.Command {
	var claim, reason, advice string
	c := command("reject ID --reason TEXT", "Refuse a received file; its uploader finds the reason in refused/<name>.txt", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		d, err := a.settle(ctx, args[0], "reject", map[string]string{"claim": claim, "reason": reason, "advice": advice})
		if err != nil {
			return err
		}
		return a.done(d, "%s of %s was refused: %s", valid.Printable(d.Path), d.User, reason)
	})
	c.Flags().StringVar(&claim, "claim", "", "the claim, as inbox claim printed it; not needed while nobody has claimed the file")
	c.Flags().StringVar(&reason, "reason", "", "what was wrong, for the partner: column 7 has no date")
	c.Flags().StringVar(&advice, "advice", "", "what to do, for the partner (default: correct the file)")
	_ = c.MarkFlagRequired("reason")
	return c
}

func (a *app) inboxRenew() *cobra.Command {
	var claim, lease string
	c := command("renew ID --claim CLAIM", "Make a claim last longer from now on", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		d, err := a.settle(ctx, args[0], "renew", map[string]string{"claim": claim, "lease": lease})
		if err != nil {
			return err
		}
		return a.done(d, "The claim lasts until %s.", whenPtr(d.ClaimUntil))
	})
	c.Flags().StringVar(&claim, "claim", "", "the claim, as inbox claim printed it")
	c.Flags().StringVar(&lease, "lease", "", "how long from now: 15m (default: the configured time)")
	_ = c.MarkFlagRequired("claim")
	return c
}

func (a *app) inboxRelease() *cobra.Command {
	var claim string
	c := command("release ID --claim CLAIM", "Give a claim back, so that others get the file", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		d, err := a.settle(ctx, args[0], "release", map[string]string{"claim": claim})
		if err != nil {
			return err
		}
		return a.done(d, "%s can be claimed again.", valid.Printable(d.Path))
	})
	c.Flags().StringVar(&claim, "claim", "", "the claim, as inbox claim printed it")
	_ = c.MarkFlagRequired("claim")
	return c
}

func (a *app) expectCommand() *cobra.Command {
	var in struct {
		Name    string `json:"name"`
		User    string `json:"user,omitempty"`
		Feed    string `json:"feed,omitempty"`
		Account string `json:"account,omitempty"`
		Pattern string `json:"pattern,omitempty"`
		AtLeast int64  `json:"at_least,omitempty"`
		Bytes   int64  `json:"least_bytes"`
		Rows    int64  `json:"least_rows,omitempty"`
		Days    string `json:"days"`
		By      string `json:"by"`
		Zone    string `json:"zone"`
		Tell    bool   `json:"tell_partner,omitempty"`
	}
	add := command("add NAME (--user USER | --feed FEED) --on DAYS --by HH:MM --zone ZONE", "Expect files by a time", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		in.Name = args[0]
		v, err := call[model.Expectation](ctx, a, "POST", "/expectations", in)
		if err != nil {
			return err
		}
		return a.done(v, "Expectation %s was added; its next deadline is %s.", v.Name, whenPtr(v.NextAt))
	})
	add.Flags().StringVar(&in.User, "user", "", "user whose uploads are expected")
	add.Flags().StringVar(&in.Feed, "feed", "", "feed whose publications are expected")
	add.Flags().StringVar(&in.Account, "account", "", "of a feed: published to this account")
	add.Flags().StringVar(&in.Pattern, "pattern", "", "names that count: 'cdr-*.csv' (default: all)")
	add.Flags().Int64Var(&in.AtLeast, "at-least", 1, "how many files")
	add.Flags().Int64Var(&in.Bytes, "least-bytes", 1, "smaller files do not count; 0: empty ones do")
	add.Flags().Int64Var(&in.Rows, "least-rows", 0, "files with fewer lines, with their header, do not count")
	add.Flags().StringVar(&in.Days, "on", "daily", "daily, weekdays, names of days (monday,thursday), or a day of the month (3)")
	add.Flags().StringVar(&in.By, "by", "", "time of day: 06:00")
	add.Flags().StringVar(&in.Zone, "zone", "UTC", "time zone: Australia/Sydney")
	add.Flags().BoolVar(&in.Tell, "tell-partner", false, "mail the user's technical contacts, too, when it is missed and when it comes late")
	_ = add.MarkFlagRequired("by")
	list := command("list", "List what is expected, and how it stands", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		v, err := call[[]model.Expectation](ctx, a, "GET", "/expectations", nil)
		if err != nil {
			return err
		}
		t := table{head: []string{"NAME", "FROM", "FILES", "BY", "STATE", "LAST DEADLINE", "NEXT DEADLINE"}, none: "Nothing is expected."}
		for _, e := range v {
			from := e.User
			if e.Feed != "" {
				from = "feed " + e.Feed
			}
			if e.Account != "" {
				from += " for " + e.Account
			}
			t.add(e.Name, from, fmt.Sprintf("%d %s", e.AtLeast, e.Glob), e.Days+" "+e.Clock+" "+e.Zone, e.State, whenPtr(e.DueAt), whenPtr(e.NextAt))
		}
		return a.show(v, t)
	})
	remove := command("remove NAME", "Expect something no longer", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if _, err := call[any](ctx, a, "DELETE", "/expectations/"+url.PathEscape(args[0]), nil); err != nil {
			return err
		}
		return a.done(map[string]string{"name": args[0]}, "Expectation %s was removed.", args[0])
	})
	return group("expect", "Files that should come by a time", add, list, remove)
}
