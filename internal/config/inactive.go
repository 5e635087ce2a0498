package config

import "github.com/sallyport-sftp/sallyport/model"

// check refuses a policy that would end users without a warning, or none at all.
func (i *Inactive) check(f *findings) {
	const setting = "access.inactive"
	for _, k := range i.Kinds {
		f.oneOf(setting+".kinds", k, string(model.KindCustomer), string(model.KindVendor), string(model.KindService))
	}
	switch {
	case i.Disable < 0 || i.Notice < 0:
		f.bad(setting, "a length of time is not negative.")
	case i.Disable == 0:
	case i.Notice == 0 || i.Notice >= i.Disable:
		f.bad(setting+".notice", "must be more than zero, and less than disable.")
	case len(i.Kinds) == 0:
		f.bad(setting+".kinds", "name whom it concerns: customer, vendor, service.")
	}
}
