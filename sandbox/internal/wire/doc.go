// Package wire is the protocol between the host and the guest program inside a sandbox: frames,
// the streams multiplexed over them, and the messages they carry. Both ends are built from this
// one package.
//
// A frame is a fixed header of nine bytes and a payload:
//
//	0      4      5           9
//	| len  | kind | stream id | payload (len bytes) |
//
// Numbers are big endian. Control frames carry JSON, data frames raw bytes of one stream. The
// first frame of each end is its hello, with the version of the protocol: ends of another major
// version refuse each other. A call takes three numbers of streams, chosen by the host. Its
// reply ends the call and its streams.
//
// # Credit
//
// The sender of a stream may have a Window of bytes in flight that the receiver has not read.
// The receiver grants credit for more after half a window was read. So a slow reader of one
// stream neither blocks the others nor fills memory. Control frames need no credit, and wait
// behind at most the one data frame that is being written.
//
// The pipes and relays between the ends hold a few megabytes beside that. Two ends that both
// write and do not read would wait for each other once those are full. So the guest's read loop
// never writes; the host's may, to grant credit.
//
// # Ends
//
// An End frame says that no more bytes follow in one direction of a stream; it may carry the
// last ones, so that a short answer is one write. A Reset says that the receiver wants no more.
// The end of a call ends its streams without either, for most readers with the same io.EOF: see
// Stream.Ended.
//
// # Trust
//
// Neither end trusts the other's lengths, ids or JSON. A frame that is too large, data beyond
// the window or an unknown kind ends the connection with a *ProtocolError. Paths, arguments and
// environment entries are []byte, base64 in JSON: they may hold bytes that are not UTF-8, which
// JSON strings would silently replace.
package wire
