package page

import (
	"fmt"
	"html/template"
	"strings"

	"rsc.io/qr"
)

// DrawQR returns the QR code of a text as an SVG picture: one path, whose squares are one unit wide.
// It returns "" if the text is too long for a code.
func DrawQR(text, label string) template.HTML {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return ""
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			start := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if x > start {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", start, y, x-start, x-start)
			}
		}
	}
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 %d %d" role="img" aria-label="%s" `+
		`shape-rendering="crispEdges"><path d="%s"/></svg>`,
		code.Size, code.Size, template.HTMLEscapeString(label), path.String()))
}
