package operator

// KeepPeople is a step of Keep.
var KeepPeople = (*Service).keepPeople
