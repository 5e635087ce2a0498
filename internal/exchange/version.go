package exchange

// Version is the release. The build sets it.
var Version = "dev"
