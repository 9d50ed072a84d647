// Package interpreter is the protocol between the host and an interpreter inside a sandbox: the
// programs that run inside, the messages that they exchange with the host over the command's
// control socket, and the marks that divide the output of one run of code from the next.
//
// The code inside is hostile: whatever comes from there is bounded and checked here.
package interpreter
