// Package exchange has what the services share and the API does not show: logins, rights and limits,
// the meaning of file names, ranges of bytes, clocks and ids.
package exchange
