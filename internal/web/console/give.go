package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/model"
)

// givePage chooses whom access is given: an account, a vendor's user for one, or a new user.
type givePage struct {
	page.Frame
	Done       string
	Mistakes   fault.Mistakes
	Text       string
	Found      []foundGroup
	Near       []string
	Account    *model.Account
	Vendor     *model.Vendor
	Users      []userLine
	More       bool   // there are more users than are shown
	Username   string // as it will be, unless another is wished for
	Typed      map[string]string
	MayAccount bool
	MayUser    bool
	MayGive    bool
}

// foundGroup is what was found of one kind.
type foundGroup struct {
	Title string
	Hits  []foundHit
	More  bool
}

type foundHit struct{ Name, Text, Path string }

// userLine is a user to choose.
type userLine struct {
	Name, Kind, Path, GivePath string
	Disabled                   bool
}

// usersShown is how many users of an account are shown to choose from.
const usersShown = 100

// give shows the choice.
func (s *server) give(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	if !s.may(r, "find") {
		_, err := s.api.Find(r.Context(), model.FindQuery{Text: "any"}) // the API says why not
		return err
	}
	return s.showGive(w, r, q.Get("account"), q.Get("vendor"), nil)
}

// givePath returns where access to an account is given; for a vendor's user, if vendor is set.
func givePath(account, vendor, said string) string {
	v := url.Values{}
	for name, value := range map[string]string{"account": account, "vendor": vendor, "done": said} {
		if value != "" {
			v.Set(name, value)
		}
	}
	return "/console/give?" + v.Encode()
}

// showGive shows the choice, with what is wrong with a form that was sent.
func (s *server) showGive(w http.ResponseWriter, r *http.Request, account, vendor string, wrong error) error {
	p := &givePage{Frame: s.frame(r, "Give access", "/console/give"), Done: doneText(r),
		Text: strings.TrimSpace(r.URL.Query().Get("text")), Typed: typed(r), MayAccount: s.may(r, "add-account"),
		MayUser: s.may(r, "add-user"), MayGive: s.may(r, "make-link")}
	p.Width = "wide"
	var status int
	status, p.Mistakes = outcome(wrong)
	if err := s.chosen(r, p, account, vendor); err != nil {
		return err
	}
	if p.Account == nil {
		p.Title = "Find a user"
		err := s.search(r, p)
		if fault.Is(err, fault.Invalid) {
			status, p.Mistakes = http.StatusUnprocessableEntity, mistakes(err, "text")
		} else if err != nil {
			return err
		}
	}
	s.Show(w, status, "give.html", p)
	return nil
}

// chosen reads the account and the vendor that were chosen, and their users.
func (s *server) chosen(r *http.Request, p *givePage, account, vendor string) error {
	if vendor != "" {
		v, err := s.api.ShowVendor(r.Context(), vendor)
		if err != nil {
			return err
		}
		p.Vendor = &v
	}
	if account == "" {
		return nil
	}
	a, err := s.api.ShowAccount(r.Context(), account)
	if err != nil {
		return err
	}
	p.Account, p.Username = &a, a.ID
	f := model.UserFilter{Account: a.ID, Paging: model.Paging{Limit: usersShown}}
	if p.Vendor != nil {
		f.Vendor, p.Username = p.Vendor.Short, a.ID+"-"+p.Vendor.Short
	}
	list, err := s.api.ListUsers(r.Context(), f)
	if err != nil {
		return err
	}
	p.More = list.Next != ""
	for _, u := range list.Items {
		p.Users = append(p.Users, lineOf(u))
	}
	return nil
}

func lineOf(u model.User) userLine {
	kind := "of the account itself"
	switch u.Kind {
	case model.KindVendor:
		kind = "of the vendor " + u.Vendor
	case model.KindService:
		kind = "a program of ours"
	}
	return userLine{Name: u.Name, Kind: kind, Path: userPath(u.Name), GivePath: userPath(u.Name) + "/give",
		Disabled: !u.Enabled}
}

// userPath returns where a user's page is.
func userPath(name string) string { return "/console/users/" + url.PathEscape(name) }

// search looks for accounts, vendors and users with a text.
func (s *server) search(r *http.Request, p *givePage) error {
	if p.Text == "" {
		return nil
	}
	found, err := s.api.Find(r.Context(), model.FindQuery{Text: p.Text})
	if err != nil {
		return err
	}
	vendor := ""
	if p.Vendor != nil {
		vendor = p.Vendor.Short
	}
	titles := map[string]string{"account": "Accounts", "vendor": "Vendors", "user": "Users"}
	for _, g := range found.Groups {
		if titles[g.Kind] == "" || g.Kind == "vendor" && vendor != "" {
			continue
		}
		out := foundGroup{Title: titles[g.Kind], More: g.More}
		for _, h := range g.Hits {
			at := userPath(h.Name)
			switch g.Kind {
			case "account":
				at = givePath(h.Name, vendor, "")
			case "vendor":
				at = givePath("", h.Name, "")
			}
			out.Hits = append(out.Hits, foundHit{h.Name, h.Text, at})
		}
		p.Found = append(p.Found, out)
	}
	if len(p.Found) == 0 {
		p.Near = found.Near
	}
	return nil
}

// addAccount makes an account.
func (s *server) addAccount(w http.ResponseWriter, r *http.Request) error {
	a, err := s.api.AddAccount(r.Context(), model.NewAccount{ID: value(r, "id"), Name: value(r, "name"),
		Region: value(r, "region")})
	if err != nil && s.correctable(r, "add-account", err) {
		return s.showGive(w, r, "", value(r, "vendor"), err)
	} else if err != nil {
		return err
	}
	http.Redirect(w, r, givePath(a.ID, value(r, "vendor"), "account"), http.StatusSeeOther)
	return nil
}

// addUser makes a user with the folders of its template.
func (s *server) addUser(w http.ResponseWriter, r *http.Request) error {
	account, vendor := value(r, "account"), value(r, "vendor")
	u, err := s.api.AddUser(r.Context(), model.NewUser{Account: account, Vendor: vendor, Name: value(r, "username"),
		StartDir: value(r, "start_dir"), MakeStartDir: value(r, "make_start_dir") != "",
		AllowIPs: strings.Fields(strings.ReplaceAll(value(r, "allow_ips"), ",", " "))})
	if err != nil && s.correctable(r, "add-user", err) && account != "" {
		return s.showGive(w, r, account, vendor, renamed(err, "name", "username"))
	} else if err != nil {
		return err
	}
	http.Redirect(w, r, userPath(u.Name)+"/give?done=user", http.StatusSeeOther)
	return nil
}

// renamed returns an error about a field under the name that the field has in a form.
func renamed(err error, from, to string) error {
	if fault.FieldIn(err) != from {
		return err
	}
	return &fault.Error{Op: "console", Kind: fault.KindIn(err), Public: fault.PublicText(err), Field: to,
		Hint: fault.HintIn(err)}
}

// contactsOf lists the present contacts of a user's account, and of its vendor.
func (s *server) contactsOf(r *http.Request, u model.User) (list []model.Contact, err error) {
	for _, of := range []string{u.Account, u.Vendor} {
		if of == "" {
			continue
		}
		part, err := s.api.ListContacts(r.Context(), model.ContactFilter{Of: of, Paging: model.Paging{Limit: contactsShown}})
		if err != nil {
			return nil, err
		}
		list = append(list, part.Items...)
	}
	return slices.DeleteFunc(list, func(c model.Contact) bool { return c.LeftAt != nil }), nil
}

// contactsShown is how many contacts of an account or a vendor are shown to choose from.
const contactsShown = 200
