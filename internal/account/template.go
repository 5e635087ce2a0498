package account

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// step is one difference between a user's directories and its template, with what removes it.
type step struct {
	model.DirDiffers
	at      found
	rights  exchange.Rights
	staging bool
}

// does reports whether the step changes anything.
func (s *step) does() bool { return s.What != model.DirExtra && s.What != model.DirNotEmpty }

// ApplyTemplate brings a user's directories to the template of its kind: missing ones are made, and rights and
// staging become the template's. Nothing is removed. With DryRun it only says what differs.
func (r *Service) ApplyTemplate(ctx context.Context, actor, name string,
	ask model.ApplyTemplate) (model.Applied, error) {
	q := r.store.Read(ctx)
	u, err := r.ofDirs(q, name)
	if err != nil {
		return model.Applied{}, err
	}
	steps, err := r.differences(q, u)
	if out := applied(u, steps, ask.DryRun); err != nil || ask.DryRun || !anyDoes(steps) {
		return out, err
	}
	row := model.AuditRow{Actor: actor, Action: "user.template", Subject: name}
	return change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) (out model.Applied, err error) {
		u, err := r.ofDirs(&tx.Q, name)
		if err != nil {
			return out, err
		}
		rows, err := mailbox.Lock(tx, u.ID)
		if err != nil {
			return out, err
		}
		steps, err := r.differences(&tx.Q, u)
		if err != nil {
			return out, err
		}
		row.Subject, row.User, row.Detail = u.Name, u.ID, map[string]string{}
		for _, s := range steps {
			if !s.does() {
				continue
			}
			row.Detail[s.Path] = string(s.What) + ": " + s.To
			if s.What == model.DirMade {
				_, err = rows.MakeDirs(mailbox.NewDirs{Path: s.Path, Rights: &s.rights, Staging: s.staging, IDs: r.ids, At: row.At})
			} else {
				err = r.setDir(tx, u, s.at, s.rights, s.staging, row)
			}
			if err != nil {
				return out, err
			}
		}
		return applied(u, steps, false), nil
	})
}

func anyDoes(steps []step) bool {
	for _, s := range steps {
		if s.does() {
			return true
		}
	}
	return false
}

func applied(u model.User, steps []step, dry bool) model.Applied {
	out := model.Applied{User: u.Name, Changes: []model.DirDiffers{}, DryRun: dry}
	for _, s := range steps {
		out.Changes = append(out.Changes, s.DirDiffers)
	}
	return out
}

// differences compares a user's directories with its template.
func (r *Service) differences(q *store.Q, u model.User) (steps []step, err error) {
	t := r.policy.Load().Templates[u.Kind]
	subs, err := q.SubscriptionsOf(u.ID)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{"/": true}
	for _, d := range append([]TemplateDir{{Path: "/", Rights: t.Root}}, t.Dirs...) {
		known[d.Path] = true
		for _, s := range subs {
			if s.Dir == d.Path {
				d.Rights = mailbox.FeedDirRights(d.Rights, exchange.FeedRights(s.May, u.FeedsMay, t.FeedsMay))
			}
		}
		more, err := compare(q, u, d)
		if err != nil {
			return nil, err
		}
		steps = append(steps, more...)
	}
	have, err := dirsOf(q, u)
	for _, d := range have {
		if !known[d.Path] && d.Own && len(d.Feeds) == 0 {
			steps = append(steps, step{DirDiffers: model.DirDiffers{Path: d.Path, What: model.DirExtra}})
		}
	}
	return steps, err
}

// compare compares one directory of a template with the user's.
func compare(q *store.Q, u model.User, d TemplateDir) (steps []step, err error) {
	at, err := lookDir(q, u.ID, d.Path)
	if err != nil {
		return nil, err
	}
	if !at.found {
		to := rightsText(d.Rights)
		if d.Staging {
			to += ", staging"
		}
		return []step{{model.DirDiffers{Path: d.Path, What: model.DirMade, To: to}, at, d.Rights, d.Staging}}, nil
	}
	now := at.dir.Staging
	if now != d.Staging {
		s := step{model.DirDiffers{Path: d.Path, What: model.DirStaging, From: stagingText(now), To: stagingText(d.Staging)},
			at, at.granted, d.Staging}
		if err := mayStage(q, at, d.Path); fault.Is(err, fault.Conflict) {
			s.What = model.DirNotEmpty
		} else if err != nil {
			return nil, err
		} else {
			now, at.dir.Staging = d.Staging, d.Staging
		}
		steps = append(steps, s)
	}
	if at.dir.Rights == nil || *at.dir.Rights != d.Rights {
		steps = append(steps, step{model.DirDiffers{Path: d.Path, What: model.DirRights, From: rightsText(at.granted),
			To: rightsText(d.Rights)}, at, d.Rights, now})
	}
	return steps, nil
}
