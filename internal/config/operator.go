package config

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // a logo may be a JPEG
	_ "image/png"  // or a PNG
	"io"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Operator is who runs this server, as partners know it. Guides, pages, mails and the banner name it.
type Operator struct {
	Name string `yaml:"name" env:"NAME"` // "": nobody is named
	Logo string `yaml:"logo" env:"LOGO"` // file: SVG, PNG or JPEG, at most 256 KiB
	URL  string `yaml:"url" env:"URL"`   // its own site, not this server's

	Colour string `yaml:"colour" env:"COLOUR"` // of buttons on pages: "#1f5a4c"
}

// colour matches what operator.colour may be.
var colour = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)

// Title returns how the service is called in mails and on pages.
func (o Operator) Title() string { return cmp.Or(o.Name, "Sallyport") }

// Bounds of a logo, which every guide and every page contains.
const (
	maxLogo       = 256 << 10 // bytes
	maxLogoPixels = 4096      // width and height
)

// check notes what cannot be shown, each setting for itself.
func (o Operator) check(f *findings) {
	for _, s := range []struct {
		at  string
		has Operator
	}{{"operator.name", Operator{Name: o.Name}}, {"operator.url", Operator{URL: o.URL}},
		{"operator.logo", Operator{Logo: o.Logo}}} {
		if _, err := s.has.Read(); err != nil {
			f.bad(s.at, "%s", strings.TrimPrefix(fault.PublicText(err), s.at+": ")).Hint = fault.HintIn(err)
		}
	}
}

// Read returns the operator for guides and pages, with the logo's content. It checks what partners will see.
func (o Operator) Read() (exchange.Operator, error) {
	const op = "config.operator"
	out := exchange.Operator{Name: o.Name, URL: o.URL, Colour: o.Colour}
	if o.Name != "" {
		if err := valid.CheckLabel("operator.name", o.Name); err != nil {
			return out, err
		}
	}
	if u, err := url.Parse(o.URL); o.URL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" ||
		u.Host == "" || valid.Printable(o.URL) != o.URL) {
		return out, fault.E(op, fault.Invalid, "operator.url: %q is not an address such as https://www.example.com.",
			valid.Printable(o.URL))
	}
	if o.Colour != "" && !colour.MatchString(o.Colour) {
		return out, fault.E(op, fault.Invalid, "operator.colour: %q is not a colour such as #1f5a4c.",
			valid.Printable(o.Colour))
	}
	if o.Logo == "" {
		return out, nil
	}
	content, err := readLogo(o.Logo)
	if err != nil {
		return out, fault.E(op, fault.Invalid, "operator.logo: %s: %v.", valid.Printable(o.Logo), err).
			WithHint("give an SVG, PNG or JPEG file of at most 256 KiB")
	}
	kind, err := logoKind(content)
	if err != nil {
		return out, fault.E(op, fault.Invalid, "operator.logo: %s is no picture that can be shown: %v.",
			valid.Printable(o.Logo), err).
			WithHint("give an SVG, PNG or JPEG file of at most 256 KiB")
	}
	out.Logo = "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(content)
	return out, nil
}

// readLogo reads a file up to its largest size.
func readLogo(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, errors.Unwrap(err) // the sentence names the file already
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxLogo+1))
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	if len(content) > maxLogo {
		return nil, errors.New("it is larger than 256 KiB")
	}
	return content, nil
}

// logoKind returns the media type of a logo. In an <img>, an SVG's scripts do not run and nothing is loaded; what
// counts here is that browsers can show it.
func logoKind(content []byte) (string, error) {
	// Other packages of the process may have registered more formats.
	if c, kind, err := image.DecodeConfig(bytes.NewReader(content)); err == nil && (kind == "png" || kind == "jpeg") {
		if c.Width > maxLogoPixels || c.Height > maxLogoPixels {
			return "", fmt.Errorf("it has %d × %d pixels, and %d are enough", c.Width, c.Height, maxLogoPixels)
		}
		return "image/" + kind, nil
	}
	root := ""
	for d := xml.NewDecoder(bytes.NewReader(content)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", errors.New("it is neither SVG nor PNG nor JPEG")
		}
		if e, ok := token.(xml.StartElement); ok && root == "" {
			root = e.Name.Space + " " + e.Name.Local
		}
	}
	switch root {
	case "http://www.w3.org/2000/svg svg":
		return "image/svg+xml", nil
	case " svg":
		return "", errors.New(`its <svg> lacks xmlns="http://www.w3.org/2000/svg", without which browsers do not show it`)
	}
	return "", errors.New("it is neither SVG nor PNG nor JPEG")
}
