// Package valid checks and cleans text from outside: names, paths, networks, addresses and periods.
// It also escapes text for output.
package valid
