package config

import (
	"slices"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// check refuses a policy that would end users without a warning, or none at all.
func (i *Inactive) check() error {
	const op = "config.check"
	kinds := []model.UserKind{model.KindCustomer, model.KindVendor, model.KindService}
	for _, k := range i.Kinds {
		if !slices.Contains(kinds, k) {
			return fault.E(op, fault.Invalid, "access.inactive.kinds: there is no kind %q of user.", valid.Printable(string(k))).
				WithHint("customer, vendor or service")
		}
	}
	switch {
	case i.Disable < 0 || i.Notice < 0:
		return fault.E(op, fault.Invalid, "access.inactive: a length of time is not negative.")
	case i.Disable == 0:
		return nil
	case i.Notice == 0 || i.Notice >= i.Disable:
		return fault.E(op, fault.Invalid, "access.inactive.notice: must be more than zero, and less than disable.")
	case len(i.Kinds) == 0:
		return fault.E(op, fault.Invalid, "access.inactive.kinds: name whom it concerns: customer, vendor, service.")
	}
	return nil
}
