// Package valid checks and cleans text from outside: names, paths, networks, addresses,
// periods, and what may be printed.
package valid
