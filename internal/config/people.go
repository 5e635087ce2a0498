package config

import (
	"path"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// maxNeeded bounds the contacts that may be asked of an account.
const maxNeeded = 10

// checkPeople refuses policies on keys, names and contacts that nobody could meet.
func (c *Config) checkPeople() error {
	const op = "config.check"
	bad := func(format string, args ...any) error { return fault.E(op, fault.Invalid, format, args...) }
	makers := []model.KeyMakers{model.KeysByBoth, model.KeysByCustomer, model.KeysByOperator}
	if !slices.Contains(makers, c.Keys.MadeBy) {
		return bad("keys.made_by: %q is not one of customer, operator, both.", valid.Printable(string(c.Keys.MadeBy)))
	}
	if c.Keys.Pending && c.Keys.MadeBy == model.KeysByOperator {
		return bad("keys.pending: unknown keys can't be approved while keys.made_by is operator.")
	}
	u := &c.Users
	switch u.NameRule {
	case "account-id", "free":
		if u.NamePattern != "" {
			return bad("users.name_pattern: it counts only with users.name_rule: pattern.")
		}
	case "pattern":
		if _, err := path.Match(u.NamePattern, ""); err != nil || u.NamePattern == "" {
			return fault.E(op, fault.Invalid, "users.name_pattern: %q is not a pattern of names.",
				valid.Printable(u.NamePattern)).WithHint("write \"{account}*\", for example")
		}
		if rest := strings.ReplaceAll(u.NamePattern, "{account}", ""); strings.ContainsAny(rest, "{}") {
			return bad("users.name_pattern: {account} is all that may be in braces.")
		}
	default:
		return bad("users.name_rule: %q is not one of account-id, free, pattern.", valid.Printable(u.NameRule))
	}
	roles := []string{model.RoleTechnical, model.RoleBilling, model.RoleSecurity}
	for role, n := range c.Contacts.Needed {
		if !slices.Contains(roles, role) {
			return bad("contacts.needed: there is no role %q; they are %s.", valid.Printable(role), strings.Join(roles, ", "))
		}
		if n < 0 || n > maxNeeded {
			return bad("contacts.needed: from 0 to %d %s contacts.", maxNeeded, role)
		}
	}
	return nil
}
