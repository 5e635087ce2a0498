package mail

import (
	"encoding/base64"
	"fmt"
	htmltemplate "html/template"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Preview returns a letter's HTML with its logo inside, as a browser shows it.
func (w *Writer) Preview(html string) string {
	if w.logo.cid() == "" {
		return html
	}
	data := "data:" + w.logo.kind + ";base64," + base64.StdEncoding.EncodeToString(w.logo.content)
	return strings.ReplaceAll(html, string(w.logo.cid()), data)
}

// logo is a picture that mail programs show.
type logo struct {
	name, kind string
	content    []byte
}

// maxLogo is the largest logo, in bytes.
const maxLogo = 256 << 10

// logoName is the name of the logo in a mail.
const logoName = "logo"

// readLogo reads a picture. Mail programs show no SVG, so there is none of it in mails.
func readLogo(file string) (logo, error) {
	kinds := map[string]string{".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
	ext := strings.ToLower(filepath.Ext(file))
	if kinds[ext] == "" {
		return logo{}, nil
	}
	content, err := os.ReadFile(file)
	if err == nil && len(content) > maxLogo {
		err = fmt.Errorf("the file is larger than 256 KiB")
	}
	if err != nil {
		return logo{}, fault.E("mail.NewWriter", fault.Invalid, "operator.logo: %v.", err)
	}
	return logo{logoName + ext, kinds[ext], content}, nil
}

// cid returns the address of the logo within a mail; "" if there is none.
func (l logo) cid() htmltemplate.URL {
	if len(l.content) == 0 {
		return ""
	}
	return htmltemplate.URL("cid:" + l.name)
}
