package console

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// approval is the form that approves a request, filled in as the server proposes or as it was sent.
type approval struct {
	model.Approval
	NewAccount bool     // the account is not there yet
	Wished     []option // feeds that were wished for
	Others     []option // all other feeds
	Kinds      []option // file types
	People     []option // roles of a new contact
	Day        string   // as it was typed
}

// complete fills in the choices of the form. What was sent comes before what is proposed.
func (s *server) complete(r *http.Request, a *approval, j model.Judgement) error {
	feeds, err := s.allFeeds(r)
	if err != nil {
		return err
	}
	a.NewAccount = j.Account == nil
	a.AccountName = cmp.Or(a.AccountName, j.Request.Company)
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/approve") {
		a.Approval = approvalSent(r, nil)
		a.Day = value(r, "days")
	}
	var types []string
	for _, f := range feeds {
		label := cmp.Or(f.Title, f.Name)
		if label != f.Name {
			label += " (" + f.Name + ")"
		}
		one := option{Value: f.Name, Label: label, Chosen: slices.Contains(a.Feeds, f.Name)}
		if slices.Contains(j.Request.Feeds, f.Name) || one.Chosen {
			for _, wished := range j.Feeds {
				if wished.Name == f.Name {
					one.Hint = valid.Count(wished.Files30, "file") + " in 30 days"
				}
			}
			a.Wished = append(a.Wished, one)
		} else {
			a.Others = append(a.Others, one)
		}
		types = append(types, f.Types...)
	}
	types = append(types, j.Request.Types...)
	slices.Sort(types)
	for _, t := range slices.Compact(types) {
		a.Kinds = append(a.Kinds, option{Value: t, Label: strings.ToUpper(t), Chosen: slices.Contains(a.Types, t)})
	}
	a.People = roles(cmp.Or(strings.Join(a.Roles, " "), model.RoleTechnical))
	return nil
}

// roles are the roles of a contact to choose from.
func roles(chosen string) (list []option) {
	for _, role := range []string{model.RoleTechnical, model.RoleBilling, model.RoleSecurity} {
		list = append(list, option{Value: role, Label: role, Chosen: slices.Contains(strings.Fields(chosen), role)})
	}
	return list
}

// approvalSent reads the form that approves. all are the file types that there are to choose from: without any of
// them ticked, all are meant, and not those that were wished for.
func approvalSent(r *http.Request, all []string) model.Approval {
	days, _ := strconv.Atoi(value(r, "days")) // approve has checked it
	a := model.Approval{Account: value(r, "account"), CreateAccount: r.PostFormValue("create_account") != "",
		Username: value(r, "username"), UserExists: r.PostFormValue("user_exists") != "", Feeds: r.PostForm["feeds"],
		Types: r.PostForm["types"], Days: days, Roles: r.PostForm["roles"]}
	if a.CreateAccount {
		a.AccountName, a.Region = value(r, "account_name"), value(r, "region")
	}
	a.NoFeeds = len(a.Feeds) == 0
	if len(a.Types) == 0 {
		a.Types = all
	}
	return a
}

// done goes on to a page after a form was carried out, or shows the request again with why it was not.
func (s *server) done(w http.ResponseWriter, r *http.Request, operation, said string, err error) error {
	return s.after(w, r, operation, requestPath(r.PathValue("reference"))+"?done="+said, err, s.showRequest)
}

// doneTexts are what a page says after a form was carried out. The address has the word, and no text.
var doneTexts = map[string]string{
	"approved":    "Approved. The user was made, and the requester is told.",
	"first":       "Approved. A second operator has to approve it, too.",
	"asked":       "The question is on its way. The request waits for the answer.",
	"rejected":    "Rejected. The requester is told why.",
	"assigned":    "The owner was changed.",
	"reminded":    "A reminder is on its way.",
	"withdrawn":   "Withdrawn.",
	"recorded":    "Recorded. Now decide about it.",
	"unconfirmed": "Recorded. A link to confirm the address is on its way.",
	"account":     "The account was made.",
	"user":        "The user was made. Now make a key for it.",
	"contact":     "The contact was added.",
	"verified":    "The address is marked as verified.",
	"link":        "The link was revoked.",
	"mailed":      "The mail is sent once more.",
	"key":         "The key was revoked."}

