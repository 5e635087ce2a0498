package console

// Route is a page or what a form does, for tests.
type Route struct{ Pattern, Operation string }

// Routes lists all pages.
func Routes() (list []Route) {
	for _, one := range (&server{}).routes() {
		list = append(list, Route{one.pattern, one.operation})
	}
	return list
}
