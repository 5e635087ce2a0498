package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"strings"
)

//go:embed style.css
var styleCSS string

//go:embed script.js
var scriptJS string

//go:embed worker.js
var workerJS string

// keygen is the program that makes keys in a browser, if it was built (make build).
//
//go:embed all:dist
var keygen embed.FS

// asset is a file that pages load. Its path has its hash, so that browsers may keep it for ever.
type asset struct {
	path, kind string
	plain      []byte // nil: it is only served packed
	gzip       []byte
	brotli     []byte // nil: it is not worth it
	policy     string // Content-Security-Policy; "": that of pages
}

// assets are the files that pages load, by name.
type assets map[string]*asset

// readAssets returns the files. colour is the operator's, "#1f5a4c", or "".
func readAssets(colour string) assets {
	a := assets{}
	a.add("style.css", "text/css; charset=utf-8", []byte(styleCSS+branding(colour)))
	a.add("script.js", javascript, []byte(scriptJS))
	if !a.addPacked("keygen.wasm", "application/wasm") || !a.addPacked("runtime.js", javascript) {
		delete(a, "keygen.wasm")
		return a
	}
	a.add("worker.js", javascript, []byte(workerJS))
	a["worker.js"].policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"
	return a
}

const javascript = "text/javascript; charset=utf-8"

// Keygen is where the parts are that make keys in a browser.
type Keygen struct{ Worker, Runtime, Program string }

// Keygen returns where the parts are that make keys in a browser; nil if the server was built without
// them.
func (s *Site) Keygen() *Keygen {
	a := s.assets
	if a["keygen.wasm"] == nil {
		return nil
	}
	return &Keygen{a.path("worker.js"), a.path("runtime.js"), a.path("keygen.wasm")}
}

// addPacked adds a file that was packed when the server was built. It reports whether it is there.
func (a assets) addPacked(name, kind string) bool {
	br, err := keygen.ReadFile("dist/" + name + ".br")
	if err != nil {
		return false
	}
	gz, err := keygen.ReadFile("dist/" + name + ".gz")
	if err != nil {
		return false
	}
	a[name] = &asset{path: hashed(name, br), kind: kind, gzip: gz, brotli: br}
	return true
}

// hashed returns the path of a file, which has its hash.
func hashed(name string, content []byte) string {
	sum := sha256.Sum256(content)
	base, ext, _ := strings.Cut(name, ".")
	return "/assets/" + base + "." + hex.EncodeToString(sum[:6]) + "." + ext
}

func (a assets) add(name, kind string, content []byte) {
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // the level exists
	_, _ = z.Write(content)                                    // into memory
	_ = z.Close()
	a[name] = &asset{path: hashed(name, content), kind: kind, plain: content, gzip: packed.Bytes()}
}

// path returns where a file is served.
func (a assets) path(name string) string { return a[name].path }

// ServeAssets adds the files that pages load to mux.
func (s *Site) ServeAssets(mux *http.ServeMux) {
	for _, file := range s.assets {
		mux.HandleFunc("GET "+file.path, func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Type", file.kind)
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
			h.Set("Vary", "Accept-Encoding")
			if file.policy != "" {
				h.Set("Content-Security-Policy", file.policy)
			}
			encoding, content := file.encoded(r.Header.Get("Accept-Encoding"))
			if encoding != "" {
				h.Set("Content-Encoding", encoding)
			}
			_, _ = w.Write(content) // ignored: the client may be gone
		})
	}
}

// encoded returns the smallest form that a client accepts, and its name. Who accepts none gets gzip all the same,
// if there is nothing else.
func (f *asset) encoded(accepts string) (encoding string, content []byte) {
	switch {
	case f.brotli != nil && strings.Contains(accepts, "br"):
		return "br", f.brotli
	case f.plain == nil || strings.Contains(accepts, "gzip"):
		return "gzip", f.gzip
	}
	return "", f.plain
}
