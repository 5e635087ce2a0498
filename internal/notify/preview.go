package notify

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// The texts that are shown at log-in. They are no mails, and have templates like them.
const (
	kindBanner = "banner"
	kindBanned = "banned"
)

var banners = []model.MailKind{
	{Name: kindBanner, About: "No mail: what SFTP programs show when a log-in failed."},
	{Name: kindBanned, About: "No mail: what SFTP programs show whoever is banned for a while."}}

// previewBanner returns what is shown at log-in, as lines; false if the kind is not of that.
func (r *Service) previewBanner(ctx context.Context, kind string) (text string, is bool) {
	help, reference := "", "abcd-2345"
	if r.o.Help != nil {
		help = r.o.Help(ctx, "")
	}
	switch kind {
	case kindBanner:
		text = r.o.Writer.Banner(help, reference)
	case kindBanned:
		text = r.o.Writer.Banned(help, reference, r.now().Add(15*time.Minute))
	default:
		return "", false
	}
	return strings.ReplaceAll(text, "\r\n", "\n"), true
}

// MailKinds lists the kinds of mail, and the languages that there are templates of.
func (r *Service) MailKinds(context.Context) (model.MailKinds, error) {
	out := model.MailKinds{Kinds: []model.MailKind{}, Languages: []string{}}
	for _, k := range Kinds {
		out.Kinds = append(out.Kinds, model.MailKind{Name: k.Name, About: k.About})
	}
	if r.o.Writer != nil {
		out.Kinds = append(out.Kinds, banners...)
		out.Languages = r.o.Writer.Languages()
	}
	return out, nil
}

// Preview writes a mail without sending it: with a user's own facts where they are known now, else
// with those of a sample.
func (r *Service) Preview(ctx context.Context, p model.PreviewMail) (out model.MailPreview, err error) {
	const op = "notify.Preview"
	if r.o.Writer == nil {
		return out, fault.E(op, fault.Unavailable, "There are no templates.")
	}
	if text, is := r.previewBanner(ctx, p.Kind); is {
		return model.MailPreview{Text: text, Sample: p.User == ""}, nil
	}
	k, known := KindNamed(p.Kind)
	if !known {
		e := fault.E(op, fault.NotFound, "There is no kind %q of mail.", valid.Printable(p.Kind))
		var names []string
		for _, k := range Kinds {
			names = append(names, k.Name)
		}
		names = append(names, kindBanner, kindBanned)
		if near := valid.Nearest(p.Kind, names); near != "" {
			return out, e.WithHint("did you mean %s?", near)
		}
		return out, e.WithAction("list-mail-kinds")
	}
	if p.Language != "" {
		if err := valid.CheckLanguage(p.Language); err != nil {
			return out, err
		}
	}
	l := Sample(k)
	out.Sample = true
	if p.User != "" {
		if l, out.Sample, err = r.realLetter(ctx, k, p.User); err != nil {
			return out, err
		}
	}
	if p.Language != "" {
		l.Language = p.Language
	}
	if r.o.Help != nil && r.o.Help(ctx, l.Account) != "" {
		l.Help = "" // the real one takes its place
	}
	if err := r.complete(r.o.Store.Read(ctx), &l, l.User != ""); err != nil {
		return out, err
	}
	w, err := r.o.Writer.Write(l)
	out.Subject, out.Text, out.HTML, out.Files = w.Subject, w.Text, r.o.Writer.Preview(w.HTML), l.Files
	return out, err
}

// realLetter returns a letter about a user. sample says that its facts are those of the sample.
func (r *Service) realLetter(ctx context.Context, k Kind, user string) (l Letter, sample bool, err error) {
	q := r.o.Store.Read(ctx)
	u, err := q.User(user)
	if err != nil {
		return l, true, fault.Missing("notify.Preview", err, "There is no user %q.", valid.Printable(user))
	}
	a, err := q.Account(u.Account)
	if err != nil {
		return l, true, err
	}
	l = Letter{Kind: k.Name, Account: u.Account, User: u.Name, Language: a.Language, Facts: k.Sample}
	switch {
	case strings.HasPrefix(k.Name, "welcome") && r.o.Welcome != nil:
		facts, files, err := r.o.Welcome(ctx, u.Name)
		facts.Files = len(files) > 0
		l.Facts = facts
		if k.Name == "welcome" {
			l.Files = files
		}
		return l, false, err
	case strings.HasPrefix(k.Name, "key-"):
		facts, found, err := newestKey(q, u.ID)
		if found {
			l.Facts = facts
		}
		return l, !found, err
	}
	return l, true, nil
}

// newestKey returns the facts of a user's newest key.
func newestKey(q *store.Q, userID string) (f KeyFacts, found bool, err error) {
	list, err := q.Keys(userID)
	if err != nil || len(list) == 0 {
		return f, false, err
	}
	k := slices.MaxFunc(list, func(a, b model.Key) int { return a.CreatedAt.Compare(b.CreatedAt) })
	f = KeyFacts{Fingerprint: k.Fingerprint, Type: k.Type, Holder: k.Holder, At: k.CreatedAt, Since: k.CreatedAt,
		Reason: k.RevokedWhy, ByEmail: k.FrozenBy}
	if k.ExpiresAt != nil {
		f.Expires = *k.ExpiresAt
	}
	return f, true, nil
}