// doneText returns what the page says was done; "" for nothing.
func doneText(r *http.Request) string { return doneTexts[r.URL.Query().Get("done")] }

// approve approves a request.
func (s *server) approve(w http.ResponseWriter, r *http.Request) error {
	const operation = "approve-request"
	reference := r.PathValue("reference")
	in := model.Approval{} // a second approval says nothing new
	if r.PostFormValue("second") == "" {
		if days := value(r, "days"); days != "" {
			if _, err := strconv.Atoi(days); err != nil {
				return s.done(w, r, operation, "", fault.E("console.approve", fault.Invalid,
					"That is no number of days.").WithField("days"))
			}
		}
		in = approvalSent(r, r.PostForm["all_types"])
	}
	v, err := s.api.ApproveRequest(r.Context(), reference, in)
	said := "approved"
	if v.State == model.RequestApproved {
		said = "first"
	}
	return s.done(w, r, operation, said, err)
}

func (s *server) ask(w http.ResponseWriter, r *http.Request) error {
	_, err := s.api.AskRequest(r.Context(), r.PathValue("reference"), model.AskRequest{Text: value(r, "text")})
	return s.done(w, r, "ask-request", "asked", err)
}

// reasons are ready-made reasons to reject a request. The requester reads them.
var reasons = []option{
	{Value: "known", Label: "Your account has a log-in already. " +
		"Please ask your colleague who looks after it to add your key."},
	{Value: "number", Label: "We could not find an account with this number and your company's name. " +
		"Please look at one of our invoices, and ask again with the number on it."},
	{Value: "person", Label: "We could not confirm that you act for this company. " +
		"Please ask again from your company's address, or have one of the account's contacts write to us."},
	{Value: "key", Label: "This key can't be used here. " +
		"Please make a new pair of keys, and ask again with the public file."},
	{Value: "closed", Label: "The account is closed. " +
		"Please talk to your account manager if you still need its files."}}

func (s *server) reject(w http.ResponseWriter, r *http.Request) error {
	reason := value(r, "reason")
	for _, ready := range reasons {
		if reason == "" && ready.Value == value(r, "ready") {
			reason = ready.Label
		}
	}
	_, err := s.api.RejectRequest(r.Context(), r.PathValue("reference"), model.RejectRequest{Reason: reason})
	return s.done(w, r, "reject-request", "rejected", err)
}

// assign gives a request an owner. Two buttons of the form have a value of their own: me, nobody.
func (s *server) assign(w http.ResponseWriter, r *http.Request) error {
	owner := value(r, "owner")
	switch value(r, "to") {
	case "me":
		owner = me(s.o.Who(r.Context()))
	case "nobody":
		owner = ""
	}
	_, err := s.api.AssignRequest(r.Context(), r.PathValue("reference"), model.AssignRequest{Owner: owner})
	if fault.Is(err, fault.Exists) { // it is so already
		err = nil
	}
	return s.done(w, r, "assign-request", "assigned", err)
}

func (s *server) remind(w http.ResponseWriter, r *http.Request) error {
	_, err := s.api.RemindRequest(r.Context(), r.PathValue("reference"))
	return s.done(w, r, "remind-request", "reminded", err)
}

func (s *server) withdraw(w http.ResponseWriter, r *http.Request) error {
	_, err := s.api.WithdrawRequest(r.Context(), r.PathValue("reference"),
		model.WithdrawRequest{Reason: value(r, "withdraw_reason")})
	return s.done(w, r, "withdraw-request", "withdrawn", renamed(err, "reason", "withdraw_reason"))
}

// typed returns what was sent with a form, by field, for the fields that have one value.
func typed(r *http.Request) map[string]string {
	out := map[string]string{}
	for name := range maps.Keys(r.PostForm) {
		out[name] = r.PostForm.Get(name)
	}
	return out
}
