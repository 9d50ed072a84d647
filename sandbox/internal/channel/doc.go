// Package channel is the host's end of the connection to a guest. It shakes hands, makes calls,
// carries their streams and notices when the guest is gone.
//
// # Why stdin and stdout of docker run
//
// One docker run -i starts the container and is the channel: about 200 ms to the end of the
// first command, where run -d and exec -i take 300. There is no port, no token and no network,
// and it works the same with a remote engine (DOCKER_HOST=ssh://), with contexts and with
// podman. A command through the channel takes about a millisecond. docker exec takes 50 to 75;
// killing its CLI leaves the process running, since the engine has no call to kill an exec; and
// the daemon cuts its output 2 s after its first process has ended.
//
// Some flags belong to that. With a log driver other than none the engine would write each byte
// of the channel to a log on disk. podman looks for the keys that detach even without a
// terminal, so two bytes of the channel would detach from the container: --detach-keys= turns
// that off. A health check of the image would be executed beside the guest: --no-healthcheck.
//
// The CLI writes to a pipe whose other end the channel reads itself. No goroutine copies in
// between.
//
// # Trust
//
// The guest is hostile: whatever it sends is bounded and checked, and a violation closes the
// channel for good. Not even its text is trusted to be a guest's: the engine's own messages come
// on the same stream, so the hello repeats a nonce of the host's, and what comes in place of it
// is shown as what it is. A guest may end every stream of a call and never reply, so each wait
// for a reply has a context.
//
// # Ends
//
// The end of the guest's stdout is the end of the sandbox, and so is a Bye, which says why. An
// ssh or tcp connection that was cut may not end at all: the channel pings every 15 seconds, and
// fails if nothing has come for 75. A call that was canceled still gets its reply.
//
// The read loop of a channel must not block: while it waits, no stream of any call gets its
// bytes or its credit. It hands bytes to the chunks of a stream, or to a function that takes
// them at once. It may write credit itself, because the guest's read loop always reads.
package channel
