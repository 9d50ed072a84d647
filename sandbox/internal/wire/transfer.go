package wire

// CodeUnsafe is an entry of a tree that could do harm if it is extracted.
const CodeUnsafe Code = "unsafe"

// Pack asks for a tree or a file as a tar archive.
type Pack struct {
	Path    []byte
	Exclude [][]byte `json:",omitempty"` // globs of entries to leave out
	// Skip leaves out entries that cannot be read or must not leave the sandbox. Otherwise the
	// first of them is an error.
	Skip bool `json:",omitempty"`
	// Inside says that the archive stays in a sandbox: see Unpack.
	Inside bool `json:",omitempty"`
}

// Packed ends a Pack.
type Packed struct {
	// Skipped are the first of SkippedCount entries that were left out, and why.
	Skipped      []*Error `json:",omitempty"`
	SkippedCount int      `json:",omitempty"`
	// Changed are the first of the files that changed while they were read.
	Changed [][]byte `json:",omitempty"`
}

// Unpack puts a tar archive, of a tree or of one file, at a path.
type Unpack struct {
	Path []byte
	// From is a file with the archive; without it the archive is on the call's stream.
	From []byte `json:",omitempty"`
	// Inside says that the archive is of a sandbox: symlinks in it may lead anywhere.
	Inside bool `json:",omitempty"`
}
