package config

// Meanings is the table of meanings.
func Meanings() map[string]string { return meanings }
