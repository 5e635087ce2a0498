package blob

// Landed is a file that lies in a landing folder, and the key under which it is to be kept.
type Landed struct {
	Name, Key string // the name is made of [0-9A-Za-z-]
	Size      int64
}

// Lander is a Store on a disk of this machine. Another process of the machine, which the operator has started, lays
// whole files into a landing folder of the store, and the store makes blobs of them without copying. A folder belongs
// to one run of that process, which holds a lock on it: when the run has ended, in whatever way, the folder is
// abandoned and can be removed.
type Lander interface {
	// Landing makes the folder of a run and returns its path. The run then locks the file LandingLock in it.
	Landing(run string) (path string, err error)
	// Abandoned lists the runs that have a folder and do not hold its lock.
	Abandoned() (runs []string, err error)
	// RemoveLanding removes a run's folder and what lies in it. An absent one is no error.
	RemoveLanding(run string) error
	// Land renames files of a run to their keys, read-only, and makes bytes and names durable. After an error, every
	// file is in the folder again.
	Land(run string, files []Landed) error
	// TakeBack moves landed files back into the folder. Call it only if it is certain that no row of them exists or
	// will exist.
	TakeBack(run string, files []Landed) error
}

// LandingLock is the name of the file in a landing folder that its run locks (flock), and then writes something into.
const LandingLock = "lock"
