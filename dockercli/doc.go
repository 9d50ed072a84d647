// Package dockercli drives a container engine through its command line: docker, or podman
// and nerdctl, which take the same arguments. There is one method per subcommand; each
// starts one process, decodes machine formats only, and returns typed results and errors.
//
//	c := &dockercli.Client{}
//	r, err := c.Run(ctx, "alpine", []string{"echo", "hello"}, &dockercli.RunOptions{
//		Remove:  true,
//		Network: "none",
//	})
//
// Trust: the caller and the engine are trusted, what runs in a container is not. No shell
// and no quoting is involved; names that a CLI could take for flags are refused before the
// start; secrets go by environment, not by argv; everything read is capped. The words of an
// engine's error can be forged by a program whose output shares its stream, so an error's
// sentinel after Run, Start or Exec is a hint, and Inspect is the truth.
//
// It does not judge what it is asked for: to mount / or to add capabilities is up to the
// caller. Package sandbox is the one that refuses. It retries nothing, parses no
// Dockerfile, and speaks no engine's API.
package dockercli
