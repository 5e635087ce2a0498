// Command build compiles the program that makes key pairs in a browser, and packs it for the server to embed:
// go run ./internal/web/keygen/build.
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/andybalholm/brotli"
)

const (
	source = "./internal/web/keygen"
	dist   = "internal/web/page/dist"
)

func main() {
	if err := build(); err != nil {
		fmt.Fprintln(os.Stderr, "The program that makes keys in a browser was not built:", err)
		os.Exit(1)
	}
}

func build() error {
	dir, err := os.MkdirTemp("", "keygen")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "keygen.wasm")
	// Without inlining it is a seventh smaller when packed.
	c := exec.Command("go", "build", "-trimpath", "-gcflags=all=-l", "-ldflags", "-s -w", "-o", program, source)
	c.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		return err
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	// The file that starts a Go program in a browser belongs to the compiler's version.
	runtime := filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js")
	for name, from := range map[string]string{"keygen.wasm": program, "runtime.js": runtime} {
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := pack(name, content); err != nil {
			return err
		}
	}
	return nil
}

// pack writes a file twice: for browsers that know Brotli, and for others.
func pack(name string, content []byte) error {
	var br, gz bytes.Buffer
	b := brotli.NewWriterOptions(&br, brotli.WriterOptions{Quality: 11, LGWin: 24})
	z, err := gzip.NewWriterLevel(&gz, gzip.BestCompression)
	if err != nil {
		return err
	}
	for _, w := range []io.WriteCloser{b, z} {
		if _, err := w.Write(content); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	for ext, packed := range map[string][]byte{".br": br.Bytes(), ".gz": gz.Bytes()} {
		if err := os.WriteFile(filepath.Join(dist, name+ext), packed, 0o644); err != nil {
			return err
		}
	}
	return nil
}
