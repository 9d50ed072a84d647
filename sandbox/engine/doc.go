// Package engine is what a sandbox needs of a container engine, and the adapter that gets
// it from a docker, podman or nerdctl command line.
//
//	podman := engine.Docker(&dockercli.Client{Path: "podman"})
//	sb, err := sandbox.Open(ctx, &sandbox.Options{Engine: podman})
//
// # Engines
//
// Engine has the few methods that every sandbox needs and every engine has: to describe
// itself, to start a container on a pipe, to connect to one, to list and to remove them.
// Whatever else an engine can do is an interface of its own: Pauser, UserConnector,
// Volumes, Networks, Images, ImageBuilder, ImageArchiver, Committer. Require finds it in an
// engine, and is the only place that looks. If it is not there, the error is an
// *UnsupportedError, which names the engine and the missing part. So an engine that is
// driven by another program, kubectl say, implements six methods and no stub.
//
// An Engine must be safe for concurrent use. Methods that have a context end with it.
//
// # Errors
//
// Methods return errors that errors.Is finds the sentinels of this package in: ErrFailed,
// ErrNoImage, ErrNoUser, ErrNoVolume, ErrInUse, ErrNameInUse. A failure that none of them
// describes has none of them. The adapter's errors also hold the *dockercli.Error, with the
// command, its exit code and its last lines.
//
// # Isolation
//
// The file harden.go holds the flags that every container of a sandbox gets, in one list.
//
// # Labels
//
// Containers, images, volumes and networks carry labels, which are the only record of what
// belongs to Drydock. They are constants of this package, for those who look with the
// engine's own tools.
package engine
