package proof

import "path/filepath"

// SigningDir returns the folder of the key that signs receipts, removal reports and the audit log's
// checkpoints. In key.pub, the first line is its public half; further lines are the public halves
// of earlier keys.
func SigningDir(data string) string { return filepath.Join(data, "signing") }
