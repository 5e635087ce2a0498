package keys

// ExamineUnguarded is Examine without recovery, so that fuzzing finds panics.
func ExamineUnguarded(data []byte) []Exposed {
	return examine(data, func(_ string, read func() Exposed) Exposed { return read() })
}

// Guarded is the recovery with which Examine reads each file.
var Guarded = guarded
