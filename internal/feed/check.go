package feed

import "github.com/sallyport-sftp/sallyport/model"

// CheckSubscription checks a new subscription to a feed, as far as that can be said without its user, and
// returns it as it is stored.
func (r *Service) CheckSubscription(f model.Feed, n model.NewSubscription) (model.Subscription, error) {
	s := model.Subscription{Feed: f.Name, User: n.User, Types: n.Types, Dir: n.Dir, Mail: n.Mail, May: n.May}
	if err := checkSubscription(&s); err != nil {
		return s, err
	}
	return s, checkWanted(f, s.Types)
}
