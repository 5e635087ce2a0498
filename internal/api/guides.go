package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/internal/guide"
	"github.com/sallyport-sftp/sallyport/model"
)

// Guides fills connection cards.
type Guides interface {
	Card(ctx context.Context, user string) (guide.Card, error)
	Test(ctx context.Context, user string) ([]model.Check, error)
}

// Document is a rendered guide.
type Document struct {
	Format string `json:"format"`
	Text   string `json:"text"`
}

func (rt *routes) guides() {
	huma.Register(rt, op("show-guide", "GET", "/users/{name}/guide", "Write a user's guide"),
		func(ctx context.Context, in *struct {
			ByName
			Format string `query:"format" enum:"html,md,text" default:"text"`
		}) (*Payload[Document], error) {
			c, err := rt.r.Guides.Card(ctx, in.Name)
			if err != nil {
				return nil, rt.fail(err)
			}
			text, err := c.Render(in.Format)
			return answer(rt, Document{in.Format, text}, err)
		})
	huma.Register(rt, op("show-sites", "GET", "/users/{name}/sites", "Write files that SFTP programs import"),
		func(ctx context.Context, in *struct {
			ByName
			For    string `query:"for" required:"true" doc:"filezilla, winscp, openssh, rclone"`
			KeyDir string `query:"key_dir" doc:"Folder of the private key on the partner's computer"`
		}) (*List[guide.SiteFile], error) {
			c, err := rt.r.Guides.Card(ctx, in.Name)
			if err != nil {
				return nil, rt.fail(err)
			}
			v, err := c.Sites(in.For, in.KeyDir)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("test-guide", "GET", "/users/{name}/test", "Check that a user could log in and work"),
		func(ctx context.Context, in *ByName) (*List[model.Check], error) {
			v, err := rt.r.Guides.Test(ctx, in.Name)
			return answerList(rt, v, err)
		})
}

func (rt *routes) records() {
	room := rt.r.Records
	huma.Register(rt, op("explain", "GET", "/explain", "Say why somebody could not log in"),
		func(ctx context.Context, in *struct {
			About string `query:"about" required:"true" doc:"A username, an address, or the reference that a partner read out"`
		}) (*Payload[model.Explained], error) {
			v, err := room.Explain(ctx, in.About)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("list-bans", "GET", "/bans", "List addresses that are kept out"),
		func(ctx context.Context, _ *nothing) (*List[model.Ban], error) {
			v, err := room.Bans(ctx)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("lift-ban", "DELETE", "/bans", "Let an address in again"),
		func(ctx context.Context, in *struct {
			Address string `query:"address" required:"true"`
		}) (*struct{}, error) {
			return nil, rt.fail(room.Unban(ctx, actor(ctx), in.Address))
		})
}
