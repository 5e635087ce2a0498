package config

import (
	"path"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// maxNeeded bounds the contacts that may be asked of an account.
const maxNeeded = 10

// checkPeople refuses policies on keys, names and contacts that nobody could meet.
func (c *Config) checkPeople(f *findings) {
	f.oneOf("keys.made_by", string(c.Keys.MadeBy), string(model.KeysByCustomer), string(model.KeysByOperator),
		string(model.KeysByBoth))
	if c.Keys.Pending && c.Keys.MadeBy == model.KeysByOperator {
		f.bad("keys.pending", "unknown keys can't be approved while keys.made_by is operator.")
	}
	c.checkNameRule(f)
	c.checkOnboarding(f)
	for role, n := range c.Contacts.Needed.ByRole() {
		if n < 0 || n > maxNeeded {
			f.bad("contacts.needed."+role, "from 0 to %d contacts.", maxNeeded)
		}
	}
}

// checkOnboarding refuses a policy on requests with which none would ever be confirmed or answered.
func (c *Config) checkOnboarding(f *findings) {
	const day = Duration(24 * time.Hour)
	o := &c.Onboard
	for setting, d := range map[string]Duration{"answer_within": o.AnswerWithin, "verify_within": o.VerifyWithin,
		"remind_after": o.RemindAfter, "expire_after": o.ExpireAfter} {
		if d < Duration(time.Hour) || d > 366*day {
			f.bad("onboarding."+setting, "from 1h to 366d.")
		}
	}
	for setting, n := range map[string]int64{"per_address": int64(o.PerAddress), "per_email": o.PerEmail,
		"per_hour": o.PerHour, "unverified": o.Unverified} {
		if n < 1 || n > 100_000 {
			f.bad("onboarding."+setting, "from 1 to 100000.")
		}
	}
	for _, name := range o.Feeds {
		if name != "*" {
			f.refused("onboarding.feeds", valid.CheckID("feed's name", name))
		}
	}
}

func (c *Config) checkNameRule(f *findings) {
	const setting = "users.name_pattern"
	pattern := c.Users.NamePattern
	f.oneOf("users.name_rule", c.Users.NameRule, "account-id", "free", "pattern")
	if c.Users.NameRule != "pattern" {
		if pattern != "" {
			f.bad(setting, "it counts only with users.name_rule: pattern.")
		}
		return
	}
	if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
		f.bad(setting, "%q is not a pattern of names.", valid.Printable(pattern)).Hint = "write \"{account}*\", for example"
		return
	}
	if rest := strings.ReplaceAll(pattern, "{account}", ""); strings.ContainsAny(rest, "{}") {
		f.bad(setting, "{account} is all that may be in braces.")
	}
}
