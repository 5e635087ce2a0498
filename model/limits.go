package model

// StorageLimits bound what a user's mailbox holds.
type StorageLimits struct {
	QuotaBytes int64 `json:"quota_bytes" doc:"Of its files"`
	QuotaFiles int64 `json:"quota_files" doc:"Of its files and unfinished uploads"`
	KeepBytes  int64 `json:"keep_bytes" doc:"Of what it keeps alive, seen or not"`
	KeepItems  int64 `json:"keep_items" doc:"Of what it keeps alive, and its directories"`
}

// OwnLimits are those set for the user itself; 0 means the configured default.
func (u *User) OwnLimits() StorageLimits {
	return StorageLimits{QuotaBytes: u.QuotaBytes, QuotaFiles: u.QuotaFiles, KeepBytes: u.KeepBytes, KeepItems: u.KeepItems}
}
