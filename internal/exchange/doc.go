// Package exchange holds the words of Sallyport: the types every room shares,
// the kinds of error and what each becomes at each door, and the rules for
// names. It imports the standard library alone and knows no room.
package exchange
