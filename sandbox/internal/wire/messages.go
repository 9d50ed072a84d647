package wire

// HostHello is the host's first frame.
type HostHello struct {
	Major, Minor int
	// Nonce comes back from the guest. It tells the guest's first frame from text that another
	// program printed.
	Nonce string
	// Dir is the directory that relative paths and commands begin in.
	Dir []byte
	// Env is added to the image's environment for every command, as KEY=VALUE.
	Env [][]byte
	// Again says that the host comes back: Dir and Env stay as they are.
	Again bool `json:",omitempty"`
	// Procs bounds the processes and threads of the user that all jobs run as, if no other
	// sandbox has that user. 0 is no bound but the container's.
	Procs int64 `json:",omitempty"`
}

// GuestHello is the guest's first frame, sent when it is ready for calls.
type GuestHello struct {
	Major, Minor int
	Nonce        string
	UID, GID     int
	Dir          []byte
}

// CallStreams is how many stream numbers a call takes, from its own on.
const CallStreams = 3

// Op is the operation that a call asks for: the first byte of its payload.
type Op byte

// The operations.
const (
	OpExec      Op = iota + 1 // Exec -> Exited
	OpRead                    // Read -> nothing; bytes on the call's stream
	OpWrite                   // Write -> Written; bytes on the call's stream
	OpStat                    // Path -> FileInfo
	OpReadDir                 // Path -> nothing; one JSON FileInfo a line on the call's stream
	OpMkdir                   // Mkdir -> nothing
	OpRemove                  // Remove -> nothing
	OpRename                  // Rename -> nothing
	OpReadLines               // ReadLines -> LinesRead; bytes on the call's stream
	OpEdit                    // Edit -> Edited
	OpRealPath                // Path -> Path
	OpGlob                    // Glob -> Searched; FileInfos as of AppendFileInfo on the call's stream
	OpGrep                    // Grep -> Searched; GrepLines as of AppendGrepLine on the call's stream
	OpStats                   // nothing -> Stats
	OpJobStart                // JobStart -> Job
	OpJobs                    // nothing -> nothing; one JSON Job a line on the call's stream
	OpJobRead                 // JobRead -> JobReadDone; bytes on the call's stream
	OpJobWait                 // JobWait -> JobWaited
	OpJobSignal               // JobSignal -> nothing
	OpJobStop                 // JobStop -> Job

	OpMultiEdit // MultiEdit -> Edited
	OpChmod     // Chmod -> nothing
	OpChtimes   // Chtimes -> nothing
	OpSymlink   // Symlink -> nothing
	OpReadlink  // Path -> Path
	OpHash      // Path -> Hashed
	OpUsage     // Path -> Usage
	OpWalk      // Walk -> nothing; one JSON WalkEntry a line on the call's stream
	OpWatch     // Watch -> nothing; one JSON Change a line on the call's stream, until it is canceled
	OpPack      // Pack -> Packed; a tar archive on the call's stream
	OpUnpack    // Unpack -> nothing; a tar archive on the call's stream
	OpDial      // Dial -> nothing; the connection's bytes on the call's stream
	OpReset     // Reset -> nothing
)

// Exec starts a program. The call's stream carries its stdin and stdout, the stream with the
// next number its stderr, and the stream after that its control socket.
type Exec struct {
	Path  []byte   // looked up in the command's PATH if it has no slash
	Args  [][]byte // Args[0] included
	Env   [][]byte `json:",omitempty"` // KEY=VALUE, in place of the sandbox's
	Dir   []byte   `json:",omitempty"`
	Stdin bool     `json:",omitempty"` // without it stdin is /dev/null
	Join  bool     `json:",omitempty"` // stderr goes where stdout goes
	// Control gives the program a stream socket as descriptor 3.
	Control bool `json:",omitempty"`
	// Terminal makes stdin, stdout and stderr one pseudo-terminal of that size.
	Terminal *Size `json:",omitempty"`
	// Limits are resource limits of its processes.
	Limits []Limit `json:",omitempty"`
	// MaxOutput is how many bytes the program may write to stdout and stderr before it is
	// ended; 0 is no limit.
	MaxOutput int64 `json:",omitempty"`
	// Timeout in nanoseconds starts the ladder TERM, Grace, KILL; 0 is no limit.
	Timeout int64 `json:",omitempty"`
	Grace   int64
}

