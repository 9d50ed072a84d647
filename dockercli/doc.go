// Package dockercli drives a container engine through its command line: docker, or podman, which
// takes the same arguments. A method starts one process, decodes machine formats only, and returns
// typed results and errors.
//
//	c := &dockercli.Client{}
//	r, err := c.Run(ctx, "alpine", []string{"echo", "hello"}, &dockercli.RunOptions{
//		Remove:  true,
//		Network: "none",
//	})
//
// # Names
//
// A method is called after the command that it runs, and is in a file of that name. If docker has
// the command for several kinds of object, the kind comes first: ContainerList, ImageList,
// NetworkList are docker container ls, image ls, network ls. If only one kind has it, the method is
// the verb alone: Run, Build, Pull, Save, Load, Commit, Pause. Start and StartExec are run and exec
// with the standard streams in the caller's hands.
//
// The package has the commands and options that package sandbox needs, and no others. To add a
// command, write a pure function that builds its command line (see flags), a method that runs it,
// and a row in TestOtherArgs.
//
// # Trust
//
// The caller and the engine are trusted, and what runs in a container is not. No shell and no
// quoting is involved. Names that a CLI could take for flags are refused before the start. Secrets
// go into the environment of the CLI, not into its arguments. Everything that is read is bounded.
//
// A program in a container shares standard error with the CLI, so it can forge the messages of an
// engine. The sentinel of an error after Run, Start or StartExec is a hint; ContainerInspect is
// the truth.
//
// # What it does not do
//
// It does not judge a request: to mount / or to add capabilities is up to the caller, and package
// sandbox is the one that refuses. It retries nothing, parses no Dockerfile, and speaks no engine's
// API. It has no docker cp, in which engine 29.5.1 fixed four security holes, and which neither
// reaches a tmpfs nor writes into a read-only container.
//
// # Engines
//
// These facts about engines explain why the package does what it does. They were measured with
// docker 20.10 to 29 and podman 4 and 5, or read in their source.
//
// Errors
//   - The wording of messages changes with the version ("Error: No such object", "error: no such
//     object"). So there are few sentinels, and one table of wordings that ignores case. Every
//     process gets LC_ALL=C and NO_COLOR=1, so that the wording is the same on every host.
//   - The exit codes 125, 126 and 127 of docker run can be the program's own as well. An unknown
//     flag is 125. Result.EngineError tells them apart by the message.
//   - docker rm --force succeeds for a container that does not exist. A container that --rm is
//     removing at that moment is an error, which ContainerRemove turns into a wait.
//   - docker info may exit with 0 although the engine does not answer, and then has the reason in
//     its output. Info reads both, and Ping is Info without its memory.
//   - On an engine before docker 25 two networks can have one name. To create a volume that exists
//     is a success in docker and an error in podman.
//
// Processes
//   - The end of docker exec's CLI does not end the command in the container, and engines have no
//     call that does (https://github.com/moby/moby/issues/9098). When the command ends, the engine
//     waits 2 s for its streams and then cuts them, so output can be lost.
//   - A CLI that is killed while it creates a container can leave it in the state created: 5 of 60
//     did, with their volumes. A CLI whose standard input was closed left none of 40. So
//     Process.Close closes Stdin first and kills last.
//   - docker handles SIGTERM and exits with 143.
//   - podman run looks for the detach keys, by default the bytes 0x10 0x11, even without a
//     terminal: see RunOptions.DetachKeys.
//   - An idle docker CLI takes 24 MB of memory, 5 MB of it its own. To inspect an image takes 14 ms.
//     So the answer of Info is kept, and ImageInspectAll asks for many images at once.
//
// Command lines
//   - All commands here take "--" before the names of objects, which ends the flags. A name that
//     begins with "-" is refused before the start all the same.
//   - DOCKER_HOST wins over a docker context, before docker 23 even if it is empty. So it is
//     removed from the environment of the process if Client.Context is set.
//   - docker and podman name the flag for the engine's address differently. So the address goes
//     into variables, DOCKER_HOST for the one and CONTAINER_HOST for the other.
//   - rm --force without --volumes leaves the anonymous volumes of a container behind.
//   - docker refuses more CPUs than the engine has.
//   - With a log driver other than "none" every byte that a container writes is written to the
//     engine's disk as well. A base image may have a HEALTHCHECK, which runs inside by exec.
//   - podman save takes all names but the first for further names of the first image, unless it is
//     told --multi-image-archive. In podman a tmpfs mount takes "ro", not "readonly".
//   - podman can pause containers without root only with cgroup v2.
//
// Builders
//   - docker build uses BuildKit if the buildx component is installed, and from docker 23 on warns
//     and uses the legacy builder otherwise. Before, BuildKit had to be asked for by
//     DOCKER_BUILDKIT=1. Build sets that variable, so that the builder is the one in Info.
//   - The legacy builder writes its progress to standard output, BuildKit to standard error. Build
//     merges the two.
//   - A failed step of the legacy builder and of podman leaves a container without --force-rm. A
//     BuildKit builder in a container keeps its image to itself without --load.
//
// Output
//   - docker prints an object a line, podman an array. Ids have their algorithm in docker and not
//     in podman. The labels in docker's lists are one string, which does not mark a comma inside a
//     value.
//   - The list of docker's CLI 29 leaves out images without a tag.
//   - Only load has no machine format.
//
// nerdctl takes most of the arguments, and its messages are in the table of wordings. It is not
// supported as an engine of package sandbox: among other things it does not take a build context
// on standard input.
package dockercli
