// Package model has the types of Sallyport's API: requests, answers, states, reasons and events.
// The server, the command line and other programs share them.
package model