// Size is the size of a terminal in characters.
type Size struct{ Rows, Cols uint16 }

// Limit is a resource limit: the name as in setrlimit(2), in lower case and without RLIMIT_. -1
// is unlimited.
type Limit struct {
	Name       string
	Soft, Hard int64
}

// Cancel ends a job as a timeout does.
type Cancel struct {
	// Now leaves out SIGTERM and the grace.
	Now bool `json:",omitempty"`
}

// Signal asks for a signal to a job's process group, or for another size of its terminal.
type Signal struct {
	Number int   `json:",omitempty"`
	Size   *Size `json:",omitempty"`
}

// Exited is how a command ended.
type Exited struct {
	// Code is the exit code, -1 if a signal ended the command.
	Code int
	// Signal is the number of the signal that ended it, or 0.
	Signal int `json:",omitempty"`
	// TimedOut, Canceled and OutputExceeded say why the command was ended. Rung is how far that
	// went: term or kill.
	TimedOut       bool   `json:",omitempty"`
	Canceled       bool   `json:",omitempty"`
	OutputExceeded bool   `json:",omitempty"`
	Rung           string `json:",omitempty"`
	// OutOfMemory says that it died as processes do when the kernel takes memory back, and that
	// the kernel did so while it ran. Others says that another job ran at the time, which the
	// kernel may have meant.
	OutOfMemory bool `json:",omitempty"`
	Others      bool `json:",omitempty"`
	// Unread says that output was dropped, because its reader had left or did not take it in
	// time.
	Unread bool `json:",omitempty"`
	// Times are in nanoseconds, Peak is in bytes and 0 if it is not known.
	Elapsed, User, System int64
	Peak                  int64
}

// JobStart starts a command that outlives the call. Exec.Join is implied.
type JobStart struct {
	Exec
	Name string `json:",omitempty"`
	Keep int    // bytes of output
}

// Job describes a background job.
type Job struct {
	ID       int
	Name     string `json:",omitempty"`
	Args     [][]byte
	PID      int
	Started  int64   // nanoseconds since 1970
	Exited   *Exited `json:",omitempty"` // nil while it runs
	Terminal bool    `json:",omitempty"`
	// First is the offset of the oldest byte of output that is kept, Next that of the byte
	// after the newest.
	First, Next int64
}

// JobRead asks for the output of a job from an offset on, or from the oldest byte that is kept
// if that comes later.
type JobRead struct {
	ID   int
	From int64
	// Follow goes on until the job ends.
	Follow bool `json:",omitempty"`
	// Input says that the call's stream carries the job's stdin. Its end closes that.
	Input bool `json:",omitempty"`
}

// JobReadDone ends a read of a job's output.
type JobReadDone struct {
	Next int64 // the offset after the last byte sent
	Job  Job
}

// JobWait waits for the end of a job or, with a Pattern, for a line of its output from an offset
// on that a regular expression matches.
type JobWait struct {
	ID      int
	Pattern []byte `json:",omitempty"`
	From    int64  `json:",omitempty"`
}

// JobWaited ends a wait.
type JobWaited struct {
	Job   Job
	Found bool   `json:",omitempty"`
	Line  []byte `json:",omitempty"` // without its end
	Next  int64  `json:",omitempty"` // the offset after the line
}

// JobSignal sends a signal to a job, or changes the size of its terminal.
type JobSignal struct {
	ID int
	Signal
}

// JobStop ends a job by the ladder and waits for its end.
type JobStop struct {
	ID    int
	Grace int64 // nanoseconds; 0 is KILL at once
}

// Reset ends every command and job with all processes that they started, and empties
// directories, except mounts in them.
type Reset struct {
	Dirs [][]byte
}

// Stats are the container's figures. One that cannot be read is -1, a limit that is not set 0.
type Stats struct {
	Memory, MemoryLimit int64 // bytes, without the cache that the kernel can drop
	PIDs, PIDsLimit     int64
	CPU                 int64 // nanoseconds of all processes since the start
	Elapsed             int64 // nanoseconds since the start
	DiskUsed, DiskSize  int64 // bytes of the file system of the work dir
}

// The status byte of a reply.
const (
	StatusOK    byte = iota // the operation's JSON follows
	StatusError             // JSON Error follows
)
