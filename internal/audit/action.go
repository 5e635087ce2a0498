package audit

import (
	"context"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// CheckAction refuses an action that no row can have, so that a mistyped one is no empty list. What
// an older release wrote is in the log. It may end in *.
func (r *Service) CheckAction(ctx context.Context, action string) error {
	beginning, many := strings.CutSuffix(action, "*")
	fits := func(known string) bool { return known == action || many && strings.HasPrefix(known, beginning) }
	if action == "" || slices.ContainsFunc(model.AuditActions, fits) {
		return nil
	}
	rows, err := r.o.Store.Read(ctx).LogPage(store.LogFilter{Action: action}, model.Paging{Limit: 1})
	if err != nil || len(rows) > 0 {
		return err
	}
	e := fault.E("audit.CheckAction", fault.NotFound, "The audit log has no action %q.", valid.Printable(action))
	if near := valid.Nearest(strings.TrimSuffix(beginning, "."), model.AuditActions); near != "" {
		return e.WithHint("did you mean %s?", near)
	}
	noun, _, _ := strings.Cut(beginning, ".")
	var same []string
	for _, known := range model.AuditActions {
		if strings.HasPrefix(known, noun+".") {
			same = append(same, known)
		}
	}
	if len(same) > 0 {
		return e.WithHint("there are %s", strings.Join(same, ", "))
	}
	return e.WithHint("audit list without --action shows which there are")
}
