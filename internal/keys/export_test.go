package keys

// ExamineUnguarded is Examine for fuzzing: a panic is a fault there.
func ExamineUnguarded(data []byte) []Exposed {
	return examine(data, func(_ string, read func() Exposed) Exposed { return read() })
}

// Guarded is what Examine reads each file within.
var Guarded = guarded
