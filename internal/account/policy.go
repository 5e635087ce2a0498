package account

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Rules for the names of partners' users.
const (
	NamesFree    = "free"       // any name
	NamesAccount = "account-id" // the account's ID, for vendors with "-" and the vendor's short name
	NamesPattern = "pattern"    // what Policy.NamePattern allows, for vendors likewise
)

// Policy is the operator's configuration.
type Policy struct {
	Templates map[model.UserKind]Template // by user kind
	MaxKeys   int                         // largest number of keys per user, without revoked and retiring ones
	KeyTypes  []string                    // accepted families: ed25519, ecdsa, rsa
	MinRSA    int                         // bits
	MaxRSA    int
	KeyExpiry time.Duration   // default lifetime of new keys; 0: unlimited
	Overlap   time.Duration   // how long a replaced key still works
	KeysBy    model.KeyMakers // who may make key pairs; "": both
	NameRule  string          // one of the rules above; "": free
	// NamePattern is a glob of usernames, in which {account} stands for the account's ID.
	NamePattern string
	// Contacts is how many contacts of each role an account needs before its users get a key or a guide.
	Contacts map[string]int
	Limits   exchange.DefaultLimits
	Account  exchange.AccountLimits
	Inactive InactivePolicy
	// AfterClose is how long the files of a closed account stay, and how long it can be reopened. CloseAccess
	// says what its users may do until then: model.CloseReadOnly or CloseNone.
	AfterClose  time.Duration
	CloseAccess string
	// KeepNames is how long nobody else may take a name that a user had.
	KeepNames time.Duration
	Help      string            // help contact for partners
	Regions   map[string]string // help contact by region; "": Help
	// EndpointIPs lists, by region, the networks from which users may log in. The key "" is for
	// regions without an entry. An empty list allows every address.
	EndpointIPs map[string][]string
}

// accepts returns an error for a key that the policy does not allow.
func (p *Policy) accepts(k keys.Public) error {
	const op = "account.accepts"
	if family := k.Family(); !slices.Contains(p.KeyTypes, family) {
		return fault.E(op, fault.Invalid, "Keys of type %s are not taken here. Make a pair of type %s.", k.Type,
			strings.Join(p.KeyTypes, " or "))
	}
	if k.Family() == keys.FamilyRSA && (k.Bits < p.MinRSA || k.Bits > p.MaxRSA) {
		return fault.E(op, fault.Invalid, "This RSA key has %d bits; %d to %d are taken here. Make a new pair.", k.Bits,
			p.MinRSA, p.MaxRSA)
	}
	return nil
}

// KeysMadeBy says who may make key pairs.
func (r *Service) KeysMadeBy() model.KeyMakers {
	return cmp.Or(r.policy.Load().KeysBy, model.KeysByBoth)
}

// MayIssue fails if no key can be issued for a user: partners make their own here, or the user has too few contacts.
func (r *Service) MayIssue(u model.User, list []model.Contact) error {
	if err := r.policy.Load().checkMaker(u.Name, model.OriginIssued); err != nil {
		return err
	}
	return r.EnoughContacts(u, list)
}

// checkMaker refuses a key that was made by the wrong side.
func (p *Policy) checkMaker(user string, origin model.KeyOrigin) error {
	const op = "account.AddKeys"
	issued := origin == model.OriginIssued
	switch {
	case issued && p.KeysBy == model.KeysByCustomer:
		return fault.E(op, fault.Denied, "Partners make their own keys here (keys.made_by), so none is issued.").
			WithHint("send the guide of %s, which says how to make a pair; then add the public key that comes back", user).
			WithAction("add-keys", "user", user)
	case !issued && p.KeysBy == model.KeysByOperator:
		return fault.E(op, fault.Denied, "Keys are made by us here (keys.made_by), so none that was sent is taken.").
			WithHint("make a pair for the partner").WithAction("add-keys", "user", user, "origin", string(model.OriginIssued))
	}
	return nil
}

// checkUserName refuses a username that the rule does not allow. Programs of the platform's own are named freely.
func (p *Policy) checkUserName(u model.User) error {
	if u.Kind == model.KindService {
		return nil
	}
	pattern := ""
	switch p.NameRule {
	case NamesAccount:
		pattern = "{account}"
	case NamesPattern:
		pattern = p.NamePattern
	default:
		return nil
	}
	pattern = strings.ReplaceAll(pattern, "{account}", globQuoted(valid.Fold(u.Account)))
	if u.Vendor != "" {
		pattern += "-" + globQuoted(valid.Fold(u.Vendor))
	}
	if ok, err := path.Match(pattern, valid.Fold(u.Name)); err != nil || !ok {
		e := fault.E("account.AddUser", fault.Denied, "%q is not a username that is allowed here (users.name_rule).", u.Name)
		if p.NameRule == NamesAccount {
			return e.WithHint("leave the name out: it is %s", strings.TrimSuffix(u.Account+"-"+u.Vendor, "-"))
		}
		return e.WithHint("choose a name such as %s", unquoted(pattern))
	}
	return nil
}

// globQuoted quotes the characters of s that mean something in a glob.
func globQuoted(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s)
}

func unquoted(glob string) string { return strings.ReplaceAll(glob, `\`, "") }

// EnoughContacts fails if a partner's user has fewer contacts of a role than the policy needs. list is the user's
// present contacts.
func (r *Service) EnoughContacts(u model.User, list []model.Contact) error {
	if u.Kind == model.KindService {
		return nil
	}
	var missing []string
	var first string
	for _, role := range slices.Sorted(maps.Keys(r.policy.Load().Contacts)) {
		need, have := r.policy.Load().Contacts[role], 0
		for _, c := range list {
			if slices.Contains(c.Roles, role) {
				have++
			}
		}
		if have < need {
			missing = append(missing, fmt.Sprintf("%d %s (%d now)", need, plural(need, role+" contact"), have))
			first = cmp.Or(first, role)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fault.E("account.EnoughContacts", fault.Conflict,
		"User %s needs %s before it gets a key or a guide (contacts.needed).", u.Name, strings.Join(missing, " and ")).
		WithAction("add-contact", "account", u.Account, "roles", first)
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// People returns the present contacts who may speak for a user: those of its account and those of its vendor.
func (r *Service) People(q *store.Q, u model.User) ([]model.Contact, error) { return people(q, u) }
