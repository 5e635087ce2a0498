package console

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/model"
)

// problemPage says why something was not done, and where to go on.
type problemPage struct {
	page.Frame
	Title, Text, Hint string
	Back              string // the page to go on from
}

// titles are the headings of pages that say why something was not done.
var titles = map[fault.Kind]string{fault.NotFound: "Nothing here", fault.Denied: "This is not allowed",
	fault.Unauthenticated: "Please sign in", fault.Conflict: "This can't be done now",
	fault.Exists: "This is there already", fault.Invalid: "This can't be done as it is", fault.Busy: "Please try again",
	fault.Unavailable: "Please try again", fault.Internal: "Something went wrong here"}

// fail shows a page for an error of the API, with the API's own sentence.
func (s *server) fail(w http.ResponseWriter, r *http.Request, operation string, err error) {
	kind := fault.KindIn(err)
	title := titles[kind]
	switch {
	case kind == fault.Denied && !s.may(r, operation):
		title = "Your role may not do this"
	case title == "":
		title = "This was not done"
	}
	if kind == fault.Internal || kind == fault.Unavailable {
		s.o.Log.Error("a page for operators failed", "page", r.Pattern, "err", err)
	}
	s.problem(w, r, kind.HTTPStatus(), &problemPage{Title: title, Text: fault.PublicText(err), Hint: hint(err)})
}

// problem shows a page that says why something was not done.
func (s *server) problem(w http.ResponseWriter, r *http.Request, status int, p *problemPage) {
	p.Frame = s.frame(r, p.Title, "")
	p.Width = "wide"
	if p.Back == "" {
		p.Back = "/console/requests"
	}
	s.Show(w, status, "problem.html", p)
}

// unreadable refuses a form that can't be read.
func (s *server) unreadable(w http.ResponseWriter, r *http.Request, err error) {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		s.problem(w, r, http.StatusRequestEntityTooLarge, &problemPage{Title: "This is too much",
			Text: "The form is larger than a form can be, so nothing of it was done. A public key is a small file."})
		return
	}
	s.problem(w, r, http.StatusBadRequest, &problemPage{Title: "The form could not be read",
		Text: "It did not arrive whole. Nothing of it was done."})
}

// hint returns the next step that an error names, as a sentence.
func hint(err error) string { return page.Sentence(fault.HintIn(err)) }

// correctable reports whether an error is about what was filled in, or about what has changed meanwhile, so that the
// form is shown again. Without the role for the operation, it is about neither.
func (s *server) correctable(r *http.Request, operation string, err error) bool {
	switch fault.KindIn(err) {
	case fault.Invalid, fault.Conflict, fault.Exists, fault.NotFound, fault.TooLarge, fault.Busy, fault.Denied:
		return s.may(r, operation)
	}
	return false
}

// after goes on to a page after a form was carried out, or shows the form again with why it was not.
func (s *server) after(w http.ResponseWriter, r *http.Request, operation, next string, err error,
	again func(http.ResponseWriter, *http.Request, error) error) error {
	switch {
	case err == nil:
		http.Redirect(w, r, next, http.StatusSeeOther)
		return nil
	case s.correctable(r, operation, err):
		return again(w, r, err)
	}
	return err
}

// outcome returns the status of a page with a form, and what is wrong with it; wrong is nil if none was sent.
func outcome(wrong error) (int, fault.Mistakes) {
	if wrong == nil {
		return http.StatusOK, nil
	}
	return formStatus(wrong), mistakes(wrong, "main")
}

// formStatus is the status of a page that shows a form again. The page is there, even if the form named something that
// is not.
func formStatus(err error) int {
	if fault.Is(err, fault.NotFound) {
		return http.StatusUnprocessableEntity
	}
	return fault.KindIn(err).HTTPStatus()
}

// mistakes returns what is wrong with a form, for its page. Without a field it is about the form as a whole.
func mistakes(err error, whole string) fault.Mistakes {
	if err == nil {
		return nil
	}
	var all fault.Mistakes
	if errors.As(err, &all) {
		return all
	}
	text := fault.PublicText(err)
	if next := hint(err); next != "" {
		text += " " + next
	}
	field := fault.FieldIn(err)
	if field == "" {
		field = whole
	}
	return fault.Mistakes{{Field: field, Text: text}}
}

// pageOf returns the page that does what an action suggests; "" if there is none. here is the page of the request
// that the action is about.
func pageOf(a *model.Action, here string) string {
	if a == nil {
		return ""
	}
	v := a.Values
	switch a.Operation {
	case "show-request":
		return "/console/requests/" + url.PathEscape(v["request"])
	case "show-user", "show-user-page", "list-keys":
		return "/console/users/" + url.PathEscape(v["user"])
	case "ask-request":
		return here + "#ask"
	case "remind-request":
		return here + "#more"
	case "approve-request":
		return here + "#approve"
	}
	return ""
}

// actionNames are what links to those pages are called.
var actionNames = map[string]string{"show-request": "Look at it", "show-user": "Look at the user",
	"show-user-page": "Look at the user", "list-keys": "Look at the user", "ask-request": "Ask for another",
	"remind-request": "Remind them", "approve-request": "Make it with the approval"}
