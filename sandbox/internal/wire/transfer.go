package wire

// CodeUnsafe is an entry of a tree that could do harm where it is extracted.
const CodeUnsafe Code = "unsafe"

// Pack asks for what a path names, a tree or one file, as a tar archive.
type Pack struct {
	Path    []byte
	Exclude [][]byte `json:",omitempty"` // patterns of what is left out
	// Skip leaves out what cannot be read or must not leave, and goes on.
	Skip bool `json:",omitempty"`
	// Inside is for an archive that is unpacked in a sandbox again: see Unpack.
	Inside bool `json:",omitempty"`
}

// Packed ends a Pack.
type Packed struct {
	// Skipped are the first of SkippedCount entries that were left out, and why.
	Skipped      []*Error `json:",omitempty"`
	SkippedCount int      `json:",omitempty"`
	// Changed are the first files whose contents changed while they were read.
	Changed [][]byte `json:",omitempty"`
}

// Unpack puts a tar archive, of a tree or of one file, at a path.
type Unpack struct {
	Path []byte
	// From is a file with the archive; without it the archive is on the call's stream.
	From []byte `json:",omitempty"`
	// Inside: the archive is of a sandbox, and symlinks in it may lead anywhere.
	Inside bool `json:",omitempty"`
}
