// Package model is the vocabulary of Sallyport's API: what it answers with, the states and
// reasons in it, and the events that it sends. Server, command line and programs of others
// share these types.
package model
