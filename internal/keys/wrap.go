package keys

import (
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"html"
	"io"
	"net/url"
	"regexp"
	"strings"
)

// Bounds of unwrapping. All layers of one file together have at most maxInput bytes, so that
// examining them takes no longer than a second file would.
const (
	maxWrappings = 3
	maxLayers    = 32
)

// layers returns data and everything that is wrapped in it. People send private keys
// compressed, or encoded by some program. The first layer is data itself.
func layers(data []byte) [][]byte {
	out := [][]byte{data}
	from, room := 0, maxInput
	for range maxWrappings {
		to := len(out)
		for ; from < to; from++ {
			for _, inner := range unwrapped(out[from]) {
				inner = inner[:min(len(inner), room)]
				if len(inner) > 0 && len(out) < maxLayers && !bytes.Equal(inner, out[from]) {
					out, room = append(out, inner), room-len(inner)
				}
			}
		}
	}
	return out
}

// unwrapped removes one level of wrapping from data.
func unwrapped(data []byte) (out [][]byte) {
	if packed := unpacked(data); packed != nil {
		return packed
	}
	text := textOf(data)
	out = append(out, bareBase64(text)...)
	for _, run := range base64Runs(text) {
		out = append(out, decoded(run))
	}
	if hasWrapped([]byte(text)) {
		for _, run := range encodedFiles.FindAllString(text, -1) {
			out = append(out, decoded(run))
		}
	}
	if strings.Contains(text, "&") {
		out = append(out, []byte(html.UnescapeString(text)))
	}
	if plain, err := url.PathUnescape(text); err == nil && strings.Contains(text, "%") {
		out = append(out, []byte(plain))
	}
	if digits := strings.Join(strings.Fields(text), ""); len(digits) > 2*len(openSSHMagic) {
		if plain, err := hex.DecodeString(digits); err == nil {
			out = append(out, plain)
		}
	}
	return out
}

// unpacked returns the contents of an archive or a compressed file, as far as they can be read,
// or nil if data is neither.
func unpacked(data []byte) [][]byte {
	begins := func(magic string) bool { return bytes.HasPrefix(data, []byte(magic)) }
	switch {
	case begins("\x1f\x8b"):
		if r, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
			return [][]byte{start(r)}
		}
	case begins("BZh"):
		return [][]byte{start(bzip2.NewReader(bytes.NewReader(data)))}
	case begins("\x78\x01"), begins("\x78\x9c"), begins("\x78\xda"):
		if r, err := zlib.NewReader(bytes.NewReader(data)); err == nil {
			return [][]byte{start(r)}
		}
	case begins("PK\x03\x04"):
		return zipped(data)
	}
	return nil
}

func zipped(data []byte) (out [][]byte) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil
	}
	for _, f := range z.File {
		if len(out) == maxLayers {
			break
		}
		if r, err := f.Open(); err == nil { // an encrypted file cannot be read
			out = append(out, start(r))
		}
	}
	return out
}

// start reads at most maxInput bytes.
func start(r io.Reader) []byte {
	b, _ := io.ReadAll(io.LimitReader(r, maxInput)) // keep what was read before an error
	return b
}

// base64Runs returns the runs of consecutive base64 lines in a text.
func base64Runs(text string) (out []string) {
	const whole = 32 // smallest length of a run's first line; words are shorter
	var run []string
	for _, line := range append(strings.Split(text, "\n"), "") {
		line = strings.TrimSpace(line)
		if base64Only.MatchString(line) && (len(run) > 0 || len(line) >= whole) {
			run = append(run, line)
		} else if len(run) > 0 {
			out, run = append(out, strings.Join(run, "")), nil
		}
	}
	return out
}

// decoded decodes base64 that may have line breaks, up to the first damage.
func decoded(text string) []byte {
	text = strings.Join(strings.Fields(text), "")
	b, _ := base64.StdEncoding.DecodeString(text) // the part before the damage is enough to recognize it
	return b
}

// wrappedMarks are the first characters of private key files in base64. Unlike base64Runs, they
// are found in the middle of other text.
var wrappedMarks = inBase64("-----BEGIN OPENSSH PRIVATE KEY", "-----BEGIN RSA PRIVATE KEY", "-----BEGIN EC PRIVATE KEY",
	"-----BEGIN DSA PRIVATE KEY", "-----BEGIN PRIVATE KEY", "-----BEGIN ENCRYPTED PRIVATE KEY",
	"-----BEGIN PGP PRIVATE KEY",
	"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY",
	"PuTTY-User-Key-File-", "AGE-SECRET-KEY-1", "SSH PRIVATE KEY FILE FORMAT")

// hasWrapped reports whether data contains one of wrappedMarks. It does not decode anything, so
// data may be long.
func hasWrapped(data []byte) bool {
	for _, mark := range wrappedMarks {
		if bytes.Contains(data, []byte(mark)) {
			return true
		}
	}
	return false
}

// encodedFiles matches base64 that begins with one of wrappedMarks, up to the end of the
// base64.
var encodedFiles = regexp.MustCompile(`(?:` + strings.Join(wrappedMarks, "|") + `)[A-Za-z0-9+/=\s]*`)

// inBase64 returns, for each text, the base64 with which any data that begins with the text
// begins.
func inBase64(texts ...string) (out []string) {
	for _, t := range texts {
		out = append(out, base64.StdEncoding.EncodeToString([]byte(t[:len(t)/3*3])))
	}
	return out
}

// isPGPSecret reports whether bytes begin like an OpenPGP secret key (RFC 9580 §4.2 and
// §5.5.3): a packet of type 5 and its length, then a version, a creation time and an algorithm.
// It is strict, since it is also called with pieces of public keys.
func isPGPSecret(b []byte) bool {
	if len(b) < 16 {
		return false
	}
	size, at := 0, 0
	switch first := b[0]; {
	case first == 0x94: // old packet format, with a length of 1, 2 or 4 bytes
		size, at = int(b[1]), 2
	case first == 0x95:
		size, at = int(binary.BigEndian.Uint16(b[1:])), 3
	case first == 0x96:
		size, at = int(binary.BigEndian.Uint32(b[1:])), 5
	case first == 0xc5 && b[1] < 192: // new packet format
		size, at = int(b[1]), 2
	case first == 0xc5 && b[1] < 224:
		size, at = int(b[1]-192)<<8+int(b[2])+192, 3
	case first == 0xc5 && b[1] == 255:
		size, at = int(binary.BigEndian.Uint32(b[2:])), 6
	default:
		return false
	}
	version, made, algorithm := b[at], b[at+1], b[at+5]
	const since1992, until2038 = 0x2a, 0x80 // the first byte of seconds since 1970
	return size <= maxPrivate && version >= 4 && version <= 6 && made >= since1992 && made < until2038 &&
		bytes.IndexByte(pgpAlgorithms, algorithm) >= 0
}

// pgpAlgorithms are the public key algorithms (RFC 9580 §9.1).
var pgpAlgorithms = []byte{1, 2, 3, 16, 17, 18, 19, 22, 25, 26, 27, 28}
