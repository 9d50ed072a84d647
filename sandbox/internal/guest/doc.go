// Package guest is the program inside a sandbox: PID 1 of the container, which runs
// commands and does file operations for the host at the other end of its stdin and
// stdout. It needs nothing of the image it runs in, not even a shell.
//
// It runs as the same unprivileged user as the commands it starts. It does not defend
// the host; the container does. It defends itself and the commands from each other as
// far as one user can: its memory cannot be traced, signals do not end it, and every
// command has pipes of its own. A command that is out to end its own sandbox can do so,
// which the host reports as a lost sandbox.
package guest
