package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"strings"
)

//go:embed style.css
var styleCSS string

//go:embed script.js
var scriptJS string

// asset is a file that pages load. Its path has its hash, so that browsers may keep it for ever.
type asset struct {
	path, kind string
	plain      []byte
	packed     []byte // gzip
}

// assets are the files that pages load, by name.
type assets map[string]*asset

// readAssets returns the files. colour is the operator's, "#1f5a4c", or "".
func readAssets(colour string) assets {
	a := assets{}
	a.add("style.css", "text/css; charset=utf-8", []byte(styleCSS+branding(colour)))
	a.add("script.js", "text/javascript; charset=utf-8", []byte(scriptJS))
	return a
}

func (a assets) add(name, kind string, content []byte) {
	sum := sha256.Sum256(content)
	base, ext, _ := strings.Cut(name, ".")
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // the level exists
	_, _ = z.Write(content)                                    // into memory
	_ = z.Close()
	a[name] = &asset{path: "/assets/" + base + "." + hex.EncodeToString(sum[:6]) + "." + ext, kind: kind, plain: content,
		packed: packed.Bytes()}
}

// path returns where a file is served.
func (a assets) path(name string) string { return a[name].path }

// serve adds the files to mux.
func (a assets) serve(mux *http.ServeMux) {
	for _, file := range a {
		mux.HandleFunc("GET "+file.path, func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Type", file.kind)
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
			h.Set("Vary", "Accept-Encoding")
			content := file.plain
			if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				h.Set("Content-Encoding", "gzip")
				content = file.packed
			}
			_, _ = w.Write(content) // ignored: the client may be gone
		})
	}
}
