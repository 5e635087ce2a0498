package connection

// Flush writes the records that wait to be written, so that whoever reads next sees them.
func (r *Service) Flush() { r.flushAll() }
