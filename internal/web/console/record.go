package console

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/model"
)

// recordPage is the form that records a request that came by mail or phone.
type recordPage struct {
	page.Frame
	Mistakes fault.Mistakes
	Values   model.AddRequest
	Key      *keyAnswer // what the key is; nil: none was given
	Feeds    []option
	Types    []option
	Channels []option
	Mails    bool // a link can be mailed to confirm the address
}

// cameBy are the ways to choose from.
var cameBy = map[model.RequestChannel]string{model.ChannelByMail: "By mail", model.ChannelPhone: "By phone",
	model.ChannelOperator: "Another way"}

// keyAnswer is what is said of a key.
type keyAnswer struct {
	Accepted, Private                bool
	Name, Format, Fingerprint        string
	Problem, Next, Help, PublicLines string
}

// record shows the empty form.
func (s *server) record(w http.ResponseWriter, r *http.Request) error {
	if !s.may(r, "add-request") {
		_, err := s.api.AddRequest(r.Context(), model.AddRequest{}) // the API says why not
		return err
	}
	return s.showRecord(w, r, http.StatusOK, &recordPage{Values: model.AddRequest{Channel: model.ChannelByMail}})
}

// showRecord completes the form and shows it.
func (s *server) showRecord(w http.ResponseWriter, r *http.Request, status int, p *recordPage) error {
	server, err := s.api.ShowServer(r.Context())
	if err != nil {
		return err
	}
	feeds, err := s.allFeeds(r)
	if err != nil {
		return err
	}
	p.Frame, p.Mails = s.frame(r, "Record a request", "/console/requests/new"), server.Mail && server.Web != ""
	p.Width = "wide"
	var types []string
	for _, f := range feeds {
		p.Feeds = append(p.Feeds, option{Value: f.Name, Label: cmp.Or(f.Title, f.Name),
			Chosen: slices.Contains(p.Values.Feeds, f.Name)})
		types = append(types, f.Types...)
	}
	slices.Sort(types)
	for _, t := range slices.Compact(types) {
		p.Types = append(p.Types, option{Value: t, Label: strings.ToUpper(t), Chosen: slices.Contains(p.Values.Types, t)})
	}
	for _, c := range []model.RequestChannel{model.ChannelByMail, model.ChannelPhone, model.ChannelOperator} {
		p.Channels = append(p.Channels, option{Value: string(c), Label: cameBy[c], Chosen: c == p.Values.Channel})
	}
	if p.Key != nil && p.Key.Private {
		p.Values.Key = "" // nothing of it goes back, either
	}
	s.Show(w, status, "record.html", p)
	return nil
}

// recorded records a request.
func (s *server) recorded(w http.ResponseWriter, r *http.Request) error {
	in := model.AddRequest{NewRequest: model.NewRequest{FirstName: value(r, "first_name"),
		LastName: value(r, "last_name"), Email: value(r, "email"), Phone: value(r, "phone"), Company: value(r, "company"),
		AccountNumber: value(r, "account_number"), Username: value(r, "username"), Key: value(r, "key"),
		Feeds: r.PostForm["feeds"], Types: r.PostForm["types"], Message: value(r, "message"),
		Language: value(r, "language")}, Channel: model.RequestChannel(value(r, "channel")), Verified: value(r, "verified")}
	if in.Key == "" {
		content, err := page.FileOf(r, "key_file")
		if err != nil {
			return err
		}
		in.Key = strings.TrimSpace(content)
	}
	v, err := s.api.AddRequest(r.Context(), in)
	switch {
	case err == nil:
		said := "recorded"
		if v.State == model.RequestUnverified {
			said = "unconfirmed"
		}
		http.Redirect(w, r, requestPath(v.Reference)+"?done="+said, http.StatusSeeOther)
		return nil
	case !s.correctable(r, "add-request", err):
		return err
	}
	p := &recordPage{Values: in, Mistakes: mistakes(err, "main")}
	if in.Key != "" {
		p.Key = answer(in.Key)
	}
	return s.showRecord(w, r, formStatus(err), p)
}

// readKey says what a key is, as a part of a page. The script asks, and stops private keys before.
func (s *server) readKey(w http.ResponseWriter, r *http.Request) error {
	if !s.may(r, "add-request") {
		_, err := s.api.AddRequest(r.Context(), model.AddRequest{}) // the API says why not
		return err
	}
	k := answer(r.PostFormValue("key"))
	status := http.StatusOK
	if !k.Accepted {
		status = http.StatusUnprocessableEntity
	}
	s.Part(w, status, "record.html", "key", k)
	return nil
}

// answer says what a key is. Whether it is blocked, or somebody's, is said on the page of the request.
func answer(text string) *keyAnswer {
	if keys.LooksPrivate([]byte(text)) {
		return &keyAnswer{Private: true}
	}
	found, err := keys.Read([]byte(text))
	switch {
	case err != nil:
		return &keyAnswer{Problem: fault.PublicText(err), Next: fault.HintIn(err)}
	case len(found) != 1:
		return &keyAnswer{Problem: "There are several keys in this text.", Next: "Record a request for one of them."}
	}
	k := found[0]
	return &keyAnswer{Accepted: true, Name: k.Type + ", " + valid.Count(k.Bits, "bit"), Format: k.Format,
		Fingerprint: k.Fingerprint}
}
