package dockercli

import "fmt"

// Ulimit is a resource limit of the container's processes; -1 is unlimited.
type Ulimit struct{ Soft, Hard int64 }

// String returns the limit as a CLI takes it: "SOFT:HARD".
func (u Ulimit) String() string { return fmt.Sprintf("%d:%d", u.Soft, u.Hard) }
