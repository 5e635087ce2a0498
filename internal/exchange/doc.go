// Package exchange is what the services share and the API does not tell: who is logged in,
// rights and limits, what file names mean, ranges of bytes, clocks and ids.
package exchange
