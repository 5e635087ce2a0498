package acme

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/crypto/acme/autocert"

	"github.com/sallyport-sftp/sallyport/internal/datadir"
)

// keyLetters are what names of what is kept consist of: domains, and the account's key.
const keyLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_+"

// cache keeps certificates and the account's key as files of a folder. Answers to challenges stay with the manager: one
// process serves a data folder.
type cache struct {
	folder string
	log    *slog.Logger
	mu     sync.Mutex
}

// path returns the file of a key; false if nothing of that name is kept. Keys of challenges are made of what anybody
// asks for.
func (c *cache) path(key string) (string, bool) {
	if key == "" || strings.HasPrefix(key, ".") || strings.Trim(key, keyLetters) != "" ||
		strings.HasSuffix(key, "+token") || strings.HasSuffix(key, "+http-01") {
		return "", false
	}
	return filepath.Join(c.folder, key+".pem"), true
}

// Get implements autocert.Cache.
func (c *cache) Get(_ context.Context, key string) ([]byte, error) {
	path, ok := c.path(key)
	if !ok {
		return nil, autocert.ErrCacheMiss
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, autocert.ErrCacheMiss
	}
	return text, err
}

// Put implements autocert.Cache. What it has written survives a power loss.
func (c *cache) Put(_ context.Context, key string, text []byte) error {
	path, ok := c.path(key)
	if !ok {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := datadir.Replace(path, text, 0o600)
	if err != nil {
		c.log.Error("a certificate or its account's key cannot be kept, and will be ordered again", "file", path, "err", err)
		return err
	}
	if !strings.Contains(key, "+") {
		c.log.Info("a certificate was received", "domain", key, "file", path)
	}
	return nil
}

// Delete implements autocert.Cache.
func (c *cache) Delete(_ context.Context, key string) error {
	path, ok := c.path(key)
	if !ok {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return datadir.SyncDir(c.folder)
}
