package model

// Document is a rendered guide.
type Document struct {
	Format string `json:"format"`
	Text   string `json:"text"`
}

// SiteFile is a file that a program imports, or uses as it is.
type SiteFile struct {
	Name    string `json:"name"`
	Content string `json:"content"`
}
