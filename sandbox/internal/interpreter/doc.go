// Package interpreter is what the host and an interpreter inside a sandbox say to each
// other: the programs that run inside, the messages they exchange over the command's
// control socket, and the marks that divide its output between one run of code and the
// next.
//
// What comes from inside is hostile: it is bounded and checked here.
package interpreter
