package web

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/handover"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/web/page"
	"github.com/sallyport-sftp/sallyport/model"
)

// HandOverPath is the prefix of the path of every one-time link.
const HandOverPath = "/handover/"

// handOverPage is the page of a link.
type handOverPage struct {
	page.Frame
	Lines   []string
	Button  string // "" shows none
	Saves   bool   // the button downloads a file, and the page stays
	Secret  string // shown once, to be copied
	Paper   string // what a print of the secret says it is for
	Expires string
}

// handOver adds the pages of one-time links: one that says what the link hands over, with a button, and
// one with the result.
func (s *server) handOver(mux *http.ServeMux) {
	mux.HandleFunc("GET "+HandOverPath+"{secret}", s.look) // HEAD too
	mux.HandleFunc("POST "+HandOverPath+"{secret}", s.take)
}

// texts describe what a link of each kind hands over.
// A line may name the user (%s).
var texts = map[model.LinkKind]struct {
	title, button string
	lines         []string
}{
	model.LinkKey: {"Your key file", "Download the key file", []string{
		"This link hands over the private key file of user %s, encrypted.",
		"After you press the button, %s-key.zip is saved. Unzip it, then follow the guide inside. " +
			"Do not press twice: the link works once.",
		"A second person was sent the passphrase. If you don't know who, ask us."}},
	model.LinkPassphrase: {"The passphrase for a key file", "Show the passphrase", []string{
		"This link shows the passphrase for the key file of user %s. It works once.",
		"Write the words down, and tell them to whoever has the key file, but not by e-mail. " +
			"They unlock the file; they are not a password for the server."}},
	model.LinkVerify: {"Your e-mail address", "Confirm my e-mail address", []string{
		"Please confirm that this address reaches you. We use it only for messages about your file access."}},
}

// look shows what a link is for. It does not use the link up, so that mail scanners and previews do
// no harm.
func (s *server) look(w http.ResponseWriter, r *http.Request) {
	l, err := s.waiting(r.Context(), r.PathValue("secret"))
	if err != nil {
		s.fail(w, err)
		return
	}
	t := texts[l.Kind]
	lines := make([]string, len(t.lines))
	for i, line := range t.lines {
		lines[i] = strings.ReplaceAll(line, "%s", l.User)
	}
	reader := s.o.Reader(r.Context(), l)
	s.link(w, &handOverPage{Frame: page.Frame{Title: t.title, Help: reader.Help, Script: l.Kind == model.LinkKey},
		Lines: lines, Button: t.button, Saves: l.Kind == model.LinkKey,
		Expires: page.When(l.ExpiresAt, reader.Zone)})
}

func (s *server) waiting(ctx context.Context, secret string) (model.Link, error) {
	token, _, err := keys.SplitSecret(secret)
	if err != nil {
		return model.Link{}, err
	}
	return s.o.HandOver.Waiting(ctx, token)
}

// take hands over the content of a link, once.
func (s *server) take(w http.ResponseWriter, r *http.Request) {
	token, key, err := keys.SplitSecret(r.PathValue("secret"))
	if err != nil {
		s.fail(w, err)
		return
	}
	var link model.Link
	var files []keys.File
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 10*time.Second)
	defer cancel()
	err = s.o.HandOver.Open(ctx, token, s.address(r), func(l model.Link, sealed []byte) (err error) {
		if link = l; l.Kind != model.LinkVerify {
			if files, err = keys.Unseal(sealed, key); err == nil && len(files) == 0 {
				err = fault.E("web.take", fault.Internal, "The package is empty.")
			}
		}
		return err
	})
	if err != nil {
		s.fail(w, err)
		return
	}
	s.o.Log.Info("a one-time link was opened", "link", link.ID, "kind", link.Kind)
	switch link.Kind {
	case model.LinkKey:
		s.download(w, link, files)
	case model.LinkPassphrase:
		s.link(w, &handOverPage{Frame: page.Frame{Title: "The passphrase", Help: s.o.Reader(ctx, link).Help},
			Paper: "user " + link.User, Secret: strings.TrimSpace(string(files[0].Content)),
			Lines: []string{"Write these words down now: they can't be shown again.",
				"They unlock the key file of user " + link.User + ". They are not a password for the server."}})
	default:
		s.link(w, &handOverPage{Frame: page.Frame{Title: "Thank you", Help: s.o.Reader(ctx, link).Help},
			Lines: []string{"Your address is confirmed. You can close this page."}})
	}
}

func (s *server) download(w http.ResponseWriter, l model.Link, files []keys.File) {
	packed, err := keys.Zip(files)
	if err != nil {
		s.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition",
		mime.FormatMediaType("attachment", map[string]string{"filename": l.User + "-key.zip"}))
	_, _ = w.Write(packed) // ignored: the client may be gone
}

// fail shows an error page. All links that do not work get the same page.
func (s *server) fail(w http.ResponseWriter, err error) {
	if fault.Is(err, fault.NotFound) {
		s.Say(w, http.StatusNotFound, "This link does not work",
			"It may have been used already, or its time is over. If it was you who used it, all is well.",
			"If nobody you know did, please tell us now: then the key is replaced, and nothing is lost.")
		return
	}
	s.o.Log.Error("a one-time link could not be opened", "err", err)
	if errors.Is(err, handover.ErrUnknown) {
		s.Say(w, http.StatusServiceUnavailable, "Please look again",
			"The server cannot say now whether the link was used up. Open it again in a few minutes.",
			"If it does not work any more, please tell us: then the key is replaced, and nothing is lost.")
		return
	}
	s.Say(w, http.StatusServiceUnavailable, "Please try again",
		"The server cannot answer now. The link was not used up.")
}

// link shows the page of a link.
func (s *server) link(w http.ResponseWriter, p *handOverPage) {
	s.Show(w, http.StatusOK, "handover.html", p)
}
