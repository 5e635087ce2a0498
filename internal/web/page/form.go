package page

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// ParseForm reads a form of either encoding. The body is bounded, so files stay in memory.
func ParseForm(r *http.Request) error {
	// First, since ParseMultipartForm forgets what was wrong with a form without files.
	if err := r.ParseForm(); err != nil {
		return err
	}
	if err := r.ParseMultipartForm(MaxBody); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return err
	}
	return nil
}

// FileOf returns the content of a file that was sent with a form; "" for none. ParseForm has bounded it.
func FileOf(r *http.Request, field string) (string, error) {
	if r.MultipartForm == nil || len(r.MultipartForm.File[field]) == 0 {
		return "", nil
	}
	f, err := r.MultipartForm.File[field][0].Open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	return string(content), err
}

// Attach sends a file to be saved.
func Attach(w http.ResponseWriter, r *http.Request, name, content string) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
}

// When is a time as letters and pages for partners write it.
func When(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2 January 2006, 15:04 MST")
}

// Sentence makes a hint a sentence of its own; "" stays "".
func Sentence(hint string) string {
	if hint == "" {
		return ""
	}
	return strings.ToUpper(hint[:1]) + hint[1:] + "."
}
