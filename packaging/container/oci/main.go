// Command oci packs the program as a container image, in a tar file as "podman load", "skopeo" and
// "docker load" read
// it (OCI image layout). It has the same content as packaging/container/Dockerfile makes, without
// Docker, and the same
// bytes from the same program.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"
)

// nobody is the user and group that the program runs as.
const nobody = 65532

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 5 {
		return fmt.Errorf("usage: oci ARCH PROGRAM VERSION EPOCH FILE")
	}
	program, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(args[3], 10, 64)
	if err != nil {
		return err
	}
	b, err := image{arch: args[0], program: program, version: args[2], at: time.Unix(seconds, 0).UTC()}.pack()
	if err != nil {
		return err
	}
	return os.WriteFile(args[4], b, 0o644)
}

// image is what is packed. at is the time of every file.
type image struct {
	arch, version string
	program       []byte
	at            time.Time
}

// blob is a part of an image, by its digest.
type blob struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`
	content   []byte
}

func newBlob(kind string, content []byte) blob {
	return blob{MediaType: "application/vnd.oci.image." + kind, Digest: digest(content),
		Size: len(content), content: content}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// pack returns the image's tar file.
func (i image) pack() ([]byte, error) {
	files, err := i.tar([]tar.Header{
		{Name: "sallyport", Mode: 0o755, Size: int64(len(i.program)), Typeflag: tar.TypeReg},
		{Name: "data/", Mode: 0o700, Uid: nobody, Gid: nobody, Typeflag: tar.TypeDir},
		{Name: "tmp/", Mode: 0o1777, Typeflag: tar.TypeDir},
	}, [][]byte{i.program, nil, nil})
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // the level is a valid one
	if _, err := z.Write(files); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	layer := newBlob("layer.v1.tar+gzip", packed.Bytes())
	setup, err := json.Marshal(map[string]any{"architecture": i.arch, "os": "linux", "created": i.at,
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digest(files)}},
		"config": map[string]any{"User": fmt.Sprintf("%d:%d", nobody, nobody), "Env": []string{"SALLYPORT_DATA=/data"},
			"Entrypoint": []string{"/sallyport"}, "Cmd": []string{"serve"}, "StopSignal": "SIGTERM",
			"Volumes":      map[string]struct{}{"/data": {}},
			"ExposedPorts": map[string]struct{}{"2022/tcp": {}, "8022/tcp": {}},
			"Labels":       map[string]string{"org.opencontainers.image.version": i.version}}})
	if err != nil {
		return nil, err
	}
	config := newBlob("config.v1+json", setup)
	list, err := json.Marshal(map[string]any{"schemaVersion": 2,
		"mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config":    config, "layers": []blob{layer}})
	if err != nil {
		return nil, err
	}
	manifest := newBlob("manifest.v1+json", list)
	index, err := json.Marshal(map[string]any{"schemaVersion": 2,
		"mediaType": "application/vnd.oci.image.index.v1+json",
		"manifests": []any{map[string]any{"mediaType": manifest.MediaType, "digest": manifest.Digest,
			"size":        manifest.Size,
			"platform":    map[string]string{"os": "linux", "architecture": i.arch},
			"annotations": map[string]string{"org.opencontainers.image.ref.name": "sallyport:" + i.version}}}})
	if err != nil {
		return nil, err
	}
	heads := []tar.Header{file("oci-layout", layout), file("index.json", index)}
	contents := [][]byte{layout, index}
	for _, b := range []blob{config, layer, manifest} {
		heads = append(heads, file("blobs/sha256/"+b.Digest[len("sha256:"):], b.content))
		contents = append(contents, b.content)
	}
	return i.tar(heads, contents)
}

// layout says that the tar file is an OCI image layout.
var layout = []byte(`{"imageLayoutVersion":"1.0.0"}`)

func file(name string, content []byte) tar.Header {
	return tar.Header{Name: name, Mode: int64(fs.FileMode(0o644)), Size: int64(len(content)), Typeflag: tar.TypeReg}
}

func (i image) tar(heads []tar.Header, contents [][]byte) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for n, h := range heads {
		h.ModTime, h.Format = i.at, tar.FormatPAX
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
		if _, err := w.Write(contents[n]); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}
