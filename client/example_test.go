package client_test

import (
	"context"
	"fmt"
	"io"
	"log"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/model"
)

// A program that processes uploads. It claims new files and reads each. Then it accepts the file,
// or refuses it with a reason that is shown to the partner.
func Example() {
	ctx := context.Background()
	c := client.Remote("https://sftp.example.com", "token")
	for {
		drops, err := c.ClaimDrops(ctx, model.NewClaim{Consumer: "billing", Limit: 20, Lease: "10m"})
		if err != nil || len(drops) == 0 {
			log.Fatal(err)
		}
		for _, d := range drops {
			content, err := c.FetchDrop(ctx, d.ID, model.FetchDrop{Claim: d.Claim})
			if err != nil {
				log.Fatal(err)
			}
			n, err := io.Copy(io.Discard, content)
			_ = content.Close()
			if err == nil && n == 0 {
				_, err = c.RejectDrop(ctx, d.ID, model.Settling{Claim: d.Claim, Reason: "the file is empty"})
			} else if err == nil {
				_, err = c.AckDrop(ctx, d.ID, model.Settling{Claim: d.Claim})
			}
			fmt.Println(d.User, d.Path, n, err)
		}
	}
}
