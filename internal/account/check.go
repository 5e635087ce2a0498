package account

import (
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// The functions below check what is to be added, as far as that can be said without the database. They
// are for whoever adds many things, and wants every mistake before the first change.

// CheckAccount checks a new account, and returns its networks as they are stored.
func (r *Service) CheckAccount(n model.NewAccount) (networks []string, err error) {
	if err := valid.CheckUserName("account ID", n.ID); err != nil {
		return nil, fault.InField("id", err)
	}
	if err := valid.CheckLabel("account name", n.Name); err != nil {
		return nil, fault.InField("name", err)
	}
	if err := r.checkRegion(n.Region); err != nil {
		return nil, fault.InField("region", err)
	}
	if err := checkLanguage(n.Language); err != nil {
		return nil, err
	}
	if _, err := valid.ParseZone(n.TimeZone); err != nil {
		return nil, err
	}
	if err := checkLimits("account.CheckAccount", n.KeepBytes, n.KeepItems); err != nil {
		return nil, err
	}
	return cleanNetworks(n.AllowIPs)
}

// CheckVendor checks a new vendor.
func (r *Service) CheckVendor(n model.NewVendor) error {
	if err := valid.CheckID("vendor short name", n.Short); err != nil {
		return err
	}
	return valid.CheckLabel("vendor name", n.Name)
}

// CheckContact checks a new contact, and returns it as it is stored.
func (r *Service) CheckContact(n model.NewContact) (model.Contact, error) {
	c := model.Contact{Name: n.Name, Email: n.Email, Phone: n.Phone, Roles: append([]string(nil), n.Roles...)}
	return c, checkContact(&c)
}

// CheckUser checks a new user, and returns its networks and its starting directory as they are stored.
func (r *Service) CheckUser(n model.NewUser) (networks []string, startDir string, err error) {
	if err := valid.CheckUserName("username", n.Name); err != nil {
		return nil, "", err
	}
	if n.StartDir != "" {
		if startDir, err = valid.CleanPath("/", n.StartDir); err != nil {
			return nil, "", err
		}
	}
	networks, err = cleanNetworks(n.AllowIPs)
	return networks, startDir, err
}

// CheckKeys reads public keys, and refuses those that the policy does not take. A private key is refused;
// nothing is done about it.
func (r *Service) CheckKeys(text string) ([]keys.Public, error) {
	if keys.LooksPrivate([]byte(text)) {
		return nil, fault.E("account.CheckKeys", fault.Denied, "This is a private key. Only the public file is needed.")
	}
	found, err := keys.Read([]byte(text))
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		if err := r.policy.Load().accepts(p); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// MaxKeys is the largest number of keys of a user.
func (r *Service) MaxKeys() int { return r.policy.Load().MaxKeys }
