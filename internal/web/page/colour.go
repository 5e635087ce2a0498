package page

import (
	"fmt"
	"math"
	"strconv"
)

// branding returns the rules for the operator's colour: of buttons and of what is marked as current.
// Text on it is white or black, whichever is read more easily. Links keep their own colour, because
// not every colour can be read on white. colour is "" or six hexadecimal digits after "#".
func branding(colour string) string {
	if colour == "" {
		return ""
	}
	on := "#fff"
	if contrast(colour, "#ffffff") < contrast(colour, "#000000") {
		on = "#000000"
	}
	return fmt.Sprintf("\n:root, :root:root { --accent: %s; --on-accent: %s; }\n", colour, on)
}

// contrast returns the contrast of two colours, 1 to 21, as WCAG 2 defines it.
func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + .05) / (min(x, y) + .05)
}

// luminance returns the relative luminance of a colour, 0 to 1, as WCAG 2 defines it.
func luminance(colour string) float64 {
	sum := 0.0
	for i, weight := range []float64{.2126, .7152, .0722} {
		n, _ := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8) // the configuration has checked it
		c := float64(n) / 255
		if c <= .04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
