package wire

// Path names a file.
type Path struct {
	Path []byte
	// Follow is for OpStat: describe the file that a symlink leads to.
	Follow bool `json:",omitempty"`
}

// Read asks for bytes of a file.
type Read struct {
	Path   []byte
	Offset int64 `json:",omitempty"`
	// Limit is how many bytes are wanted. A negative one is all of them, which is CodeTooLarge
	// if they are more than Max.
	Limit, Max int64
}

// Write puts the bytes of the call's stream into a file.
type Write struct {
	Path []byte
	Mode uint32 // permission bits for a new file
}

// Written ends a write.
type Written struct {
	Created bool `json:",omitempty"`
	// InPlace says that the file could not be replaced by a rename, so a reader could see it
	// half written.
	InPlace bool `json:",omitempty"`
}

// FileInfo describes a file.
type FileInfo struct {
	Name     []byte
	Size     int64
	Mode     uint32 // the bits of fs.FileMode
	ModTime  int64  // nanoseconds since 1970
	UID, GID uint32
	Link     []byte `json:",omitempty"` // the target of a symlink
}

// Mkdir makes a directory and its parents.
type Mkdir struct {
	Path []byte
	Mode uint32
}

// Remove removes a file or an empty directory or, with All, a directory with all that it holds.
type Remove struct {
	Path []byte
	All  bool `json:",omitempty"`
}

// Rename moves a file or a directory.
type Rename struct {
	From, To []byte
}

// ReadLines asks for lines of a text file.
type ReadLines struct {
	Path  []byte
	First int // from 1
	Count int `json:",omitempty"` // 0 is all lines
	Max   int // bytes
}

// LinesRead ends a read of lines.
type LinesRead struct {
	First, Count, Total int
	Cut                 bool `json:",omitempty"`
	Size                int64
	Hash                string
}

// Edit replaces Old by New.
type Edit struct {
	Path, Old, New []byte
	All            bool   `json:",omitempty"`
	IfHash         string `json:",omitempty"`
	Max            int64
}

// Edited ends an edit.
type Edited struct {
	Count, Line int
	Hash        string
	InPlace     bool `json:",omitempty"`
}

// MultiEdit replaces one text after the other or, if one fails, none of them.
type MultiEdit struct {
	Path   []byte
	Edits  []Replace
	IfHash string `json:",omitempty"`
	Max    int64
}

// Replace is one edit of several.
type Replace struct {
	Old, New []byte
	All      bool `json:",omitempty"`
}

// Chmod changes the mode bits of a file.
type Chmod struct {
	Path []byte
	Mode uint32 // the bits of fs.FileMode
}

// Chtimes changes the times of a file, in nanoseconds since 1970; nil leaves one as it is.
type Chtimes struct {
	Path            []byte
	Access, Changed *int64 `json:",omitempty"`
}

// Symlink makes a symlink.
type Symlink struct {
	Target, Path []byte
}

// Hashed is the SHA-256 of a file, in hexadecimal.
type Hashed struct {
	Hash string
}

// Usage is the size of a tree.
type Usage struct {
	Bytes, Disk int64 // the lengths of the regular files; the blocks of all files
	Files, Dirs int64
	Others      int64
	Errors      int64
}

// Walk lists a tree.
type Walk struct {
	Path  []byte
	Depth int `json:",omitempty"` // 0 is no limit
}

// WalkEntry is a file of a tree, with its path below the top as its name. With Error it is a
// directory that could not be read.
type WalkEntry struct {
	FileInfo
	Error *Error `json:",omitempty"`
}

// Watch reports changes below a directory.
type Watch struct {
	Path    []byte
	Exclude [][]byte `json:",omitempty"`
	Delay   int64    // for how many nanoseconds changes are gathered
}

// Change is one of a batch of changes. The first Change of a watch is empty: the watch has
// begun.
type Change struct {
	Path []byte `json:",omitempty"` // below the directory; empty is the directory itself
	Kind string `json:",omitempty"` // created, modified, removed; overflow: some were lost
	Dir  bool   `json:",omitempty"`
	Last bool   `json:",omitempty"` // of the batch
}
